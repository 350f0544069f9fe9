"""Intervals against scipy's."""

import pytest
from scipy import stats

from edgekws.tuning.intervals import highest_mean, per_hour, share

SAME = 1e-9  # both are solved to the last digits of a float64


@pytest.mark.parametrize(("part", "whole"), [(0, 1), (0, 20), (1, 1), (3, 17), (50, 50), (7, 1000)])
def test_a_share_has_wilsons_interval(part: int, whole: int) -> None:
    ends = stats.binomtest(part, whole).proportion_ci(0.95, method="wilson")
    rate = share(part, whole)
    assert rate.value == part / whole
    assert (rate.low, rate.high) == pytest.approx((ends.low, ends.high), abs=SAME)


@pytest.mark.parametrize("count", [1, 2, 7, 40, 1500])
@pytest.mark.parametrize("hours", [0.25, 1.0, 24.0])
def test_a_rate_has_the_exact_interval_of_a_poisson_count(count: int, hours: float) -> None:
    low, high = (
        stats.chi2.ppf(0.025, 2 * count) / 2 / hours,
        stats.chi2.ppf(0.975, 2 * count + 2) / 2 / hours,
    )
    rate = per_hour(count, hours)
    assert rate.value == count / hours
    assert (rate.low, rate.high) == pytest.approx((low, high), rel=SAME)


@pytest.mark.parametrize("hours", [0.1, 3.0])
def test_of_no_event_the_rule_of_three_is_what_can_be_promised(hours: float) -> None:
    rate = per_hour(0, hours)
    assert (rate.value, rate.low) == (0.0, 0.0)
    assert rate.high == pytest.approx(stats.chi2.ppf(0.95, 2) / 2 / hours, rel=SAME)
    assert rate.high * hours == pytest.approx(3.0, abs=0.005)


def test_the_highest_mean_grows_with_the_count() -> None:
    means = [highest_mean(count) for count in range(30)]
    assert means == sorted(set(means))


def test_a_rate_is_told_with_its_interval() -> None:
    assert share(1, 4).text(".0%") == "25% (5% to 70%)"
