"""The download stage against a real HTTP server with real faults, real processes and a real full disk."""

import contextlib
import hashlib
import io
import os
import random
import re
import signal
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from seg.data.datasets import DATASETS, Archive, Dataset, Source
from seg.data.download import Patience, download, fetch
from seg.data.manifest import fingerprint, read_manifest
from seg.files import sha256

ROOT = Path(__file__).parents[2]
HASTE = Patience(tries=2, pause=0.01, connect=5, read=5)
BODY = random.Random(1).randbytes(600_000)
DIGEST = hashlib.sha256(BODY).hexdigest()


@dataclass
class Page:
    """What the server does at a path. `drops` are consumed one a request: bytes sent before the line is cut."""

    body: bytes = BODY
    status: int = 200
    ranges: bool = True
    headers: dict[str, str] = field(default_factory=lambda: {"ETag": '"v1"'})
    drops: list[int] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)
    chunked: bool = False
    seconds_a_chunk: float = 0.0


@dataclass
class Seen:
    path: str
    range: str | None
    if_range: str | None
    status: int
    sent: int = 0


class Server:
    """An HTTP/1.1 server on this machine that remembers what it was asked and what it sent."""

    def __init__(self) -> None:
        self.pages: dict[str, Page] = {}
        self.seen: list[Seen] = []
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                server.answer(self)

            def log_message(self, *_: object) -> None:
                pass

        self.httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.httpd.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.httpd.server_port}"
        self.thread = Thread(target=self.httpd.serve_forever, kwargs={"poll_interval": 0.01})
        self.thread.start()

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        page = self.pages.get(request.path.partition("?")[0], Page(status=404))
        asked, condition = request.headers.get("Range"), request.headers.get("If-Range")
        status = page.statuses.pop(0) if page.statuses else page.status
        headers, body = dict(page.headers), page.body
        if status != 200:
            body = b"no"
        elif asked and page.ranges and condition in (None, *page.headers.values()):
            start = int(asked.removeprefix("bytes=").removesuffix("-"))
            status = 206 if start < len(body) else 416
            span = f"{start}-{len(body) - 1}" if status == 206 else "*"
            headers["Content-Range"] = f"bytes {span}/{len(body)}"
            body = body[start:]
        seen = Seen(request.path, asked, condition, status)
        self.seen.append(seen)
        request.send_response(status)
        for name, value in headers.items():
            request.send_header(name, value)
        if page.chunked:
            request.send_header("Transfer-Encoding", "chunked")
        else:
            request.send_header("Content-Length", str(len(body)))
        request.send_header("Connection", "close")
        request.end_headers()
        end = page.drops.pop(0) if page.drops else len(body)
        with contextlib.suppress(OSError):  # the client may be gone
            for at in range(0, min(end, len(body)), 10_000):
                piece = body[at : min(at + 10_000, end)]
                request.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece) if page.chunked else piece)
                seen.sent += len(piece)
                time.sleep(page.seconds_a_chunk)
            if page.chunked and end == len(body):
                request.wfile.write(b"0\r\n\r\n")

    def close(self) -> None:
        self.httpd.shutdown()
        self.thread.join()
        self.httpd.server_close()


@pytest.fixture
def server() -> Iterator[Server]:
    running = Server()
    yield running
    running.close()


def offer(server: Server, page: Page, path: str = "/x.tar", digest: str | None = DIGEST) -> Archive:
    server.pages[path] = page
    return Archive("x.tar", digest, (server.url + path,))


def listing(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


# What comes over the wire


def test_a_file_is_fetched_whole_and_nothing_else_is_left(server: Server, tmp_path: Path) -> None:
    fetch(offer(server, Page()), tmp_path / "new", HASTE)
    assert (tmp_path / "new" / "x.tar").read_bytes() == BODY
    assert listing(tmp_path) == ["new/x.tar"]
    assert [seen.range for seen in server.seen] == [None]


@pytest.mark.parametrize("headers", [{"ETag": '"v1"'}, {"Last-Modified": "Wed, 21 Oct 2015 07:28:00 GMT"}, {}])
@pytest.mark.parametrize("chunked", [False, True])
def test_a_broken_transfer_asks_only_for_the_rest(
    server: Server, tmp_path: Path, headers: dict[str, str], chunked: bool
) -> None:
    fetch(offer(server, Page(headers=headers, drops=[250_000], chunked=chunked)), tmp_path, HASTE)
    first, second = server.seen
    assert (first.range, first.sent) == (None, 250_000)
    assert second.status == 206
    start = int(re.fullmatch(r"bytes=(\d+)-", second.range or "")[1])  # type: ignore[index]
    assert 250_000 - 2 * 65_536 <= start <= 250_000
    assert second.sent == len(BODY) - start
    assert second.if_range == next(iter(headers.values()), None)
    assert (tmp_path / "x.tar").read_bytes() == BODY


def test_a_line_that_always_breaks_is_no_end_as_long_as_bytes_come(server: Server, tmp_path: Path) -> None:
    fetch(offer(server, Page(drops=[130_000] * 4)), tmp_path, HASTE)
    assert len(server.seen) == 5 > HASTE.tries
    assert (tmp_path / "x.tar").read_bytes() == BODY


def test_a_server_without_ranges_starts_again_cleanly(server: Server, tmp_path: Path) -> None:
    fetch(offer(server, Page(ranges=False, drops=[250_000])), tmp_path, HASTE)
    assert [(seen.status, seen.sent) for seen in server.seen] == [(200, 250_000), (200, len(BODY))]
    assert (tmp_path / "x.tar").read_bytes() == BODY


def test_a_file_that_changed_on_the_server_is_fetched_anew(server: Server, tmp_path: Path) -> None:
    archive = offer(server, Page(body=b"old" * 100_000, drops=[150_000, 0, 0]))
    with pytest.raises(OSError, match="no mirror delivers"):
        fetch(archive, tmp_path, HASTE)
    assert (tmp_path / "x.tar.part").stat().st_size > 0
    server.pages["/x.tar"] = Page(headers={"ETag": '"v2"'})
    fetch(archive, tmp_path, HASTE)
    assert (server.seen[-1].if_range, server.seen[-1].status) == ('"v1"', 200)
    assert (tmp_path / "x.tar").read_bytes() == BODY


def test_halves_of_two_files_are_noticed_and_fetched_from_the_start(server: Server, tmp_path: Path) -> None:
    (tmp_path / "x.tar.part").write_bytes(b"of another file")
    fetch(offer(server, Page(headers={})), tmp_path, HASTE)
    assert [seen.status for seen in server.seen] == [206, 200]
    assert (tmp_path / "x.tar").read_bytes() == BODY


@pytest.mark.parametrize("headers", [{}, {"ETag": 'W/"weak"'}])
def test_without_digest_and_strong_validator_nothing_is_joined(
    server: Server, tmp_path: Path, headers: dict[str, str]
) -> None:
    (tmp_path / "x.tar.part").write_bytes(b"of another file")
    fetch(offer(server, Page(headers=headers, drops=[250_000]), digest=None), tmp_path, HASTE)
    assert [seen.range for seen in server.seen] == [None, None]
    assert (tmp_path / "x.tar").read_bytes() == BODY


@pytest.mark.parametrize("digest", [DIGEST, None])
@pytest.mark.parametrize(("surplus", "statuses"), [(b"", [416]), (b"too long", [416, 200])])
def test_a_part_with_nothing_left_to_fetch(
    server: Server, tmp_path: Path, surplus: bytes, statuses: list[int], digest: str | None
) -> None:
    archive = offer(server, Page(drops=[100_000, 0, 0]), digest=digest)
    with pytest.raises(OSError, match="no mirror delivers"):
        fetch(archive, tmp_path, HASTE)
    (tmp_path / "x.tar.part").write_bytes(BODY + surplus)
    server.seen.clear()
    fetch(archive, tmp_path, HASTE)
    assert [seen.status for seen in server.seen] == statuses
    assert listing(tmp_path) == ["x.tar"]
    assert (tmp_path / "x.tar").read_bytes() == BODY


@pytest.mark.parametrize("chunked", [False, True])
def test_half_a_body_is_never_taken_for_the_whole(server: Server, tmp_path: Path, chunked: bool) -> None:
    page = Page(drops=[100_000] * 9, ranges=False, chunked=chunked)
    with pytest.raises(OSError, match="no mirror delivers it") as caught:
        fetch(offer(server, page, digest=None), tmp_path, HASTE)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "x.tar").exists()
    assert len(server.seen) == HASTE.tries + 1  # the first brought something


def test_a_busy_server_is_asked_again_a_missing_file_is_not(server: Server, tmp_path: Path) -> None:
    fetch(offer(server, Page(statuses=[503])), tmp_path, HASTE)
    assert [seen.status for seen in server.seen] == [503, 200]
    server.seen.clear()
    with pytest.raises(OSError, match="HTTP 404"):
        fetch(Archive("y.tar", None, (f"{server.url}/y.tar",)), tmp_path, HASTE)
    assert [seen.status for seen in server.seen] == [404]


def test_what_a_server_calls_encoded_is_stored_as_it_came(server: Server, tmp_path: Path) -> None:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz"):
        pass
    page = Page(body=packed.getvalue(), headers={"Content-Encoding": "x-gzip"})
    fetch(offer(server, page, digest=hashlib.sha256(page.body).hexdigest()), tmp_path, HASTE)
    assert (tmp_path / "x.tar").read_bytes() == page.body


def test_mirrors_are_tried_in_order_and_the_partial_file_goes_along(server: Server, tmp_path: Path) -> None:
    server.pages |= {"/b": Page(body=b"wrong"), "/c": Page(drops=[200_000, 0, 0, 0]), "/d": Page(headers={})}
    fetch(Archive("x.tar", DIGEST, tuple(f"{server.url}/{name}" for name in "abcd")), tmp_path, HASTE)
    assert [(seen.path, seen.status) for seen in server.seen] == [
        ("/a", 404),
        ("/b", 200),
        ("/c", 200),
        ("/c", 206),
        ("/c", 206),
        ("/d", 206),
    ]
    assert server.seen[-1].if_range is None  # what one server calls a file says nothing to another
    assert (tmp_path / "x.tar").read_bytes() == BODY
    assert listing(tmp_path) == ["x.tar"]


def test_when_all_mirrors_fail_each_is_named_with_its_reason_and_without_its_secrets(
    server: Server, tmp_path: Path
) -> None:
    server.pages |= {"/b": Page(body=b"wrong")}
    host = server.url.removeprefix("http://")
    urls = (
        f"http://me:pass1@{host}/a?token=pass2",
        f"http://{host}/b?token=pass3",
        "http://u:pass4@127.0.0.1:1/c?pass5",
    )
    with pytest.raises(OSError, match="no mirror delivers it") as caught:
        fetch(Archive("x.tar", DIGEST, urls), tmp_path, HASTE)
    message = str(caught.value)
    assert "\n" not in message
    assert f"{server.url}/a: HTTP 404" in message
    assert f"{server.url}/b: SHA-256 is {hashlib.sha256(b'wrong').hexdigest()}, expected {DIGEST}" in message
    assert "http://127.0.0.1:1/c: no connection" in message
    assert str(tmp_path) in message
    assert "pass" not in message
    assert listing(tmp_path) == []  # what was wrong is removed


def test_a_silent_server_is_given_up(server: Server, tmp_path: Path) -> None:
    start = time.monotonic()
    with pytest.raises(OSError, match="in time"):
        fetch(offer(server, Page(seconds_a_chunk=2)), tmp_path, replace(HASTE, tries=1, read=0.2))
    assert time.monotonic() - start < 2


# The stage as a whole

FILES = {
    "train/1.png": b"image one",
    "trainannot/1.png": b"label one",
    "train/2.png": b"image two",
    "trainannot/2.png": b"label two",
}
LABELS = hashlib.sha256(
    "".join(
        f"{hashlib.sha256(content).hexdigest()}  {name}\n"
        for name, content in sorted(FILES.items())
        if name.startswith("trainannot")
    ).encode()
).hexdigest()


def tar(files: dict[str, bytes], prefix: str, mode: str = "w") -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode=mode) as archive:  # type: ignore[call-overload]
        for name, content in files.items():
            info = tarfile.TarInfo(prefix + name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return packed.getvalue()


TAR = tar(FILES, "Toy/")
REPOSITORY = tar(
    {"README.md": b"read me", "Toy/list.txt": b"1 2", **{f"Toy/{name}": FILES[name] for name in FILES}},
    "repository-1a2b/",
    "w:gz",
)


def toy(url: str | None = None, digest: str | None = None) -> Dataset:
    """A data set like CamVid: an archive laid by hand, else a repository's without a digest of its own."""
    return Dataset(
        name="toy",
        version="1",
        licence="CC0",
        citation="Nobody",
        homepage="https://example.org/toy",
        sources=(
            Source((Archive("Toy.tar", hashlib.sha256(TAR).hexdigest()),), "Toy"),
            Source((Archive("repository.tar.gz", digest, (url,) if url else ()),), "*/Toy"),
        ),
        counts={"train": 2, "trainannot": 2},
        digests={"*annot/*.png": LABELS},
    )


@pytest.fixture
def place(tmp_path: Path) -> tuple[Path, Path]:
    """Folder of archives and manifest to write."""
    (tmp_path / "archives").mkdir()
    return tmp_path / "archives", tmp_path / "raw" / "toy" / "manifest.json"


def test_an_archive_that_lies_there_is_used_without_the_network(server: Server, place: tuple[Path, Path]) -> None:
    archives, out = place
    (archives / "Toy.tar").write_bytes(TAR)
    download(toy(f"{server.url}/r"), archives, out, HASTE)
    assert server.seen == []
    assert listing(out.parents[1]) == ["toy/manifest.json", *(f"toy/{name}" for name in sorted(FILES))]
    manifest = read_manifest(out)
    assert {key: manifest[key] for key in ("name", "version", "licence", "citation")} == {
        "name": "toy",
        "version": "1",
        "licence": "CC0",
        "citation": "Nobody",
    }
    assert manifest["source"] == [{"name": "Toy.tar", "sha256": hashlib.sha256(TAR).hexdigest(), "urls": []}]
    assert manifest["files"]["train/1.png"] == {"size": 9, "sha256": hashlib.sha256(b"image one").hexdigest()}
    assert set(manifest["files"]) == set(FILES)


def test_otherwise_the_repository_is_fetched_kept_and_used_again(server: Server, place: tuple[Path, Path]) -> None:
    archives, out = place
    server.pages["/r"] = Page(body=REPOSITORY)
    download(toy(f"{server.url}/r"), archives, out, HASTE)
    first = out.read_bytes()
    assert {name: (out.parent / name).read_bytes() for name in FILES} == FILES
    assert listing(archives) == ["repository.tar.gz"]
    download(toy(f"{server.url}/r"), archives, out, HASTE)
    assert len(server.seen) == 1
    assert out.read_bytes() == first


def test_both_sources_of_the_same_files_have_one_fingerprint(server: Server, place: tuple[Path, Path]) -> None:
    archives, out = place
    server.pages["/r"] = Page(body=REPOSITORY)
    download(toy(f"{server.url}/r"), archives, out, HASTE)
    from_repository = fingerprint(read_manifest(out))
    (archives / "Toy.tar").write_bytes(TAR)
    download(toy(f"{server.url}/r"), archives, out, HASTE)
    assert read_manifest(out)["source"][0]["name"] == "Toy.tar"
    assert fingerprint(read_manifest(out)) == from_repository


def test_a_wrong_archive_of_the_user_is_named_and_left_alone(place: tuple[Path, Path]) -> None:
    archives, out = place
    (archives / "Toy.tar").write_bytes(b"something else")
    with pytest.raises(ValueError, match="delete the file or replace it") as caught:
        download(toy(), archives, out, HASTE)
    message = str(caught.value)
    assert "\n" not in message
    for part in (str(archives / "Toy.tar"), sha256(archives / "Toy.tar"), hashlib.sha256(TAR).hexdigest()):
        assert part in message
    assert (archives / "Toy.tar").read_bytes() == b"something else"
    assert not out.parents[1].exists()


WRONG = {
    "a label differs": ({**FILES, "trainannot/2.png": b"label 2"}, "SHA-256 over"),
    "a file is missing": ({name: FILES[name] for name in list(FILES)[1:]}, "1 files in train, expected 2"),
    "hostile": ({**FILES, "../../../evil": b"evil"}, "climbs out"),
}


@pytest.mark.parametrize(("files", "words"), WRONG.values(), ids=WRONG)
def test_wrong_content_leaves_the_good_folder_and_goes_if_it_was_fetched(
    server: Server, place: tuple[Path, Path], files: dict[str, bytes], words: str
) -> None:
    archives, out = place
    (archives / "Toy.tar").write_bytes(TAR)
    download(toy(), archives, out, HASTE)
    (archives / "Toy.tar").unlink()
    good = {name: (out.parent / name).read_bytes() for name in listing(out.parent)}
    server.pages["/r"] = Page(body=tar(files, "repository-1a2b/Toy/", "w:gz"))
    with pytest.raises(ValueError, match=words) as caught:
        download(toy(f"{server.url}/r"), archives, out, HASTE)
    assert str(caught.value).splitlines()[-1].endswith("removed; run again to fetch it anew")
    assert {name: (out.parent / name).read_bytes() for name in listing(out.parent)} == good
    assert listing(archives) == []
    assert [path.name for path in out.parents[1].iterdir()] == ["toy"]
    (archives / "repository.tar.gz").write_bytes(server.pages["/r"].body)
    with pytest.raises(ValueError, match=words):
        download(toy(f"{server.url}/r"), archives, out, HASTE)
    assert listing(archives) == ["repository.tar.gz"]  # the user's own is left alone


def test_a_fetched_archive_with_the_right_digest_is_not_thrown_away(server: Server, place: tuple[Path, Path]) -> None:
    archives, out = place
    wrong = tar({"train/1.png": b""}, "r/Toy/")
    server.pages["/r"] = Page(body=wrong)
    with pytest.raises(ValueError, match="1 files in train, expected 2"):
        download(toy(f"{server.url}/r", hashlib.sha256(wrong).hexdigest()), archives, out, HASTE)
    assert listing(archives) == ["repository.tar.gz"]


def test_a_run_killed_in_the_swap_is_undone_even_if_the_next_fails(place: tuple[Path, Path]) -> None:
    archives, out = place
    (archives / "Toy.tar").write_bytes(TAR)
    download(toy(), archives, out, HASTE)
    out.parent.rename(out.parents[1] / ".toy.old")
    (archives / "Toy.tar").write_bytes(b"bad")
    with pytest.raises(ValueError, match="SHA-256"):
        download(toy(), archives, out, HASTE)
    assert listing(out.parents[1]) == ["toy/manifest.json", *(f"toy/{name}" for name in sorted(FILES))]


def test_a_login_page_instead_of_an_archive_is_one_thing_to_mend(server: Server, place: tuple[Path, Path]) -> None:
    archives, out = place
    server.pages["/r"] = Page(body=b"<html>Please log in</html>")
    with pytest.raises(ValueError, match="truncated or corrupt"):
        download(toy(f"{server.url}/r"), archives, out, HASTE)
    assert listing(out.parents[2]) == []


def test_files_of_others_are_not_swept_away(place: tuple[Path, Path]) -> None:
    archives, out = place
    (archives / "Toy.tar").write_bytes(TAR)
    out.parent.mkdir(parents=True)
    (out.parent / "thesis.tex").write_text("years of work")
    with pytest.raises(ValueError, match=r"holds thesis\.tex, no part of toy"):
        download(toy(), archives, out, HASTE)
    assert listing(out.parent) == ["thesis.tex"]


def test_a_folder_that_is_a_link_to_a_larger_disk_stays_one(place: tuple[Path, Path], tmp_path: Path) -> None:
    archives, out = place
    (archives / "Toy.tar").write_bytes(TAR)
    (tmp_path / "disk" / "toy").mkdir(parents=True)
    out.parents[1].mkdir()
    out.parent.symlink_to(tmp_path / "disk" / "toy")
    download(toy(), archives, out, HASTE)
    assert out.parent.is_symlink()
    assert (tmp_path / "disk" / "toy" / "manifest.json").is_file()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 1 MiB. Root may mount one; where that is not allowed, CI fails and others are told."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    try:
        subprocess.run(command, check=True, capture_output=True, text=True)
    except (OSError, subprocess.CalledProcessError) as error:
        reason = f"a full disk cannot be tried here: {error} {getattr(error, 'stderr', '')}"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_while_fetching(server: Server, small_disk: Path) -> None:
    row = replace(toy(), sources=(Source((offer(server, Page(body=BODY * 4)),)),))
    with pytest.raises(OSError, match="No space left on device; make room and run again") as caught:
        download(row, small_disk, small_disk / "toy" / "manifest.json", HASTE)
    assert str(caught.value).startswith(f"{small_disk}: ")
    assert listing(small_disk) == ["x.tar.part", "x.tar.part.json"]  # once there is room, it is resumed


def test_a_full_disk_while_unpacking_leaves_it_as_it_was(small_disk: Path, tmp_path: Path) -> None:
    large = {**FILES, "train/1.png": bytes(2 << 20)}
    (tmp_path / "repository.tar.gz").write_bytes(tar(large, "r/Toy/", "w:gz"))
    (small_disk / "other").write_text("others'")
    with pytest.raises(OSError, match="No space left on device; make room and run again") as caught:
        download(toy(), tmp_path, small_disk / "toy" / "manifest.json", HASTE)
    assert str(caught.value).startswith(f"{small_disk}: ")
    assert sorted(path.name for path in small_disk.iterdir()) == ["other"]
    assert (tmp_path / "repository.tar.gz").exists()


# Real processes


def stage(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "seg.data.download", *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)


def test_a_wrong_archive_ends_the_process_with_one_line_and_code_2(tmp_path: Path) -> None:
    (tmp_path / "archives").mkdir()
    (tmp_path / "archives" / "CamVid.tar").write_bytes(b"something else")
    out = tmp_path / "raw" / "camvid" / "manifest.json"
    done = stage("--dataset", "camvid", "--archives", tmp_path / "archives", "--out", out)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"error: {tmp_path / 'archives' / 'CamVid.tar'}: SHA-256 is ")
    assert DATASETS["camvid"].sources[0].archives[0].sha256 in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert listing(tmp_path) == ["archives/CamVid.tar"]
    assert not (tmp_path / "raw").exists()


def test_an_unknown_data_set_ends_the_process_with_one_line_and_code_2(tmp_path: Path) -> None:
    done = stage("--dataset", "kamvid", "--archives", tmp_path, "--out", tmp_path / "x" / "manifest.json")
    assert done.returncode == 2
    assert done.stderr == "error: data set 'kamvid' is unknown; did you mean 'camvid'? known are camvid\n"
    assert list(tmp_path.iterdir()) == []


def test_a_killed_process_leaves_a_part_that_the_next_run_completes(server: Server, tmp_path: Path) -> None:
    archive = offer(server, Page(seconds_a_chunk=0.02))
    code = f"from pathlib import Path; from seg.data.download import *; fetch({archive!r}, Path({str(tmp_path)!r}))"
    process = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stderr=subprocess.PIPE)
    part, deadline = tmp_path / "x.tar.part", time.monotonic() + 30
    while not (part.exists() and part.stat().st_size > 100_000) and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    _, said = process.communicate(timeout=30)
    assert said == b""  # no progress bar where nobody watches
    assert not (tmp_path / "x.tar").exists()
    size = part.stat().st_size
    assert 0 < size < len(BODY)
    server.pages["/x.tar"] = Page()
    fetch(archive, tmp_path, HASTE)
    assert (server.seen[-1].range, server.seen[-1].if_range) == (f"bytes={size}-", '"v1"')
    assert server.seen[-1].sent == len(BODY) - size
    assert (tmp_path / "x.tar").read_bytes() == BODY
    assert listing(tmp_path) == ["x.tar"]
