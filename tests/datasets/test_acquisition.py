"""Each dataset from archives in the official layout to statistics, with real servers; the Cityscapes login."""

import io
import os
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import replace
from hashlib import md5, sha256
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import NamedTuple
from urllib.parse import parse_qs

import numpy as np
import pytest
from PIL import Image
from servers import BODY, HASTE, Page, Server

from seg.config.description import describe
from seg.data.pack import pack_split
from seg.datasets.catalogue import DATASETS, Dataset, Source
from seg.datasets.classes import bit_colour, class_table
from seg.datasets.download import download_dataset
from seg.datasets.login import Login
from seg.system.files import read_json

ROOT = Path(__file__).parents[2]
SURPLUS = BODY[:200_000]  # an unused file, so that an archive is sent in several chunks
SIZE = (24, 40)  # of the packs, height and width
SECRET = "pässword & 1%"
USER = "ada@example.org"
FORM = b"<form method='post'><input name='username'><INPUT name='password' TYPE='password'></form>"
LOGIN_PAGE = Page(body=FORM, headers={"Content-Type": "text/html", "Set-Cookie": "sid=guest; Path=/"})


class Portal(Server):
    """Web site like that of Cityscapes: its files require the cookie of a successful login."""

    answer_to_login = Page(status=302, headers={"Location": "/", "Set-Cookie": "sid=granted; Path=/"})
    answer_without_login = LOGIN_PAGE

    def send(self, request: BaseHTTPRequestHandler, page: Page) -> None:
        if request.path == "/login":
            form = parse_qs(request.form)  # type: ignore[attr-defined]
            right = form == {"username": [USER], "password": [SECRET], "submit": ["Login"]}
            page = self.answer_to_login if request.command == "POST" and right else self.answer_without_login
        elif "sid=granted" not in request.headers.get("Cookie", ""):
            page = self.answer_without_login
        super().send(request, page)


@pytest.fixture
def portal() -> Iterator[Portal]:
    with Portal() as running:
        yield running


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as running:
        yield running


@pytest.fixture
def known(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """User and password are in the environment."""
    monkeypatch.setenv("CITYSCAPES_USER", USER)
    monkeypatch.setenv("CITYSCAPES_PASSWORD", SECRET)
    monkeypatch.setenv("NETRC", str(tmp_path / "no.netrc"))


# Archives in the official layouts

Files = dict[str, bytes]
Labels = dict[str, np.ndarray]


class Release(NamedTuple):
    """An official release: files by archive; labels (H, W) uint8 by name, of each official list or directory."""

    archives: dict[str, Files]
    labels: dict[str, Labels]
    counts: tuple[int, ...]  # as in the table, in its order


def drawn(seed: int, ids: int, void: int | None = None) -> np.ndarray:
    """A label with blocks of ids below `ids` and the border `void`; its size is SIZE for even seeds only."""
    generator = np.random.default_rng(seed)
    height, width = SIZE if seed % 2 == 0 else (20 + seed % 7, 30 + seed % 5)
    label = generator.integers(ids, size=(-(-height // 4), -(-width // 4)), dtype=np.uint8)
    label = label.repeat(4, 0).repeat(4, 1)[:height, :width]
    if void is not None:
        label[height // 2] = label[:, width // 3] = void
    return label


def encoded(pixels: np.ndarray, kind: str, palette: bool = False) -> bytes:
    image = Image.fromarray(pixels)
    if palette:
        image.putpalette([value for i in range(256) for value in bit_colour(i)])
    file = io.BytesIO()
    image.save(file, kind)
    return file.getvalue()


def photo(label: np.ndarray, kind: str) -> bytes:
    return encoded(np.stack([label * 9, 255 - label, label], axis=-1), kind)


def voc(year: str, lists: Mapping[str, range], archives: Mapping[str, tuple[str, ...]]) -> Release:
    root = f"VOCdevkit/VOC{year}"
    labels = {name: {f"{year}_{k:06d}": drawn(k, 21, 255) for k in span} for name, span in lists.items()}
    packed = {}
    for archive, splits in archives.items():
        mine = {name: label for split in splits for name, label in labels[split].items()}
        names = {split: list(labels[split]) for split in splits}
        names |= {"trainval": list(mine)} if len(splits) > 1 else {}
        packed[archive] = {
            "VOCdevkit/VOCcode/VOCinit.m": SURPLUS,
            f"{root}/ImageSets/Main/cat_{splits[0]}.txt": b"x -1\n",
            **{f"{root}/ImageSets/Segmentation/{key}.txt": "\n".join(names[key]).encode() + b"\n" for key in names},
            **{f"{root}/Annotations/{name}.xml": b"<annotation/>" for name in mine},
            **{f"{root}/JPEGImages/{name}.jpg": photo(label, "JPEG") for name, label in mine.items()},
            f"{root}/JPEGImages/{splits[0]}_without_label.jpg": photo(drawn(0, 3), "JPEG"),
            **{f"{root}/SegmentationClass/{name}.png": encoded(label, "PNG", True) for name, label in mine.items()},
            **{f"{root}/SegmentationObject/{name}.png": encoded(label, "PNG", True) for name, label in mine.items()},
        }
    total = sum(map(len, labels.values()))
    return Release(packed, labels, (sum(len(s) + (len(s) > 1) for s in archives.values()), total, total))


def cityscapes() -> Release:
    images, truths, labels = {}, {}, {}
    for split, cities in {"train": ("aachen", "zurich"), "val": ("munster",), "test": ("berlin",)}.items():
        labels[split] = {}
        for number, city in enumerate(cities):
            for k in range(4):
                name, label = f"{city}_{k:06d}_000019", drawn(10 * number + k, 34)
                labels[split][name] = label
                images[f"leftImg8bit/{split}/{city}/{name}_leftImg8bit.png"] = photo(label, "PNG")
                stem = f"gtFine/{split}/{city}/{name}_gtFine"
                truths[f"{stem}_labelIds.png"] = encoded(label, "PNG")
                truths |= {f"{stem}_{kind}": b"" for kind in ("color.png", "instanceIds.png", "polygons.json")}
    about = {"README": SURPLUS, "license.txt": b"terms"}
    packed = {"leftImg8bit_trainvaltest.zip": about | images, "gtFine_trainvaltest.zip": about | truths}
    return Release(packed, labels, (8, 4, 4, 8, 4, 4))


def bdd100k(ending: str, ids: int) -> Release:
    files, labels = {}, {"train": {}, "val": {}}
    for split, span in {"train": range(24), "val": range(24, 32)}.items():
        for k in span:
            name, label = f"{k * 7919:08x}-{k:08x}", drawn(k, ids)
            labels[split][name] = label
            files[f"bdd100k/seg/images/{split}/{name}.jpg"] = photo(label, "JPEG")
            files[f"bdd100k/seg/labels/{split}/{name}{ending}"] = encoded(label, "PNG")
            files[f"bdd100k/seg/color_labels/{split}/{name}_train_color.png"] = b""
    files["bdd100k/seg/images/test/00ff00ff-00000000.jpg"] = photo(drawn(0, 3), "JPEG")
    return Release({"bdd100k_seg.zip": files}, labels, (24, 8, 24, 8))


RELEASES = {
    "voc2007": voc(
        "2007",
        {"train": range(8), "val": range(8, 12), "test": range(12, 16)},
        {"VOCtrainval_06-Nov-2007.tar": ("train", "val"), "VOCtest_06-Nov-2007.tar": ("test",)},
    ),
    "voc2012": voc("2012", {"train": range(8), "val": range(8, 16)}, {"VOCtrainval_11-May-2012.tar": ("train", "val")}),
    "cityscapes": cityscapes(),
    "bdd100k": bdd100k("_id.png", 41),
    "bdd100k_19": bdd100k("_train_id.png", 19),
}


def packed(name: str, files: Files) -> bytes:
    file = io.BytesIO()
    if name.endswith(".zip"):
        with zipfile.ZipFile(file, "w") as archive:
            for member, content in files.items():
                archive.writestr(member, content)
        return file.getvalue()
    with tarfile.open(fileobj=file, mode="w") as tar:
        for member, content in files.items():
            info = tarfile.TarInfo(member)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return file.getvalue()


BODIES = {name: packed(name, files) for release in RELEASES.values() for name, files in release.archives.items()}


def small(name: str, url: str = "") -> Dataset:
    """The row of the table with its URLs on `url` and the counts and digests of the small release."""
    row, release = DATASETS[name], RELEASES[name]
    archives = []
    for archive in row.sources[0].archives:
        body = BODIES[archive.name] if name.startswith(("voc", "city")) else b""
        urls = tuple(f"{url}/{k}/{one.rpartition('/')[2]}" for k, one in enumerate(archive.urls))
        digests = {"sha256": sha256(body).hexdigest(), "md5": md5(body).hexdigest()} if body else {}
        archives.append(replace(archive, urls=urls, **digests))
    login = Login(f"{url}/login", row.login.user, row.login.password) if row.login else None
    counts = dict(zip(row.counts, release.counts, strict=True))
    return replace(row, sources=(Source(tuple(archives)),), counts=counts, login=login)


def offer(server: Server, row: Dataset, mirror: int = 0, drops: tuple[int, ...] = ()) -> None:
    """Serve the archives of a row at the paths of one of its mirrors."""
    for archive in row.sources[0].archives:
        path = archive.urls[mirror].removeprefix(server.url)
        server.pages[path] = Page(body=BODIES[archive.name], drops=list(drops))


def listing(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


# From the archives to statistics


def acquired(name: str, folder: Path, stack: ExitStack) -> Path:
    """Manifest of a dataset, downloaded over interrupted connections or extracted from an archive of the user."""
    out, archives = folder / "raw" / name / "manifest.json", folder / "archives"
    if name.startswith("bdd100k"):
        row = small(name)
        archives.mkdir()
        with pytest.raises(ValueError, match=f"{name}: get bdd100k_seg.zip from https://bdd-data.berkeley.edu/"):
            download_dataset(row, archives, out, HASTE)
        release = RELEASES[name].archives["bdd100k_seg.zip"]
        (archives / "bdd100k_seg.zip").write_bytes(packed("bdd100k_seg.zip", release))
        download_dataset(row, archives, out, HASTE)
        return out
    server = stack.enter_context(Portal() if name == "cityscapes" else Server())
    row = small(name, server.url)
    mirror = len(row.sources[0].archives[0].urls) - 1
    offer(server, row, mirror, drops=(100_000,))
    download_dataset(row, archives, out, HASTE)
    files = [seen for seen in server.seen if seen.path != "/login"]
    count = len(row.sources[0].archives)
    assert [seen.status for seen in files] == ([404] * mirror + [200, 206]) * count  # moved; interrupted; the rest
    assert listing(archives) == sorted(archive.name for archive in row.sources[0].archives)
    return out


def stage(module: str, **arguments: object) -> None:
    options = [text for key, value in arguments.items() for text in (f"--{key}", str(value))]
    subprocess.run([sys.executable, "-m", module, *options], cwd=ROOT, check=True, timeout=120)


@pytest.mark.parametrize("name", RELEASES)
@pytest.mark.usefixtures("known")
def test_a_real_layout_goes_from_its_archives_to_statistics(name: str, tmp_path: Path) -> None:
    release, layout = RELEASES[name], "voc" if name.startswith("voc") else name
    with ExitStack() as stack:
        manifest = acquired(name, tmp_path, stack)
    raw = manifest.parent
    assert len(listing(raw)) == 1 + sum(release.counts)
    contents = {member: data for files in release.archives.values() for member, data in files.items()}
    assert {member: (raw / member).read_bytes() for member in listing(raw) if member != manifest.name} == {
        member: contents[member] for member in listing(raw) if member != manifest.name
    }

    stage(
        "seg.data.pack",
        manifest=manifest,
        dataset=layout,
        split="train",
        height=SIZE[0],
        width=SIZE[1],
        out=tmp_path / "train",
    )
    stage("seg.data.statistics", pack=tmp_path / "train.json", out=tmp_path / "statistics.json")
    splits = ["train", "val"] if name == "cityscapes" else ["train", "val", "test"]
    for split in splits[1:]:
        pack_split(manifest, describe(layout), split, *SIZE, tmp_path / split)
    about = {split: read_json(tmp_path / f"{split}.json") for split in splits}
    names = {split: set(about[split]["names"]) for split in splits}
    assert all(names.values())

    labelled = {key: label for split in release.labels.values() for key, label in split.items()}
    if name == "cityscapes":
        assert all(names[split] == set(release.labels[split]) for split in splits)
    else:
        assert sum(map(len, names.values())) == len(set.union(*names.values()))
        assert set.union(*names.values()) == set(labelled)
        if name != "voc2012":  # whose official validation list is halved
            assert layout != "voc" or all(names[split] == set(release.labels[split]) for split in splits)
        if layout == "voc":
            assert names["train"] == set(release.labels["train"])

    train_ids, compared = class_table(describe(layout)).train_ids(), 0
    for split in splits:
        pixels = np.load(tmp_path / f"{split}.labels.npy")
        for key, found in zip(about[split]["names"], pixels, strict=True):
            expected = train_ids[labelled[key]]
            assert set(np.unique(found)) <= set(np.unique(expected))
            if expected.shape == SIZE:
                compared += 1
                assert (found == expected).all()
    assert compared >= 4

    statistics = read_json(tmp_path / "statistics.json")
    pixels = np.load(tmp_path / "train.labels.npy")
    counts = np.bincount(pixels[pixels < 255], minlength=len(statistics["classes"]))
    assert statistics["pixels"] == counts.tolist()


@pytest.mark.parametrize("name", ["voc2007", "voc2012"])
def test_palette_and_border_are_extracted_unchanged(name: str, tmp_path: Path) -> None:
    with ExitStack() as stack:
        raw = acquired(name, tmp_path, stack).parent
    sizes = set()
    for labels in RELEASES[name].labels.values():
        for key, label in labels.items():
            with Image.open(raw / f"VOCdevkit/VOC{name[3:]}/SegmentationClass/{key}.png") as image:
                assert image.mode == "P"
                assert image.getpalette()[: 3 * 21] == [value for i in range(21) for value in bit_colour(i)]  # type: ignore[index]
                assert (np.asarray(image) == label).all()
                assert 255 in np.asarray(image)
                sizes.add(image.size)
    assert len(sizes) > 3


def test_labels_of_the_other_release_of_bdd100k_are_refused(tmp_path: Path) -> None:
    (tmp_path / "bdd100k_seg.zip").write_bytes(
        packed("bdd100k_seg.zip", RELEASES["bdd100k_19"].archives["bdd100k_seg.zip"])
    )
    with pytest.raises(ValueError, match=r"0 files bdd100k/seg/labels/train/\*\[0-9a-f\]_id.png, expected 24"):
        download_dataset(small("bdd100k"), tmp_path, tmp_path / "raw" / "manifest.json", HASTE)
    assert listing(tmp_path) == ["bdd100k_seg.zip"]


# Errors in real processes: one line, exit code 2, no partial output


def run(row: Dataset, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the stage as a process, with `row` in place of the table's."""
    code = f"""
import sys
from seg.system.console import run_stage
from seg.datasets import catalogue, download
from seg.datasets.catalogue import Dataset, Source
from seg.datasets.login import Login
from seg.system.fetch import Archive
catalogue.DATASETS[{row.name!r}] = {row!r}
sys.argv = ["download", "--dataset", {row.name!r}, "--archives", {str(folder / "archives")!r}]
sys.argv += ["--out", {str(folder / "raw" / row.name / "manifest.json")!r}]
run_stage(download.main)
"""
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env=dict(os.environ) | environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def assert_one_line(done: subprocess.CompletedProcess[str], folder: Path, *parts: str) -> None:
    assert (done.returncode, done.stdout) == (2, ""), done.stderr
    assert len(done.stderr.splitlines()) == 1
    for part in ("error: ", *parts):
        assert part in done.stderr
    assert listing(folder) == []
    assert not (folder / "raw").exists()


@pytest.mark.usefixtures("known")
def test_a_correct_password_is_accepted_and_stored_nowhere(portal: Portal, tmp_path: Path) -> None:
    row = small("cityscapes", portal.url)
    offer(portal, row)
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login other password another\n")
    done = run(row, tmp_path, NETRC=str(tmp_path / "netrc"))
    assert done.returncode == 0, done.stderr
    assert done.stderr.startswith("cityscapes: 32 files from leftImg8bit_trainvaltest.zip and gtFine_trainvaltest.zip")
    assert SECRET not in done.stderr
    logins = [seen for seen in portal.seen if "password=" in seen.text]
    assert [(seen.path, seen.status) for seen in logins] == [("/login", 302)]
    assert not any("Authorization" in seen.text for seen in portal.seen)
    for file in filter(Path.is_file, tmp_path.rglob("*")):
        assert SECRET.encode() not in file.read_bytes()


@pytest.mark.usefixtures("known")
def test_user_and_password_may_come_from_netrc(portal: Portal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CITYSCAPES_USER")
    monkeypatch.delenv("CITYSCAPES_PASSWORD")
    (tmp_path / "netrc").write_text(f'machine 127.0.0.1 login {USER} password "{SECRET}"\n')
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    row = small("cityscapes", portal.url)
    offer(portal, row)
    download_dataset(row, tmp_path / "archives", tmp_path / "raw" / "manifest.json", HASTE)
    assert (tmp_path / "raw" / "manifest.json").exists()
    assert not any("Authorization" in seen.text for seen in portal.seen)


REFUSALS = {
    "the form again": LOGIN_PAGE,
    "sent back to the form": Page(status=302, headers={"Location": "/login/?failed=1"}),
    "forbidden": Page(status=403),
}


@pytest.mark.parametrize("refusal", REFUSALS.values(), ids=REFUSALS)
@pytest.mark.usefixtures("known")
def test_a_wrong_password_is_one_line_without_it(portal: Portal, tmp_path: Path, refusal: Page) -> None:
    row = small("cityscapes", portal.url)
    offer(portal, row)
    portal.answer_without_login = refusal
    done = run(row, tmp_path, CITYSCAPES_PASSWORD="wr0ng one")
    assert_one_line(done, tmp_path, f"{portal.url}/login: user or password not accepted; set CITYS")
    assert "wr0ng" not in done.stderr
    assert USER not in done.stderr
    assert {seen.path for seen in portal.seen} == {"/login"}


@pytest.mark.usefixtures("known")
def test_without_a_password_the_message_says_how_to_give_one(
    portal: Portal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CITYSCAPES_USER")
    monkeypatch.delenv("CITYSCAPES_PASSWORD")
    row = small("cityscapes", portal.url)
    done = run(row, tmp_path)
    parts = ("get leftImg8bit_trainvaltest.zip and gtFine_trainvaltest.zip", row.homepage, row.licence)
    assert_one_line(done, tmp_path, *parts, str(tmp_path / "archives"), "set CITYSCAPES_USER and CITYSCAPES_PASSWORD")
    assert portal.seen == []


@pytest.mark.usefixtures("known")
def test_no_credentials_are_sent_to_another_host(portal: Portal, server: Server, tmp_path: Path) -> None:
    """Not even to another port of the same one, which shares its cookies (RFC 6265, section 8.5)."""
    row = small("cityscapes", portal.url)
    away = Page(status=307, headers={"Location": f"{server.url}/x"})
    portal.pages = {archive.urls[0].removeprefix(portal.url): away for archive in row.sources[0].archives}
    assert_one_line(run(row, tmp_path), tmp_path, "HTTP 307 despite the login", row.homepage, row.licence)
    portal.answer_to_login = away
    assert_one_line(run(row, tmp_path), tmp_path, f"{portal.url}/login: cannot log in (HTTP 307)")
    assert server.seen == []


@pytest.mark.usefixtures("known")
def test_a_session_that_ends_early_is_reported_and_the_part_kept(portal: Portal, tmp_path: Path) -> None:
    row = small("cityscapes", portal.url)
    offer(portal, row, drops=(100_000,))
    archives, out = tmp_path / "archives", tmp_path / "raw" / "manifest.json"

    def end_session(request: BaseHTTPRequestHandler, page: Page) -> None:
        broken = any(seen.sent == 100_000 for seen in portal.seen)
        Portal.send(portal, request, LOGIN_PAGE if broken else page)

    portal.send = end_session  # type: ignore[method-assign]
    with pytest.raises(OSError, match="got a web page, possibly a login form, instead of the file"):
        download_dataset(row, archives, out, HASTE)
    assert (archives / "leftImg8bit_trainvaltest.zip.part").stat().st_size > 0
    del portal.send  # type: ignore[method-assign]
    portal.seen.clear()
    download_dataset(row, archives, out, HASTE)
    assert next(seen.status for seen in portal.seen if seen.path != "/login") == 206


@pytest.mark.usefixtures("known")
def test_a_busy_form_is_tried_again(portal: Portal, tmp_path: Path) -> None:
    row = small("cityscapes", portal.url)
    offer(portal, row)
    portal.answer_to_login = replace(portal.answer_to_login, statuses=[503])
    download_dataset(row, tmp_path / "archives", tmp_path / "raw" / "manifest.json", HASTE)
    portal.answer_to_login = Page(status=503)
    (tmp_path / "archives" / "gtFine_trainvaltest.zip").unlink()
    with pytest.raises(OSError, match=r"/login: cannot log in \(HTTP 503\); run again later"):
        download_dataset(row, tmp_path / "archives", tmp_path / "raw" / "manifest.json", HASTE)
    with pytest.raises(OSError, match=r"/login: cannot log in \(no connection, or it was interrupted\)"):
        download_dataset(
            small("cityscapes", "http://127.0.0.1:1"), tmp_path / "archives", tmp_path / "m" / "m.json", HASTE
        )


def test_a_file_missing_from_all_mirrors_is_one_line_with_homepage_and_licence(server: Server, tmp_path: Path) -> None:
    row = small("voc2012", server.url)
    parts = [f"{url}: HTTP 404" for url in row.sources[0].archives[0].urls]
    done = run(row, tmp_path)
    assert_one_line(done, tmp_path, *parts, row.homepage, row.licence, f"put the file into {tmp_path / 'archives'}")


@pytest.mark.parametrize(("kind", "title"), [("sha256", "SHA-256"), ("md5", "MD5")])
def test_a_wrong_digest_is_one_line(server: Server, tmp_path: Path, kind: str, title: str) -> None:
    row = small("voc2012", server.url)
    wrong = "0" * len(getattr(row.sources[0].archives[0], kind))
    row = replace(row, sources=(Source((replace(row.sources[0].archives[0], **{kind: wrong}),)),))
    for mirror in range(3):
        offer(server, row, mirror)
    assert_one_line(run(row, tmp_path), tmp_path, f"{title} is ", f"expected {wrong}; the download is deleted")


def test_a_body_that_is_always_cut_short_is_one_line(server: Server, tmp_path: Path) -> None:
    row = small("voc2012", server.url)
    archive = row.sources[0].archives[0]
    url = archive.urls[0]
    row = replace(row, sources=(Source((replace(archive, urls=(url,)),)),))
    server.pages[url.removeprefix(server.url)] = Page(body=BODIES[archive.name], drops=[0] * 99)
    with pytest.raises(OSError, match=r"VOCtrainval_11-May-2012\.tar: download failed") as caught:
        download_dataset(row, tmp_path / "archives", tmp_path / "raw" / "voc2012" / "manifest.json", HASTE)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "raw").exists()
    assert listing(tmp_path) == [f"archives/{archive.name}.part", f"archives/{archive.name}.part.json"]


def test_the_check_reports_all_at_once_without_the_network(tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "seg.datasets.download",
        "--archives",
        str(tmp_path),
        "--check",
        str(tmp_path / "raw"),
    ]
    names = ["cityscapes", "voc2012", "bdd100k"]
    environment = {key: value for key, value in os.environ.items() if not key.startswith("CITYSCAPES_")}
    done = subprocess.run(
        [*command, *(text for name in names for text in ("--dataset", name))],
        cwd=ROOT,
        env=environment | {"NETRC": str(tmp_path / "no")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert [line.split(":")[1] for line in done.stderr.splitlines()] == [" cityscapes", " bdd100k"]
    assert list(tmp_path.iterdir()) == []
