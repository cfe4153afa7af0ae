"""Description of a dataset: where its files are, what label values mean, how splits and groups are made.

The shipped datasets are described in `seg/datasets/catalogue/*.yaml`, a user's own in `params.yaml` or in
`dataset.yaml` beside the images. `seg.datasets.matching` and `seg.datasets.images` read files as described.
"""

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import AfterValidator, BeforeValidator, Discriminator, Field, Tag, ValidationError, model_validator

from seg.config.base import Count, Frozen, Number, Part
from seg.config.messages import error_lines, parse_option
from seg.system.console import nearest_of_all

CATALOGUE = Path(__file__).parents[1] / "datasets/catalogue"
MOST_CHANNELS = 64
PLACEHOLDER = re.compile(r"(\{\w+(?::[^{}]+)?\}|\*\*/|\*|\?)")
SplitName = Literal["train", "val", "test"]
_SPLITS: dict[SplitName, list[str]] = {
    "train": ["train", "training"],
    "val": ["val", "valid", "validation"],
    "test": ["test", "testing"],
}


def _list(value: Any) -> Any:
    """The value in a list, if it is not a list itself."""
    return value if isinstance(value, list | tuple) or value is None else [value]


def _pattern(text: str) -> str:
    text = text.removeprefix("./")
    if text.startswith("/") or ".." in text.split("/"):
        raise ValueError(f"got '{text}', expected a pattern relative to the dataset's directory, such as images/*.jpg")
    for part in PLACEHOLDER.split(text)[1::2]:
        expression = _expression(part.strip("{}").partition(":")[2])
        if re.compile(expression).groupindex:
            raise ValueError(f"got '{part}', expected an expression without named groups")
    if re.search(r"[{}\\]", "".join(PLACEHOLDER.split(text)[::2])):
        raise ValueError(
            f"got '{text}', expected placeholders such as {{stem}} or {{stem:[0-9]+}}, and no other braces"
        )
    return text


def _expression(text: str) -> str:
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


def layouts() -> list[str]:
    """Names of the descriptions in the catalogue, and `folder` for the user's own files."""
    return [*sorted(path.stem for path in CATALOGUE.glob("*.yaml")), "folder"]


def _layout(name: str) -> str:
    if name not in layouts():
        raise ValueError(f"layout '{name}' is unknown; {nearest_of_all(name, layouts())}")
    return name


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


def _label_files(value: Any) -> Any:
    """A list of mappings; text stands for the pattern."""
    return [{"files": item} if isinstance(item, str) else item for item in _list(value)]


def _all_names(names: Any) -> Any:
    """Names of all splits, in lower case; those that are not given have their usual names."""
    if not isinstance(names, dict):
        return names
    return _SPLITS | {
        split: [each.casefold() if isinstance(each, str) else each for each in group]
        if isinstance(group, list)
        else group
        for split, group in names.items()
    }


def _entries(value: Any) -> Any:
    """A list of text. YAML reads a name such as 2_10 as the number 210."""
    if numbers := [item for item in _list(value) or [] if not isinstance(item, str)]:
        raise ValueError(f"got {numbers[0]}, expected names or files; put names such as '2_10' in quotes")
    return _list(value)


SplitLists = Annotated[
    Annotated[Pattern, Tag("<pattern>")]
    | Annotated[dict[SplitName, Annotated[list[str], BeforeValidator(_entries)]], Tag("<splits>")],
    Discriminator(lambda value: "<splits>" if isinstance(value, dict) else "<pattern>"),
]


class Splits(Part):
    """How the images are divided into training, validation and test images.

    Attributes:
        names: names of each split in `{split}`, such as `{ val: [dev] }`.
        lists: pattern of the files that list the names of each split, such as `lists/{split}.csv`, or by split: names
            of images and files (`.txt`, `.csv`) that list them; a name of several splits then belongs to the last of
            train, val and test. Without it, train.txt, val.txt and test.txt, if they exist.
        hold_out: share of the training images that become the validation split, by the hash of their group or name.
        draw: official splits whose images are pooled, then drawn 70:15:15 by the hash of their group or name; not
            together with `lists`.
        halve: whether `val` is halved into `val` and `test`, by the hash of the names, if no label of `test` exists.
    """

    names: Annotated[dict[SplitName, list[str]], BeforeValidator(_all_names)] = _SPLITS
    lists: SplitLists | None = None
    hold_out: Annotated[Number, Field(ge=0, lt=1)] = 0.0
    draw: list[SplitName] = []
    halve: bool = False

    def sources(self, split: SplitName) -> list[SplitName]:
        """Official splits that the images of a split are taken from."""
        return self.draw or (["train"] if self.hold_out and split == "val" else [split])

    @model_validator(mode="after")
    def _one_division(self) -> "Splits":
        if isinstance(self.lists, str) and "{split}" not in self.lists:
            raise ValueError(
                f"lists: got '{self.lists}', expected a pattern with {{split}}, such as lists/{{split}}.txt"
            )
        if self.lists and self.draw:
            raise ValueError("got lists and draw, expected one of them")
        if self.hold_out and self.draw:
            raise ValueError("got hold_out and draw, expected one of them")
        return self


IMAGES = ["images/{stem}.*", "images/{split}/{stem}.*", "{split}/images/{stem}.*"]
LABELS = [
    LabelFiles(files=f"{folder}/{{stem}}{suffix}.*")
    for folder in ("labels", "labels/{split}", "{split}/labels")
    for suffix in ("", "_mask", "_label", "_labels", "_gt", "_seg")
]


class ImageForm(Frozen):
    """How image files become the channels that a network sees.

    Attributes:
        bands: bands of the file in the order of the channels, from 1; null: all.
        channels: number of the channels; null: that of `bands`, else red, green and blue, or grey in their place.
        range: values that become 0 and 255 in files with more than 8 bits per channel, such as `[0, 4095]`; values
            outside are clipped. Images of 8 bits are used unchanged. Without it, deeper images are refused.
        resize: how an image gets the size of a pack: `stretch` changes its aspect, `pad` adds pixels that are not
            scored, `crop` removes what is outside of the largest central part of that aspect.
    """

    bands: Annotated[list[Count], Field(min_length=1, max_length=MOST_CHANNELS)] | None = None
    channels: Annotated[int, Field(ge=1, le=MOST_CHANNELS)] | None = None
    range: Annotated[tuple[Number, Number], Field(strict=False)] | None = None
    resize: Literal["stretch", "pad", "crop"] = "stretch"

    def form(self) -> "ImageForm":
        """These values alone."""
        return ImageForm(**{key: getattr(self, key) for key in ImageForm.model_fields})

    def channel_count(self) -> int:
        """Number of channels."""
        return len(self.bands) if self.bands else self.channels or 3

    @model_validator(mode="after")
    def _consistent_form(self) -> "ImageForm":
        if self.range and self.range[0] >= self.range[1]:
            raise ValueError(f"range: got {list(self.range)}, expected the lower value first, such as [0, 4095]")
        if self.bands and self.channels not in (None, len(self.bands)):
            raise ValueError(f"channels: got {self.channels}, but {len(self.bands)} bands; give one of the two")
        return self


class Description(ImageForm):
    """A dataset on disk. The default patterns of files are those of a user's own directory.

    Attributes:
        layout: description of the catalogue that gives the keys that are not given here; `folder`: the user's own.
        images: pattern of the images, relative to the dataset's directory, or a list of patterns, of which the one that
            matches most applies. `{stem}` is the name that image and label share, `{split}` a split, `{parent}` or `**`
            directories, which belong to the name if both patterns have them; `*` matches within a name. A pattern that
            ends in `.*` matches images of all formats. Any other `{word}` has one value in the dataset.
        labels: pattern of the labels, or a list of patterns, of which the one that matches most images applies.
        classes: names in the order of their ids, from 0; `{ name: crack, colour: [220, 20, 60] }` sets the colour, too.
        ids: class by label value, such as `{ 0: wall, 255: crack }`, if the values are not the positions in `classes`;
            several values may share a class.
        colours: class by colour, such as `{ "220 20 60": crack, "#000000": wall }`, for labels that are RGB images;
            without it, the colours of `classes`.
        combine: whether the labels of all patterns apply, those of an earlier one first, not those of a single pattern.
        nearest: whether other colours, for example of antialiased borders, count as the nearest one of `colours`;
            without it they are an error.
        offset: added to label values before they are looked up: with -1, 0 is not scored and 1 is the first class.
        ignore: classes, label values or colours that are excluded from the loss and from all metrics.
        background: class of pixels that no polygon covers; without it they are not scored.
        group: regular expression; its first group (else the match) names the images that were recorded together, such
            as frames of one clip or images of one patient.
        ordered: whether names sort in the order of recording within a group.
        splits: how the images are divided.
        folds: number of folds of a cross-validation, which divide the images in place of `splits`: every fold is the
            test split once, see `seg.datasets.splits.draw_fold`.
        fold: the one that is the test split, from 0. The workflow sets it to each in turn if it is not given.
    """

    layout: Annotated[str, AfterValidator(_layout)] = "folder"
    images: Annotated[list[Pattern], BeforeValidator(_list), Field(min_length=1)] = IMAGES
    labels: Annotated[list[LabelFiles], BeforeValidator(_label_files), Field(min_length=1)] = LABELS
    classes: Annotated[list[Any], AfterValidator(class_rows)] | None = None
    ids: dict[LabelValue, str] | None = None
    colours: dict[Rgb, str] | None = None
    combine: bool = False
    nearest: bool = False
    offset: Annotated[int, Field(ge=-255, le=255)] = 0
    ignore: Annotated[
        list[Annotated[LabelValue | Rgb | str, Field(union_mode="left_to_right")]], BeforeValidator(_list)
    ] = []
    background: str | None = None
    group: Annotated[str, AfterValidator(_expression)] | None = None
    ordered: bool = False
    splits: Splits = Splits()
    folds: Annotated[int, Field(ge=2, le=100)] | None = None
    fold: Annotated[int, Field(ge=0)] | None = None

    def class_names(self) -> list[str]:
        """Names of the classes, also of those that are not scored; empty if only `classes.yaml` gives them."""
        if self.classes is not None:
            return [row.name for row in self.classes]
        return list(dict.fromkeys((self.ids or self.colours or {}).values()))

    def given(self) -> dict[str, Any]:
        """Keys of a description that are set, also if they are set to their default."""
        return {key: getattr(self, key) for key in Description.model_fields if key in self.model_fields_set}

    def merged(self, **keys: Any) -> "Description":
        """The description with these keys. Raises ValueError, one line per error, if they do not fit together."""
        content = self.given() | keys
        try:
            return Description.model_validate(content)
        except ValidationError as error:
            raise ValueError("\n".join(error_lines(error, content))) from None

    @model_validator(mode="after")
    def _one_fold(self) -> "Description":
        if self.folds and (self.splits.lists or self.splits.hold_out):
            key = "lists" if self.splits.lists else "hold_out"
            raise ValueError(
                f"folds: got {self.folds}, but splits.{key} divides the images, too; remove folds, or give "
                "`splits: {draw: [train, val, test]}` to pool the splits"
            )
        if self.fold is not None and self.fold >= (self.folds or 0):
            raise ValueError(f"fold: got {self.fold}, expected less than folds, which is {self.folds or 'not given'}")
        return self

    @model_validator(mode="after")
    def _known_names(self) -> "Description":
        names = self.class_names()
        if self.ids is not None and not 2 <= len(set(self.ids.values())) <= 255:
            raise ValueError(f"ids: got {len(set(self.ids.values()))} classes, expected 2 to 255")
        uses = [("ids", name, f" of {value}") for value, name in (self.ids or {}).items()]
        uses += [("colours", name, f" of {colour}") for colour, name in (self.colours or {}).items()]
        uses += [("ignore", name, "") for name in self.ignore if isinstance(name, str)]
        uses += [("background", self.background, "")] if self.background else []
        for key, name, where in uses if names else ():
            if name not in names:
                raise ValueError(f"{key}: class '{name}'{where} is unknown; {nearest_of_all(name, names)}")
        return self


@cache
def catalogue_rows(name: str) -> dict[str, Any]:
    """Keys of a description of the catalogue, with those of its own `layout`. Raises ValueError for an unknown name."""
    if _layout(name) == "folder":
        return {}
    content: dict[str, Any] = yaml.safe_load((CATALOGUE / f"{name}.yaml").read_text(encoding="utf-8"))
    return catalogue_rows(content.get("layout", "folder")) | content | {"layout": name}


def downloadable() -> list[str]:
    """Names of the descriptions that say where the files come from."""
    return [name for name in layouts() if "origin" in catalogue_rows(name)]


def describe(layout: str) -> Description:
    """Description of the catalogue. Raises ValueError for an unknown name."""
    rows = catalogue_rows(layout)
    return Description(**{key: value for key, value in rows.items() if key in Description.model_fields})


def complete(description: Description) -> Description:
    """The description with the keys of its layout that it does not set itself. Raises ValueError as `merged`."""
    return describe(description.layout).merged(**description.given())


def read_description(text: str, option: str = "--dataset") -> Description:
    """Description from an option: JSON, completed with the keys of its layout, or the name of a layout.

    Raises:
        ValueError: one line per error.
    """
    if not text.startswith("{"):
        return describe(text)
    return complete(parse_option(Description, option, text, 'give JSON such as {"layout": "camvid"}'))
