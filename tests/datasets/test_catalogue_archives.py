"""Datasets of the catalogue from small archives in their owners' layout, read label by label."""

import tarfile
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat
from torchvision.datasets import OxfordIIITPet, SBDataset, VOCSegmentation

from seg.config.description import Description, SplitName, describe
from seg.data.pack import pack_split
from seg.datasets import IGNORE
from seg.datasets.catalogue import DATASETS
from seg.datasets.classes import class_table
from seg.datasets.download import download_dataset
from seg.datasets.images import read_pair
from seg.datasets.manifest import write_manifest
from seg.datasets.matching import find_pairs
from seg.datasets.matlab import read_matlab
from seg.datasets.splits import SPLITS
from seg.doctor.examine import examine
from seg.recognition.recognise import recognise, rows_for_params

SHAPE = (32, 48)
Value = int | tuple[int, int, int]
Encode = Callable[[np.ndarray], bytes]  # of an array of label values (H, W) or colours (H, W, 3)


def image_bytes(pixels: np.ndarray, kind: str = "PNG", **options: Any) -> bytes:
    file = BytesIO()
    Image.fromarray(pixels).save(file, kind, **options)
    return file.getvalue()


def tif(pixels: np.ndarray) -> bytes:
    return image_bytes(pixels, "TIFF")


def jpeg(pixels: np.ndarray) -> bytes:
    return image_bytes(pixels, "JPEG", quality=75)


def palette(pixels: np.ndarray) -> bytes:
    image, file = Image.fromarray(pixels), BytesIO()
    image.putpalette(list(range(256)) * 3)
    image.save(file, "PNG")
    return file.getvalue()


def matlab(**variables: Any) -> bytes:
    file = BytesIO()
    savemat(file, variables, do_compression=True)
    return file.getvalue()


def context_mat(label: np.ndarray) -> bytes:
    return matlab(LabelMap=label.astype(np.uint16))


def stuff_mat(label: np.ndarray) -> bytes:
    regions = np.arange(label.size, dtype=np.uint16).reshape(label.shape)
    captions = np.array(["a picture", "a photo"], object)
    return matlab(S=label.astype(np.uint8), captions=captions, regionMapStuff=regions, regionLabelsStuff=regions[0])


def sbd_mat(label: np.ndarray) -> bytes:
    return matlab(GTcls={"Segmentation": label, "CategoriesPresent": np.unique(label), "Boundaries": np.zeros((20, 1))})


class Release(NamedTuple):
    """Layout of a dataset: its images and labels by name, lists, and the archives that contain them.

    Attributes:
        pairs: image and label file of each name.
        classes: class by label value or colour; `None`: not scored.
        encode: writes a label file.
        splits: names of each split; those of several splits together if the description draws them.
        lists: text files.
        archives: archive by the first directory of its files; the archive of the others is "".
        inside: whether the names in the archives begin with the directory; else `into` in the catalogue is its name.
    """

    pairs: Mapping[str, tuple[str, str]]
    classes: Mapping[Value, str | None]
    encode: Encode
    splits: Mapping[str, list[str]]
    lists: Mapping[str, str]
    archives: Mapping[str, str]
    inside: bool = True


def pairs(image: str, label: str, names: list[str]) -> dict[str, tuple[str, str]]:
    return {name: (image.format(name), label.format(name)) for name in names}


def numbered(pattern: str, count: int) -> list[str]:
    return [pattern.format(k) for k in range(count)]


ADE = "ADEChallengeData2016"
CONTEXT = ["2008_000002", "2008_000003", "2010_000001"]
VOC = "VOCdevkit/VOC2010"
POTSDAM = {  # the benchmark's tiles; four of its 24 for training are our validation tiles
    "train": [f"{row}_{column}" for row in range(2, 8) for column in range(7, 13) if row > 5 or column > 9],
    "test": [
        *[
            "2_13",
            "2_14",
            "3_13",
            "3_14",
            "4_13",
            "4_14",
            "4_15",
            "5_13",
            "5_14",
            "5_15",
            "6_13",
            "6_14",
            "6_15",
            "7_13",
        ]
    ],
}
POTSDAM_COLOURS = {
    (255, 255, 255): "impervious surfaces",
    (0, 0, 255): "building",
    (0, 255, 255): "low vegetation",
    (0, 255, 0): "tree",
    (255, 255, 0): "car",
    (255, 0, 0): "clutter/background",
}
STUFF = numbered("COCO_train2014_{:012}", 40)
PETS = numbered("Abyssinian_{}", 30)

RELEASES = {
    "ade20k": Release(
        pairs(f"{ADE}/images/training/{{}}.jpg", f"{ADE}/annotations/training/{{}}.png", ["ADE_train_00000001"])
        | pairs(f"{ADE}/images/validation/{{}}.jpg", f"{ADE}/annotations/validation/{{}}.png", ["ADE_val_00000001"]),
        {0: None, 1: "wall", 8: "bed", 13: "person", 90: "television", 150: "flag"},
        image_bytes,
        {"train": ["ADE_train_00000001"], "val": ["ADE_val_00000001"]},
        {},
        {ADE: "ADEChallengeData2016.zip"},
    ),
    "pascal_context_mat": Release(
        pairs(f"{VOC}/JPEGImages/{{}}.jpg", "trainval/{}.mat", CONTEXT),
        {0: None, 1: None, 2: "aeroplane", 9: "bag", 23: "bicycle", 284: "person", 458: "wood", 459: None},
        context_mat,
        {"train": CONTEXT[:2], "val": CONTEXT[2:]},
        {
            f"{VOC}/ImageSets/Main/train.txt": "\n".join(CONTEXT[:2]),
            f"{VOC}/ImageSets/Main/val.txt": CONTEXT[2],
        },
        {"VOCdevkit": "VOCtrainval_03-May-2010.tar", "trainval": "trainval.tar.gz"},
    ),
    "coco_stuff10k": Release(
        pairs("images/{}.jpg", "annotations/{}.mat", STUFF),
        {0: None, 1: "person", 13: "stop sign", 92: "banner", 182: "wood"},
        stuff_mat,
        {"train val": STUFF[:38], "test": STUFF[38:]},
        {
            "imageLists/train.txt": "\n".join(STUFF[:38]),
            "imageLists/test.txt": "\n".join(STUFF[38:]),
            "imageLists/all.txt": "\n".join(STUFF),
        },
        dict.fromkeys(["images", "annotations", "imageLists"], "cocostuff-10k-v1.1.zip"),
    ),
    "mapillary": Release(
        pairs("training/images/{}.jpg", "training/labels/{}.png", ["_A-b", "c"])
        | pairs("validation/images/{}.jpg", "validation/labels/{}.png", ["d"]),
        {0: "Bird", 8: "Crosswalk - Plain", 13: "Road", 64: "Ego Vehicle", 65: None},
        palette,
        {"train": ["_A-b", "c"], "val": ["d"]},
        {"config.json": "{}"},
        dict.fromkeys(["training", "validation", "config.json"], "mapillary-vistas-dataset_public_v1.2.zip"),
    ),
    "kitti": Release(
        pairs("training/image_2/{}.png", "training/semantic/{}.png", numbered("{:06}_10", 200)[::4]),
        {0: None, 4: None, 7: "road", 26: "car", 33: "bicycle"},
        image_bytes,
        {"train val test": numbered("{:06}_10", 200)[::4]},
        {},
        {"training": "data_semantics.zip"},
    ),
    "oxford_pet": Release(
        pairs("images/{}.jpg", "annotations/trimaps/{}.png", PETS),
        {1: "foreground", 2: "background", 3: None},
        image_bytes,
        {"train val": PETS[:25], "test": PETS[25:29]},
        {
            "annotations/trainval.txt": "".join(f"{name} 1 1 1\n" for name in PETS[:25]),
            "annotations/test.txt": "".join(f"{name} 1 1 1\n" for name in PETS[25:29]),
            "annotations/list.txt": "#Image CLASS-ID SPECIES BREED ID\n",
            "annotations/trimaps/._Abyssinian_0.png": "Mac OS X",
        },
        {"images": "images.tar.gz", "annotations": "annotations.tar.gz"},
    ),
    "loveda": Release(
        {
            f"{area}/{number}": (f"{split}/{area}/images_png/{number}.png", f"{split}/{area}/masks_png/{number}.png")
            for split, area, number in (
                ("Train", "Rural", 0),
                ("Train", "Urban", 1366),
                ("Val", "Rural", 2522),
                ("Val", "Urban", 3514),
            )
        },
        {0: None, 1: "background", 2: "building", 7: "agriculture"},
        image_bytes,
        {"train": ["Rural/0", "Urban/1366"], "val": ["Rural/2522", "Urban/3514"]},
        {},
        {"Train": "Train.zip", "Val": "Val.zip"},
    ),
    "potsdam": Release(
        pairs(
            "2_Ortho_RGB/top_potsdam_{}_RGB.tif",
            "5_Labels_for_participants/top_potsdam_{}_label.tif",
            POTSDAM["train"],
        )
        | pairs("2_Ortho_RGB/top_potsdam_{}_RGB.tif", "5_Labels_all/top_potsdam_{}_label.tif", POTSDAM["test"]),
        POTSDAM_COLOURS,
        tif,
        {"train val": POTSDAM["train"], "test": POTSDAM["test"]},
        {"5_Labels_all/top_potsdam_4_12_label.tif": "a picture with outlines"},
        {folder: f"{folder}.zip" for folder in ("2_Ortho_RGB", "5_Labels_for_participants", "5_Labels_all")},
        inside=False,
    ),
    "kvasir_seg": Release(
        pairs("Kvasir-SEG/images/{}.jpg", "Kvasir-SEG/masks/{}.jpg", numbered("cju{:04}", 40)),
        {(0, 0, 0): "background", (255, 255, 255): "polyp"},
        jpeg,
        {"train val test": numbered("cju{:04}", 40)},
        {"Kvasir-SEG/kavsir_bboxes.json": "{}"},
        {"Kvasir-SEG": "kvasir-seg.zip"},
    ),
}


def label_of(release: Release, number: int) -> np.ndarray:
    """Blocks of label values or colours; each image has all of them."""
    values = np.array([*release.classes])
    order = np.random.default_rng(number).permutation(24) % len(values)
    blocks = values[order].reshape(4, 6, *values.shape[1:]).astype(np.uint16 if values.max() > 255 else np.uint8)
    return blocks.repeat(8, 0).repeat(8, 1)


def photo(number: int) -> np.ndarray:
    return np.random.default_rng(number).integers(0, 256, (*SHAPE, 3), np.uint8)


def contents(release: Release) -> dict[str, bytes]:
    """Files of a release."""
    files = {name: text.encode() for name, text in release.lists.items()}
    for number, (image, label) in enumerate(release.pairs.values()):
        kind = {"jpg": "JPEG", "tif": "TIFF", "png": "PNG"}[image.rpartition(".")[2]]
        files[image] = image_bytes(photo(number), kind)
        files[label] = release.encode(label_of(release, number))
    return files


def pack_archives(release: Release, folder: Path) -> None:
    """Write the archives of a release."""
    folder.mkdir()
    archives: dict[str, dict[str, bytes]] = {}
    for name, content in contents(release).items():
        first, _, rest = name.partition("/")
        archives.setdefault(release.archives[first], {})[name if release.inside else rest] = content
    for name, files in archives.items():
        if name.endswith(".zip"):
            with zipfile.ZipFile(folder / name, "w") as zipped:
                for file, content in files.items():
                    zipped.writestr(file, content)
            continue
        with tarfile.open(folder / name, "w:gz" if name.endswith("gz") else "w") as tar:
            for file, content in files.items():
                info = tarfile.TarInfo(file)
                info.size = len(content)
                tar.addfile(info, BytesIO(content))


def acquired(name: str, release: Release, folder: Path) -> Path:
    """Directory of a dataset that the ordinary stage extracts from its archives; only digests and counts are ours."""
    pack_archives(release, folder / "archives")
    row = DATASETS[name]
    files = [Path(file) for file in contents(release)]
    counts = {pattern: sum(_is(file, pattern) for file in files) for pattern in row.counts}
    sources = tuple(
        replace(source, archives=tuple(replace(archive, sha256=None, md5=None) for archive in source.archives))
        for source in row.sources
    )
    download_dataset(
        replace(row, counts=counts, sources=sources, digests={}), folder / "archives", folder / name / "manifest.json"
    )
    return folder / name


def _is(file: Path, pattern: str) -> bool:
    return len(file.parts) == len(Path(pattern).parts) and file.match(pattern)


def found(description: Description, root: Path) -> dict[SplitName, dict[str, tuple[np.ndarray, np.ndarray]]]:
    """Image and train ids (H, W) of every pair by split and name."""
    table = class_table(description, root)
    result = {}
    for split in SPLITS:
        try:
            read = {pair.name: read_pair(pair, table) for pair in find_pairs(description, root, split)}
        except ValueError as error:
            assert "no image in split" in str(error)  # noqa: PT017
            continue
        result[split] = {name: (image, table.train_ids()[label]) for name, (image, label, _) in read.items()}
    return result


def expected(release: Release, number: int, description: Description) -> np.ndarray:
    """Train ids (H, W) of the classes of an image."""
    names = class_table(description).names
    label = label_of(release, number)
    ids = np.full(SHAPE, IGNORE, np.uint8)
    for value, name in release.classes.items():
        where = (label == np.array(value)).all(-1) if isinstance(value, tuple) else label == value
        ids[where] = names.index(name) if name else IGNORE
    return ids


@pytest.mark.parametrize("name", RELEASES)
def test_a_dataset_is_read_from_its_archives(name: str, tmp_path: Path) -> None:
    release, description = RELEASES[name], describe(name)
    splits = found(description, acquired(name, release, tmp_path))
    numbers = {key: number for number, key in enumerate(release.pairs)}
    for together, names in release.splits.items():
        parts = [splits[split] for split in together.split()]  # type: ignore[index]
        assert all(parts)
        assert sorted(key for part in parts for key in part) == sorted(names)
        for part in parts:
            for key, (image, ids) in part.items():
                assert image.shape == (*SHAPE, 3)
                np.testing.assert_array_equal(ids, expected(release, numbers[key], description))
    assert set(" ".join(release.splits).split()) == splits.keys()


def test_no_block_of_ten_images_of_kitti_is_divided(tmp_path: Path) -> None:
    splits = found(describe("kitti"), acquired("kitti", RELEASES["kitti"], tmp_path))
    blocks = [{name[:5] for name in names} for names in splits.values()]
    assert sum(map(len, blocks)) == len(set.union(*blocks)) == 20
    assert list(map(len, blocks)) == [12, 4, 4]


def test_pascal_context_is_also_read_as_png(tmp_path: Path) -> None:
    """The ids of the PNG are the ranks of the owners' ids, and both descriptions have the same classes."""
    png, mat = class_table(describe("pascal_context")), class_table(describe("pascal_context_mat"))
    assert png.ids == mat.ids == tuple(sorted(png.ids))
    assert png.values == {0: IGNORE} | {position + 1: position for position in range(59)}
    scored = sorted(value for value, position in mat.values.items() if position != IGNORE)
    assert [mat.values[value] for value in scored] == list(range(59))
    assert sorted(mat.values) == list(range(460))
    release = Release(
        pairs(f"{VOC}/JPEGImages/{{}}.jpg", f"{VOC}/SegmentationClassContext/{{}}.png", CONTEXT),
        {0: None, 1: "aeroplane", 2: "bag", 59: "wood"},
        image_bytes,
        {},
        {f"{VOC}/ImageSets/SegmentationContext/{split}.txt": CONTEXT[k] for k, split in enumerate(("train", "val"))},
        {},
    )
    for file, content in contents(release).items():
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).write_bytes(content)
    for k, names in enumerate(found(describe("pascal_context"), tmp_path).values()):
        np.testing.assert_array_equal(names[CONTEXT[k]][1], expected(release, k, describe("pascal_context")))


def test_mapillary_is_also_read_from_the_archive_of_version_2(tmp_path: Path) -> None:
    release = RELEASES["mapillary"]
    moved = {name: (image, label.replace("labels", "v1.2/labels")) for name, (image, label) in release.pairs.items()}
    for file, content in contents(release._replace(pairs=moved)).items():
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).write_bytes(content)
    assert {split: list(names) for split, names in found(describe("mapillary"), tmp_path).items()} == release.splits


def test_oxford_pet_is_that_of_torchvision_item_by_item(tmp_path: Path) -> None:
    root = acquired("oxford_pet", RELEASES["oxford_pet"], tmp_path)
    (tmp_path / "oxford-iiit-pet").symlink_to(root)
    splits = found(describe("oxford_pet").merged(ignore=[]), root)
    ours = {"trainval": splits["train"] | splits["val"], "test": splits["test"]}
    for split, pairs_of_split in ours.items():
        theirs = OxfordIIITPet(tmp_path, split, "segmentation")
        assert len(theirs) == len(pairs_of_split)
        for path, (image, trimap) in zip(theirs._images, theirs, strict=True):
            np.testing.assert_array_equal(pairs_of_split[path.stem][0], image)
            np.testing.assert_array_equal(pairs_of_split[path.stem][1] + 1, trimap)


SBD = "benchmark_RELEASE/dataset"
VOC2012 = "VOCdevkit/VOC2012"
LISTS = f"{VOC2012}/ImageSets/Segmentation"


@pytest.fixture
def sbd(tmp_path: Path) -> Path:
    """VOC 2012 with images a to f, and SBD, which has other labels for the images that both have."""
    voc = Release(
        pairs(f"{VOC2012}/JPEGImages/{{}}.jpg", f"{VOC2012}/SegmentationClass/{{}}.png", ["a", "b", "c", "d"]),
        {0: "background", 15: "person", 20: "tvmonitor", 255: None},
        palette,
        {},
        {f"{LISTS}/train.txt": "a\nb\n", f"{LISTS}/val.txt": "c\nd\n", f"{LISTS}/trainval.txt": "a\nb\nc\nd\n"},
        {},
    )
    extra = Release(
        pairs(f"{VOC2012}/JPEGImages/{{}}.jpg", f"{SBD}/cls/{{}}.mat", ["a", "c", "d", "e", "f"]),
        {0: "background", 1: "aeroplane", 15: "person"},
        sbd_mat,
        {},
        {f"{SBD}/train.txt": "a\nc\ne\n", f"{SBD}/val.txt": "d\nf\n"},
        {"VOCdevkit": "VOCtrainval_11-May-2012.tar", "benchmark_RELEASE": "benchmark.tgz"},
    )
    files = contents(extra) | contents(voc)
    merged = extra._replace(pairs={}, lists={})
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(globals(), "contents", lambda _: files)
        return acquired("voc2012_sbd", merged, tmp_path)


def test_voc_with_sbd_has_the_labels_of_both_and_no_validation_image_is_trained_on(sbd: Path) -> None:
    splits = found(describe("voc2012_sbd"), sbd)
    assert {split: sorted(names) for split, names in splits.items()} == {"train": list("abef"), "val": list("cd")}
    labels = {name: ids for names in splits.values() for name, (_, ids) in names.items()}
    assert {name: int(ids.max()) for name, ids in labels.items()} == dict.fromkeys("abcd", 255) | {"e": 15, "f": 15}


def test_voc_with_sbd_is_that_of_torchvision_item_by_item(sbd: Path) -> None:
    splits = found(describe("voc2012_sbd"), sbd)
    ours = splits["train"] | splits["val"]
    compared = set()
    for split in ("train", "val"):
        voc = VOCSegmentation(sbd, "2012", split)
        for path, (image, label) in zip(voc.images, voc, strict=True):
            np.testing.assert_array_equal(ours[Path(path).stem][0], image)
            np.testing.assert_array_equal(ours[Path(path).stem][1], label)
            compared.add(Path(path).stem)
        (sbd / SBD / "img").mkdir(exist_ok=True)
        extra = SBDataset(sbd / SBD, split, "segmentation")
        for path in extra.masks:
            if (name := Path(path).stem) not in compared and name in "ef":
                np.testing.assert_array_equal(ours[name][1], extra._get_target(path))
                compared.add(name)
    assert compared == set("abcdef")


def test_a_missing_list_of_sbd_is_reported(sbd: Path) -> None:
    (sbd / SBD / "val.txt").unlink()
    with pytest.raises(ValueError, match=r"dataset/val\.txt: no such list; add it, or correct `splits\.lists`"):
        find_pairs(describe("voc2012_sbd"), sbd, "train")


def test_labels_of_matlab_are_packed(tmp_path: Path) -> None:
    root = acquired("coco_stuff10k", RELEASES["coco_stuff10k"], tmp_path)
    write_manifest(root / "manifest.json", {})
    pack_split(root / "manifest.json", describe("coco_stuff10k"), "test", 16, 24, tmp_path / "test")
    assert (tmp_path / "test.json").exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "cannot be decoded"),
        (b"MATLAB 5.0 MAT-file, but no more", "cannot be decoded"),
        (context_mat(np.ones(SHAPE, np.uint8))[:-30], "cannot be decoded"),
        (matlab(other=np.ones(SHAPE)), "expected a variable LabelMap, S or GTcls; store the label as PNG"),
        (matlab(S=np.full(SHAPE, 0.5)), r"got float64 of shape \(32, 48\), expected whole numbers \(H, W\)"),
        (matlab(S=np.ones((2, 3, 4))), r"got float64 of shape \(2, 3, 4\), expected whole numbers"),
        (matlab(S="text"), "expected whole numbers"),
        (matlab(GTcls={"Other": np.ones(SHAPE)}), "cannot be decoded"),
    ],
)
def test_a_damaged_file_of_matlab(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "a.mat"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=message) as caught:
        read_matlab(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


@pytest.fixture(params=[*RELEASES])
def unpacked(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, Path]:
    """Name and directory of a dataset that a user has unpacked."""
    for file, content in contents(RELEASES[request.param]).items():
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).write_bytes(content)
    return request.param, tmp_path


def test_the_doctor_reads_a_dataset_of_the_catalogue(unpacked: tuple[str, Path]) -> None:
    name, root = unpacked
    diagnosis = examine(root, describe(name))
    read = {split: {sample.pair.name for sample in samples} for split, samples in diagnosis.samples.items() if samples}
    assert set().union(*read.values()) == set().union(*RELEASES[name].splits.values())
    assert read.keys() == set(" ".join(RELEASES[name].splits).split())
    assert not [finding for finding in diagnosis.findings if "no such directory" in str(finding)]


def test_init_recognises_what_no_other_dataset_looks_like(unpacked: tuple[str, Path]) -> None:
    name, root = unpacked
    found = recognise(root)
    assert found.keys.get("layout") == (name if name != "mapillary" else None)  # training/images, training/labels
    assert found.eval_split == ("test" if "test" in " ".join(RELEASES[name].splits) else "val")
    assert rows_for_params("mine", found)
