"""The first weights of a net that is trained from scratch."""

import math
from typing import Final

import torch
from torch import Tensor, nn

from edgekws.train.recipe_training import Initialization

SMALL_DEVIATION: Final = 0.02
SMALL_BOUND: Final = 0.05


@torch.no_grad()
def initialize(net: nn.Module, kind: Initialization) -> None:
    """Draw every weight with two or more axes anew, and set biases of such layers to zero.

    Norms keep their ones and zeros, recurrent layers their biases. `default` leaves all as the
    layers made them: uniform within 1 / sqrt(fan in).
    """
    if kind == "default":
        return
    for module in net.modules():
        groups = int(getattr(module, "groups", 1))
        for parameter in module.parameters(recurse=False):
            if parameter.ndim > 1:
                _draw(parameter, kind, groups)
        if isinstance(module, nn.Conv1d | nn.Conv2d | nn.Linear) and module.bias is not None:
            module.bias.zero_()


def _draw(weight: Tensor, kind: Initialization, groups: int) -> None:
    inputs, outputs = fans(weight, groups)
    match kind:
        case "random":
            weight.normal_(0.0, SMALL_DEVIATION)
        case "uniform":
            weight.uniform_(-SMALL_BOUND, SMALL_BOUND)
        case "xavier":  # Glorot and Bengio 2010
            weight.normal_(0.0, math.sqrt(2.0 / (inputs + outputs)))
        case "he":  # He et al. 2015
            weight.normal_(0.0, math.sqrt(2.0 / inputs))


def fans(weight: Tensor, groups: int) -> tuple[int, int]:
    """Return how many inputs an output of (out, in / groups, ...) weights has, and vice versa."""
    taps = weight[0, 0].numel()
    return weight.shape[1] * taps, weight.shape[0] // groups * taps
