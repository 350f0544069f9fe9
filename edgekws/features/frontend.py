"""The one arithmetic: frames of int16 samples to MFCC rows, all hops of a block at once."""

import numpy as np
from numpy.lib.stride_tricks import as_strided

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
        """Return the whole frames of (n,) int16 samples as (frames, n_mfcc) float32."""
        spec, tables = self.spec, self._tables
        count = spec.frames(len(pcm))
        if count == 0:
            return np.zeros((0, spec.n_mfcc), np.float32)
        padded, power = self._scratch(count)
        frames = as_strided(
            pcm, (count, spec.window), (spec.hop * pcm.strides[0], pcm.strides[0]), writeable=False
        )
        np.multiply(frames, tables.window, out=padded[:, : spec.window])
        spectrum = np.fft.rfft(padded)  # (frames, fft / 2 + 1) complex64
        np.square(spectrum.real, out=power)
        power += np.square(spectrum.imag)
        mel = power @ tables.mel  # (frames, n_mels)
        mel += tables.floor
        return np.asarray(np.log(mel, out=mel) @ tables.dct)

    def _scratch(self, count: int) -> tuple[Floats, Floats]:
        """Return zero-tailed frames (count, fft) and a spectrum (count, fft / 2 + 1)."""
        if len(self._padded) < count:
            self._padded = np.zeros((count, self.spec.fft), np.float32)
            self._power = np.zeros((count, self.spec.fft // 2 + 1), np.float32)
        return self._padded[:count], self._power[:count]
