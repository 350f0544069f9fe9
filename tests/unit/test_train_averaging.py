"""The mean of the weights: none, fading, or plain over a window of steps."""

from typing import Final

import pytest
import torch
from torch import nn

from edgekws.train.averaging import held_share, update_average
from edgekws.train.recipe_training import Average, OptimizerRecipe

NEAR: Final = 1e-6  # float32 sums of ten terms


def averaged(settings: OptimizerRecipe, values: list[float], *, window: int) -> float:
    """Return the mean after one step per value, of which the last `window` are in the window."""
    net, average = nn.Linear(1, 1, bias=False), nn.Linear(1, 1, bias=False)
    for step, value in enumerate(values, 1):
        nn.init.constant_(net.weight, value)
        inside = step - (len(values) - window)
        update_average(average, net, held_share(settings, steps=step, steps_in_window=inside))
    return float(average.weight.detach())


def settings(average: Average, decay: float = 0.998) -> OptimizerRecipe:
    return OptimizerRecipe(average=average, average_decay=decay)


def test_none_is_the_last_weights() -> None:
    assert averaged(settings("none"), [1.0, 5.0, -3.0], window=3) == -3.0


@pytest.mark.parametrize("window", [1, 4, 10])
def test_uniform_is_the_plain_mean_of_the_window(window: int) -> None:
    values = [float(n * n) for n in range(10)]
    mean = sum(values[-window:]) / window
    assert averaged(settings("uniform"), values, window=window) == pytest.approx(mean, rel=NEAR)


def test_ema_forgets_the_first_weights_and_then_fades_at_its_rate() -> None:
    assert held_share(settings("ema"), steps=1, steps_in_window=0) == pytest.approx(2 / 11)
    assert held_share(settings("ema"), steps=10**6, steps_in_window=0) == 0.998
    late = averaged(settings("ema", 0.5), [100.0] * 50 + [1.0, 1.0], window=0)
    assert late == pytest.approx(1.0 + 99.0 / 4, rel=NEAR)


def test_statistics_are_averaged_and_counts_copied() -> None:
    net, average = nn.BatchNorm1d(2), nn.BatchNorm1d(2)
    net.running_mean, net.num_batches_tracked = torch.ones(2), torch.tensor(7)
    update_average(average, net, 0.75)
    assert average.running_mean is not None
    assert average.running_mean.tolist() == [0.25, 0.25]
    assert int(average.num_batches_tracked or 0) == 7
