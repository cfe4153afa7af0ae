"""The catalogue of datasets: completeness of its entries and verification of their content."""

import hashlib
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from seg.datasets.catalogue import DATASETS, Dataset, Source, find_dataset, missing
from seg.datasets.login import Login
from seg.system.fetch import Archive

LOGIN = Login("https://example.org/login", "TOY_USER", "TOY_PASSWORD")


@pytest.fixture(autouse=True)
def _no_credentials(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No credentials in the environment or the home directory."""
    for name in ("CITYSCAPES_USER", "CITYSCAPES_PASSWORD", LOGIN.user, LOGIN.password):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NETRC", str(tmp_path / "no.netrc"))


def _row(*sources: Source, **changes: object) -> Dataset:
    values = {"version": "1", "licence": "CC0", "citation": "Nobody", "homepage": "https://example.org/toy"}
    return Dataset(**{"name": "toy", "sources": sources, "counts": {"a/b/*": 2}, **values, **changes})


def _unavailable(row: Dataset, folder: Path) -> str | None:
    """Why no source is available; `None` if one is."""
    try:
        row.choose(folder)
    except ValueError as error:
        return str(error)
    return None


@pytest.mark.parametrize("row", DATASETS.values(), ids=lambda row: row.name)
def test_every_row_is_complete(row: Dataset) -> None:
    assert DATASETS[row.name] is row
    assert all((row.version, row.licence, row.citation, row.homepage, row.sources, row.counts))
    assert all(source.archives for source in row.sources)
    for archive in (archive for source in row.sources for archive in source.archives):
        assert Path(archive.name).name == archive.name
        assert all("@" not in url and (url.startswith("https://") or archive.sha256) for url in archive.urls)
        digests = [(digest, 64) for digest in (*row.digests.values(), archive.sha256) if digest]
        digests += [(archive.md5, 32)] if archive.md5 else []
        assert all(len(digest) == size and set(digest) <= set("0123456789abcdef") for digest, size in digests)
        assert digests or not archive.urls, f"{archive.name}: nothing tells that it is the right one"
    for pattern, label in row.labels.items():
        assert pattern in row.counts
        assert label.format("*") in row.counts


@pytest.mark.parametrize("row", DATASETS.values(), ids=lambda row: row.name)
def test_a_session_is_used_only_for_the_host_of_its_login(row: Dataset) -> None:
    urls = [url for source in row.sources for archive in source.archives for url in archive.urls]
    if row.login:
        assert {urlsplit(url)[:2] for url in urls} == {urlsplit(row.login.url)[:2]} == {("https", row.login.host)}


def test_the_counts_are_those_of_the_owners() -> None:
    totals = {name: sum(row.counts.values()) for name, row in DATASETS.items()}
    assert totals == {
        "camvid": 2 * 701,
        "cityscapes": 2 * 5000,
        "voc2007": 2 * 632 + 4,
        "voc2012": 2 * 2913 + 3,
        "bdd100k": 2 * 8000,
        "bdd100k_19": 2 * 8000,
        "ade20k": 2 * (20_210 + 2_000),
        "coco_stuff10k": 2 * 10_000 + 2,
        "kitti": 2 * 200,
        "kvasir_seg": 2 * 1000,
        "loveda": 2 * (2_522 + 1_669),
        "mapillary": 2 * (18_000 + 2_000),
        "oxford_pet": 2 * 7_390 + 2,
        "pascal_context_mat": 2 * (4_998 + 5_105) + 2,
        "potsdam": 38 + 24 + 38,
        "voc2012_sbd": 17_125 + 2_913 + 3 + 8_498 + 2_857 + 2,
    }


def test_an_unknown_name_is_reported_with_the_nearest() -> None:
    assert find_dataset("camvid").name == "camvid"
    with pytest.raises(ValueError, match=r"'CamVit' is unknown; did you mean 'camvid'\? known are ade20k, bdd"):
        find_dataset("CamVit")
    with pytest.raises(ValueError, match="'zzz' is unknown; known are ade20k, bdd100k, bdd100k_19, camvid"):
        find_dataset("zzz")


@pytest.mark.parametrize(
    ("existing", "chosen"),
    [([], 2), (["a"], 2), (["a", "b"], 0), (["c"], 1), (["a", "b", "c"], 0), (["d"], 2), (["c", "d"], 1)],
)
def test_existing_archives_are_preferred_to_downloads(tmp_path: Path, existing: list[str], chosen: int) -> None:
    by_hand = Source((Archive("a", None), Archive("b", None)))
    also_by_hand = Source((Archive("c", None),))
    by_network = Source((Archive("d", None, ("https://example.org/d",)),))
    for name in existing:
        (tmp_path / name).touch()
    row = _row(by_hand, also_by_hand, by_network)
    assert row.choose(tmp_path) is row.sources[chosen]


def test_half_a_source_is_completed_from_the_network(tmp_path: Path) -> None:
    half = Source((Archive("a", None), Archive("b", None, ("https://example.org/b",))))
    (tmp_path / "a").touch()
    assert _row(half).choose(tmp_path) is half


def test_without_a_source_the_message_says_what_to_get_from_where_and_under_which_licence(tmp_path: Path) -> None:
    row = _row(Source((Archive("a", None), Archive("b", None))), Source((Archive("c", None),)), access="register first")
    with pytest.raises(ValueError, match="toy: get a and b or c from") as caught:
        row.choose(tmp_path)
    assert "\n" not in str(caught.value)
    for part in (row.homepage, "register first", "CC0", str(tmp_path)):
        assert part in str(caught.value)
    assert _unavailable(row, tmp_path) == str(caught.value)
    (tmp_path / "b").touch()
    assert "get a or c from" in (_unavailable(row, tmp_path) or "")
    (tmp_path / "a").touch()
    assert _unavailable(row, tmp_path) is None


def test_archives_that_require_a_login_are_available_with_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    row = _row(Source((Archive("a", None, ("https://example.org/a",)),)), login=LOGIN)
    assert (_unavailable(row, tmp_path) or "").endswith(
        f"put them into {tmp_path} and run again; or, for an automatic download, "
        "set TOY_USER and TOY_PASSWORD, or add an entry for machine example.org to ~/.netrc"
    )
    monkeypatch.setenv("TOY_USER", "ada")
    assert _unavailable(row, tmp_path) == "TOY_USER is set, but TOY_PASSWORD is not; set both or neither"
    monkeypatch.setenv("TOY_PASSWORD", "secret")
    assert _unavailable(row, tmp_path) is None
    monkeypatch.delenv("TOY_USER")
    (tmp_path / "a").touch()
    assert _unavailable(row, tmp_path) is None  # existing archives require no login


def test_one_line_per_dataset_that_is_not_available(tmp_path: Path) -> None:
    archives, raw = tmp_path / "archives", tmp_path / "raw"
    assert missing(["camvid", "voc2007", "voc2012"], archives, raw) == []
    lines = missing(["camvid", "cityscapes", "bdd100k", "kitty"], archives, raw)
    assert [line.partition(":")[0] for line in lines[:2]] == ["cityscapes", "bdd100k"]
    assert lines[2].startswith("dataset 'kitty' is unknown")
    (raw / "cityscapes").mkdir(parents=True)
    (raw / "cityscapes" / "manifest.json").touch()
    archives.mkdir()
    (archives / "bdd100k_seg.zip").touch()
    assert missing(["cityscapes", "bdd100k"], archives, raw) == []


@pytest.mark.parametrize(
    ("prefix", "member", "name"),
    [
        ("Toy", "Toy/a/b/1.png", "a/b/1.png"),
        ("Toy", "Toy/a/b/deep/1.png", None),
        ("Toy", "Other/a/b/1.png", None),
        ("Toy", "Toy/a/1.png", None),
        ("Toy", "Toy/a/bc/1.png", None),
        ("Toy", "Toy/a/b", None),
        ("Toy", "Toy", None),
        ("*/Toy", "repository-1a2b/Toy/a/b/1.png", "a/b/1.png"),
        ("*/Toy", "repository-1a2b/deep/Toy/a/b/1.png", None),
        ("", "a/b/1.png", "a/b/1.png"),
    ],
)
def test_the_prefix_is_removed_and_other_members_are_skipped(prefix: str, member: str, name: str | None) -> None:
    source = Source((), prefix)
    assert _row(source).wanted(source, member) == name


def test_only_images_with_an_extracted_label_are_extracted(tmp_path: Path) -> None:
    row = _row(counts={"img/*.jpg": 1, "lab/*.png": 1}, labels={"img/*.jpg": "lab/{}.png"})
    (tmp_path / "lab").mkdir()
    (tmp_path / "lab" / "1.png").touch()
    names = ["img/1.jpg", "img/2.jpg", "lab/1.png", "lab/2.png", "xml/1.xml"]
    assert [name for name in names if row.wanted(Source(()), name)] == ["lab/1.png", "lab/2.png"]
    assert [name for name in names if row.wanted(Source(()), name, tmp_path)] == ["img/1.jpg"]


def test_faults_lists_every_difference(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "b"
    folder.mkdir(parents=True)
    (folder / "2.png").write_bytes(b"two")
    (folder / "1.png").write_bytes(b"one")
    lines = "".join(
        f"{hashlib.sha256(content).hexdigest()}  a/b/{name}\n"
        for name, content in (("1.png", b"one"), ("2.png", b"two"))
    )
    row = _row(digests={"a/b/*.png": hashlib.sha256(lines.encode()).hexdigest()})
    assert row.faults(tmp_path) == []
    (folder / "2.png").rename(folder / "2.PNG")
    (folder / "3.txt").touch()
    count, digest = row.faults(tmp_path)
    assert count == "got 3 files a/b/*, expected 2"
    assert digest.startswith("SHA-256 of a/b/*.png is ")
