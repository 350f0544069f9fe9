"""How fast the weights move: the learning rate at every step of a phase."""

import math
from dataclasses import dataclass
from typing import Final

import torch

from edgekws.train.recipe_training import PhaseRecipe

CYCLE_START: Final = 1 / 25  # of the peak; Smith and Topin 2017
CYCLE_END: Final = CYCLE_START * 1e-4
CYCLE_MOMENTUM: Final = (0.95, 0.85)  # at no rate, and at the peak


@dataclass(frozen=True, slots=True)
class Moment:
    """A step of a phase: how many came before it, how many an epoch has, how often rates fell."""

    step: int
    batches: int
    drops: int = 0


def set_rate(optimizer: torch.optim.Optimizer, phase: PhaseRecipe, moment: Moment) -> float:
    """Set every group's rate for a step; return the first group's."""
    factor = rate_factor(phase, moment)
    for group in optimizer.param_groups:
        group["lr"] = group["peak"] * factor
        if phase.schedule == "one-cycle":
            _set_momentum(group, factor)
    return float(optimizer.param_groups[0]["lr"])


def rate_factor(phase: PhaseRecipe, moment: Moment) -> float:
    """Return the rate of a step in parts of the peak: first the warm-up, then the schedule."""
    total = phase.epochs * moment.batches
    warm = max(1, int(total * phase.warmup_fraction))
    if moment.step < warm:
        rise = (moment.step + 1) / warm
        return _between(CYCLE_START, 1.0, rise) if phase.schedule == "one-cycle" else rise
    done = (moment.step - warm) / max(1, total - warm)
    match phase.schedule:
        case "fixed":
            return 1.0
        case "stepped":
            return phase.drop_factor ** (moment.step // moment.batches // phase.drop_epochs)
        case "cosine":
            return _between(1.0, 0.0, done)
        case "one-cycle":
            return _between(1.0, CYCLE_END, done)
        case "plateau":
            return phase.drop_factor**moment.drops


def _between(start: float, end: float, done: float) -> float:
    """Return where half a cosine from start to end is."""
    return end + (start - end) * 0.5 * (1.0 + math.cos(math.pi * done))


def _set_momentum(group: dict[str, object], factor: float) -> None:
    """Let the momentum fall while the rate rises, and rise while it falls."""
    slow, fast = CYCLE_MOMENTUM
    momentum = slow + (fast - slow) * factor
    if group.get("momentum"):
        group["momentum"] = momentum
    if isinstance(group.get("betas"), tuple):
        group["betas"] = (momentum, group["betas"][1])  # type: ignore[index]
