"""How loud audio is, in dB below a full-scale square wave."""

from typing import Final

import numpy as np

from edgekws.events import Floats, Pcm

FLOOR_DBFS: Final = -120.0  # stands for the level of digital silence
_FULL_SCALE: Final = 32768.0


def levels_dbfs(pcm: Pcm, frame: int) -> Floats:
    """Return the RMS level of each whole frame, (len(pcm) // frame,), at least FLOOR_DBFS."""
    whole = pcm[: len(pcm) - len(pcm) % frame].reshape(-1, frame).astype(np.float32) / _FULL_SCALE
    power = np.maximum(np.mean(whole * whole, axis=1), 10 ** (FLOOR_DBFS / 10))
    return np.asarray(10 * np.log10(power, dtype=np.float64), np.float32)
