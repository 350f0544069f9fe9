"""First weights: of the spread that their kind says; norms and recurrent biases as they were."""

import math
from collections.abc import Callable
from typing import Final

import pytest
import torch
from torch import Tensor, nn

from edgekws.train.initialization import SMALL_BOUND, SMALL_DEVIATION, initialize
from edgekws.train.recipe_training import Initialization

SPREAD: Final = 0.06  # of an estimated deviation: 1 / sqrt(2 n) is 0.016 at the fewest weights
DRAWN: Final = ("random", "uniform", "xavier", "he")


def layers() -> nn.Sequential:
    """Return a plain, a depthwise and a linear layer, a norm and a recurrent layer."""
    torch.manual_seed(1)
    return nn.Sequential(
        nn.Conv1d(40, 64, 5), nn.Conv1d(256, 256, 9, groups=256), nn.Linear(100, 60),
        nn.BatchNorm1d(8), nn.GRU(40, 40),
    )  # fmt: skip


def weights(net: nn.Module) -> dict[str, Tensor]:
    return {name: p.detach() for name, p in net.named_parameters() if p.ndim > 1}


@pytest.mark.parametrize(
    ("kind", "deviation"),
    [
        ("random", lambda _i, _o: SMALL_DEVIATION),
        ("uniform", lambda _i, _o: SMALL_BOUND / math.sqrt(3)),
        ("xavier", lambda i, o: math.sqrt(2 / (i + o))),
        ("he", lambda i, _o: math.sqrt(2 / i)),
    ],
)
def test_weights_have_the_spread_of_their_kind(
    kind: Initialization, deviation: Callable[[int, int], float]
) -> None:
    net = layers()
    initialize(net, kind)
    fans = {"0.weight": (200, 320), "1.weight": (9, 9), "2.weight": (100, 60)}
    for name, (inputs, outputs) in fans.items():
        measured = float(weights(net)[name].std())
        assert measured == pytest.approx(deviation(inputs, outputs), rel=SPREAD), name


@pytest.mark.parametrize("kind", DRAWN)
def test_biases_are_zero_and_norms_and_gates_as_they_were(kind: Initialization) -> None:
    net, before = layers(), layers()
    initialize(net, kind)
    for name, parameter in net.named_parameters():
        old = before.get_parameter(name)
        if parameter.ndim > 1:
            assert not torch.equal(parameter, old), name
        elif name in ("0.bias", "1.bias", "2.bias"):
            assert not parameter.any(), name
        else:
            assert torch.equal(parameter, old), name


def test_by_default_all_stays() -> None:
    net = layers()
    initialize(net, "default")
    pairs = zip(net.parameters(), layers().parameters(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)
