"""Gradients held to a limit by each measure, and the measure itself."""

import math
from typing import Final

import pytest
import torch
from torch import Tensor, nn

from edgekws.train.clipping import clip_gradients
from edgekws.train.recipe_training import Clipping

GRADIENTS: Final = ([3.0, -4.0], [0.0, 12.0])  # largest 12, L1 19, L2 13
NEAR: Final = 1e-5  # torch divides by the norm and a millionth


def parameters(gradients: tuple[list[float], ...] = GRADIENTS) -> list[nn.Parameter]:
    made = [nn.Parameter(torch.zeros(len(values))) for values in gradients]
    for parameter, values in zip(made, gradients, strict=True):
        parameter.grad = torch.tensor(values)
    return [*made, nn.Parameter(torch.zeros(3))]  # the last one is frozen


def gradient(clipped: list[nn.Parameter]) -> Tensor:
    return torch.cat([p.grad for p in clipped if p.grad is not None])


@pytest.mark.parametrize(
    ("kind", "size"), [("none", 12.0), ("value", 12.0), ("l1", 19.0), ("l2", 13.0)]
)
def test_the_size_is_that_from_before_the_clipping(kind: Clipping, size: float) -> None:
    assert clip_gradients(parameters(), kind, 1.0) == pytest.approx(size)


@pytest.mark.parametrize(("kind", "order"), [("l1", 1.0), ("l2", 2.0)])
def test_a_norm_shrinks_all_alike_to_the_limit(kind: Clipping, order: float) -> None:
    clipped = parameters()
    clip_gradients(clipped, kind, 2.0)
    after, before = gradient(clipped), torch.tensor([*GRADIENTS[0], *GRADIENTS[1]])
    assert float(after.norm(order)) == pytest.approx(2.0, rel=NEAR)
    assert torch.allclose(after / after[3] * before[3], before, atol=NEAR)


def test_by_value_each_one_is_cut_alone() -> None:
    clipped = parameters()
    clip_gradients(clipped, "value", 3.5)
    assert gradient(clipped).tolist() == [3.0, -3.5, 0.0, 3.5]


@pytest.mark.parametrize("kind", ["none", "value", "l1", "l2"])
def test_gradients_within_the_limit_stay(kind: Clipping) -> None:
    clipped = parameters()
    clip_gradients(clipped, kind, 1.0 if kind == "none" else 20.0)
    assert gradient(clipped).tolist() == [*GRADIENTS[0], *GRADIENTS[1]]


@pytest.mark.parametrize("kind", ["none", "value", "l1", "l2"])
@pytest.mark.parametrize("fault", [math.nan, math.inf])
def test_a_gradient_that_is_no_number_is_seen(kind: Clipping, fault: float) -> None:
    assert not math.isfinite(clip_gradients(parameters(([fault, 1.0], [1.0])), kind, 1.0))
