"""Values of Snakemake's `--config` and `--configfile`, which replace those of `params.yaml`."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from seg.config.params import read_content
from seg.config.yaml_file import parse_yaml


def read_overridden(files: Iterable[Path], arguments: Iterable[str]) -> dict[str, Any]:
    """Content of `params.yaml` and of the files and arguments that replace values of it, not validated.

    Mappings are merged key by key, as Snakemake does. Snakemake parses the same files and arguments, but passes values
    below the first level of an argument as text, and loses all but the last of keys that are given twice.

    Args:
        files: `params.yaml`, then those of `--configfile`.
        arguments: of `--config`, as `KEY=YAML`.

    Raises:
        ValueError: a file or argument is not YAML; one line per error.
        OSError: a file cannot be read.
    """
    content: dict[str, Any] = {}
    for file in files:
        content = _merged(content, read_content(file))
    for argument in arguments:
        key, _, text = argument.partition("=")
        content = _merged(content, {key: parse_yaml(text, f"--config {key}")})
    return content


def _merged(content: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """A mapping with the values of another, which are merged if they are mappings, too."""
    merged = dict(content)
    for key, value in over.items():
        if isinstance(value, dict) and isinstance(before := merged.get(key), dict):
            merged[key] = _merged(before, value)
        else:
            merged[key] = value
    return merged
