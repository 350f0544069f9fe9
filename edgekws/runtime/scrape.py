"""How the metrics are handed out: a page over HTTP on the loopback, and a file."""

import logging
import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

from edgekws.runtime.metrics import CONTENT_TYPE

log = logging.getLogger(__name__)

TEXTFILE_SECONDS: Final = 10.0
REQUEST_BYTES: Final = 8_192
_END: Final = b"\r\n\r\n"


class ScrapeTalk:
    """One HTTP request with one guest: GET /metrics is answered with the page."""

    def __init__(self, page: Callable[[], str]) -> None:
        self._page = page
        self._held = b""
        self.follows = self.over = False

    def hear(self, data: bytes) -> Iterator[bytes]:
        """Take what came; answer once the head is whole, and hang up."""
        if self.over:
            return
        self._held += data
        if _END in self._held:
            self.over = True
            yield self._answer(self._held.split(b"\r\n", 1)[0])
        elif len(self._held) > REQUEST_BYTES:
            self.over = True
            yield response("431 Request Header Fields Too Large", "the request is too long\n")

    def _answer(self, line: bytes) -> bytes:
        method, _, rest = line.partition(b" ")
        if method not in (b"GET", b"HEAD"):
            return response("405 Method Not Allowed", "only GET\n")
        if rest.split(b" ")[0].split(b"?")[0] != b"/metrics":
            return response("404 Not Found", "the metrics are at /metrics\n")
        page = response("200 OK", self._page(), kind=CONTENT_TYPE)
        return page if method == b"GET" else page.partition(_END)[0] + _END


def response(status: str, body: str, *, kind: str = "text/plain; charset=utf-8") -> bytes:
    """Return an HTTP response after which the connection is closed."""
    data = body.encode(errors="replace")
    head = (
        f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(data)}\r\n"
        "Cache-Control: no-store\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + data


class Textfile:
    """Replaces a file by the page now and then, for the textfile collector of node_exporter."""

    def __init__(self, path: Path, page: Callable[[], str]) -> None:
        self._path, self._page = path, page
        self._due = 0.0
        self._failed = False

    def work(self, now: float) -> float:
        """Write the file where it is due; return in how many seconds it is due."""
        if now >= self._due:
            self._due = now + TEXTFILE_SECONDS
            self._write()
        return self._due - now

    def _write(self) -> None:
        new = self._path.with_name(f".{self._path.name}.{os.getpid()}")
        try:
            new.write_bytes(self._page().encode(errors="replace"))
            new.chmod(0o644)  # the collector is another user
            new.replace(self._path)
        except OSError as error:
            with suppress(OSError):
                new.unlink()
            if not self._failed:
                log.warning("metrics %s: %s (said once)", self._path, error.strerror)
            self._failed = True
            return
        self._failed = False
