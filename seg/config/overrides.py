"""Values of Snakemake's `--config`, which replace those of `params.yaml`."""

import re
import shlex
from collections.abc import Mapping
from typing import Any

import yaml


def read_overrides(overrides: Mapping[str, Any]) -> dict[str, Any]:
    """Parse values as in `params.yaml`: Snakemake passes everything below the first level as text.

    Raises:
        ValueError: a key has dots or colons, or a value is not YAML; one line per error, with the valid form.
    """
    problems = [line for key, value in overrides.items() if (line := _wrong_key(str(key), value))]
    if problems:
        raise ValueError("\n".join(problems))
    return {key: _parsed(key, value) for key, value in overrides.items()}


def _parsed(key: str, value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _parsed(key, item) for name, item in value.items()}
    if isinstance(value, list):
        return [_parsed(key, item) for item in value]
    try:
        return yaml.safe_load(value) if isinstance(value, str) else value
    except yaml.YAMLError:
        raise ValueError(f"--config {key}: got {value!r}, expected YAML such as '{{a: {{b: 3}}}}'") from None


def _wrong_key(key: str, value: Any) -> str | None:
    first, *rest = re.split(r"[.:]", key)
    if not rest:
        return None
    value = nested = _parsed(key, value)
    for name in reversed(rest):
        nested = {name: nested}
    marks = " and ".join(name for mark, name in ((".", "dots"), (":", "colons")) if mark in key)
    return (
        f"--config {key}={_flow(value)}: got a key with {marks}, "
        f"expected nested YAML: --config {first}={shlex.quote(_flow(nested))}"
    )


def _flow(value: Any) -> str:
    if not isinstance(value, dict | list):
        return str(value)
    return yaml.safe_dump(value, default_flow_style=True, width=float("inf"), sort_keys=False).strip()
