"""Learning rates: every schedule's shape over a phase, and what it does to an optimizer."""

from itertools import pairwise
from typing import Final

import numpy as np
import pytest

from edgekws.train.optimizers import build_optimizer
from edgekws.train.recipe_training import OptimizerKind, OptimizerRecipe, PhaseRecipe, Schedule
from edgekws.train.schedule import Moment, rate_factor, set_rate
from tests.loops import net

BATCHES: Final = 10
SCHEDULES: Final = ("fixed", "stepped", "cosine", "one-cycle", "plateau")
END: Final = 1e-4  # of a rate that has fallen to nothing


def phase_of(schedule: Schedule, *, epochs: int = 4, warmup: float = 0.25) -> PhaseRecipe:
    return PhaseRecipe(
        epochs=epochs,
        head_rate=0.01,
        backbone_rate=0.001,
        warmup_fraction=warmup,
        schedule=schedule,
        drop_epochs=2,
        drop_factor=0.5,
    )


def factors(phase: PhaseRecipe, *, drops: int = 0) -> list[float]:
    steps = range(phase.epochs * BATCHES)
    return [rate_factor(phase, Moment(step, BATCHES, drops)) for step in steps]


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_rates_warm_up_to_their_peak(schedule: Schedule) -> None:
    found = factors(phase_of(schedule))
    assert all(a < b for a, b in pairwise(found[:BATCHES]))
    assert found[BATCHES - 1] == pytest.approx(1.0)
    assert max(found) == pytest.approx(1.0)
    assert 0.0 < found[0] <= 0.1


def test_by_default_rates_fall_as_a_cosine_to_zero() -> None:
    usual = PhaseRecipe(epochs=4, head_rate=0.01, backbone_rate=0.001, warmup_fraction=0.25)
    found = factors(usual)
    assert found == factors(phase_of("cosine"))
    assert found[25] == pytest.approx(0.5)  # half of what follows the warm-up
    assert 0.0 < found[-1] < 0.01


def test_fixed_rates_stay() -> None:
    assert set(factors(phase_of("fixed"))[BATCHES:]) == {1.0}
    assert set(factors(phase_of("fixed", warmup=0.0))) == {1.0}


def test_stepped_rates_fall_after_so_many_epochs() -> None:
    found = factors(phase_of("stepped", epochs=5, warmup=0.0))
    assert found == [1.0] * 20 + [0.5] * 20 + [0.25] * 10


def test_one_cycle_starts_low_and_ends_lower() -> None:
    found = factors(phase_of("one-cycle"))
    assert found[0] < 0.07  # 1/25 and a first step
    assert all(a > b for a, b in pairwise(found[BATCHES:]))
    assert found[-1] < 0.01
    rise = np.diff(found[:BATCHES])
    assert rise.argmax() not in (0, len(rise) - 1)  # half a cosine, not a line


def test_plateau_rates_fall_as_often_as_nothing_got_better() -> None:
    phase = phase_of("plateau")
    assert set(factors(phase, drops=0)[BATCHES:]) == {1.0}
    assert set(factors(phase, drops=3)[BATCHES:]) == {0.125}


def test_every_group_gets_its_own_rate() -> None:
    phase = phase_of("cosine")
    optimizer = build_optimizer(net(), phase, OptimizerRecipe())
    first = set_rate(optimizer, phase, Moment(BATCHES - 1, BATCHES))
    assert first == pytest.approx(0.01)
    assert sorted({round(g["lr"], 9) for g in optimizer.param_groups}) == [0.001, 0.01]
    assert set_rate(optimizer, phase, Moment(4 * BATCHES - 1, BATCHES)) < END


@pytest.mark.parametrize(
    ("kind", "key"), [("momentum", "momentum"), ("adam", "betas"), ("adamw", "betas")]
)
def test_one_cycle_lets_momentum_fall_while_the_rate_rises(kind: OptimizerKind, key: str) -> None:
    phase = phase_of("one-cycle")
    optimizer = build_optimizer(net(), phase, OptimizerRecipe(kind=kind))
    found = []
    for step in range(4 * BATCHES):
        set_rate(optimizer, phase, Moment(step, BATCHES))
        value = optimizer.param_groups[0][key]
        found.append(value[0] if isinstance(value, tuple) else value)
    assert min(found) == pytest.approx(0.85)
    assert int(np.argmin(found)) == BATCHES - 1
    assert found[-1] == pytest.approx(0.95, abs=1e-3)


@pytest.mark.parametrize("schedule", ["fixed", "stepped", "cosine", "plateau"])
def test_other_schedules_leave_momentum_alone(schedule: Schedule) -> None:
    phase = phase_of(schedule)
    optimizer = build_optimizer(net(), phase, OptimizerRecipe(momentum=0.7))
    set_rate(optimizer, phase, Moment(3, BATCHES))
    assert {group["betas"] for group in optimizer.param_groups} == {(0.7, 0.999)}
