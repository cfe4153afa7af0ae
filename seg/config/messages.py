"""Validation errors as one line each: path in the file, what was given, what is expected, nearest known name."""

import json
import re
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from seg.system.console import nearest

Schema = TypeVar("Schema", bound=BaseModel)
IDENTIFIER = r"^[a-z][a-z0-9_]*$"  # pattern of names of studies, variants, datasets and weights
_LINE_BREAK = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")


def error_lines(error: ValidationError, content: Any, written_at: Callable[[str], str] = str) -> list[str]:
    """Each error as `path: what was given; what is expected`.

    Args:
        error: from pydantic.
        content: what was validated.
        written_at: maps the path of a value to the path in the file that it was written at.
    """
    return [line for problem in error.errors() for line in _lines(problem, content, written_at)]


def one_per_line(lines: Iterable[str]) -> str:
    """Messages as text with one line each: line breaks and control characters in them are escaped."""
    return "\n".join(_LINE_BREAK.sub(lambda found: repr(found[0])[1:-1], line) for line in lines)


def parse_option(schema: type[Schema], option: str, text: str, fix: str) -> Schema:
    """Parse JSON in the option of a command. Raises ValueError, one line per error, if it is not valid.

    Args:
        schema: class of the content.
        option: name of the option, for the message.
        text: its value.
        fix: how to give JSON, for the message.
    """
    try:
        content = json.loads(text)
        return schema.model_validate(content)
    except ValidationError as error:
        raise ValueError("\n".join(f"{option}: {line}" for line in error_lines(error, content))) from None
    except ValueError as error:
        raise ValueError(f"{option}: not JSON ({error}); {fix}") from None


def _lines(problem: Any, content: Any, written_at: Callable[[str], str]) -> list[str]:
    keys = _keys(problem["loc"], content)
    got, message = problem["input"], problem["msg"]
    match problem["type"]:
        case "value_error":
            text = str(problem["ctx"]["error"])
        case "union_tag_invalid":
            keys.append("name")
            known = re.findall("'(.*?)'", problem["ctx"]["expected_tags"])
            text = f"'{got['name']}' is unknown; {nearest(str(got['name']), known)}"
        case "union_tag_not_found":
            keys.append("name")
            text = "missing; add it"
        case "missing":
            keys.append(str(problem["loc"][-1]))
            text = "missing; add it"
        case "string_pattern_mismatch" if problem["ctx"]["pattern"] == IDENTIFIER:
            text = f"got {got!r}; expected lower-case letters, digits and underscores after a letter, such as u_lite"
        case "tuple_type":
            text = f"got {got!r}; expected a list, such as [256, 512]"
        case "model_attributes_type" | "model_type":
            text = f"got {got!r}; expected keys with values, such as {{ name: fcn }}"
        case _:
            hint = "; write it without quotes" if isinstance(got, str) and got.lstrip("+-").isdigit() else ""
            text = f"got {got!r}; {message[0].lower()}{message[1:]}{hint}"
    path = written_at(".".join(keys))
    return [f"{path}: {line}" if path else line for line in text.splitlines()]


def _keys(location: tuple[int | str, ...], content: Any) -> list[str]:
    """The parts of pydantic's location that are keys of the content; the others name members of unions."""
    keys = []
    for part in location:
        with suppress(KeyError, IndexError, TypeError):
            content = content[part]
            keys.append(str(part))
    return keys
