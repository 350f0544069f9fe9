"""Window, mel filters and DCT of a FeatureSpec, built once in float64 and kept as float32."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from edgekws.events import Floats
from edgekws.specs import FeatureSpec


@dataclass(frozen=True, slots=True)
class Tables:
    """The constants of the arithmetic.

    `window` is (window,) and holds the division by 32768; `mel` is (fft / 2 + 1, n_mels); `dct` is
    (n_mels, n_mfcc); `floor` is added before the logarithm.
    """

    window: Floats
    mel: Floats
    dct: Floats
    floor: float


@lru_cache(maxsize=8)
def build_tables(spec: FeatureSpec) -> Tables:
    """Build the tables of a spec; the same spec gives the same object."""
    return Tables(
        window=_frozen(hann(spec.window) / 32768.0),
        mel=_frozen(mel_filters(spec)),
        dct=_frozen(dct_matrix(spec.n_mels, spec.n_mfcc)),
        floor=float(10.0**spec.log_floor_exponent),
    )


def hann(length: int) -> NDArray[np.float64]:
    """Return the periodic Hann window, (length,)."""
    return 0.5 - 0.5 * np.cos(2.0 * np.pi * np.arange(length) / length)


def mel_filters(spec: FeatureSpec) -> NDArray[np.float64]:
    """Return triangles of height 1 on the HTK mel scale, (fft / 2 + 1, n_mels)."""
    edges = np.linspace(_mel(spec.low_hz), _mel(spec.high_hz), spec.n_mels + 2)
    hertz = 700.0 * (np.exp(edges / 1127.0) - 1.0)  # (n_mels + 2,)
    bins = np.arange(spec.fft // 2 + 1)[:, None] * (spec.sample_rate / spec.fft)
    left, peak, right = hertz[:-2], hertz[1:-1], hertz[2:]
    rising = (bins - left) / (peak - left)
    falling = (right - bins) / (right - peak)
    return np.asarray(np.maximum(0.0, np.minimum(rising, falling)))


def dct_matrix(n_mels: int, n_mfcc: int) -> NDArray[np.float64]:
    """Return the orthonormal DCT-II, (n_mels, n_mfcc)."""
    band = np.arange(n_mels)[:, None] + 0.5
    matrix: NDArray[np.float64] = np.cos(np.pi / n_mels * band * np.arange(n_mfcc)) * np.sqrt(
        2.0 / n_mels
    )
    matrix[:, 0] /= np.sqrt(2.0)
    return matrix


def _mel(hertz: float) -> float:
    return float(1127.0 * np.log1p(hertz / 700.0))


def _frozen(table: NDArray[np.float64]) -> Floats:
    frozen = np.ascontiguousarray(table, dtype=np.float32)
    frozen.setflags(write=False)
    return frozen
