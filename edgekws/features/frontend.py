"""The one arithmetic: frames of int16 samples to rows of features, many hops at once."""

from typing import Final

import numpy as np

from edgekws.events import Floats, Pcm
from edgekws.features.tables import Tables, build_tables
from edgekws.specs import FeatureSpec

BATCH_FRAMES: Final = 64  # of a long recording at once: a device needs no more memory than for them


class Frontend:
    """Computes rows of features for runs of samples; holds scratch memory, no history."""

    def __init__(self, spec: FeatureSpec) -> None:
        self.spec = spec
        self._tables: Tables = build_tables(spec)
        self._padded = np.zeros((BATCH_FRAMES, spec.fft), np.float32)  # frames with tails of zeros
        self._spectra = np.zeros((BATCH_FRAMES, spec.fft // 2 + 1), np.float32)

    def compute(self, pcm: Pcm) -> Floats:
        """Return the whole frames of (n,) contiguous int16 as (frames, n_mfcc) float32."""
        spec = self.spec
        rows = np.empty((spec.frames(len(pcm)), spec.n_mfcc), np.float32)
        for first in range(0, len(rows), BATCH_FRAMES):
            self._fill(rows[first : first + BATCH_FRAMES], pcm[first * spec.hop :])
        return rows

    def _fill(self, rows: Floats, pcm: Pcm) -> None:
        """Compute as many frames as there are rows, at most BATCH_FRAMES, from the start of pcm."""
        spec, tables = self.spec, self._tables
        padded, spectra = self._padded[: len(rows)], self._spectra[: len(rows)]
        size = pcm.itemsize
        # A view of overlapping frames; as_strided, which makes the same, costs seven times as much.
        frames: Pcm = np.ndarray(
            (len(rows), spec.window), pcm.dtype, pcm, 0, (spec.hop * size, size)
        )
        np.multiply(frames, tables.window, out=padded[:, : spec.window])
        transformed = np.fft.rfft(padded)  # (frames, fft / 2 + 1), in float64 inside
        np.abs(transformed, out=spectra)
        if tables.is_power:
            np.square(spectra, out=spectra)
        mel = spectra @ tables.mel  # (frames, n_mels)
        mel += tables.floor
        np.matmul(np.log(mel, out=mel), tables.dct, out=rows)
