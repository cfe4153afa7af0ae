"""Values of `--config`: parsed as in `params.yaml`."""

import pytest

from seg.config.overrides import read_overrides


def test_values_below_the_first_level_are_parsed_as_yaml() -> None:
    given = {
        "preset": "camvid",
        "seeds": ["0", "1"],
        "studies": {"s": {"variants": {"unet": {"lr": "0.001", "epochs": "3", "frozen": "true", "weights": "null"}}}},
        "defaults": {"weight_decay": "1e-3", "train_size": ["64", "96"]},
    }
    assert read_overrides(given) == {
        "preset": "camvid",
        "seeds": [0, 1],
        "studies": {"s": {"variants": {"unet": {"lr": 0.001, "epochs": 3, "frozen": True, "weights": None}}}},
        "defaults": {"weight_decay": "1e-3", "train_size": [64, 96]},  # a number to the schema, not to YAML 1.1
    }


def test_text_that_is_not_yaml_is_one_line() -> None:
    with pytest.raises(ValueError, match=r"^--config studies: got '\{a: ', expected YAML such as '\{a: \{b: 3\}\}'$"):
        read_overrides({"studies": "{a: "})
