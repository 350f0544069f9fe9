"""The header of a WAV file: its sample format, and how much audio it claims and holds."""

import os
from io import FileIO
from struct import unpack
from typing import Final

import msgspec

PCM: Final = 1
_EXTENSIBLE: Final = 0xFFFE  # the true format stands at the head of a 16-byte GUID
_FMT_BYTES: Final = 26  # as far as that GUID's first two bytes
_UNKNOWN_LENGTH: Final = (
    0x7FFF0000  # writers to a pipe claim about 2 or 4 GiB: ffmpeg, sox, arecord
)


class WavHeader(msgspec.Struct, frozen=True):
    """The fmt and data chunks; `offset`, `claimed_bytes` and `held_bytes` are of the samples."""

    encoding: int
    channels: int
    sample_rate: int
    bits: int
    frame_bytes: int
    offset: int
    claimed_bytes: int
    held_bytes: int

    @property
    def truncated(self) -> bool:
        """Whether the file ends before the audio that its header claims."""
        return self.held_bytes < self.claimed_bytes < _UNKNOWN_LENGTH


def read_wav_header(file: FileIO) -> WavHeader | None:
    """Walk the chunks of an open file; None where it is no RIFF/WAVE file with fmt and data."""
    size = os.fstat(file.fileno()).st_size
    file.seek(0)
    magic = file.read(12)
    if magic[:4] != b"RIFF" or magic[8:] != b"WAVE":
        return None
    fmt = b""
    while len(chunk := file.read(8)) == 8:
        name, length = unpack("<4sI", chunk)
        offset = file.tell()
        if name == b"data":
            return _header(fmt, offset=offset, claimed=length, held=min(length, size - offset))
        if name == b"fmt ":
            fmt = file.read(min(length, _FMT_BYTES))
        file.seek(offset + length + length % 2)  # chunks are padded to even lengths
    return None


def _header(fmt: bytes, *, offset: int, claimed: int, held: int) -> WavHeader | None:
    if len(fmt) < 16:
        return None
    encoding, channels, rate, _, frame_bytes, bits = unpack("<HHIIHH", fmt[:16])
    if encoding == _EXTENSIBLE and len(fmt) == _FMT_BYTES:
        (encoding,) = unpack("<H", fmt[24:])
    return WavHeader(encoding, channels, rate, bits, frame_bytes, offset, claimed, held)
