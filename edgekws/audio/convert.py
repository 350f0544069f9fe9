"""Audio of any rate and channel count to int16 mono at one rate, in whatever portions it comes."""

from typing import Any, Final

import numpy as np

from edgekws.audio.extras import load_extra
from edgekws.events import Floats, Pcm

_FULL_SCALE: Final = 32768.0


class Converter:
    """Averages the channels and converts the rate; any chunking gives the same samples.

    The resampler's delay is made up for: the first sample out belongs to the first one in.
    """

    def __init__(self, rate_in: int, rate_out: int, *, purpose: str) -> None:
        """Prepare for rates in Hz; `purpose` says in an error what the resampler is needed for.

        Raises:
            MissingExtraError: the rates differ and soxr is not installed.
        """
        self._resampler: Any = None
        if rate_in != rate_out:
            soxr = load_extra("soxr", extra="audio", purpose=purpose)
            self._resampler = soxr.ResampleStream(rate_in, rate_out, 1, dtype="float32")

    def push(self, frames: Floats) -> Pcm:
        """Take (n, channels) in [-1, 1]; return the samples that are ready, (m,) int16."""
        within = np.clip(
            frames, -1.0, 1.0
        )  # before the resampler: a wild float would ring for long
        return self._finish(within.mean(axis=1, dtype=np.float32), last=False)

    def flush(self) -> Pcm:
        """Return the samples still held back, (m,) int16, and forget everything before."""
        tail = self._finish(np.zeros(0, np.float32), last=True)
        self.reset()
        return tail

    def reset(self) -> None:
        """Forget all samples before, as at the start of a stream."""
        if self._resampler is not None:
            self._resampler.clear()

    def _finish(self, mono: Floats, *, last: bool) -> Pcm:
        if self._resampler is not None:
            mono = self._resampler.resample_chunk(mono, last=last)
        scaled: Floats = np.rint(mono * np.float32(_FULL_SCALE))
        return np.clip(scaled, -32768, 32767).astype(np.int16)


def to_floats(frames: Pcm) -> Floats:
    """Return (n, channels) int16 as float32 in [-1, 1)."""
    return frames.astype(np.float32) / np.float32(_FULL_SCALE)
