"""How a mistake in `params.yaml` is told: one line with its path in the file, what came, and the nearest known name."""

from typing import Any, get_args

from pydantic import BaseModel

from seg.system.console import nearest


def line(problem: Any, root: type[BaseModel]) -> str:
    """One problem that pydantic found, as `path: what came, what was expected`."""
    keys, known = _path(problem["loc"], root)
    path = ".".join(keys)
    if problem["type"] == "extra_forbidden":
        return f"{path}: unknown; {nearest(keys[-1], known)}"
    if problem["type"] == "missing":
        return f"{path}: missing; add it"
    if problem["type"] == "value_error":
        return f"{path}: {problem['ctx']['error']}"
    got = problem["input"]
    hint = ""
    if isinstance(got, str) and got.lower().replace("e", "").replace("-", "").replace("+", "").isdigit():
        hint = "; YAML reads it as text: write it without quotes, exponents with a point (1.0e-4)"
    return f"{path}: got {got!r}; {problem['msg'][0].lower()}{problem['msg'][1:]}{hint}"


def _path(location: tuple[int | str, ...], root: type[BaseModel]) -> tuple[list[str], list[str]]:
    """Keys of the file along a pydantic location, which also names union members, and the keys known at its end."""
    keys: list[str] = []
    known: list[str] = []
    current: Any = root
    for part in location:
        if part == "[key]":
            continue
        models = [kind for kind in _flat(current) if isinstance(kind, type) and issubclass(kind, BaseModel)]
        fields = {name: field for model in models for name, field in model.model_fields.items()}
        mappings = [get_args(kind)[1] for kind in _flat(current) if getattr(kind, "__origin__", None) is dict]
        if part in fields:
            keys.append(str(part))
            current = fields[str(part)].annotation
        elif mappings:
            keys.append(str(part))
            current = mappings[0]
        elif fields:
            keys.append(str(part))
            known = list(fields)
        elif isinstance(part, int):
            keys.append(str(part))
    return keys, known


def _flat(annotation: Any) -> list[Any]:
    """The types behind an annotation: members of unions, without `Annotated`."""
    if annotation is None or getattr(annotation, "__origin__", None) is dict or isinstance(annotation, type):
        return [annotation]
    parts = get_args(annotation)
    if hasattr(annotation, "__metadata__"):
        return _flat(parts[0])
    return [kind for part in parts for kind in _flat(part)] if parts else [annotation]
