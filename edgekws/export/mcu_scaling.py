"""Real factors as TFLite's reference kernels have them: an int32 and a power of two."""

import math
from typing import Final, NamedTuple

ONE: Final = 1 << 31


class Scaling(NamedTuple):
    """A factor of multiplier * 2 ** (shift - 31)."""

    multiplier: int
    shift: int


def scaling(factor: float) -> Scaling:
    """Return the nearest factor that there is; one too small for a shift is 0."""
    fraction, shift = math.frexp(factor)
    multiplier = math.floor(fraction * ONE + 0.5)
    if multiplier == ONE:
        multiplier, shift = multiplier // 2, shift + 1
    if shift < -31:
        return Scaling(0, 0)
    return Scaling(multiplier, shift)
