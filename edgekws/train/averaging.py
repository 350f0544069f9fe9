"""The mean of the weights on the way, which is what gets validated and kept."""

import torch
from torch import nn

from edgekws.train.recipe_training import OptimizerRecipe


def held_share(settings: OptimizerRecipe, *, steps: int, steps_in_window: int) -> float:
    """Return how much of the mean stays at a step, 0 to 1.

    `steps` counts all steps of the run with this one, `steps_in_window` those since the last
    `average_epochs` of the phase began (below 1 before that).
    """
    match settings.average:
        case "none":
            return 0.0
        case "ema":  # the first weights are soon forgotten
            return min(settings.average_decay, (1 + steps) / (10 + steps))
        case "uniform":  # the mean over the window: Izmailov et al. 2018, at every step
            return 1.0 - 1.0 / max(1, steps_in_window)


@torch.no_grad()
def update_average(average: nn.Module, net: nn.Module, decay: float) -> None:
    """Move the averaged weights and statistics a little towards the trained ones."""
    new = net.state_dict()
    for name, held in average.state_dict().items():
        if held.is_floating_point():
            held.lerp_(new[name], 1.0 - decay)
        else:
            held.copy_(new[name])
