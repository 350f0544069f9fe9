"""Window, mel filters and DCT of a FeatureSpec, built once in float64 and kept as float32."""

from functools import lru_cache
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from edgekws.events import Floats
from edgekws.specs import FeatureSpec


class Tables(msgspec.Struct, frozen=True):
    """The constants of the arithmetic.

    `window` is (window,) and holds the division by 32768; `is_power` says whether the spectrum is
    squared; `mel` is (fft / 2 + 1, n_mels); `dct` is (n_mels, n_mfcc), of an algorithm without a
    DCT the identity; `floor` is added before the logarithm.
    """

    window: Floats
    is_power: bool
    mel: Floats
    dct: Floats
    floor: float


@lru_cache(maxsize=8)
def build_tables(spec: FeatureSpec) -> Tables:
    """Build the tables of a spec; the same spec gives the same object."""
    is_mfcc = spec.algorithm == "mfcc-1"
    return Tables(
        window=_frozen(hann(spec.window) / 32768.0),
        is_power=is_mfcc,
        mel=_frozen(mel_filters(spec)),
        dct=_frozen(dct_matrix(spec.n_mels, spec.n_mfcc) if is_mfcc else np.eye(spec.n_mels)),
        floor=float(10.0**spec.log_floor_exponent),
    )


def hann(length: int) -> NDArray[np.float64]:
    """Return the periodic Hann window, (length,)."""
    return 0.5 - 0.5 * np.cos(2.0 * np.pi * np.arange(length) / length)


def mel_filters(spec: FeatureSpec) -> NDArray[np.float64]:
    """Return triangles of height 1 on the HTK mel scale, (fft / 2 + 1, n_mels).

    Their sides are straight in hertz, those of "logmel-1" on the mel scale, as TensorFlow's are.
    """
    low, high = _mel(np.array([spec.low_hz, spec.high_hz])).tolist()
    edges = np.linspace(low, high, spec.n_mels + 2)
    bins = np.arange(spec.fft // 2 + 1)[:, None] * (spec.sample_rate / spec.fft)
    if spec.algorithm == "logmel-1":
        bins = _mel(bins)
    else:
        edges = 700.0 * (np.exp(edges / 1127.0) - 1.0)
    left, peak, right = edges[:-2], edges[1:-1], edges[2:]
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


def _mel(hertz: NDArray[Any]) -> NDArray[np.float64]:
    return np.asarray(1127.0 * np.log1p(hertz / 700.0))


def _frozen(table: NDArray[np.float64]) -> Floats:
    frozen = np.ascontiguousarray(table, dtype=np.float32)
    frozen.setflags(write=False)
    return frozen
