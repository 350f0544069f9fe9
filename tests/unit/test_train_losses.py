"""Losses: each is what its formula says, by hand or by torch's own; a teacher takes its share."""

from dataclasses import dataclass
from typing import Final

import msgspec
import pytest
import torch
from torch import Tensor, nn

from edgekws.train.losses import Heard, batch_loss, label_loss, max_pooling, soft_loss
from edgekws.train.recipe_training import LossKind, OptimizerRecipe

SAME: Final = 1e-6  # float32 sums of a few terms in another order
COMMANDS: Final = torch.tensor([False, False, True, True])
BATCH: Final = 6


@pytest.fixture
def logits() -> Tensor:
    """Return logits of (batch, rows, labels)."""
    return 2.0 * torch.randn(BATCH, 3, 4, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def classes() -> Tensor:
    return torch.tensor([0, 1, 2, 3, 2, 0])


def settings(loss: LossKind, *, smoothing: float = 0.0, gamma: float = 2.0) -> OptimizerRecipe:
    return OptimizerRecipe(loss=loss, label_smoothing=smoothing, focal_gamma=gamma)


def of(chosen: OptimizerRecipe, logits: Tensor, classes: Tensor) -> float:
    return float(label_loss(logits, classes, chosen, commands=COMMANDS))


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_cross_entropy_is_the_mean_over_all_rows(
    logits: Tensor, classes: Tensor, smoothing: float
) -> None:
    rows = [
        nn.functional.cross_entropy(logits[:, row], classes, label_smoothing=smoothing)
        for row in range(3)
    ]
    chosen = settings("cross-entropy", smoothing=smoothing)
    assert of(chosen, logits, classes) == pytest.approx(float(torch.stack(rows).mean()), abs=SAME)


def test_squared_error_is_the_distance_to_the_smoothed_target() -> None:
    logits = torch.tensor([[[0.0, 0.0]], [[100.0, 0.0]]])  # scores 0.5 and 0.5, 1 and 0
    classes = torch.tensor([0, 1])
    assert of(settings("squared-error"), logits, classes) == pytest.approx((0.5 + 2.0) / 2)
    smoothed = of(settings("squared-error", smoothing=0.2), logits, classes)  # targets 0.9, 0.1
    assert smoothed == pytest.approx((2 * 0.4**2 + 2 * 0.9**2) / 2)


def test_focal_without_gamma_is_cross_entropy(logits: Tensor, classes: Tensor) -> None:
    expected = of(settings("cross-entropy"), logits, classes)
    assert of(settings("focal", gamma=0.0), logits, classes) == pytest.approx(expected, abs=SAME)


def test_focal_hardly_minds_what_is_right_already() -> None:
    classes, score = torch.tensor([0]), torch.tensor(0.9)
    logits = torch.stack((score, 1 - score)).log()[None, None]  # (1, 1, 2)
    expected = (1 - 0.9) ** 2 * -float(score.log())
    assert of(settings("focal"), logits, classes) == pytest.approx(expected, rel=1e-5)


def test_max_pooling_asks_for_a_command_once_and_refuses_the_rest_always() -> None:
    sure, unsure = [0.0, 0.0, 9.0, 0.0], [9.0, 0.0, 0.0, 0.0]
    logits = torch.tensor([[unsure, sure, unsure]] * 2)  # (2, rows, labels)
    command, silence = torch.tensor([2]), torch.tensor([0])
    heard = max_pooling(logits[:1], command, 0.0, commands=COMMANDS)
    refused = max_pooling(logits[:1], silence, 0.0, commands=COMMANDS)
    assert float(heard) < 0.001
    assert float(refused) == pytest.approx(9.0 / 3, rel=0.01)  # one row of three is all wrong
    both = max_pooling(logits, torch.tensor([2, 0]), 0.0, commands=COMMANDS)
    assert float(both) == pytest.approx(float(heard + refused) / 2)


def test_max_pooling_sends_a_gradient_to_the_best_row_of_a_command_only(logits: Tensor) -> None:
    learned = logits.clone().requires_grad_()
    command = torch.full((BATCH,), 3)
    loss = label_loss(learned, command, settings("max-pooling"), commands=COMMANDS)
    loss.backward()  # type: ignore[no-untyped-call]
    assert learned.grad is not None
    moved = learned.grad.abs().sum(2) > 0  # (batch, rows)
    assert torch.equal(moved.sum(1), torch.ones(BATCH, dtype=torch.int64))
    assert torch.equal(moved.int().argmax(1), logits.softmax(2)[:, :, 3].argmax(1))


@pytest.mark.parametrize("loss", ["cross-entropy", "squared-error", "focal", "max-pooling"])
def test_every_loss_falls_when_it_is_followed(
    logits: Tensor, classes: Tensor, loss: LossKind
) -> None:
    chosen, learned = settings(loss), logits.clone().requires_grad_()
    before = label_loss(learned, classes, chosen, commands=COMMANDS)
    before.backward()  # type: ignore[no-untyped-call]
    assert learned.grad is not None
    after = of(chosen, (learned - 0.1 * learned.grad).detach(), classes)
    assert after < float(before.detach())


def test_the_soft_loss_is_the_divergence_at_that_temperature(logits: Tensor) -> None:
    student, teacher = logits[:, 0], logits[:, 1]
    p, q = (teacher / 3).softmax(1), (student / 3).softmax(1)
    expected = 9 * float((p * (p / q).log()).sum(1).mean())
    assert float(soft_loss(student, teacher, 3.0)) == pytest.approx(expected, rel=1e-5)
    assert float(soft_loss(teacher, teacher, 3.0)) == pytest.approx(0.0, abs=SAME)


@dataclass(frozen=True, slots=True)
class SaysTwo:
    """A teacher for whom every batch costs 2."""

    weight: float

    def loss(self, heard: Heard) -> Tensor:
        return torch.tensor(2.0)


@pytest.mark.parametrize("weight", [0.0, 0.25, 1.0])
def test_a_teacher_takes_its_share_of_the_loss(
    logits: Tensor, classes: Tensor, weight: float
) -> None:
    heard, chosen = heard_of(logits, classes), settings("cross-entropy")
    alone = float(batch_loss(heard, chosen, COMMANDS, teacher=None, foretellings=()))
    teacher = SaysTwo(weight)
    taught = float(batch_loss(heard, chosen, COMMANDS, teacher=teacher, foretellings=()))
    assert alone == pytest.approx(of(chosen, logits, classes))
    assert taught == pytest.approx((1 - weight) * alone + weight * 2.0)


def test_what_every_foretelling_costs_comes_on_top(logits: Tensor, classes: Tensor) -> None:
    heard, chosen = heard_of(logits, classes), settings("cross-entropy")

    def foretelling(embeddings: Tensor, clips: Tensor) -> Tensor:
        return embeddings.sum() + clips.sum()

    def once(embeddings: Tensor, clips: Tensor) -> Tensor:
        return torch.tensor(1.0)

    both = batch_loss(
        heard, chosen, COMMANDS, teacher=SaysTwo(0.5), foretellings=(foretelling, once)
    )
    alone = of(chosen, logits, classes)
    assert float(both) == pytest.approx(0.5 * alone + 1.0 + BATCH * 3 * 2 + BATCH * 4 + 1.0)


def heard_of(logits: Tensor, classes: Tensor) -> Heard:
    """Return a batch of those logits, with embeddings of ones and all of clip 4."""
    clips = torch.full((BATCH,), 4)
    return Heard(torch.zeros(BATCH, 9, 40), classes, clips, torch.ones(BATCH, 3, 2), logits)


def test_the_usual_loss_is_smoothed_cross_entropy() -> None:
    usual = OptimizerRecipe()
    same = msgspec.structs.replace(usual, loss="cross-entropy", label_smoothing=0.05)
    assert usual == same
