"""The one arithmetic: frames of int16 samples to MFCC rows, all hops of a block at once."""

import numpy as np

from edgekws.events import Floats, Pcm
from edgekws.features.tables import Tables, build_tables
from edgekws.specs import FeatureSpec


class Frontend:
    """Computes MFCC rows for runs of samples; holds scratch memory, no history."""

    def __init__(self, spec: FeatureSpec) -> None:
        self.spec = spec
        self._tables: Tables = build_tables(spec)
        self._padded = np.zeros((0, spec.fft), np.float32)
        self._power = np.zeros((0, spec.fft // 2 + 1), np.float32)

    def compute(self, pcm: Pcm) -> Floats:
        """Return the whole frames of (n,) contiguous int16 as (frames, n_mfcc) float32."""
        spec, tables = self.spec, self._tables
        count = spec.frames(len(pcm))
        if count == 0:
            return np.zeros((0, spec.n_mfcc), np.float32)
        padded, power = self._scratch(count)
        size = pcm.itemsize
        # A view of overlapping frames; as_strided, which makes the same, costs seven times as much.
        frames: Pcm = np.ndarray((count, spec.window), pcm.dtype, pcm, 0, (spec.hop * size, size))
        np.multiply(frames, tables.window, out=padded[:, : spec.window])
        spectrum = np.fft.rfft(padded)  # (frames, fft / 2 + 1), in float64 inside
        np.square(np.abs(spectrum, out=power), out=power)
        mel = power @ tables.mel  # (frames, n_mels)
        mel += tables.floor
        return np.asarray(np.log(mel, out=mel) @ tables.dct)

    def _scratch(self, count: int) -> tuple[Floats, Floats]:
        """Return zero-tailed frames (count, fft) and a spectrum (count, fft / 2 + 1)."""
        if len(self._padded) < count:
            self._padded = np.zeros((count, self.spec.fft), np.float32)
            self._power = np.zeros((count, self.spec.fft // 2 + 1), np.float32)
        return self._padded[:count], self._power[:count]
