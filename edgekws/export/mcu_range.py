"""Whether a FeatureSpec fits the fixed-point front end: each stage's most against its bits.

The stages are those of `ekws_mfcc_fixed.c`, which gets its formats from here.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edgekws.errors import ExportError
from edgekws.features.tables import dct_matrix, hann, mel_filters
from edgekws.specs import FeatureSpec, ModelSpec, TensorSpec

SAMPLE_BITS: Final = 15
DATA_BITS: Final = 29  # fractional bits of samples times window, and of the spectrum
TABLE_BITS: Final = 30
WEIGHT_BITS: Final = 16
POWER_BITS: Final = 47  # of the sum of powers, after it was moved down
LOG_BITS: Final = 24
LOG_STEPS: Final = 128  # pieces of the logarithm between 1 and 2, a power of two
OUT_BITS: Final = 16
INDEX_BITS: Final = 16  # sizes and counts are uint16 in C
LEAST_FLOOR: Final = 256  # steps: a floor of fewer would not be the floor that the net learned with
MOST_ROUNDING: Final = 0.02  # of a coefficient: a step of the shipped nets' features and less


@dataclass(frozen=True, slots=True)
class Stage:
    """What a stage holds at most, or where `least` is set at least, and what there is room for."""

    name: str
    value: float
    limit: float
    least: float = -math.inf

    @property
    def fits(self) -> bool:
        """Whether the value is within both limits; NaN is not."""
        return self.least <= self.value < self.limit

    @property
    def need(self) -> str:
        """What the value would have to be."""
        below = self.value < self.least
        return f"at least {self.least:g}" if below else f"less than {self.limit:g}"


def require_range(model: ModelSpec, features: TensorSpec) -> None:
    """Raise ExportError, naming the stage, where a model's numbers overflow in fixed point."""
    spec = model.features
    if spec.algorithm != "mfcc-1":
        raise ExportError(
            f"features of algorithm {spec.algorithm!r}: the microcontroller has mfcc-1; adapt with "
            "the features of a shipped base"
        )
    if spec.fft < 8 or spec.fft & (spec.fft - 1):
        raise ExportError(
            f"stage fft: {spec.fft} points are no power of 2 of 8 or more, which the "
            "microcontroller's transform needs; adapt with another fft"
        )
    for stage in stages(model, features):
        if not stage.fits:
            raise ExportError(
                f"stage {stage.name} of the fixed-point front end: {stage.value:g} is out of its "
                f"range, it needs {stage.need}; adapt with the features of a shipped base"
            )


def stages(model: ModelSpec, features: TensorSpec) -> Iterator[Stage]:
    """Give every stage with the largest number that any audio can bring."""
    spec = model.features
    filters = mel_filters(spec)  # (bins, n_mels)
    yield Stage("bands", int(np.count_nonzero(filters)), 1 << INDEX_BITS, 1)
    loudest = float(hann(spec.window).sum())  # of a bin: all samples at full scale
    yield Stage("sizes", max(2 * spec.fft, spec.n_mels), 1 << INDEX_BITS)  # a bin is in two bands
    yield Stage("spectrum", loudest / (spec.fft / 2) * 2**DATA_BITS, 2**31)
    floor = 10.0**spec.log_floor_exponent * 2.0 ** mel_bits(spec)
    yield Stage("floor", floor, 2.0**63)
    all_powers = 2.0 * (2.0**DATA_BITS) ** 2 * energy(spec)
    down = max(0, math.frexp(all_powers)[1] - POWER_BITS)
    yield Stage("floor beside full scale", floor / 2**down, 2.0**63, LEAST_FLOOR)
    widest = float(filters.sum(axis=0).max())
    yield Stage("spectrum beside the floor", rounding(spec, widest), MOST_ROUNDING)
    logs = largest_log(spec)
    yield Stage("log", 2 * logs * 2**LOG_BITS, 2**31)  # the sum of two
    rows = np.abs(dct_matrix(spec.n_mels, spec.n_mfcc)).sum(axis=0) * logs  # (n_mfcc,)
    yield Stage("dct", float(rows.max()) * 2.0 ** (LOG_BITS + TABLE_BITS), 2.0**63)
    yield Stage("coefficients", float(rows.max()) * 2**OUT_BITS, 2**31)
    means = np.abs(np.array(model.mean))
    yield Stage("mean", float(means.max()) * 2**OUT_BITS, 2**31)
    factors = np.abs(feature_factors(model, features))
    yield Stage("scale", float(factors.max()), 2.0**31)
    steps = (rows + means) * 2**OUT_BITS * factors * 2.0 ** factor_bits(factors)
    yield Stage("normalization", float(steps.max()), 2.0**62)


def mel_bits(spec: FeatureSpec) -> int:
    """Return the fractional bits of a mel energy whose powers were not moved down."""
    return 2 * (DATA_BITS - _half_bits(spec)) + WEIGHT_BITS


def rounding(spec: FeatureSpec, widest: float) -> float:
    """Return how far off a coefficient may be, about, for the last bit of the spectrum.

    It tells most in a band that is as quiet as the floor; `widest` is the sum of a band's weights.
    Of random features the error measured is between a tenth and 1.4 times this.
    """
    bit = spec.fft / 2 * 2.0**-DATA_BITS
    relative = bit * math.sqrt(widest / 10.0**spec.log_floor_exponent)
    return (relative + relative**2) * math.sqrt(spec.n_mels)


def energy(spec: FeatureSpec) -> float:
    """Return the most that all powers can add up to, with the spectrum divided by fft / 2."""
    window = hann(spec.window)
    return float(spec.fft * np.square(window).sum()) / (spec.fft / 2) ** 2


def largest_log(spec: FeatureSpec) -> float:
    """Return the largest size of a log mel energy: at the floor, or of a full-scale frame."""
    floor = 10.0**spec.log_floor_exponent
    loudest = float(spec.fft * np.square(hann(spec.window)).sum())
    return max(abs(math.log(floor)), abs(math.log(loudest + floor)))


def feature_factors(model: ModelSpec, features: TensorSpec) -> NDArray[np.float64]:
    """Return what turns a coefficient without its mean into steps of the net's input, (n_mfcc,)."""
    return np.asarray(np.array(model.scale, np.float64) / features.scale)


def factor_bits(factors: NDArray[np.float64]) -> int:
    """Return the fractional bits that leave the largest factor within 31 bits, at most 30."""
    return min(30, 31 - max(1, math.frexp(float(np.abs(factors).max()))[1]))


def _half_bits(spec: FeatureSpec) -> int:
    return (spec.fft // 2).bit_length() - 1
