"""A bounded ring of audio between one writer that must never wait and one reader."""

import msgspec
import numpy as np

from edgekws.events import Pcm


class Portion(msgspec.Struct, frozen=True):
    """Consecutive frames, (n, channels) int16, and the absolute index of the first."""

    frames: Pcm
    start: int


class Ring:
    """Slots of frames, all allocated beforehand; what does not fit is dropped and counted.

    The writer alone moves `_written` and the reader alone `_read`, each after it is done with the
    slot, so that neither needs a lock. Every slot keeps the absolute index of its first frame:
    a drop is a gap between one portion's end and the next one's start.
    """

    def __init__(self, *, slots: int, slot_frames: int, channels: int) -> None:
        self._frames = np.zeros((slots, slot_frames * channels), np.int16)
        self._starts = [0] * slots
        self._lengths = [0] * slots
        self._slots = slots
        self._slot_frames = slot_frames
        self._channels = channels
        self._written = 0
        self._read = 0
        self._position = 0  # the absolute index of the next frame to come
        self.dropped = 0
        """Frames that never reached the reader, since the beginning."""

    def write(self, data: bytes) -> None:
        """Copy interleaved s16 frames in, or count them as dropped where no slot is free."""
        samples = np.frombuffer(data, np.int16)
        width = self._slot_frames * self._channels
        for offset in range(0, len(samples), width):
            self._write_slot(samples[offset : offset + width])

    def skip(self, frames: int) -> None:
        """Count frames as dropped that were lost before they came here."""
        self.dropped += frames
        self._position += frames

    def read(self) -> Portion | None:
        """Return a copy of the oldest slot's frames and free the slot; None where all are free."""
        if self._read == self._written:
            return None
        slot = self._read % self._slots
        length = self._lengths[slot]
        frames = self._frames[slot, : length * self._channels].reshape(length, self._channels)
        portion = Portion(frames.copy(), self._starts[slot])
        self._read += 1
        return portion

    def _write_slot(self, samples: Pcm) -> None:
        length = len(samples) // self._channels
        if self._written - self._read == self._slots:
            self.skip(length)
            return
        slot = self._written % self._slots
        self._frames[slot, : len(samples)] = samples
        self._starts[slot] = self._position
        self._lengths[slot] = length
        self._position += length
        self._written += 1
