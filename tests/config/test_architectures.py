"""Architectures: options equal the signatures of `build` in `seg.models`; invalid ones give one line per error."""

import inspect
import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any, get_type_hints

import jsonschema
import pytest

from seg.config.architectures import OPTIONS, make_model
from seg.config.params import Params

MODELS = Path(__file__).parents[2] / "seg" / "models"


@pytest.mark.parametrize("name", OPTIONS)
def test_options_equal_the_signature_of_build(name: str) -> None:
    build = import_module(f"seg.models.{name}").build
    parameters = inspect.signature(build).parameters.values()
    keywords = {row.name: row.default for row in parameters if row.kind is inspect.Parameter.KEYWORD_ONLY}
    fields = OPTIONS[name].model_fields
    assert {key: field.default for key, field in fields.items()} == keywords
    types = get_type_hints(build)
    assert {key: field.annotation for key, field in fields.items()} == {key: types[key] for key in keywords}


def test_every_module_with_a_build_function_is_an_architecture() -> None:
    modules = {path.stem for path in MODELS.glob("*.py") if "\ndef build(" in path.read_text(encoding="utf-8")}
    assert modules == set(OPTIONS)


def test_defaults_are_filled_in() -> None:
    model = make_model("fcn", depth=6)
    assert dict(model.options) == {"depth": 6, "activation": "relu", "order": "bn_relu", "dropout": False}
    assert model == make_model("fcn", depth=6, order="bn_relu")
    assert dict(make_model("erfnet").options) == {}


@pytest.mark.parametrize(
    ("name", "options", "line"),
    [
        ("unett", {}, "model.name: 'unett' is unknown; did you mean unet?"),
        ("fcn", {"dept": 6}, "model.options.dept: unknown; did you mean depth?"),
        ("erfnet", {"stem": "resnet34"}, "model.options.stem: unknown; known are none"),
        ("fcn", {"depth": 7}, "model.options.depth: got 7; input should be 5 or 6"),
        ("fcn", {"dropout": 0.1}, "model.options.dropout: got 0.1; input should be a valid boolean"),
        ("smp", {"encoder": 34}, "model.options.encoder: got 34; input should be a valid string"),
    ],
)
def test_an_invalid_model_is_one_line(name: str, options: dict[str, Any], line: str) -> None:
    with pytest.raises(ValueError, match=rf"^{re.escape(line)}$"):
        make_model(name, **options)


def test_every_option_is_in_the_schema() -> None:
    definitions = Params.model_json_schema()["$defs"]
    models = {row["properties"]["name"]["const"]: row for row in definitions.values() if "name" in row["properties"]
              and "const" in row["properties"]["name"]}  # fmt: skip
    assert set(models) == set(OPTIONS)
    for name, row in models.items():
        options = definitions[row["properties"]["options"]["$ref"].rpartition("/")[2]]
        assert set(options["properties"]) == set(OPTIONS[name].model_fields)
    validator = jsonschema.Draft202012Validator({"$defs": definitions, "$ref": "#/$defs/Settings"})
    assert validator.is_valid({"model": {"name": "fcn", "options": {"depth": 6}}})
    assert validator.is_valid({"model": {"options": {"backbone": "resnet34"}}})  # the name may be inherited
    assert not validator.is_valid({"model": {"name": "unet", "options": {"depth": 6}}})
    assert not validator.is_valid({"model": {"name": "fcn", "options": {"depth": 7}}})


def test_the_package_imports_no_torch() -> None:
    code = "import sys, seg.config.params, seg.models; print('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"
