"""The last seconds of audio: a new detector begins with them, and a sink may hand them on."""

from collections import deque
from typing import Any, Final

import numpy as np

from edgekws.events import Block

RECENT_SECONDS: Final = 3  # longer than any window, 96 kB at 16 kHz


class Recent:
    """Holds whole blocks that follow one another; a gap or a block out of order empties it."""

    def __init__(self, seconds: float = RECENT_SECONDS) -> None:
        self._seconds = seconds
        self._blocks: deque[Block] = deque()
        self._held = 0

    def push(self, block: Block) -> None:
        """Take the next block; one that is not (n,) int16 is left out, and so leaves a gap."""
        pcm: Any = block.pcm
        if not isinstance(pcm, np.ndarray) or pcm.ndim != 1 or pcm.dtype != np.int16:
            return
        if self._blocks and self._blocks[-1].end != block.start:
            self.clear()
        self._blocks.append(block)
        self._held += len(pcm)
        while self._held - len(self._blocks[0].pcm) >= self._seconds * block.sample_rate:
            self._held -= len(self._blocks.popleft().pcm)

    @property
    def held(self) -> int:
        """How many samples are held."""
        return self._held

    def clear(self) -> None:
        """Forget all."""
        self._blocks.clear()
        self._held = 0

    @property
    def end(self) -> int:
        """The index of the sample after the newest, 0 where none is held."""
        return self._blocks[-1].end if self._blocks else 0

    def last(self, samples: int) -> Block | None:
        """Return up to that many of the newest samples as one block, None where there are none."""
        if not self._blocks or samples <= 0:
            return None
        pcm = np.concatenate([block.pcm for block in self._blocks])[-samples:]
        newest = self._blocks[-1]
        return Block(pcm, newest.end - len(pcm), newest.sample_rate)
