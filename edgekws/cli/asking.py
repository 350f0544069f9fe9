"""The asking side of the control socket."""

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Final, Self, TypeVar

import msgspec

from edgekws.errors import EdgekwsError
from edgekws.specs import Spec

PATIENCE_SECONDS: Final = 10.0
ANSWER_BYTES: Final = 1 << 20

_Answer = TypeVar("_Answer", bound=Spec)


class Line:
    """A connection to the daemon; every answer is bounded in time and size."""

    def __init__(self, path: Path) -> None:
        """Connect; EdgekwsError where nobody answers."""
        self._path = path
        self._held = b""
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.settimeout(PATIENCE_SECONDS)
        try:
            self._socket.connect(str(path))
        except OSError as error:
            self._socket.close()
            raise EdgekwsError(
                f"{path}: {error.strerror or error}: is `edgekws listen` running, and yours?"
            ) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *fault: object) -> None:
        self._socket.close()

    def ask(self, request: Spec, answer: type[_Answer]) -> _Answer:
        """Send a request and return its answer; EdgekwsError where it is refused."""
        try:
            self._socket.sendall(msgspec.json.encode(request) + b"\n")
        except OSError as error:  # turned away: the reason is there to be read
            if not isinstance(error, ConnectionError):
                raise EdgekwsError(f"{self._path}: {error}") from error
        line = self._next()
        try:
            said = msgspec.json.decode(line, type=_Said)
            if said.ok:
                return msgspec.json.decode(line, type=answer)
        except msgspec.DecodeError as error:
            raise EdgekwsError(f"{self._path}: not understood: {error}") from error
        raise EdgekwsError(f"{self._path}: {said.error}")

    def lines(self) -> Iterator[bytes]:
        """Give each further line as it comes, until the daemon hangs up."""
        self._socket.settimeout(None)
        while True:
            while b"\n" in self._held:
                line, _, self._held = self._held.partition(b"\n")
                yield line
            if not (data := self._socket.recv(65_536)):
                return
            self._held += data

    def _next(self) -> bytes:
        while b"\n" not in self._held:
            try:
                data = self._socket.recv(65_536)
            except OSError as error:
                raise EdgekwsError(f"{self._path}: no answer: {error}") from error
            if not data or len(self._held) > ANSWER_BYTES:
                raise EdgekwsError(f"{self._path}: hung up without an answer")
            self._held += data
        line, _, self._held = self._held.partition(b"\n")
        return line


class _Said(msgspec.Struct, frozen=True):
    """What every answer begins with."""

    ok: bool
    error: str = ""
