"""Values of `--config` and `--configfile`: parsed and merged as in `params.yaml`."""

from pathlib import Path

import pytest

from seg.config.overrides import read_overridden


def test_values_of_arguments_are_parsed_as_yaml() -> None:
    arguments = [
        "preset=camvid",
        "seeds=[0, 1]",
        "studies={s: {variants: {unet: {lr: 0.001, epochs: 3, frozen: true, weights: null}}}}",
        "defaults={'weight_decay': 1e-3, 'train_size': [64, 96]}",
        "block=",
    ]
    assert read_overridden([], arguments) == {
        "preset": "camvid",
        "seeds": [0, 1],
        "studies": {"s": {"variants": {"unet": {"lr": 0.001, "epochs": 3, "frozen": True, "weights": None}}}},
        "defaults": {"weight_decay": "1e-3", "train_size": [64, 96]},  # a number to the schema, not to YAML 1.1
        "block": None,
    }


def test_files_and_arguments_replace_values_in_their_order(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("x: { y: { z: 1, w: 2 } }\nlist: [1, 2]\nnone: null\n")
    (tmp_path / "b.yaml").write_text("x: { y: { z: 3 } }\nlist: [4]\n")
    content = read_overridden([tmp_path / "a.yaml", tmp_path / "b.yaml"], ["x={v: a=b}", "none={c: 5}"])
    assert content == {"x": {"y": {"z": 3, "w": 2}, "v": "a=b"}, "list": [4], "none": {"c": 5}}


def test_text_that_is_not_yaml_is_one_line() -> None:
    line = "^--config studies, line 1, column 5: a value is missing, or a bracket is not closed$"
    with pytest.raises(ValueError, match=line):
        read_overridden([], ["studies={a: "])
