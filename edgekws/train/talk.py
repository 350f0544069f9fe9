"""Talk made of words: recordings joined end to end, as a room says them that never says a command.

A recording of one word teaches what the word is and nothing about half a word after half of another
one, which is what most windows of a stream hold.
"""

from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.random import Generator

from edgekws.events import Floats, Pcm

FRAME: Final = 320  # 20 ms, over which the level of a recording is taken
FALL_DB: Final = 30.0  # what lies so far below the loudest frame at either end is not the word
GAP_SECONDS: Final = (0.0, 0.25)
LEVEL_DB: Final = (-9.0, 3.0)
FULL_SCALE: Final = 32768.0


def join(draw: Callable[[], Pcm], length: int, rng: Generator, *, sample_rate: int) -> Floats:
    """Return `length` samples in [-1, 1] of the recordings that `draw` gives, one after the other.

    The first one is cut anywhere, so that the start falls into a word as often as between two.
    """
    out = np.zeros(length, np.float32)
    at = -int(rng.integers(0, sample_rate // 2))
    while at < length:
        word = trimmed(draw())
        level = np.float32(10.0 ** (rng.uniform(*LEVEL_DB) / 20.0) / FULL_SCALE)
        first, last = max(0, -at), min(len(word), length - at)
        if last > first:
            out[at + first : at + last] = word[first:last] * level
        at += len(word) + int(rng.uniform(*GAP_SECONDS) * sample_rate)
    return out


def trimmed(pcm: Pcm) -> Pcm:
    """Return a recording without what is quiet at its start and its end; never nothing."""
    count = len(pcm) // FRAME
    if count < 2:
        return pcm
    frames = pcm[: count * FRAME].astype(np.float32).reshape(count, FRAME)
    level = 10.0 * np.log10(np.mean(frames**2, axis=1) + 1.0)
    loud = np.flatnonzero(level > level.max() - FALL_DB)
    return pcm[loud[0] * FRAME : (loud[-1] + 1) * FRAME]
