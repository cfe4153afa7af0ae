"""Values of Snakemake's `--config`, which replace those of `params.yaml`."""

from collections.abc import Mapping
from typing import Any

import yaml


def read_overrides(overrides: Mapping[str, Any]) -> dict[str, Any]:
    """Parse values as in `params.yaml`: Snakemake passes everything below the first level as text.

    Raises:
        ValueError: a value is not YAML.
    """
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
