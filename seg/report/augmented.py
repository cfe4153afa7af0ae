"""Pictures of what augmentation feeds the networks: for the page, once per distinct augmentation, and as a file."""

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from seg.config.base import leaves
from seg.config.recipe import Augmentation, Recipe
from seg.data.pack_format import PIXEL_PARTS
from seg.data.sheets import augmentation_sheet
from seg.data.subset import training_pack
from seg.report.pictures import Runs, data_uri
from seg.system.files import refuse_picture, written_whole

_WIDTH_ON_PAGE, _WIDTH_IN_FILE = 120, 240  # of a picture in a sheet, pixels
_QUALITY = 75  # of WebP
_Key = tuple[Path, str, Any]  # pack, augmentation as JSON, number of images


def augmented_of(
    studies: Mapping[str, Runs], packs: Mapping[str, Path], budget: int
) -> dict[str, list[dict[str, Any]]]:
    """Pictures of each study as values of JSON, one per distinct augmentation and training pack.

    Each has the `variants` that it is of, the augmentation as `text`, the `picture` (data URI) and its `size` (width,
    height). Variants without augmentation have none.

    Args:
        studies: runs by variant, by study.
        packs: `.json` of the training pack, by `<study>/<variant>`. A variant without any has no picture.
        budget: bytes of all data URIs; pictures that do not fit are left out.

    Raises:
        ValueError: a file of a pack is missing or damaged.
    """
    found: dict[str, list[dict[str, Any]]] = {study: [] for study in studies}
    groups = [(study, group) for study, runs in studies.items() for group in _distinct(study, runs, packs).items()]
    for study, ((path, _, images), variants) in groups:
        recipe = studies[study][variants[0]][0].training.recipe
        augmentation = Augmentation.model_validate(recipe["augmentation"])
        pack = training_pack(path, images)
        picture = Image.fromarray(augmentation_sheet(pack, augmentation, recipe["seed"], _WIDTH_ON_PAGE))
        stream = io.BytesIO()
        picture.save(stream, "WEBP", quality=_QUALITY, method=6)
        uri = data_uri("webp", stream.getvalue())
        if len(uri) <= budget:
            budget -= len(uri)
            text = augmentation_text(augmentation)
            found[study].append({"variants": variants, "text": text, "picture": uri, "size": list(picture.size)})
    return found


def _distinct(study: str, runs: Runs, packs: Mapping[str, Path]) -> dict[_Key, list[str]]:
    """Variants with augmentation, by what the picture of their first run depends on besides the seed."""
    groups: dict[_Key, list[str]] = {}
    for variant, (first, *_) in runs.items():
        recipe = first.training.recipe
        if (path := packs.get(f"{study}/{variant}")) and "augmentation" in recipe:
            augmentation = Augmentation.model_validate(recipe["augmentation"]).applicable()
            if augmentation != Augmentation():
                key = (path, augmentation.model_dump_json(), recipe.get("train_images"))
                groups.setdefault(key, []).append(variant)
    return groups


def augmentation_text(augmentation: Augmentation) -> str:
    """The transforms that can occur and their values, such as `flip 0.5, rotation.p 0.5, rotation.degrees 10.0`."""
    used = augmentation.applicable().model_dump(mode="json", exclude_none=True)
    return ", ".join(f"{key} {value}" for key, value in leaves(used) if value != 0.0) or "none"


def write_augmented(path: Path, pack: Path, recipe: Recipe, make: Sequence[str], overwrite: bool) -> None:
    """Write the sheet of a variant as a PNG file.

    Args:
        path: file to write.
        pack: `.json` of the training pack.
        recipe: of the variant.
        make: command that makes the pack, for the message.
        overwrite: whether an existing file is replaced.

    Raises:
        ValueError: the pack is missing or damaged, or the file has another ending or exists.
    """
    refuse_picture("--out", path, overwrite)
    files = [pack, *(pack.with_name(f"{pack.stem}.{part}.npy") for part in PIXEL_PARTS)]
    if missing := [file for file in files if not file.exists()]:
        raise ValueError(f"{missing[0]}: missing; make it with: {' '.join(make)}")
    data = training_pack(pack, recipe.train_images)
    sheet = augmentation_sheet(data, recipe.augmentation, recipe.seed, _WIDTH_IN_FILE)
    with written_whole(path) as (part,):
        Image.fromarray(sheet).save(part, "PNG")
