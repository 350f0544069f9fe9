"""Whether a live source gives about as many samples a second as it is taken for."""

from collections.abc import Callable
from typing import Final

from edgekws.events import Block

WINDOW_SECONDS: Final = 3.0
WINDOWS: Final = 3  # in a row: what a stall held back, 8 s at most, comes in one of them, or in two
TOLERANCE: Final = 1.25  # the rates in use lie further apart: 8, 11, 16, 22, 32, 44 and 48 kHz


class Pace:
    """Counts samples against the clock; raw samples tell nobody of their rate or channels.

    `complaint` is a text while they come at another rate. Sound that is taken for another rate is
    heard, and means nothing to the model: the one fault that no level shows.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self.reset()

    def reset(self) -> None:
        """Begin anew, as when the source is opened."""
        self._begun: float | None = None
        self._samples = self._odd = 0
        self._was_fast = False
        self.complaint = ""

    def push(self, block: Block) -> None:
        """Take the next block."""
        now = self._clock()
        if self._begun is None:  # the first one holds what came while nobody counted
            self._begun = now
            return
        self._samples += len(block.pcm)
        seconds = now - self._begun
        if seconds >= WINDOW_SECONDS:
            self._judge(self._samples / seconds, block.sample_rate)
            self._begun, self._samples = now, 0

    def _judge(self, rate: float, expected: int) -> None:
        is_fast = rate > expected * TOLERANCE
        if not is_fast and rate >= expected / TOLERANCE:
            self._odd, self.complaint = 0, ""
            return
        self._odd = self._odd + 1 if is_fast == self._was_fast else 1
        self._was_fast = is_fast
        if self._odd >= WINDOWS:
            self.complaint = (
                f"about {rate:.0f} samples a second come and {expected} are expected: set the"
                " source's rate, and one channel"
            )
