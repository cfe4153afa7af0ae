"""Downloads from a real HTTP server with faults, and from a process that is killed."""

import hashlib
import io
import os
import re
import signal
import socket
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import requests
from servers import BODY, HASTE, Page, Server

from seg.system.fetch import Archive, DownloadError, fetch_archive

ROOT = Path(__file__).parents[2]
DIGEST = hashlib.sha256(BODY).hexdigest()
MD5 = hashlib.md5(BODY).hexdigest()


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as running:
        yield running


def offer(server: Server, page: Page, path: str = "/x.tar", digest: str | None = DIGEST) -> Archive:
    server.pages[path] = page
    return Archive("x.tar", digest, (server.url + path,))


def listing(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_a_file_is_downloaded_and_no_other_file_is_left(server: Server, tmp_path: Path) -> None:
    fetch_archive(offer(server, Page()), tmp_path / "new", HASTE)
    assert (tmp_path / "new" / "x.tar").read_bytes() == BODY
    assert listing(tmp_path) == ["new/x.tar"]
    assert [seen.range for seen in server.seen] == [None]


@pytest.mark.parametrize("headers", [{"ETag": '"v1"'}, {"Last-Modified": "Wed, 21 Oct 2015 07:28:00 GMT"}, {}])
@pytest.mark.parametrize("chunked", [False, True])
def test_an_interrupted_transfer_requests_only_the_rest(
    server: Server, tmp_path: Path, headers: dict[str, str], chunked: bool
) -> None:
    fetch_archive(offer(server, Page(headers=headers, drops=[250_000], chunked=chunked)), tmp_path, HASTE)
    first, second = server.seen
    assert (first.range, first.sent) == (None, 250_000)
    assert second.status == 206
    start = int(re.fullmatch(r"bytes=(\d+)-", second.range or "")[1])  # type: ignore[index]
    assert 250_000 - 2 * 65_536 <= start <= 250_000
    assert second.sent == len(BODY) - start
    assert second.if_range == next(iter(headers.values()), None)
    assert (tmp_path / "x.tar").read_bytes() == BODY


def test_a_connection_may_break_any_number_of_times_while_data_arrives(server: Server, tmp_path: Path) -> None:
    fetch_archive(offer(server, Page(drops=[130_000] * 4)), tmp_path, HASTE)
    assert len(server.seen) == 5 > HASTE.total + 1
    assert (tmp_path / "x.tar").read_bytes() == BODY


def test_a_server_without_ranges_starts_again_cleanly(server: Server, tmp_path: Path) -> None:
    fetch_archive(offer(server, Page(ranges=False, drops=[250_000])), tmp_path, HASTE)
    assert [(seen.status, seen.sent) for seen in server.seen] == [(200, 250_000), (200, len(BODY))]
    assert (tmp_path / "x.tar").read_bytes() == BODY


def test_a_file_that_changed_on_the_server_is_downloaded_from_the_start(server: Server, tmp_path: Path) -> None:
    archive = offer(server, Page(body=b"old" * 100_000, drops=[150_000, 0, 0]))
    with pytest.raises(OSError, match="download failed"):
        fetch_archive(archive, tmp_path, HASTE)
    assert (tmp_path / "x.tar.part").stat().st_size > 0
    server.pages["/x.tar"] = Page(headers={"ETag": '"v2"'})
    fetch_archive(archive, tmp_path, HASTE)
    assert (server.seen[-1].if_range, server.seen[-1].status) == ('"v1"', 200)
    assert (tmp_path / "x.tar").read_bytes() == BODY


def test_parts_of_two_files_are_detected_and_downloaded_from_the_start(server: Server, tmp_path: Path) -> None:
    (tmp_path / "x.tar.part").write_bytes(b"of another file")
    fetch_archive(offer(server, Page(headers={})), tmp_path, HASTE)
    assert [seen.status for seen in server.seen] == [206, 200]
    assert (tmp_path / "x.tar").read_bytes() == BODY


@pytest.mark.parametrize("headers", [{}, {"ETag": 'W/"weak"'}])
def test_without_digest_and_strong_validator_a_part_is_not_resumed(
    server: Server, tmp_path: Path, headers: dict[str, str]
) -> None:
    (tmp_path / "x.tar.part").write_bytes(b"of another file")
    fetch_archive(offer(server, Page(headers=headers, drops=[250_000]), digest=None), tmp_path, HASTE)
    assert [seen.range for seen in server.seen] == [None, None]
    assert (tmp_path / "x.tar").read_bytes() == BODY


@pytest.mark.parametrize("digest", [DIGEST, None])
@pytest.mark.parametrize(("surplus", "statuses"), [(b"", [416]), (b"too long", [416, 200])])
def test_a_part_with_nothing_left_to_fetch(
    server: Server, tmp_path: Path, surplus: bytes, statuses: list[int], digest: str | None
) -> None:
    archive = offer(server, Page(drops=[100_000, 0, 0]), digest=digest)
    with pytest.raises(OSError, match="download failed"):
        fetch_archive(archive, tmp_path, HASTE)
    (tmp_path / "x.tar.part").write_bytes(BODY + surplus)
    server.seen.clear()
    fetch_archive(archive, tmp_path, HASTE)
    assert [seen.status for seen in server.seen] == statuses
    assert listing(tmp_path) == ["x.tar"]
    assert (tmp_path / "x.tar").read_bytes() == BODY


@pytest.mark.parametrize("chunked", [False, True])
def test_a_short_body_is_never_taken_for_the_whole(server: Server, tmp_path: Path, chunked: bool) -> None:
    page = Page(drops=[100_000] * 9, ranges=False, chunked=chunked)
    with pytest.raises(OSError, match="download failed") as caught:
        fetch_archive(offer(server, page, digest=None), tmp_path, HASTE)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "x.tar").exists()
    assert len(server.seen) == HASTE.total + 2  # the first brings data


def test_a_busy_server_is_retried_a_missing_file_is_not(server: Server, tmp_path: Path) -> None:
    fetch_archive(offer(server, Page(statuses=[503])), tmp_path, HASTE)
    assert [seen.status for seen in server.seen] == [503, 200]
    server.seen.clear()
    with pytest.raises(OSError, match="HTTP 404"):
        fetch_archive(Archive("y.tar", None, (f"{server.url}/y.tar",)), tmp_path, HASTE)
    assert [seen.status for seen in server.seen] == [404]


def test_encoded_content_is_stored_undecoded(server: Server, tmp_path: Path) -> None:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz"):
        pass
    page = Page(body=packed.getvalue(), headers={"Content-Encoding": "x-gzip"})
    fetch_archive(offer(server, page, digest=hashlib.sha256(page.body).hexdigest()), tmp_path, HASTE)
    assert (tmp_path / "x.tar").read_bytes() == page.body


def test_mirrors_are_tried_in_order_and_resume_the_same_part(server: Server, tmp_path: Path) -> None:
    server.pages |= {"/b": Page(body=b"wrong"), "/c": Page(drops=[200_000, 0, 0, 0]), "/d": Page(headers={})}
    fetch_archive(Archive("x.tar", DIGEST, tuple(f"{server.url}/{name}" for name in "abcd")), tmp_path, HASTE)
    assert [(seen.path, seen.status) for seen in server.seen] == [
        ("/a", 404),
        ("/b", 200),
        ("/c", 200),
        ("/c", 206),
        ("/c", 206),
        ("/d", 206),
    ]
    assert server.seen[-1].if_range is None  # a validator is valid for one server only
    assert (tmp_path / "x.tar").read_bytes() == BODY
    assert listing(tmp_path) == ["x.tar"]


def test_if_all_mirrors_fail_each_is_named_with_its_reason_and_without_its_secrets(
    server: Server, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    server.pages |= {"/b": Page(body=b"wrong")}
    host = server.url.removeprefix("http://")
    urls = (
        f"http://me:pass1@{host}/a?token=pass2",
        f"http://{host}/b?token=pass3",
        "http://u:pass4@127.0.0.1:1/c?pass5",
    )
    with pytest.raises(OSError, match="download failed") as caught:
        fetch_archive(Archive("x.tar", DIGEST, urls), tmp_path, HASTE)
    message = str(caught.value)
    assert "\n" not in message
    assert f"{server.url}/a: HTTP 404" in message
    assert f"{server.url}/b: SHA-256 is {hashlib.sha256(b'wrong').hexdigest()}, expected {DIGEST}" in message
    assert "http://127.0.0.1:1/c: no connection" in message
    assert str(tmp_path) in message
    assert "pass" not in message + caplog.text  # urllib3 logs the URLs of retried requests
    assert listing(tmp_path) == []  # the wrong file is removed


WRONG = hashlib.md5(b"wrong").hexdigest(), hashlib.sha256(b"wrong").hexdigest()


@pytest.mark.parametrize(
    ("sha256", "md5", "fault"),
    [
        (DIGEST, MD5, None),
        (None, MD5, None),
        (DIGEST, WRONG[0], f"MD5 is {MD5}, expected {WRONG[0]}"),
        (WRONG[1], MD5, f"SHA-256 is {DIGEST}, expected {WRONG[1]}"),
        (None, WRONG[0], f"MD5 is {MD5}, expected {WRONG[0]}"),
        (WRONG[1], WRONG[0], f"SHA-256 is {DIGEST}, expected {WRONG[1]} and MD5 is {MD5}, expected {WRONG[0]}"),
    ],
)
def test_both_digests_must_hold(
    server: Server, tmp_path: Path, sha256: str | None, md5: str | None, fault: str | None
) -> None:
    archive = replace(offer(server, Page()), sha256=sha256, md5=md5)
    if fault is None:
        fetch_archive(archive, tmp_path, HASTE)
        assert listing(tmp_path) == ["x.tar"]
        return
    with pytest.raises(DownloadError) as caught:
        fetch_archive(archive, tmp_path, HASTE)
    assert fault in str(caught.value)
    assert "\n" not in str(caught.value)
    assert listing(tmp_path) == []


def test_an_md5_alone_lets_a_part_be_resumed(server: Server, tmp_path: Path) -> None:
    (tmp_path / "x.tar.part").write_bytes(BODY[:100_000])
    fetch_archive(replace(offer(server, Page(headers={})), sha256=None, md5=MD5), tmp_path, HASTE)
    assert [seen.range for seen in server.seen] == ["bytes=100000-"]
    assert (tmp_path / "x.tar").read_bytes() == BODY


def test_a_web_page_is_refused_and_the_part_is_kept(server: Server, tmp_path: Path) -> None:
    (tmp_path / "x.tar.part").write_bytes(BODY[:100_000])
    page = Page(body=b"<html>This site has moved</html>", ranges=False, headers={"Content-Type": "text/html"})
    with pytest.raises(DownloadError, match="got a web page, possibly a login form, instead of the file"):
        fetch_archive(offer(server, page), tmp_path, HASTE)
    assert (tmp_path / "x.tar.part").read_bytes() == BODY[:100_000]


def test_an_attachment_may_have_the_type_of_a_web_page(server: Server, tmp_path: Path) -> None:
    headers = {"Content-Type": "text/html; charset=UTF-8", "Content-Disposition": 'attachment; filename="x.tar"'}
    fetch_archive(offer(server, Page(headers=headers)), tmp_path, HASTE)
    assert (tmp_path / "x.tar").read_bytes() == BODY


def test_a_moved_file_is_followed_but_not_with_a_session(server: Server, tmp_path: Path) -> None:
    server.pages["/new"] = Page()
    moved = offer(server, Page(status=302, headers={"Location": "/new"}))
    with requests.Session() as session, pytest.raises(DownloadError, match="HTTP 302 despite the login"):
        fetch_archive(moved, tmp_path, HASTE, session)
    assert [seen.path for seen in server.seen] == ["/x.tar"]
    fetch_archive(moved, tmp_path, HASTE)
    assert (tmp_path / "x.tar").read_bytes() == BODY


def test_a_server_that_stops_sending_times_out(server: Server, tmp_path: Path) -> None:
    start = time.monotonic()
    with pytest.raises(OSError, match="in time"):
        fetch_archive(offer(server, Page(seconds_per_chunk=2)), tmp_path, HASTE.new(total=0), timeout=(5, 0.2))
    assert time.monotonic() - start < 2


def test_a_server_that_accepts_and_never_responds_times_out(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        archive = Archive("x.tar", None, (f"http://127.0.0.1:{listening.getsockname()[1]}/x.tar",))
        with pytest.raises(DownloadError, match=r"/x\.tar: no response in time"):
            fetch_archive(archive, tmp_path, HASTE, timeout=(5, 0.1))


def test_a_killed_process_leaves_a_part_that_the_next_run_completes(server: Server, tmp_path: Path) -> None:
    archive = offer(server, Page(seconds_per_chunk=0.02))
    code = (
        f"from pathlib import Path; from seg.system.fetch import *; fetch_archive({archive!r}, Path({str(tmp_path)!r}))"
    )
    process = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stderr=subprocess.PIPE)
    part, deadline = tmp_path / "x.tar.part", time.monotonic() + 30
    while not (part.exists() and part.stat().st_size > 100_000) and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    _, stderr = process.communicate(timeout=30)
    # No progress bar without a terminal. From Python 3.13 on, a killed process leaves a warning of `multiprocessing`.
    assert not stderr or (b"x.tar" not in stderr and b"leaked semaphore" in stderr)
    assert not (tmp_path / "x.tar").exists()
    size = part.stat().st_size
    assert 0 < size < len(BODY)
    server.pages["/x.tar"] = Page()
    fetch_archive(archive, tmp_path, HASTE)
    assert (server.seen[-1].range, server.seen[-1].if_range) == (f"bytes={size}-", '"v1"')
    assert server.seen[-1].sent == len(BODY) - size
    assert (tmp_path / "x.tar").read_bytes() == BODY
    assert listing(tmp_path) == ["x.tar"]


@pytest.mark.parametrize("kind", ["link", "hard link", "pipe"])
def test_a_download_is_never_written_through_a_link(server: Server, tmp_path: Path, kind: str) -> None:
    part, other = tmp_path / "x.tar.part", tmp_path / "thesis"
    other.write_bytes(BODY[:100])
    if kind == "link":
        part.symlink_to(other)
    elif kind == "hard link":
        part.hardlink_to(other)
    else:
        os.mkfifo(part)
    fetch_archive(offer(server, Page()), tmp_path, HASTE)
    assert listing(tmp_path) == ["thesis", "x.tar"]
    assert other.read_bytes() == BODY[:100]
    assert [seen.range for seen in server.seen] == [None]
