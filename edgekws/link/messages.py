"""Every message of the link: THE table that Python packs by and that the C is generated from.

A message's fields stand in the order of the wire, little-endian, without padding. Fields are only
ever appended: a receiver reads those it knows and ignores what follows.
"""

import struct
from dataclasses import dataclass
from enum import IntEnum, IntFlag
from typing import Annotated, Final, TypeVar, get_type_hints

from edgekws.digest import sha256_hex

U8 = Annotated[int, "u8"]
U16 = Annotated[int, "u16"]
U32 = Annotated[int, "u32"]
I32 = Annotated[int, "i32"]

LOWEST_VERSION: Final = 1
HIGHEST_VERSION: Final = 1
MAX_PAYLOAD: Final = 64
MAX_TIMEOUT_MS: Final = 1000
"""How late a board may find that the host is not heard any more."""
SCORE_ONE: Final = 65_535
"""What a score of 1.0 is on the wire."""
MAX_LABELS: Final = 65_535
_FORMATS: Final = {"u8": "B", "u16": "H", "u32": "I", "i32": "i"}

_Message = TypeVar("_Message", bound="Message")


class Type(IntEnum):
    """What a frame is."""

    HELLO = 1
    COMMAND = 2
    ACK = 3
    NACK = 4
    HEARTBEAT = 5
    STATE = 6


class Flag(IntFlag):
    """Bits of the header's `flags`; a receiver ignores those it does not know."""

    FROM_BOARD = 1
    REPEAT = 2


class Reason(IntEnum):
    """Why a frame is refused; what `Nack.detail` then holds."""

    VERSION = 1
    """Detail: the lowest version spoken, plus 256 times the highest."""
    LABELS = 2
    """Detail: the label-set hash that the board was built with."""
    SESSION = 3
    """Detail: the board's session, 0 if it has none."""
    STALE = 4
    """Detail: the command's age at the board in milliseconds."""
    LABEL = 5
    """Detail: the label that the board does not know."""
    REFUSED = 6
    """Detail: a code of the board's program."""
    LENGTH = 7
    """Detail: how many bytes of payload the type needs."""
    TYPE = 8
    """Detail: the type that the board does not know."""


class Message:
    """The base of header and payloads: frozen dataclasses whose annotations are their layout."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Header(Message):
    """What every frame begins with; these fields never change, in any version."""

    version: U8
    type: U8
    flags: U8
    sequence: U8
    session: U32
    command: U32
    length: U8


@dataclass(frozen=True, slots=True)
class Hello(Message):
    """Who is there: asks for a session, or grants one; these fields never change."""

    lowest: U8
    highest: U8
    timeout_ms: U16
    build: U32
    boots: U32
    labels: U32
    nonce: U32


@dataclass(frozen=True, slots=True)
class Command(Message):
    """Act on a label; valid while its age is below its time to live."""

    label: U16
    score: U16
    time_to_live_ms: U16
    age_ms: U16
    argument: I32


@dataclass(frozen=True, slots=True)
class Ack(Message):
    """The command of the header was carried out."""


@dataclass(frozen=True, slots=True)
class Nack(Message):
    """The frame of the header was refused; these fields never change."""

    reason: U8
    detail: U32


@dataclass(frozen=True, slots=True)
class Heartbeat(Message):
    """Still there; the board answers with its own."""


@dataclass(frozen=True, slots=True)
class State(Message):
    """What the board's outputs are; an empty payload asks for it."""

    outputs: U32
    executed: U32
    refused_frames: U32
    losses: U16
    safe: U8


PAYLOADS: Final[dict[Type, type[Message]]] = {
    Type.HELLO: Hello,
    Type.COMMAND: Command,
    Type.ACK: Ack,
    Type.NACK: Nack,
    Type.HEARTBEAT: Heartbeat,
    Type.STATE: State,
}
MESSAGES: Final[tuple[type[Message], ...]] = (Header, *PAYLOADS.values())


def type_of(message: Message) -> Type:
    """Return the type that goes into the header."""
    return next(kind for kind, payload in PAYLOADS.items() if payload is type(message))


def layout(message: type[Message]) -> tuple[tuple[str, str], ...]:
    """Return (name, kind) of each field in the order of the wire; kinds are u8, u16, u32, i32."""
    hints = get_type_hints(message, include_extras=True)
    return tuple((name, hint.__metadata__[0]) for name, hint in hints.items())


def _packing(message: type[Message]) -> struct.Struct:
    return struct.Struct("<" + "".join(_FORMATS[kind] for _, kind in layout(message)))


_PACKINGS: Final = {message: _packing(message) for message in MESSAGES}


_NAMES: Final = {message: [name for name, _ in layout(message)] for message in MESSAGES}


def size(message: type[Message]) -> int:
    """Return how many bytes a message is."""
    return _PACKINGS[message].size


def payload_size(kind: int) -> int:
    """Return how many bytes of payload a type needs; 0 for one that we do not know."""
    return next((size(PAYLOADS[each]) for each in Type if each == kind), 0)


def pack(message: Message) -> bytes:
    """Return a message's bytes; struct.error where a value does not fit its field."""
    kind = type(message)
    return _PACKINGS[kind].pack(*(getattr(message, name) for name in _NAMES[kind]))


def unpack(message: type[_Message], data: bytes) -> _Message:
    """Read a message from the first of the bytes; struct.error where they are too few."""
    return message(*_PACKINGS[message].unpack_from(data))


def label_set_hash(labels: tuple[str, ...]) -> int:
    """Return what both sides compare: the first four bytes of the labels' SHA-256, as a u32."""
    return int(sha256_hex("\n".join(labels).encode())[:8], 16)
