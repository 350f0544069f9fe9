"""What the main loop notes of its own life; other threads only read it."""

import time
from collections.abc import Callable

from edgekws.events import Block, Detection

Clock = Callable[[], float]
"""Seconds that never go back: `time.monotonic`. No decision about audio is made by it."""


class Vitals:
    """When audio, a step and a detection came last, and since when the main loop is busy.

    Written by the main loop alone, one plain attribute at a time, so that readers need no lock.
    """

    def __init__(self, clock: Clock = time.monotonic) -> None:
        self._clock = clock
        self.started = clock()
        self.audio: float | None = None
        self.step: float | None = None
        self.detection: float | None = None
        self.busy: float | None = None
        self.block: Block | None = None
        self.last_detection: Detection | None = None
        self._steps = 0

    def begin(self) -> None:
        """Note that work on a block begins."""
        self.busy = self._clock()

    def finish(self, block: Block, *, steps: int) -> None:
        """Note that a block is done, after which the detector had made so many steps in all."""
        now = self._clock()
        if steps != self._steps:
            self._steps, self.step = steps, now
        self.block, self.audio, self.busy = block, now, None

    def note(self, detection: Detection) -> None:
        """Note a detection."""
        self.last_detection, self.detection = detection, self._clock()

    def age(self, moment: float | None) -> float | None:
        """Return how many seconds ago a moment was, None where it has not come."""
        return None if moment is None else max(0.0, self._clock() - moment)
