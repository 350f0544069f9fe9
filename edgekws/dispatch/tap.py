"""The newest seconds of what is heard, for a sink that hands audio on: bounded, in memory only."""

import threading
from collections.abc import Iterator
from typing import Final

import numpy as np

from edgekws.audio.recent import Recent
from edgekws.events import Block, Pcm

HELD_SECONDS: Final = 5.0
PORTION_SECONDS: Final = 0.1
QUIET_SECONDS: Final = 2.0  # blocks come many times a second: after this the stream is at its end


class Tap:
    """Takes every block from the main loop, which never waits; gives them to one reader.

    A reader that is more than `HELD_SECONDS` behind, or a gap in the stream, ends the reading.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._recent = Recent(HELD_SECONDS)
        self._closed = False

    def push(self, block: Block) -> None:
        """Take the next block."""
        with self._changed:
            self._recent.push(block)
            self._changed.notify_all()

    def before(self, sample: int) -> Pcm:
        """Return what is held of the audio before a sample, (n,) int16."""
        with self._changed:
            held = self._recent.last(self._recent.held)
        return np.zeros(0, np.int16) if held is None else held.pcm[: max(0, sample - held.start)]

    def follow(self, sample: int, *, lead_seconds: float) -> Iterator[Block]:
        """Give the audio from so long before a sample on, until it ends, `close`, or a gap.

        What is not held any more is left out: the first block may start later.
        """
        block = self._next(sample, lead_seconds)
        while block is not None:
            yield from _portions(block)
            place, block = block.end, self._next(block.end, 0.0)
            if block is not None and block.start != place:
                return

    def close(self) -> None:
        """End the reading."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _next(self, sample: int, lead_seconds: float) -> Block | None:
        """Return what is held from before a sample on, or None where nothing comes after it."""
        recent = self._recent
        with self._changed:
            self._changed.wait_for(lambda: self._closed or recent.end > sample, QUIET_SECONDS)
            newest = recent.last(1)
            if self._closed or newest is None or newest.end <= sample:
                return None
            return recent.last(newest.end - sample + round(lead_seconds * newest.sample_rate))


def _portions(block: Block) -> Iterator[Block]:
    size = round(PORTION_SECONDS * block.sample_rate)
    for at in range(0, len(block.pcm), size):
        yield Block(block.pcm[at : at + size], block.start + at, block.sample_rate)
