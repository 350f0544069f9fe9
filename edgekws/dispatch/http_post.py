"""One POST with a limit on everything: its time in all, what is read, and where it may go."""

import http.client
import socket
import ssl
import threading
import time
from collections.abc import Mapping
from typing import Final

import msgspec

from edgekws.dispatch.outcome import CLOSING, Outcome
from edgekws.dispatch.tcp import Address, Line

HTTP_PORT: Final = 80
HTTPS_PORT: Final = 443
EXCERPT_BYTES: Final = 512  # of a complaint's body, all that is ever read of one
_WORTH_ANOTHER_TRY: Final = frozenset({408, 425, 429, *range(500, 600)})


class Target(msgspec.Struct, frozen=True):
    """Where requests go; `context` is None without TLS. `where` may stand in messages."""

    host: str
    port: int
    path: str
    context: ssl.SSLContext | None

    @property
    def where(self) -> str:
        """The target without its path, which may hold a secret."""
        return f"{self.host}:{self.port}"


class Poster:
    """Makes requests one at a time; `abort` ends the running one, and every later one, at once."""

    def __init__(self, target: Target, timeout_seconds: float) -> None:
        self._target, self._timeout_seconds = target, timeout_seconds
        self._line = Line()

    def post(self, body: bytes, headers: Mapping[str, str]) -> Outcome:
        """Send the body and return how it went; redirects are not followed."""
        deadline = time.monotonic() + self._timeout_seconds
        timer = threading.Timer(self._timeout_seconds, self._line.cut)
        timer.daemon = True
        timer.start()
        try:
            return self._exchange(body, headers, deadline)
        except (OSError, http.client.HTTPException, ValueError) as error:
            return self._complaint(error, deadline)
        finally:
            timer.cancel()

    def abort(self) -> None:
        """End the running request; called from another thread."""
        self._line.hang_up()

    def _exchange(self, body: bytes, headers: Mapping[str, str], deadline: float) -> Outcome:
        target = self._target
        connection = http.client.HTTPConnection(target.host, target.port)
        connection.default_port = HTTP_PORT if target.context is None else HTTPS_PORT
        connection.sock = self._connect(deadline)
        try:
            connection.request("POST", target.path, body, dict(headers))
            response = connection.getresponse()
            if time.monotonic() >= deadline:  # a head that was cut off looks like a whole one
                raise TimeoutError
            return _judge(response, target)
        finally:
            self._line.let_go()
            connection.close()

    def _connect(self, deadline: float) -> socket.socket:
        """Return a connection, encrypted where that is asked for."""
        target = self._target
        plain = self._line.connect(Address(target.host, target.port), deadline)
        if target.context is None:
            return plain
        try:
            secure = target.context.wrap_socket(plain, server_hostname=target.host)
        except BaseException:
            self._line.let_go()
            plain.close()
            raise
        self._line.hold(secure)
        return secure

    def _complaint(self, error: Exception, deadline: float) -> Outcome:
        if self._line.ended:
            return CLOSING
        where = self._target.where
        if isinstance(error, TimeoutError) or time.monotonic() >= deadline:
            return Outcome("timeout", f"{where} did not answer in {self._timeout_seconds:g} s")
        reason = " ".join(str(error).split()) or type(error).__name__
        return Outcome("failed", f"{where}: {reason}")


def _judge(response: http.client.HTTPResponse, target: Target) -> Outcome:
    code = f"HTTP {response.status} {http.client.responses.get(response.status, '')}".strip()
    if 200 <= response.status < 300:
        return Outcome("done", code)
    if 300 <= response.status < 400:
        return Outcome("failed", f"{target.where}: {code}: redirects are not followed", final=True)
    said = response.read(EXCERPT_BYTES).decode("utf-8", "replace")
    words = " ".join("".join(c if c.isprintable() else " " for c in said).split())
    detail = f"{target.where}: {code}" + (f": {words}" if words else "")
    return Outcome("failed", detail, final=response.status not in _WORTH_ANOTHER_TRY)
