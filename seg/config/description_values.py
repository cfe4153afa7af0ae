"""Values in the description of a dataset: patterns of files, colours, label values, files of labels, and classes."""

import re
from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from seg.config.base import Part

PLACEHOLDER = re.compile(r"(\{\w+(?::[^{}]+)?\}|\*\*/|\*|\?)")


def as_list(value: Any) -> Any:
    """The value in a list, if it is not a list itself."""
    return value if isinstance(value, list | tuple) or value is None else [value]


def _pattern(text: str) -> str:
    text = text.removeprefix("./")
    if text.startswith("/") or ".." in text.split("/"):
        raise ValueError(f"got '{text}', expected a pattern relative to the dataset's directory, such as images/*.jpg")
    if text.startswith("data/raw/"):
        raise ValueError(f"got '{text}', expected a pattern below the dataset's directory, without data/raw/<name>/")
    if "\\" in "".join(PLACEHOLDER.split(text)[::2]):
        raise ValueError(f"got '{text}', expected / between directories, not a backslash")
    for part in PLACEHOLDER.split(text)[1::2]:
        expression = checked_expression(part.strip("{}").partition(":")[2])
        if re.compile(expression).groupindex:
            raise ValueError(f"got '{part}', expected an expression without named groups")
    if re.search(r"[{}]", "".join(PLACEHOLDER.split(text)[::2])):
        raise ValueError(
            f"got '{text}', expected placeholders such as {{stem}} or {{stem:[0-9]+}}, and no other braces"
        )
    return text


def checked_expression(text: str) -> str:
    """The text. Raises ValueError if it is no regular expression."""
    try:
        re.compile(text)
    except re.error as error:
        raise ValueError(f"got '{text}', no regular expression ({error})") from None
    return text


def _whole(value: Any) -> Any:
    """Keys of JSON are text."""
    return int(value) if isinstance(value, str) and re.fullmatch(r"-?\d+", value) else value


def _triple(value: Any) -> Any:
    """A colour from text such as `220 20 60`, from a list, or from `#dc143c`."""
    if isinstance(value, str) and re.fullmatch(r"#[0-9a-fA-F]{6}", value):
        return tuple(bytes.fromhex(value[1:]))
    if isinstance(value, str) and re.fullmatch(r"\d+[ ,]+\d+[ ,]+\d+", value):
        return tuple(map(int, re.findall(r"\d+", value)))
    return tuple(value) if isinstance(value, list) else value


Pattern = Annotated[str, AfterValidator(_pattern)]
Channel = Annotated[int, Field(ge=0, le=255)]
Rgb = Annotated[tuple[Channel, Channel, Channel], BeforeValidator(_triple)]
LabelValue = Annotated[int, BeforeValidator(_whole), Field(ge=-(2**31), lt=2**32)]


class ClassRow(Part):
    """A class.

    Attributes:
        name: its name.
        colour: red, green and blue that it is drawn in, from 0 to 255, such as `[220, 20, 60]`.
    """

    name: str
    colour: Rgb | None = None


def class_rows(rows: Any) -> list[ClassRow]:
    """Classes from a list of names and of mappings with the keys `name` and `colour`.

    Raises:
        ValueError: one line per error.
    """
    if not isinstance(rows, list | tuple):
        raise ValueError(f"got {rows!r}, expected a list such as '- background'")
    if not 2 <= len(rows) <= 255:
        raise ValueError(f"got {len(rows)}, expected 2 to 255")
    found = [
        row if isinstance(row, dict) else dict(row) if isinstance(row, ClassRow) else {"name": row} for row in rows
    ]
    if errors := list(_row_errors(found)):
        raise ValueError("\n".join(errors))
    return [ClassRow(**row) for row in found]


def _row_errors(rows: list[dict[str, Any]]) -> Iterator[str]:
    first: dict[Any, int] = {}
    for i, row in enumerate(rows):
        name, colour = row.get("name"), _triple(row.get("colour"))
        for key in sorted(map(str, row.keys() - {"name", "colour"})):
            yield f"class {i}: unknown key '{key}'; known are name, colour"
        if not isinstance(name, str) or not name:
            yield f"class {i}: got name {name}, expected text; put numbers and words such as no in quotes"
        elif first.setdefault(name, i) != i:
            yield f"class {i}: name '{name}' is already used by class {first[name]}; rename one"
        if colour is None:
            continue
        if not (isinstance(colour, tuple) and len(colour) == 3 and all(map(is_byte, colour))):
            yield f"class {i}: got colour {row['colour']}, expected red, green and blue such as [220, 20, 60]"
        elif first.setdefault(colour, i) != i:
            yield f"class {i}: colour {list(colour)} is already used by class {first[colour]}; choose another"


def is_byte(value: Any) -> bool:
    """Whether a value is a whole number from 0 to 255."""
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= 255


class LabelFiles(Part):
    """Label files and what their pixels are.

    Attributes:
        files: pattern of the files.
        encoding: ids: label values, in images or MATLAB files; train_ids: positions of the scored classes, 255 where
            not scored; colours: RGB; null: colours in RGB images, else ids. The others are files of polygons: one per
            image, or one of all images (coco).
    """

    files: Pattern
    encoding: Literal["ids", "train_ids", "colours", "coco", "labelme", "yolo", "cityscapes"] | None = None
