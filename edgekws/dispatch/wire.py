r"""Events of the Wyoming protocol on a socket, read within limits whatever the peer sends.

An event is a line of JSON, then `data_length` bytes of JSON, then `payload_length` bytes. The
format is that of https://github.com/OHF-Voice/wyoming, whose own reader has no limits.
"""

import socket
import time
from typing import Annotated, Any, Final, Protocol, TypeVar

import msgspec

MAX_LINE_BYTES: Final = 16_384
MAX_DATA_BYTES: Final = 65_536
MAX_PAYLOAD_BYTES: Final = 262_144  # eight seconds of audio; usual are 64 ms
EVENT_SECONDS: Final = 10.0  # from the first byte of an event to its last
_PORTION: Final = 65_536
_Form = TypeVar("_Form")


class WireError(Exception):
    """What the peer sent is not the protocol; nothing more can be read from it."""


class Event(Protocol):
    """What is written: any event of the `wyoming` package, or an `Arrived`."""

    type: str
    data: dict[str, Any]
    payload: bytes | None


class Arrived(msgspec.Struct, frozen=True):
    """An event that was read; what is in `data` is not checked yet, but for being a table."""

    type: str
    data: dict[str, Any] = msgspec.field(default_factory=dict)
    payload: bytes = b""


class _Head(msgspec.Struct):
    """The line; keys that are not known here are let be."""

    type: Annotated[str, msgspec.Meta(max_length=64)]
    data: dict[str, Any] | None = None
    data_length: Annotated[int, msgspec.Meta(ge=0, le=MAX_DATA_BYTES)] | None = None
    payload_length: Annotated[int, msgspec.Meta(ge=0, le=MAX_PAYLOAD_BYTES)] | None = None


class EventReader:
    """Reads events one after the other; holds one event at the most, and a portion of the next."""

    def __init__(self, connection: socket.socket, *, idle_seconds: float) -> None:
        """Read from a connection on which nothing may come for `idle_seconds`."""
        self._connection, self._idle_seconds = connection, idle_seconds
        self._held = bytearray()
        self._deadline = 0.0

    def read(self) -> Arrived | None:
        """Return the next event, or None where the peer ended its stream between two.

        Raises:
            WireError: not the protocol, or more than the limits.
            OSError: the connection broke; TimeoutError: nothing, or half an event, came in time.
        """
        self._deadline = time.monotonic() + self._idle_seconds
        if not self._held and not self._more():
            return None
        self._deadline = time.monotonic() + EVENT_SECONDS
        head = _decoded(self._line(), _Head)
        data = dict(head.data or {})
        if head.data_length:
            data |= _decoded(self._take(head.data_length), dict[str, Any])
        return Arrived(head.type, data, self._take(head.payload_length or 0))

    def _line(self) -> bytes:
        while (end := self._held.find(b"\n", 0, MAX_LINE_BYTES)) < 0:
            if len(self._held) >= MAX_LINE_BYTES:
                raise WireError(f"a line of more than {MAX_LINE_BYTES} bytes")
            self._need_more()
        line = self._take(end + 1)
        return line[:-1]

    def _take(self, count: int) -> bytes:
        while len(self._held) < count:
            self._need_more()
        taken = bytes(self._held[:count])
        del self._held[:count]
        return taken

    def _need_more(self) -> None:
        if not self._more():
            raise WireError("the stream ended inside of an event")

    def _more(self) -> bool:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self._connection.settimeout(left)
        portion = self._connection.recv(_PORTION)
        self._held += portion
        return bool(portion)


def write_event(connection: socket.socket, event: Event, *, timeout_seconds: float) -> None:
    """Write an event; TimeoutError where the peer does not read, or another OSError."""
    data = msgspec.json.encode(event.data) if event.data else b""
    payload = event.payload or b""
    head = {"type": event.type, "data_length": len(data), "payload_length": len(payload)}
    line = msgspec.json.encode(head)
    connection.settimeout(timeout_seconds)
    connection.sendall(b"".join((line, b"\n", data, payload)))


def checked(data: dict[str, Any], form: type[_Form]) -> _Form:
    """Return the data of an event in its form; WireError where it has another."""
    try:
        return msgspec.convert(data, form)
    except (msgspec.ValidationError, RecursionError) as error:
        raise WireError(str(error)) from error


def _decoded(text: bytes, form: type[_Form]) -> _Form:
    try:
        return msgspec.json.decode(text, type=form)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise WireError(f"not an event: {error}") from error
