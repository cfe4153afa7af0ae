"""`dvc exp run -S` on every value of every variant's row, with DVC's own parser and writer, in this process."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, get_args

import pytest
import yaml
from dvc.exceptions import InvalidArgumentError
from dvc.utils.hydra import apply_overrides

from seg.config.architectures import OPTIONS
from seg.config.params import Params, load_params

TEXT = (Path(__file__).parents[2] / "params.yaml").read_text(encoding="utf-8")
CONTENT: dict[str, Any] = yaml.safe_load(TEXT)
STUDIES: dict[str, Any] = CONTENT["studies"]
PARAMS = load_params(CONTENT)
ASIDE = ("enabled", "readings", "not_in_source")  # keys of a row that are not part of its recipe


def leaves(row: dict[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in row.items():
        if isinstance(value, dict) and key != "readings":  # texts, see `tests/config/test_readings.py`
            yield from leaves(value, f"{above}{key}.")
        elif key != "readings":
            yield above + key, value


LEAVES = [
    (study, variant, leaf, value)
    for study in STUDIES
    for variant, row in STUDIES[study]["variants"].items()
    for leaf, value in leaves(row)
]


def text_of(study: str) -> str:
    """The text of one study: DVC's YAML library needs 0.15 s for the whole file, too much for every value."""
    lines = TEXT.splitlines(keepends=True)
    start = lines.index(f"  {study}:\n")
    end = next(k for k, line in enumerate([*lines, "end"]) if k > start and line.strip() and not line.startswith("   "))
    return "studies:\n" + "".join(lines[start:end])


def edited(folder: Path, text: str, *overrides: str) -> dict[str, Any]:
    """The studies of a file after `dvc exp run -S`."""
    path = folder / "params.yaml"
    path.write_text(text, encoding="utf-8")
    apply_overrides(path, list(overrides))
    studies: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))["studies"]
    return studies


def outcome(params: Params, study: str, variant: str) -> dict[str, Any]:
    """Values that a variant's row determines, under `paper`, which replaces none of them."""
    packs = [params.pack("paper", study, variant, use) for use in get_args(Literal["train", "val", "eval"])]
    return {
        "training": (params.recipe("paper", study, variant, 0).json_line(), packs),
        "enabled": variant in params.variants(study),
        "readings": params.studies[study].variants[variant].readings,
        "not_in_source": params.not_in_source(study, variant),
    }


def heirs(study: str, variant: str, leaf: str) -> set[str]:
    """A variant and the variants that inherit this key of its row, as listed by `seg show`."""
    rows = PARAMS.studies[study].variants
    row = f"studies.{study}.variants.{variant}"
    if leaf == "enabled":  # never inherited
        return {variant}
    if leaf == "like":  # changes what is inherited
        found = {variant}
        while more := {name for name, row in rows.items() if row.like in found} - found:
            found |= more
        return found
    if leaf in ASIDE:
        return {name for name in rows if PARAMS.row_of(f"studies.{study}.variants.{name}", leaf) == row}
    return {name for name in rows if PARAMS.settings(study, name).get(leaf, (None, ""))[1] == row}


def replacement(leaf: str, value: Any, row: dict[str, Any]) -> Any:
    """Another valid value."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, list):
        return ["batch"] if value != ["batch"] else ["epochs"]
    if leaf.startswith("model.options."):
        kind = OPTIONS[row["model"]["name"]].model_fields[leaf.rpartition(".")[2]].annotation
        return next(choice for choice in get_args(kind) if choice != value)
    if isinstance(value, int | float):
        return value + 1 if isinstance(value, int) else value * 0.99
    choices = {
        "like": ["baseline"],
        "model.name": ["segnet", "erfnet"],
        "schedule.name": ["constant", "cosine"],
        "loss": ["dice", "cross_entropy"],
        "weights": ["resnet34_imagenet", "erfnet_imagenet"],
    }
    return next(choice for choice in choices[leaf] if choice != value)


@pytest.mark.parametrize(("study", "variant", "leaf", "value"), LEAVES, ids=[".".join(row[1:3]) for row in LEAVES])
def test_a_value_changes_its_variant_and_those_that_inherit_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, study: str, variant: str, leaf: str, value: Any
) -> None:
    monkeypatch.setattr("seg.config.params.impossible_recipes", lambda _: ())  # such as weights of another backbone
    row = STUDIES[study]["variants"][variant]
    path = f"studies.{study}.variants.{variant}"
    new = replacement(leaf, value, row)
    overrides = [f"{path}.{leaf}={new}"]
    group, _, key = leaf.partition(".")
    if key == "name":  # the other keys belong to the old name
        overrides += [f"~{path}.{group}.{other}" for other in row[group] if other != "name"]
    studies = edited(tmp_path, text_of(study), *overrides)
    params = load_params(CONTENT | {"studies": STUDIES | studies})
    aspect = leaf if leaf in ASIDE else "training"
    changed = set()
    for name in STUDIES[study]["variants"]:
        before, after = outcome(PARAMS, study, name), outcome(params, study, name)
        if after[aspect] != before[aspect]:
            changed.add(name)
        assert leaf == "like" or {**after, aspect: None} == {**before, aspect: None}
    assert variant in changed
    assert changed == heirs(study, variant, leaf)


def test_the_rows_have_values_and_some_are_inherited() -> None:
    assert len(LEAVES) > 100
    assert sum(len(heirs(study, variant, leaf)) > 1 for study, variant, leaf, _ in LEAVES) > 10


def test_the_file_has_no_anchors_so_that_no_two_rows_or_studies_share_a_value() -> None:
    assert not [event for event in yaml.parse(TEXT) if getattr(event, "anchor", None)]
    assert "<<" not in TEXT


@pytest.mark.parametrize("study", STUDIES)
def test_a_value_in_the_whole_file_changes_no_other_study(tmp_path: Path, study: str) -> None:
    variant, leaf, value = next(row[1:] for row in LEAVES if row[0] == study and row[2] not in ("like", *ASIDE))
    new = replacement(leaf, value, STUDIES[study]["variants"][variant])
    studies = edited(tmp_path, TEXT, f"studies.{study}.variants.{variant}.{leaf}={new}")
    assert studies != STUDIES
    del studies[study]
    assert studies == {name: row for name, row in STUDIES.items() if name != study}


def test_a_small_number_survives(tmp_path: Path) -> None:
    studies = edited(tmp_path, text_of("cityscapes_fcn"), "studies.cityscapes_fcn.variants.unet.lr=1e-5")
    params = load_params(CONTENT | {"studies": STUDIES | studies})
    assert params.recipe("paper", "cityscapes_fcn", "unet", 0).lr == 1e-5


def test_a_key_that_is_not_in_the_row_is_refused_and_added_with_a_plus(tmp_path: Path) -> None:
    study, key = "voc2007_erfnet", "studies.voc2007_erfnet.variants.darrennet.clip_norm"
    with pytest.raises(InvalidArgumentError):
        edited(tmp_path, text_of(study), f"{key}=1.0")
    studies = edited(tmp_path, text_of(study), f"+{key}=1.0")
    rows = studies[study]["variants"]
    assert [name for name, row in rows.items() if "clip_norm" in row] == ["darrennet"]
    del rows["darrennet"]["clip_norm"]
    assert studies[study] == STUDIES[study]
    rows["darrennet"]["clip_norm"] = 1.0
    params = load_params(CONTENT | {"studies": STUDIES | studies})
    changed = {name for name in rows if outcome(params, study, name) != outcome(PARAMS, study, name)}
    assert changed == {name for name in rows if name.startswith("darrennet")}
