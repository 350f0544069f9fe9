"""A web server on loopback that serves one archive, well or badly, and ends with the test."""

import gzip
import io
import tarfile
import threading
from collections.abc import Iterable
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Final, Literal, Self

Manner = Literal[
    "well",
    "no ranges",
    "wrong range",
    "cut",  # the first answer ends in the middle
    "always cut",
    "busy",  # the first answer is 503
    "missing",
    "hang",
    "drip",  # a byte now and then, until released
    "pause",  # half, and the rest when released
    "endless",
]
PATIENCE_SECONDS: Final = 30.0


class ArchiveServer:
    """Serves `data` at `url` in some manner; `ranges` has what each request asked for."""

    def __init__(self, data: bytes, manner: Manner = "well") -> None:
        self.data = data
        self.manner: Manner = manner
        self.ranges: list[str | None] = []
        self.released = threading.Event()
        self.half_sent = threading.Event()
        handler = type("Handler", (_Handler,), {"owner": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/set.tar.gz"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *fault: object) -> None:
        self.released.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(PATIENCE_SECONDS)


class _Handler(BaseHTTPRequestHandler):
    owner: ArchiveServer

    def do_GET(self) -> None:
        self.owner.ranges.append(self.headers["Range"])
        try:
            self._answer(first=len(self.owner.ranges) == 1)
        except ConnectionError:
            self.close_connection = True  # the client has had enough

    def _answer(self, *, first: bool) -> None:
        if self.owner.manner == "hang":
            self.owner.released.wait(PATIENCE_SECONDS)
        elif self.owner.manner == "missing" or (self.owner.manner == "busy" and first):
            self.send_error(404 if self.owner.manner == "missing" else 503)
        elif self.owner.manner == "endless":
            self.send_response(200)
            self.end_headers()
            self.wfile.write(self.owner.data + b"more")
        else:
            self._send(self._head(), first=first)

    def _head(self) -> bytes:
        """Send the status and the headers; return the bytes that are to follow."""
        asked, size = self.headers["Range"], len(self.owner.data)
        if asked is None or self.owner.manner == "no ranges":
            start = 0
            self.send_response(200)
        else:
            start = int(asked.removeprefix("bytes=").removesuffix("-"))
            start += self.owner.manner == "wrong range"
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{size - 1}/{size}")
        self.send_header("Content-Length", str(size - start))
        self.end_headers()
        return self.owner.data[start:]

    def _send(self, body: bytes, *, first: bool) -> None:
        half = len(body) // 2
        self.wfile.write(body[:half])
        self.owner.half_sent.set()
        if self.owner.manner == "always cut" or (self.owner.manner == "cut" and first):
            return
        if self.owner.manner == "pause":
            self.owner.released.wait(PATIENCE_SECONDS)
        while self.owner.manner == "drip" and not self.owner.released.wait(0.02):
            self.wfile.write(b"x")
        self.wfile.write(body[half:])

    def log_message(self, format: str, *args: object) -> None:
        pass


def pack(members: Iterable[tuple[tarfile.TarInfo, bytes]]) -> bytes:
    """Return a .tar.gz of any members, however hostile."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for member, data in members:
            tar.addfile(member, io.BytesIO(data))
    return gzip.compress(out.getvalue(), 1)


def file(name: str, data: bytes = b"data") -> tuple[tarfile.TarInfo, bytes]:
    """Return a regular member."""
    member = tarfile.TarInfo(name)
    member.size = len(data)
    return member, data


def special(name: str, kind: bytes, target: str = "") -> tuple[tarfile.TarInfo, bytes]:
    """Return a member that is a link, a device, a folder."""
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, target
    return member, b""


def write_table(
    path: Path,
    url: str,
    data: bytes,
    *,
    size: int | None = None,
    digest: str | None = None,
    max_files: int = 100,
    max_bytes: int = 10**7,
) -> Path:
    """Write a table with one set, "small"; what is not given is as `data` has it."""
    path.write_text(
        f"""
[[datasets]]
name = "small"
title = "A small set"
licence = "CC0"
url = "{url}"
sha256 = "{digest or sha256(data).hexdigest()}"
bytes = {len(data) if size is None else size}

[datasets.layout]
archive = "tar.gz"
max_files = {max_files}
max_bytes = {max_bytes}
""",
        encoding="utf-8",
    )
    return path
