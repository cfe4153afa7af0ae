"""Description of a dataset: where its files are, what label values mean, how splits and groups are made.

The shipped datasets are described in `seg/datasets/catalogue/*.yaml`, a user's own in `params.yaml` or `dataset.yaml`.
"""

from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import AfterValidator, BeforeValidator, Discriminator, Field, Tag, ValidationError, model_validator

from seg.config.base import Number, Part
from seg.config.description_values import LabelFiles, LabelValue, Pattern, Rgb, as_list, checked_expression, class_rows
from seg.config.image_form import ImageForm
from seg.config.messages import error_lines, parse_option
from seg.system.console import nearest_of_all

CATALOGUE = Path(__file__).parents[1] / "datasets/catalogue"
SplitName = Literal["train", "val", "test"]
_SPLITS: dict[SplitName, list[str]] = {
    "train": ["train", "training"],
    "val": ["val", "valid", "validation", "dev"],
    "test": ["test", "testing"],
}


def layouts() -> list[str]:
    """Names of the descriptions in the catalogue, and `folder` for the user's own files."""
    return [*sorted(path.stem for path in CATALOGUE.glob("*.yaml")), "folder"]


def _layout(name: str) -> str:
    if name not in layouts():
        raise ValueError(f"layout '{name}' is unknown; {nearest_of_all(name, layouts())}")
    return name


def _label_files(value: Any) -> Any:
    """A list of mappings; text stands for the pattern."""
    return [{"files": item} if isinstance(item, str) else item for item in as_list(value)]


def _all_names(names: dict[SplitName, list[str]]) -> dict[SplitName, list[str]]:
    """Names of all splits, in lower case; those that are not given have their usual names."""
    return _SPLITS | {split: [each.casefold() for each in group] for split, group in names.items()}


def _entries(value: Any) -> Any:
    """A list of text. YAML reads a name such as 2_10 as the number 210."""
    if numbers := [item for item in as_list(value) or [] if not isinstance(item, str)]:
        raise ValueError(f"got {numbers[0]}, expected names or files; put names such as '2_10' in quotes")
    return as_list(value)


SplitLists = Annotated[
    Annotated[Pattern, Tag("<pattern>")]
    | Annotated[dict[SplitName, Annotated[list[str], BeforeValidator(_entries)]], Tag("<splits>")],
    Discriminator(lambda value: "<splits>" if isinstance(value, dict) else "<pattern>"),
]


class Splits(Part):
    """How the images are divided into training, validation and test images.

    Attributes:
        names: names of each split in `{split}`, such as `{ test: [eval] }`.
        lists: pattern of the files that list the names of each split, such as `lists/{split}.csv`, or of a table, such
            as `split.csv`, with a column of names and one of splits; or by split: names of images and files (`.txt`,
            `.csv`) that list them; a name of several splits then belongs to the last of train, val and test. Without
            it, train.txt, val.txt and test.txt, or split.csv, if they exist.
        hold_out: share of the training images that become the validation split, by the hash of their group or name.
        draw: official splits whose images are pooled, then drawn 70:15:15 by the hash of their group or name; not
            together with `lists`.
        halve: whether `val` is halved into `val` and `test`, by the hash of the names, if no label of `test` exists.
    """

    names: Annotated[dict[SplitName, list[str]], AfterValidator(_all_names)] = _SPLITS
    lists: SplitLists | None = None
    hold_out: Annotated[Number, Field(ge=0, lt=1)] = 0.0
    draw: list[SplitName] = []
    halve: bool = False

    def sources(self, split: SplitName) -> list[SplitName]:
        """Official splits that the images of a split are taken from."""
        return self.draw or (["train"] if self.hold_out and split == "val" else [split])

    @model_validator(mode="after")
    def _one_division(self) -> "Splits":
        if isinstance(self.lists, str) and "{split}" not in self.lists and not self.lists.endswith(".csv"):
            raise ValueError(
                f"lists: got '{self.lists}', expected a pattern with {{split}}, such as lists/{{split}}.txt, or a table"
                " such as split.csv"
            )
        if self.lists and self.draw:
            raise ValueError("got lists and draw, expected one of them")
        if self.hold_out and self.draw:
            raise ValueError("got hold_out and draw, expected one of them")
        listed = isinstance(self.lists, dict) and "val" in self.lists
        if self.hold_out and (listed or self.names["val"] != _SPLITS["val"]):
            raise ValueError("got hold_out and validation images, expected one of them; hold_out takes them from train")
        return self


IMAGES = ["images/{stem}.*", "images/{split}/{stem}.*", "{split}/images/{stem}.*"]
LABELS = [
    LabelFiles(files=f"{folder}/{{stem}}{suffix}.*")
    for folder in ("labels", "labels/{split}", "{split}/labels")
    for suffix in ("", "_mask", "_label", "_labels", "_gt", "_seg")
]


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
    images: Annotated[list[Pattern], BeforeValidator(as_list), Field(min_length=1)] = IMAGES
    labels: Annotated[list[LabelFiles], BeforeValidator(_label_files), Field(min_length=1)] = LABELS
    classes: Annotated[list[Any], AfterValidator(class_rows)] | None = None
    ids: dict[LabelValue, str] | None = None
    colours: dict[Rgb, str] | None = None
    combine: bool = False
    nearest: bool = False
    offset: Annotated[int, Field(ge=-255, le=255)] = 0
    ignore: Annotated[
        list[Annotated[LabelValue | Rgb | str, Field(union_mode="left_to_right")]], BeforeValidator(as_list)
    ] = []
    background: str | None = None
    group: Annotated[str, AfterValidator(checked_expression)] | None = None
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

    def merged(self, /, **keys: Any) -> "Description":
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
