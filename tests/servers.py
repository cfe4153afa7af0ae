"""HTTP servers on this machine, for tests of downloads."""

import contextlib
import random
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Self

from seg.system.fetch import DEFAULT_RETRY

HASTE = DEFAULT_RETRY.new(total=1, backoff_factor=0.01)
BODY = random.Random(1).randbytes(600_000)


@dataclass
class Page:
    """Response for a path. `drops`: bytes sent before the connection is closed, one entry per request."""

    body: bytes = BODY
    status: int = 200
    ranges: bool = True
    headers: dict[str, str] = field(default_factory=lambda: {"ETag": '"v1"'})
    drops: list[int] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)
    chunked: bool = False
    seconds_per_chunk: float = 0.0


@dataclass
class Seen:
    path: str
    range: str | None
    if_range: str | None
    status: int
    sent: int = 0
    text: str = ""  # the request as received: line, headers and form


class Server:
    """HTTP/1.1 server on this machine that records requests and responses."""

    def __init__(self) -> None:
        self.pages: dict[str, Page] = {}
        self.seen: list[Seen] = []
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                self.form = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
                server.answer(self)

            def do_POST(self) -> None:
                self.do_GET()

            def log_message(self, *_: object) -> None:
                pass

        self.httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.httpd.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.httpd.server_port}"
        self.thread = Thread(target=self.httpd.serve_forever, kwargs={"poll_interval": 0.01})
        self.thread.start()

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        page = self.pages.get(request.path) or self.pages.get(request.path.partition("?")[0]) or Page(status=404)
        self.send(request, page)

    def send(self, request: BaseHTTPRequestHandler, page: Page) -> None:
        requested, condition = request.headers.get("Range"), request.headers.get("If-Range")
        status = page.statuses.pop(0) if page.statuses else page.status
        headers, body = dict(page.headers), page.body
        if status != 200:
            body = b"no"
        elif requested and page.ranges and condition in (None, *page.headers.values()):
            start = int(requested.removeprefix("bytes=").removesuffix("-"))
            status = 206 if start < len(body) else 416
            span = f"{start}-{len(body) - 1}" if status == 206 else "*"
            headers["Content-Range"] = f"bytes {span}/{len(body)}"
            body = body[start:]
        text = f"{request.requestline}\n{request.headers}{request.form}"  # type: ignore[attr-defined]
        seen = Seen(request.path, requested, condition, status, text=text)
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
        with contextlib.suppress(OSError):  # the client may have closed the connection
            for at in range(0, min(end, len(body)), 10_000):
                piece = body[at : min(at + 10_000, end)]
                request.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece) if page.chunked else piece)
                seen.sent += len(piece)
                time.sleep(page.seconds_per_chunk)
            if page.chunked and end == len(body):
                request.wfile.write(b"0\r\n\r\n")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.httpd.shutdown()
        self.thread.join()
        self.httpd.server_close()
