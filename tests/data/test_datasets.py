"""The table of data sets: what a row promises and how its content is recognised."""

import hashlib
from pathlib import Path

import pytest

from seg.data.datasets import DATASETS, Archive, Dataset, Source, dataset


def _row(*sources: Source, **changes: object) -> Dataset:
    values = {"version": "1", "licence": "CC0", "citation": "Nobody", "homepage": "https://example.org/toy"}
    return Dataset(**{"name": "toy", "sources": sources, "counts": {"a/b": 2}, "digests": {}, **values, **changes})


@pytest.mark.parametrize("row", DATASETS.values(), ids=lambda row: row.name)
def test_every_row_is_complete(row: Dataset) -> None:
    assert DATASETS[row.name] is row
    assert all((row.version, row.licence, row.citation, row.homepage, row.sources, row.counts))
    assert all(source.archives for source in row.sources)
    for archive in (archive for source in row.sources for archive in source.archives):
        assert Path(archive.name).name == archive.name
        assert all(url.startswith("https://") and "@" not in url for url in archive.urls)
        digests = (*row.digests.values(), *filter(None, [archive.sha256]))
        assert all(len(digest) == 64 and set(digest) <= set("0123456789abcdef") for digest in digests)
        assert archive.sha256 or row.digests, f"{archive.name}: nothing tells that it is the right one"


def test_an_unknown_name_is_answered_with_the_nearest() -> None:
    assert dataset("camvid").name == "camvid"
    with pytest.raises(ValueError, match=r"'CamVit' is unknown; did you mean 'camvid'\? known are camvid"):
        dataset("CamVit")
    with pytest.raises(ValueError, match="'zzz' is unknown; known are camvid"):
        dataset("zzz")


@pytest.mark.parametrize(
    ("lying", "chosen"),
    [([], 2), (["a"], 2), (["a", "b"], 0), (["c"], 1), (["a", "b", "c"], 0), (["d"], 2), (["c", "d"], 1)],
)
def test_what_lies_there_goes_before_what_must_be_fetched(tmp_path: Path, lying: list[str], chosen: int) -> None:
    by_hand = Source((Archive("a", None), Archive("b", None)))
    also_by_hand = Source((Archive("c", None),))
    by_network = Source((Archive("d", None, ("https://example.org/d",)),))
    for name in lying:
        (tmp_path / name).touch()
    row = _row(by_hand, also_by_hand, by_network)
    assert row.choose(tmp_path) is row.sources[chosen]


def test_half_a_source_is_completed_from_the_network(tmp_path: Path) -> None:
    half = Source((Archive("a", None), Archive("b", None, ("https://example.org/b",))))
    (tmp_path / "a").touch()
    assert _row(half).choose(tmp_path) is half


def test_without_a_source_the_user_learns_what_to_get_where_and_on_which_terms(tmp_path: Path) -> None:
    row = _row(Source((Archive("a", None), Archive("b", None))), Source((Archive("c", None),)), login="register first")
    with pytest.raises(ValueError, match="no source can be fetched") as caught:
        row.choose(tmp_path)
    assert "\n" not in str(caught.value)
    for part in ("toy", "a and b or c", row.homepage, "register first", "CC0", str(tmp_path)):
        assert part in str(caught.value)


@pytest.mark.parametrize(
    ("prefix", "member", "name"),
    [
        ("Toy", "Toy/a/b/1.png", "a/b/1.png"),
        ("Toy", "Toy/a/b/deep/1.png", "a/b/deep/1.png"),
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
def test_the_prefix_is_stripped_and_other_members_are_left(prefix: str, member: str, name: str | None) -> None:
    source = Source((), prefix)
    assert _row(source).wanted(source, member) == name


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
    assert count == "3 files in a/b, expected 2"
    assert digest.startswith("SHA-256 over a/b/*.png is ")
