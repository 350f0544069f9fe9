"""From samples to the steps that an engine takes: normalized features, or just samples."""

from collections.abc import Iterator
from typing import Final, Protocol

import numpy as np

from edgekws.events import Floats, Pcm
from edgekws.features import FeatureStream
from edgekws.specs import GraphSpec, ModelSpec

PORTION_SAMPLES: Final = 65_536  # of a long recording at a time, which is copied once


class Steps(Protocol):
    """Turns portions of samples into what one call of an engine after the other takes."""

    def push(self, pcm: Pcm) -> Iterator[Floats]:
        """Take (n,) int16 samples and give each step they complete, all before the next push."""
        ...

    def reset(self) -> None:
        """Forget what is held."""
        ...


def steps_for(model: ModelSpec, graph: GraphSpec) -> Steps:
    """Return what feeds a model file: samples where it has the front end inside, else features."""
    return SampleStream(model) if graph.fused else StepStream(model)


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


class SampleStream:
    """Turns portions of samples into the overlapping stretches that steps of features cover.

    The first stretch is whole, as is the first window of features: scores lie at the same places.
    """

    def __init__(self, model: ModelSpec) -> None:
        self._size = model.samples_per_step
        self._apart = model.step_frames * model.features.hop
        self._held: Floats = np.zeros(0, np.float32)

    def push(self, pcm: Pcm) -> Iterator[Floats]:
        """Take (n,) int16 samples and give each step they complete, (samples,) of equal values.

        The work is done as the steps are taken; take all of them before the next push.
        """
        for start in range(0, len(pcm), PORTION_SAMPLES):
            portion = pcm[start : start + PORTION_SAMPLES]
            held = np.concatenate((self._held, portion), dtype=np.float32)
            whole = max(0, (len(held) - self._size) // self._apart + 1)
            self._held = held[whole * self._apart :]
            for at in range(0, whole * self._apart, self._apart):
                yield held[at : at + self._size]

    def reset(self) -> None:
        """Forget the samples held."""
        self._held = self._held[:0]
