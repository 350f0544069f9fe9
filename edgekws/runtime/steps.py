"""From samples to the normalized steps of features that an engine takes."""

from collections.abc import Iterator
from typing import Final

import numpy as np

from edgekws.events import Floats, Pcm
from edgekws.features import FeatureStream
from edgekws.specs import ModelSpec

PORTION_SAMPLES: Final = 65_536  # of a long recording at a time, which is copied once


class StepStream:
    """Turns portions of samples into whole steps of normalized features."""

    def __init__(self, model: ModelSpec) -> None:
        self._step = model.step_frames
        self._mean = np.array(model.mean, np.float32)
        self._scale = np.array(model.scale, np.float32)
        self._stream = FeatureStream(model.features)
        self._held: Floats = np.zeros((0, model.features.n_mfcc), np.float32)

    def push(self, pcm: Pcm) -> Iterator[Floats]:
        """Take (n,) int16 samples and give each step they complete, (step_frames, n_mfcc).

        The work is done as the steps are taken; take all of them before the next push.
        """
        for start in range(0, len(pcm), PORTION_SAMPLES):
            rows = self._normalized(pcm[start : start + PORTION_SAMPLES])
            whole = len(rows) - len(rows) % self._step
            self._held = rows[whole:]
            for at in range(0, whole, self._step):
                yield rows[at : at + self._step]

    def _normalized(self, pcm: Pcm) -> Floats:
        """Return the frames held and those of the samples, (frames, n_mfcc)."""
        rows = self._stream.push(pcm)
        rows -= self._mean
        rows *= self._scale
        return np.concatenate((self._held, rows)) if len(self._held) else rows

    def reset(self) -> None:
        """Forget the samples and frames held."""
        self._stream.reset()
        self._held = self._held[:0]
