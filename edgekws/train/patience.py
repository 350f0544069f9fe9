"""What an epoch's figures mean for a run: a better net, lower rates, the end of a phase."""

import math
from dataclasses import dataclass

from msgspec.structs import replace

from edgekws.train.checkpoint import Progress
from edgekws.train.evaluate import standard_error
from edgekws.train.recipe_training import PhaseRecipe


@dataclass(slots=True)
class EpochFigures:
    """One line of the training log."""

    epoch: int
    phase: int
    training_loss: float
    validation_loss: float
    validation_accuracy: float
    learning_rate: float
    seconds: float


def continues(held: Progress, own: Progress) -> bool:
    """Return whether a run may go on from a checkpoint.

    The recipe needs to be the same to the byte; where the loss was no number any more, its rates
    may be others.
    """
    if held.labels not in ((), own.labels):
        return False
    if held.recipe_sha256 == own.recipe_sha256:
        return True
    return held.diverged and held.plan_sha256 == own.plan_sha256


def judged(held: Progress, figures: EpochFigures, clips: int) -> tuple[Progress, bool]:
    """Return the progress after an epoch, and whether its net is the best so far."""
    gain = figures.validation_accuracy - held.best_accuracy
    slack = standard_error(held.best_accuracy, clips)  # by chance alone: there the loss decides
    better = gain > slack or (gain >= -slack and figures.validation_loss < held.best_loss)
    after = replace(
        held,
        epochs_done=figures.epoch,
        phase=figures.phase - 1,
        best_epoch=figures.epoch if better else held.best_epoch,
        best_loss=figures.validation_loss if better else held.best_loss,
        best_accuracy=max(figures.validation_accuracy, held.best_accuracy),
    )
    return after, better


def entering(held: Progress, phase: PhaseRecipe, first: int) -> Progress:
    """Return the progress at the start of a later phase, after `first` epochs."""
    fresh = replace(held, rate_drops=0, dropped_at=first)
    if phase.quantization_aware:  # epochs before were not judged as the int8 model hears
        return replace(fresh, best_loss=math.inf, best_accuracy=0.0)
    return fresh


def out_of_patience(held: Progress, patience: int, *, first: int) -> bool:
    """Return whether a phase has gone on for too many epochs without a better one."""
    return patience > 0 and held.epochs_done - max(held.best_epoch, first) >= patience


def dropped(held: Progress, phase: PhaseRecipe, *, first: int) -> Progress:
    """Return the progress with lower rates where `plateau` asks for them."""
    since = held.epochs_done - max(held.best_epoch, held.dropped_at, first)
    if phase.schedule != "plateau" or since < phase.drop_epochs:
        return held
    return replace(held, rate_drops=held.rate_drops + 1, dropped_at=held.epochs_done)
