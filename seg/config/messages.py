"""Validation errors as one line each: the path in the file, what came, what is expected, the nearest known name."""

from collections.abc import Callable
from typing import Any, NamedTuple, get_args

from pydantic import BaseModel

from seg.config.architectures import Architecture, describe_model_error
from seg.system.console import nearest


def describe(problem: Any, root: type[BaseModel], written_at: Callable[[str], str] = str) -> str:
    """One pydantic error as `path: what came; what is expected`.

    Args:
        problem: an item of `ValidationError.errors()`.
        root: the model that was validated.
        written_at: maps the path of a value to the path in the file that it was written at.
    """
    place = _place(problem["loc"], root)
    path = written_at(".".join(place.keys))
    match problem["type"]:
        case "value_error":
            text = str(problem["ctx"]["error"])
        case _ if place.below_model is not None:
            text = describe_model_error(problem, place.below_model)
        case "extra_forbidden":
            text = f"unknown; {nearest(place.keys[-1], place.known)}"
        case "missing":
            text = "missing; add it"
        case _:
            got = problem["input"]
            hint = "; write it without quotes" if isinstance(got, str) and got.lstrip("+-").isdigit() else ""
            text = f"got {got!r}; {problem['msg'][0].lower()}{problem['msg'][1:]}{hint}"
    return f"{path}: {text}" if path else text


class _Place(NamedTuple):
    """Keys of the file, the keys known at the last one, and what follows a `model` in pydantic's location."""

    keys: list[str]
    known: list[str]
    below_model: tuple[int | str, ...] | None = None


def _place(location: tuple[int | str, ...], root: type[BaseModel]) -> _Place:
    """Walk a pydantic location, which also names the members of unions, along the annotations of `root`."""
    keys: list[str] = []
    known: list[str] = []
    current: Any = root
    for position, part in enumerate(location):
        if part == "[key]":
            continue
        models = _models(current)
        if models and issubclass(models[0], Architecture):
            return _Place(keys, known, location[position:])
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
    models = _models(current)
    return _Place(keys, known, () if models and issubclass(models[0], Architecture) else None)


def _models(annotation: Any) -> list[type[BaseModel]]:
    return [kind for kind in _flat(annotation) if isinstance(kind, type) and issubclass(kind, BaseModel)]


def _flat(annotation: Any) -> list[Any]:
    """The types in an annotation: members of unions, without `Annotated`."""
    if annotation is None or getattr(annotation, "__origin__", None) is dict or isinstance(annotation, type):
        return [annotation]
    parts = get_args(annotation)
    if hasattr(annotation, "__metadata__"):
        return _flat(parts[0])
    return [kind for part in parts for kind in _flat(part)] if parts else [annotation]
