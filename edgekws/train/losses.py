"""What a batch costs: the loss of its labels, and of what a teacher hears in it.

`batch_loss` puts it together. A teacher is whatever gives a loss for what was heard, and its share.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, assert_never

from torch import Tensor, nn

from edgekws.train.recipe_training import OptimizerRecipe


@dataclass(frozen=True, slots=True)
class Heard:
    """A batch and what the net makes of it."""

    cepstra: Tensor  # (batch, frames, n_mfcc) for a teacher, not yet normalized
    classes: Tensor  # (batch,)
    clips: Tensor  # (batch,) places in the training clips, -1 for noise alone
    embeddings: Tensor  # (batch, rows, width) float32
    logits: Tensor  # (batch, rows, labels) float32


Foretelling = Callable[[Tensor, Tensor], Tensor]  # of embeddings and clips, to a scalar cost


class Teacher(Protocol):
    """Something else to learn from than the labels."""

    @property
    def weight(self) -> float:
        """Return its share of the whole loss."""

    def loss(self, heard: Heard) -> Tensor:
        """Return how far the net is from it, a scalar."""


def batch_loss(
    heard: Heard,
    settings: OptimizerRecipe,
    commands: Tensor,
    *,
    teacher: Teacher | None,
    foretellings: Sequence[Foretelling],
) -> Tensor:
    """Return the loss of a batch; `commands` says of every label whether it is a command.

    A teacher takes its share of it; what foretelling from the embeddings costs comes on top.
    """
    loss = label_loss(heard.logits, heard.classes, settings, commands=commands)
    if teacher is not None:
        loss = (1.0 - teacher.weight) * loss + teacher.weight * teacher.loss(heard)
    for foretelling in foretellings:
        loss = loss + foretelling(heard.embeddings, heard.clips)
    return loss


def label_loss(
    logits: Tensor, classes: Tensor, settings: OptimizerRecipe, *, commands: Tensor
) -> Tensor:
    """Return the mean loss over (batch, rows, labels), by the kind that the recipe chooses."""
    smoothing = settings.label_smoothing
    match settings.loss:
        case "cross-entropy":
            return row_entropies(logits, classes, smoothing).mean()
        case "squared-error":
            return squared_error(logits, classes, smoothing)
        case "focal":
            return focal(logits, classes, smoothing, gamma=settings.focal_gamma)
        case "max-pooling":
            return max_pooling(logits, classes, smoothing, commands=commands)
        case _:
            assert_never(settings.loss)


def row_entropies(logits: Tensor, classes: Tensor, smoothing: float) -> Tensor:
    """Return the cross-entropy of every row, (batch, rows)."""
    rows = classes.repeat_interleave(logits.shape[1])
    losses = nn.functional.cross_entropy(
        logits.flatten(0, 1), rows, reduction="none", label_smoothing=smoothing
    )
    return losses.reshape(logits.shape[:2])


def squared_error(logits: Tensor, classes: Tensor, smoothing: float) -> Tensor:
    """Return the mean over rows of the squared distance between scores and targets (Brier)."""
    labels = logits.shape[2]
    targets = nn.functional.one_hot(classes, labels) * (1.0 - smoothing) + smoothing / labels
    errors = logits.softmax(2) - targets[:, None]
    return errors.square().sum(2).mean()


def focal(logits: Tensor, classes: Tensor, smoothing: float, *, gamma: float) -> Tensor:
    """Return cross-entropy that minds what is right already less (Lin et al. 2017)."""
    missing = 1.0 - target_scores(logits, classes)
    return (missing**gamma * row_entropies(logits, classes, smoothing)).mean()


def max_pooling(logits: Tensor, classes: Tensor, smoothing: float, *, commands: Tensor) -> Tensor:
    """Return cross-entropy that asks for a command in its best row only (Sun et al. 2016).

    Speech and noise that are no command are to be refused in every row.
    """
    losses = row_entropies(logits, classes, smoothing)
    best = target_scores(logits, classes).argmax(1, keepdim=True)
    return losses.gather(1, best)[:, 0].where(commands[classes], losses.mean(1)).mean()


def target_scores(logits: Tensor, classes: Tensor) -> Tensor:
    """Return the score of the true label in every row, (batch, rows)."""
    index = classes[:, None, None].expand(-1, logits.shape[1], 1)
    return logits.softmax(2).gather(2, index)[:, :, 0]


def soft_loss(logits: Tensor, taught: Tensor, temperature: float) -> Tensor:
    """Return the divergence of (batch, labels) logits from a teacher's (Hinton et al. 2015).

    The square of the temperature keeps the gradients as large as those of the labels.
    """
    student = (logits / temperature).log_softmax(1)
    target = (taught / temperature).log_softmax(1)
    return temperature**2 * nn.functional.kl_div(
        student, target, reduction="batchmean", log_target=True
    )
