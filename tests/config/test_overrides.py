"""Values of `--config`: parsed as in `params.yaml`; keys with dots or colons are refused with the valid form."""

import re
from typing import Any

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


@pytest.mark.parametrize(
    ("key", "value", "line"),
    [
        (
            "studies.a.b",
            3,
            "--config studies.a.b=3: got a key with dots, expected nested YAML: --config studies='{a: {b: 3}}'",
        ),
        (
            "presets:demo:title",
            "a: b",
            "--config presets:demo:title={a: b}: got a key with colons, expected nested YAML: "
            "--config presets='{demo: {title: {a: b}}}'",
        ),
        (
            "a.b:c",
            {"d": ["1", "x"]},
            "--config a.b:c={d: [1, x]}: got a key with dots and colons, expected nested YAML: "
            "--config a='{b: {c: {d: [1, x]}}}'",
        ),
    ],
)
def test_a_key_with_dots_or_colons_is_refused_with_the_form_that_works(key: str, value: Any, line: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(line)}$"):
        read_overrides({"preset": "demo", key: value})


def test_every_wrong_key_is_one_line() -> None:
    with pytest.raises(ValueError, match=r"^--config a\.b=1: .*\n--config c:d=2: .*$"):
        read_overrides({"a.b": 1, "seeds": [0], "c:d": 2})


def test_text_that_is_not_yaml_is_one_line() -> None:
    with pytest.raises(ValueError, match=r"^--config studies: got '\{a: ', expected YAML such as '\{a: \{b: 3\}\}'$"):
        read_overrides({"studies": "{a: "})
