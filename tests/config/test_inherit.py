"""`like`: inherited values, their sources, and errors."""

from typing import Any

import jsonschema
import pytest

from seg.config.inherit import apply_inheritance
from seg.config.params import Params, load_params

SETTINGS = {
    "weights": None, "frozen": False, "optimizer": "adam", "weight_decay": 0.0, "momentum": 0.9,
    "schedule": {"name": "constant"}, "clip_norm": None, "accumulate": 1, "eval_batch": 4, "early_stopping": None,
    "augmentation": {},
    "scaling": "unit", "precision": "fp32", "compile": False, "deterministic": True, "threads": 1, "gpus": 1,
    "train_images": None, "train_size": 1.0, "eval_size": 1.0, "evaluation": {},
}  # fmt: skip
DEFAULTS = {"model": {"name": "fcn"}, "loss": "dice", "batch": 4, "epochs": 10, "lr": 0.1, "clip_norm": 2.0}
CROP = {"p": 0.5, "area": {"low": 0.5, "high": 1.0}, "aspect": {"low": 0.75, "high": 1.25}}


def content(**variants: Any) -> dict[str, Any]:
    """A file with one study `s` of these variants."""
    job = {"memory": 1, "minutes": 1}
    study = {"title": "t", "source": "s", "dataset": "d", "classes": ["c"], "defaults": DEFAULTS, "variants": variants}
    return {
        "preset": "p",
        "seeds": [0],
        "block": 10,
        "equivalence": 0.01,
        "presets": {"p": {"title": "t", "validate_every": 1}},
        "cluster": {"training": job, "data": job},
        "datasets": {"d": {"layout": "voc", "size": [64, 64], "eval_split": "test"}},
        "defaults": SETTINGS,
        "studies": {"s": study},
    }


def load(**variants: Any) -> Params:
    return load_params(content(**variants))


def problems(**variants: Any) -> list[str]:
    with pytest.raises(ValueError) as caught:  # noqa: PT011  # the lines are compared whole
        load(**variants)
    return str(caught.value).splitlines()


def test_mappings_are_merged_key_by_key_along_a_chain() -> None:
    params = load(
        a={"lr": 0.2, "batch": 8, "augmentation": {"flip": 0.5, "crop": CROP}},
        b={"like": "a", "lr": 0.3, "augmentation": {"crop": {"p": 0.9, "area": {"low": 0.8}}}},
        c={"like": "b", "augmentation": {"vertical_flip": 0.25}},
    )
    settings = params.settings("s", "c")
    row = "studies.s.variants."
    assert settings["lr"] == (0.3, f"{row}b")
    assert settings["batch"] == (8, f"{row}a")
    assert settings["loss"] == ("dice", "studies.s.defaults")
    assert settings["augmentation.flip"] == (0.5, f"{row}a")
    assert settings["augmentation.vertical_flip"] == (0.25, f"{row}c")
    assert settings["augmentation.crop.p"] == (0.9, f"{row}b")
    assert settings["augmentation.crop.area.low"] == (0.8, f"{row}b")
    assert settings["augmentation.crop.area.high"] == (1.0, f"{row}a")
    recipe = params.recipe("p", "s", "c", 0)
    assert (recipe.lr, recipe.batch, recipe.augmentation.flip, recipe.augmentation.vertical_flip) == (0.3, 8, 0.5, 0.25)
    assert recipe.augmentation.crop.model_dump() == CROP | {"p": 0.9, "area": {"low": 0.8, "high": 1.0}}
    assert params.recipe("p", "s", "a", 0).augmentation.crop.model_dump() == CROP


def test_the_schema_accepts_a_mapping_in_part() -> None:
    rows = {"a": {"augmentation": {"crop": CROP}}, "b": {"like": "a", "augmentation": {"crop": {"p": 0.9}}}}
    validator = jsonschema.Draft202012Validator(Params.model_json_schema())
    validator.validate(content(**rows))
    rows["b"]["augmentation"]["crop"] = {"q": 0.9}
    assert not validator.is_valid(content(**rows))


def test_the_order_of_the_rows_does_not_matter() -> None:
    rows = {"a": {"lr": 0.2}, "b": {"like": "a", "batch": 2}, "c": {"like": "b", "epochs": 3}}
    forward, backward = load(**rows), load(**dict(reversed(rows.items())))
    assert all(forward.recipe("p", "s", name, 0) == backward.recipe("p", "s", name, 0) for name in rows)


def test_null_clears_what_is_inherited() -> None:
    params = load(
        a={"lr": 0.2, "augmentation": {"flip": 0.5, "crop": CROP}, "early_stopping": {"patience": 2}, "clip_norm": 3.0},
        nested={"like": "a", "augmentation": {"crop": None}},
        whole={"like": "a", "augmentation": None, "lr": None},
        nullable={"like": "a", "early_stopping": None, "clip_norm": None},
        heir={"like": "whole", "augmentation": {"vertical_flip": 0.1}},
    )
    recipes = {name: params.recipe("p", "s", name, 0) for name in params.variants("s")}
    assert recipes["nested"].augmentation.model_dump(exclude_none=True) == {"flip": 0.5, "vertical_flip": 0.0}
    # A value that cannot be null is then that of the study's defaults or of `defaults`.
    assert (recipes["whole"].lr, params.settings("s", "whole")["lr"]) == (0.1, (0.1, "studies.s.defaults"))
    assert params.settings("s", "whole")["augmentation"] == ({}, "defaults")
    # A value that can be null is null, regardless of the study's default.
    assert (recipes["nullable"].early_stopping, recipes["nullable"].clip_norm) == (None, None)
    assert recipes["heir"].augmentation.model_dump(exclude_none=True) == {"flip": 0.0, "vertical_flip": 0.1}


def test_a_null_that_clears_nothing_is_an_error() -> None:
    assert problems(a={}, b={"like": "a", "lr": None}) == [
        "studies.s.variants.b.lr: got null; give a value or remove the line"
    ]


def test_another_name_replaces_a_mapping() -> None:
    params = load(
        a={"model": {"name": "fcn", "options": {"depth": 6}}, "schedule": {"name": "step", "every": 2, "factor": 0.5}},
        b={"like": "a", "model": {"name": "segnet"}, "schedule": {"name": "cosine"}},
        c={"like": "a", "model": {"options": {"dropout": True}}, "schedule": {"every": 3}},
        d={"like": "a", "model": {"options": {"depth": None}}},
    )
    assert params.recipe("p", "s", "b", 0).model.model_dump() == {"name": "segnet", "options": {"depth": "basic"}}
    assert params.recipe("p", "s", "b", 0).schedule.model_dump(exclude_none=True) == {"name": "cosine"}
    c = params.recipe("p", "s", "c", 0)
    assert (c.model.options.depth, c.model.options.dropout, c.schedule.every, c.schedule.factor) == (6, True, 3, 0.5)
    assert params.recipe("p", "s", "d", 0).model.options.depth == 5


def test_lists_are_replaced_and_all_keys_but_enabled_are_inherited() -> None:
    params = load(
        a={"enabled": False, "not_in_source": ["lr"], "lr": 0.2},
        b={"like": "a"},
        c={"like": "a", "not_in_source": ["batch"]},
        d={"like": "a", "not_in_source": []},
    )
    assert params.variants("s") == ["b", "c", "d"]
    assert [params.not_in_source("s", name) for name in "bcd"] == [["lr"], ["batch"], []]
    assert params.row_of("studies.s.variants.b", "not_in_source") == "studies.s.variants.a"
    assert params.row_of("studies.s.variants.c", "not_in_source") == "studies.s.variants.c"


@pytest.mark.parametrize(
    ("rows", "line"),
    [
        ({"aa": {}, "b": {"like": "aaa"}}, "b.like: 'aaa' is unknown; did you mean aa?"),
        ({"a": {"like": "a"}}, "a.like: got the cycle a -> a; remove one `like`"),
        (
            {"x": {"like": "c"}, "a": {"like": "b"}, "b": {"like": "c"}, "c": {"like": "a"}},
            "a.like: got the cycle a -> b -> c -> a; remove one `like`",
        ),
        ({"a": {}, "b": {"like": 3}}, "b.like: got 3; input should be a valid string"),
        ({"a": {}, "b": {"lik": "a"}}, "b.lik: unknown; did you mean like?"),
    ],
)
def test_a_wrong_like_is_one_line(rows: dict[str, Any], line: str) -> None:
    assert problems(**rows) == [f"studies.s.variants.{line}"]


def test_an_error_in_an_inherited_value_is_reported_once_where_it_was_written() -> None:
    heirs = {"b": {"like": "a"}, "c": {"like": "b"}, "d": {"like": "a", "augmentation": {"flip": 0.1}}}
    path = "studies.s.variants.a"
    wrong = {"lr": "fast", "epoch": 3, "augmentation": {"rotation": {"p": 0.5}}, "model": {"name": "fcnn"}}
    assert problems(a=wrong, **heirs) == [
        f"{path}.model.name: 'fcnn' is unknown; did you mean fcn?",
        f"{path}.lr: got 'fast'; input should be a valid number",
        f"{path}.augmentation.rotation.degrees: missing; add it",
        f"{path}.epoch: unknown; did you mean epochs?",
    ]


@pytest.mark.parametrize("rows", [None, [], 3, {"a": None, "b": {"like": "a"}}, {"a": {"like": ["a"]}}, {"a": 3}])
def test_content_of_another_kind_is_left_to_the_validation(rows: Any) -> None:
    assert apply_inheritance({"studies": {"s": {"variants": rows}}}).problems == []
    assert apply_inheritance({"studies": rows, "cluster": {"training": rows, "training_of": rows}}).problems == []
