"""Gradients held to a limit, by one of three measures of their size."""

from collections.abc import Iterable
from typing import Final

import torch
from torch import nn

from edgekws.train.recipe_training import Clipping

ORDER: Final[dict[Clipping, float]] = {"l1": 1.0, "l2": 2.0}


def clip_gradients(parameters: Iterable[nn.Parameter], kind: Clipping, limit: float) -> float:
    """Hold the gradients to a limit; return their size before that, which may be no number.

    `l1` and `l2` shrink all of them alike until their norm is the limit; `value` cuts each one
    alone, and like `none` measures the largest.
    """
    held = [parameter for parameter in parameters if parameter.grad is not None]
    size = nn.utils.get_total_norm(
        [parameter.grad for parameter in held if parameter.grad is not None],
        ORDER.get(kind, torch.inf),
    )
    if kind in ORDER:
        nn.utils.clip_grads_with_norm_(held, limit, size)
    elif kind == "value":
        nn.utils.clip_grad_value_(held, limit)
    return float(size)
