"""Frames of features from a stream of samples in whatever portions it comes."""

import numpy as np

from edgekws.events import Floats, Pcm
from edgekws.features.frontend import Frontend
from edgekws.specs import FeatureSpec


class FeatureStream:
    """Turns portions of int16 samples into rows of features; any chunking gives the same rows."""

    def __init__(self, spec: FeatureSpec) -> None:
        self.spec = spec
        self._frontend = Frontend(spec)
        self._held: Pcm
        self._covered: int  # how many of the samples held are in a frame already
        self.reset()

    def push(self, pcm: Pcm) -> Floats:
        """Take (n,) int16 samples and return the frames they complete, (frames, n_mfcc)."""
        held = np.concatenate((self._held, pcm))
        rows = self._frontend.compute(held)
        self._held = held[len(rows) * self.spec.hop :].copy()
        self._covered = self.spec.window - self.spec.hop if len(rows) else self._covered
        return rows

    def flush(self) -> Floats:
        """Return the frame of samples that no frame has covered yet, padded with zeros; reset.

        The result is (1, n_mfcc), or (0, n_mfcc) where every sample is in some frame already.
        """
        uncovered = len(self._held) > self._covered
        padding = self.spec.window - len(self._held) if uncovered else 0
        rows = self.push(np.zeros(padding, np.int16))
        self.reset()
        return rows

    def reset(self) -> None:
        """Forget all samples held."""
        self._held = np.zeros(0, np.int16)
        self._covered = 0


def mfcc(spec: FeatureSpec, pcm: Pcm) -> Floats:
    """Return all frames of a whole clip, (frames, n_mfcc): a push and a flush of the stream."""
    stream = FeatureStream(spec)
    return np.concatenate((stream.push(pcm), stream.flush()))
