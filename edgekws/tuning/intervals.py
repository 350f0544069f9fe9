"""What a count can promise: 95 % intervals of a share and of a rate per hour."""

import math
from typing import Final

from edgekws.specs import Spec

TAIL: Final = 0.025  # on each side of a 95 % interval
Z: Final = 1.959963984540054  # normal quantile of 1 - TAIL
BISECTIONS: Final = 200  # halves of the bracket until no float lies between its ends


class Rate(Spec, frozen=True):
    """A measured share or rate, and the ends of its 95 % interval."""

    value: float
    low: float
    high: float

    def text(self, form: str) -> str:
        """Return "value (low to high)", each number in a format such as ".2f" or ".1%"."""
        return f"{self.value:{form}} ({self.low:{form}} to {self.high:{form}})"


def share(part: int, whole: int) -> Rate:
    """Return part / whole with Wilson's score interval (E. B. Wilson 1927); `whole` is not 0."""
    p = part / whole
    scale = 1 + Z**2 / whole
    middle = (p + Z**2 / (2 * whole)) / scale
    reach = Z / scale * math.sqrt(p * (1 - p) / whole + Z**2 / (4 * whole**2))
    low = 0.0 if part == 0 else middle - reach
    return Rate(value=p, low=low, high=1.0 if part == whole else middle + reach)


def per_hour(count: int, hours: float) -> Rate:
    """Return count / hours with the exact interval of a Poisson count (F. Garwood 1936).

    Of zero events only the upper end is in doubt, so that the whole 5 % lie there: 3.0 / hours.
    """
    low = _mean_where(count - 1, 1 - TAIL) if count else 0.0
    return Rate(value=count / hours, low=low / hours, high=highest_mean(count) / hours)


def highest_mean(count: int) -> float:
    """Return the upper end of the 95 % interval of the mean behind a Poisson count."""
    return _mean_where(count, TAIL if count else 2 * TAIL)


def _mean_where(count: int, probability: float) -> float:
    """Return the mean at which a Poisson variable is at most `count` with this probability."""
    low, high = 0.0, count + 10 * math.sqrt(count + 1) + 10
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        if _at_most(count, middle) > probability:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def _at_most(count: int, mean: float) -> float:
    """Return the probability that a Poisson variable of this mean is at most `count`."""
    if mean == 0:
        return 1.0
    log = math.log(mean)
    return math.fsum(math.exp(i * log - mean - math.lgamma(i + 1)) for i in range(count + 1))
