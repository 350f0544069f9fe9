"""How near scores have to be to the golden ones: the tolerances, and why they are these.

Kernels of a quantized model may round each value up or down, and every layer and state hands that
on; where two labels are near to each other, softmax makes much of it. So single scores stray far,
and whole rows little. The golden scores of TFLite are those of its reference kernels, which are the
same in every runtime. From them, over 60 noises that sound like the golden audio, XNNPACK, LiteRT's
built-in kernels and those of tflite_runtime 2.14 are as far as below on the three shipped nets; so
are the same nets on the golden audio itself with one of their layers spoilt (no bias, taps
reversed, channels off by one; 111 ways) or no state carried on (benchmarks/kernels.py):

                     rounding: median, 95 %, most      spoilt: least, median
    largest score         0.035   0.06    0.11              0.09    0.8
    typical row           0.013   0.02    0.04              0.045   0.5
"""

from typing import Final

import numpy as np

from edgekws.events import Floats
from edgekws.specs import Precision

LARGEST: Final[dict[Precision, float]] = {
    "fp32": 1e-3,  # other kernels move scores by 1e-6; float16, which a board may take, by more
    "fp16": 1e-2,  # weights that one machine widens and another multiplies as they are
    "int8": 0.15,
    "int8-dynamic": 0.15,
    "int16x8": 0.15,
}
"""The most that a single score may be off by."""

TYPICAL_ROW: Final = 0.04
"""The most for rows of a quantized model: the root of the mean of their squared distances. Hardly
any right kernel is over it, and the exporter looks that none of its own is; no net with a layer
spoilt as above is below. With a scale 10 % off in one layer one can be: rounding does as much."""


def score_fault(found: Floats, golden: Floats, *, precision: Precision) -> str | None:
    """Return how scores (rows, n_labels) disagree with the golden ones; None where they agree."""
    if found.shape != golden.shape:
        return f"of shape {found.shape}, golden ones {golden.shape}"
    largest, limit = largest_difference(found, golden), LARGEST[precision]
    if not largest <= limit:  # written so that NaN fails
        return f"differ from golden ones by {largest:.3g} > {limit:g}"
    row = typical_row(found, golden)
    if precision.startswith("int") and row > TYPICAL_ROW:
        return f"differ from golden ones by {row:.3g} > {TYPICAL_ROW:g} in a typical row"
    return None


def largest_difference(found: Floats, golden: Floats) -> float:
    """Return what the worst score, (rows, n_labels), is off by."""
    return float(np.abs(found - golden).max(initial=0.0))


def typical_row(found: Floats, golden: Floats) -> float:
    """Return the root of the mean of the rows' squared distances, (rows, n_labels)."""
    return float(np.sqrt(np.square(found - golden).sum(axis=1).mean())) if len(found) else 0.0
