"""From samples to the normalized steps of features that an engine takes."""

from collections.abc import Iterator

import numpy as np

from edgekws.events import Floats, Pcm
from edgekws.features import FeatureStream
from edgekws.specs import ModelSpec


class StepStream:
    """Turns portions of samples into whole steps of normalized features."""

    def __init__(self, model: ModelSpec) -> None:
        self._step = model.step_frames
        self._mean = np.array(model.mean, np.float32)
        self._scale = np.array(model.scale, np.float32)
        self._stream = FeatureStream(model.features)
        self._held: Floats = np.zeros((0, model.features.n_mfcc), np.float32)

    def push(self, pcm: Pcm) -> Iterator[Floats]:
        """Take (n,) int16 samples and give each step they complete, (step_frames, n_mfcc)."""
        rows = self._stream.push(pcm)
        rows -= self._mean
        rows *= self._scale
        if len(self._held):
            rows = np.concatenate((self._held, rows))
        whole = len(rows) - len(rows) % self._step
        self._held = rows[whole:]
        return (rows[at : at + self._step] for at in range(0, whole, self._step))

    def reset(self) -> None:
        """Forget the samples and frames held."""
        self._stream.reset()
        self._held = self._held[:0]
