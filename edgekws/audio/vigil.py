"""Whether what a live source gives can be sound at all: a microphone has noise, and headroom."""

from typing import Any, Final

import numpy as np

from edgekws.events import Block

LIMIT_SECONDS: Final = 2  # so long in one piece, and it is a fault
_CLIPPED: Final = 32_600  # resampling leaves a clipped peak a little below full scale
_CLIPPED_SHARE: Final = 0.1  # of a block: speech that is too loud has pauses, a broken input none


class Vigil:
    """Looks at every block; each fault is said from 2 s of it on. Time is counted in samples.

    `trouble` is a text while nothing can be heard (all zeros, a stuck value), `complaint` while
    all is heard but distorted (constant clipping), until that has not been so for 2 s.
    """

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget what was seen, as behind a gap."""
        self._value = 0  # what the last block was full of
        self._same = 0  # samples of that value in a row
        self._same_seconds = 0.0
        self._clipped = self._clean = 0  # samples in a row, in blocks that are so
        self.complaint = ""
        self.trouble = ""

    @property
    def unchanged_seconds(self) -> float:
        """For how long every sample has had the same value."""
        return self._same_seconds

    def push(self, block: Block) -> None:
        """Take the next block; one that is not (n,) int16 is not looked at."""
        pcm: Any = block.pcm
        if not isinstance(pcm, np.ndarray) or pcm.dtype != np.int16 or pcm.size == 0:
            return
        self._watch_value(block)
        self._watch_peaks(block)

    def _watch_value(self, block: Block) -> None:
        first = block.pcm.item(0)
        constant = first == block.pcm.item(-1) and bool((block.pcm == first).all())
        before = self._same if first == self._value else 0
        self._value, self._same = first, before + block.pcm.size if constant else 0
        self._same_seconds = self._same / block.sample_rate
        if self._same_seconds < LIMIT_SECONDS:
            self.trouble = ""
        elif not self.trouble:
            what = f"every sample is {first}" if first else "nothing but zeros"
            self.trouble = f"{what} for {LIMIT_SECONDS} s: muted or unplugged?"

    def _watch_peaks(self, block: Block) -> None:
        pcm = block.pcm
        peaks = pcm.item(pcm.argmax()), pcm.item(pcm.argmin())  # a fifth of what max and min cost
        is_loud = peaks[0] >= _CLIPPED or peaks[1] <= -_CLIPPED  # as few blocks are
        is_clipped = is_loud and _share_clipped(block) >= _CLIPPED_SHARE
        self._clipped = self._clipped + pcm.size if is_clipped else 0
        self._clean = 0 if is_clipped else self._clean + pcm.size
        limit = LIMIT_SECONDS * block.sample_rate
        if self._clipped >= limit:
            self.complaint = "the sound is clipped all the time: turn the microphone's gain down"
        elif self._clean >= limit:
            self.complaint = ""


def _share_clipped(block: Block) -> float:
    pcm = block.pcm
    return float(np.count_nonzero((pcm >= _CLIPPED) | (pcm <= -_CLIPPED)) / pcm.size)
