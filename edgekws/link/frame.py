"""Frames: a header and its payload with a CRC behind, stuffed by COBS, ended by a zero byte."""

import struct
from binascii import crc_hqx
from dataclasses import dataclass
from enum import Enum
from typing import Final

from edgekws.link.messages import MAX_PAYLOAD, Header, pack, size, unpack

CRC_START: Final = 0xFFFF  # CRC-16/CCITT-FALSE, big-endian on the wire: over it all the CRC is 0
CRC_SIZE: Final = 2
HEADER_SIZE: Final = size(Header)
MAX_FRAME: Final = HEADER_SIZE + MAX_PAYLOAD + CRC_SIZE
MAX_STUFFED: Final = MAX_FRAME + 1
"""Bytes of a frame on the wire without the zeros around it; below 255, COBS adds one byte."""


class Fault(Enum):
    """Why the bytes between two zeros are no frame."""

    TOO_LONG = "too long"
    COBS = "bad stuffing"
    TOO_SHORT = "too short"
    CRC = "bad CRC"
    LENGTH = "bad length"


@dataclass(frozen=True, slots=True)
class Frame:
    """A header and the bytes of its payload."""

    header: Header
    payload: bytes


class FrameError(ValueError):
    """Bytes that are no frame; `fault` says why."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.value)
        self.fault: Final = fault


def encode(frame: Frame) -> bytes:
    """Return the frame as it goes over the wire, a zero before and behind it.

    The first zero ends whatever noise came before.
    """
    raw = pack(frame.header) + frame.payload
    crc = struct.pack(">H", crc_hqx(raw, CRC_START))
    return b"\0" + stuff(raw + crc) + b"\0"


def decode(stuffed: bytes) -> Frame:
    """Return the frame between two zeros; FrameError where it is none."""
    if len(stuffed) > MAX_STUFFED:
        raise FrameError(Fault.TOO_LONG)
    raw = unstuff(stuffed)
    if len(raw) < HEADER_SIZE + CRC_SIZE:
        raise FrameError(Fault.TOO_SHORT)
    if crc_hqx(raw, CRC_START) != 0:
        raise FrameError(Fault.CRC)
    header, payload = unpack(Header, raw), raw[HEADER_SIZE:-CRC_SIZE]
    if header.length != len(payload):
        raise FrameError(Fault.LENGTH)
    return Frame(header, payload)


def stuff(raw: bytes) -> bytes:
    """Return the bytes without zeros, by consistent overhead byte stuffing."""
    out = bytearray()
    for run in raw.split(b"\0"):
        while len(run) >= 254:
            out += b"\xff" + run[:254]
            run = run[254:]
        out.append(len(run) + 1)
        out += run
    return bytes(out)


def unstuff(stuffed: bytes) -> bytes:
    """Return what `stuff` was given; FrameError where it cannot have made these bytes."""
    out = bytearray()
    at = 0
    while at < len(stuffed):
        code = stuffed[at]
        run = stuffed[at + 1 : at + code]
        if code == 0 or len(run) != code - 1 or 0 in run:
            raise FrameError(Fault.COBS)
        out += run
        at += code
        if code < 0xFF and at < len(stuffed):
            out.append(0)
    return bytes(out)


class Deframer:
    """Cuts a stream of bytes into frames, never holding more than one; counts what is none."""

    def __init__(self) -> None:
        self._held = bytearray()
        self.faults = 0

    def feed(self, data: bytes) -> list[Frame]:
        """Take bytes in any portions; return the frames that they completed."""
        frames = []
        *ended, rest = data.split(b"\0")
        for piece in ended:
            self._hold(piece)
            if self._held:
                frames += self._take()
        self._hold(rest)
        return frames

    def _hold(self, piece: bytes) -> None:
        self._held += piece[: MAX_STUFFED + 1 - len(self._held)]

    def _take(self) -> list[Frame]:
        stuffed = bytes(self._held)
        self._held.clear()
        try:
            return [decode(stuffed)]
        except FrameError:
            self.faults += 1
            return []
