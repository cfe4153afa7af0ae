"""Descriptions beside the images of a user's own dataset: `dataset.yaml`, and `classes.yaml` with the classes alone."""

from pathlib import Path
from stat import S_ISREG

from seg.config.description import Description, complete
from seg.config.description_values import ClassRow, class_rows, is_byte
from seg.config.messages import one_per_line
from seg.config.yaml_file import read_mapping, read_yaml
from seg.system.files import file_mode


def with_own_keys(description: Description, root: Path) -> Description:
    """The description with the keys of `dataset.yaml` in `root`, if it exists, that it does not set itself.

    Raises:
        ValueError: the file is invalid: one line per error.
    """
    path = root / "dataset.yaml"
    if not S_ISREG(file_mode(path) or 0) or (root / "manifest.json").is_file():  # downloaded or rendered
        return description
    content = read_mapping(path, "images and labels")
    try:
        own = complete(Description().merged(**content))
        given = description.given()
        if description.layout == "folder":
            given.pop("layout", None)
        return own.merged(**given)
    except ValueError as error:
        raise ValueError("\n".join(f"{path}: {line}" for line in str(error).splitlines())) from None


def with_own_classes(description: Description, root: Path) -> Description:
    """The description with the classes of `classes.yaml` in `root`, if it has none.

    Raises:
        ValueError: the file is missing or invalid: one line per error.
    """
    path = root / "classes.yaml"
    if description.classes is not None or description.ids is not None or (description.colours and not path.is_file()):
        return description
    classes, ignore = _read_classes(path)
    return description.merged(classes=classes, ignore=[*ignore, *description.ignore])


def _read_classes(path: Path) -> tuple[list[ClassRow], list[int]]:
    """Classes and ignored ids of a file with a list of classes, or with the keys `classes` and `ignore`."""
    if not path.is_file():
        raise ValueError(f"{path}: missing; create it with the names of the classes, in the order of their ids")
    content = read_yaml(path)
    content = content if isinstance(content, dict) else {"classes": content}
    problems = [
        f"unknown key '{key}'; known are classes, ignore" for key in content if key not in ("classes", "ignore")
    ]
    rows: list[ClassRow] = []
    try:
        rows = class_rows(content.get("classes"))
    except ValueError as error:
        problems += [line if line.startswith("class ") else f"classes: {line}" for line in str(error).splitlines()]
    ignore = content.get("ignore")
    if ignore is not None and not is_byte(ignore):
        problems.append(f"ignore: got {ignore!r}, expected an id from 0 to 255")
    if problems:
        raise ValueError(one_per_line(f"{path}: {problem}" for problem in problems))
    return rows, [] if ignore is None else [ignore]
