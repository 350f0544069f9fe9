"""Scores agree with golden ones: how far a single one, and how far a typical row, may be off."""

import numpy as np
import pytest

from edgekws.events import Floats
from edgekws.runtime.agreement import LARGEST, TYPICAL_ROW, score_fault
from edgekws.specs import Precision

ROWS, LABELS = 70, 12


def scores() -> Floats:
    return np.random.default_rng(1).dirichlet(np.full(LABELS, 0.3), ROWS).astype(np.float32)


def moved(by: float, *, rows: int) -> Floats:
    """Return scores of which so many rows are off, by so much in two labels each."""
    found = scores()
    found[:rows, :2] += np.array([by, -by], np.float32)
    return found


@pytest.mark.parametrize("precision", LARGEST)
def test_equal_scores_agree(precision: Precision) -> None:
    assert score_fault(scores(), scores(), precision=precision) is None


@pytest.mark.parametrize("precision", LARGEST)
def test_one_row_may_be_off_by_the_largest_difference_and_no_more(precision: Precision) -> None:
    limit = LARGEST[precision]
    assert score_fault(moved(0.9 * limit, rows=1), scores(), precision=precision) is None
    fault = score_fault(moved(1.1 * limit, rows=1), scores(), precision=precision)
    assert fault == f"differ from golden ones by {1.1 * limit:.3g} > {limit:g}"


@pytest.mark.parametrize("precision", ["int8", "int8-dynamic", "int16x8"])
def test_all_rows_of_a_quantized_model_may_be_off_by_less(precision: Precision) -> None:
    near, far = (moved(part * TYPICAL_ROW / 2**0.5, rows=ROWS) for part in (0.9, 1.1))
    assert score_fault(near, scores(), precision=precision) is None
    fault = score_fault(far, scores(), precision=precision)
    assert fault == "differ from golden ones by 0.044 > 0.04 in a typical row"


@pytest.mark.parametrize("precision", LARGEST)
def test_what_is_no_number_or_of_another_shape_disagrees(precision: Precision) -> None:
    broken = scores()
    broken[3, 4] = np.nan
    fault = score_fault(broken, scores(), precision=precision)
    assert fault == f"differ from golden ones by nan > {LARGEST[precision]:g}"
    assert score_fault(scores()[1:], scores(), precision=precision) == (
        "of shape (69, 12), golden ones (70, 12)"
    )
