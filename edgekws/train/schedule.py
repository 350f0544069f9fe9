"""What moves the weights, and how fast: the optimizer of a phase, and its rate at every step."""

import math
from collections.abc import Sequence

import torch
from torch import nn

from edgekws.train.nets import StreamingNet
from edgekws.train.recipe import Recipe
from edgekws.train.recipe_training import PhaseRecipe


def build_optimizer(
    net: StreamingNet, phase: PhaseRecipe, recipe: Recipe, *, beside: Sequence[nn.Module] = ()
) -> torch.optim.Optimizer:
    """Return AdamW over the head and, where it is not frozen, the backbone; no decay on vectors.

    Modules `beside` the net learn at the rate of the head.
    """
    groups = []
    for module, rate in (
        *((m, phase.head_rate) for m in (net.head, *beside)),
        *((m, phase.backbone_rate) for m in net.backbone()),
    ):
        for parameter in module.parameters():
            parameter.requires_grad_(rate > 0)
        for matrices in (True, False):
            chosen = [p for p in module.parameters() if (p.ndim > 1) == matrices and rate > 0]
            decay = recipe.optimizer.weight_decay if matrices else 0.0
            if chosen:
                groups.append({"params": chosen, "lr": rate, "peak": rate, "weight_decay": decay})
    return torch.optim.AdamW(groups)


def set_rate(
    optimizer: torch.optim.Optimizer, phase: PhaseRecipe, step: int, batches: int
) -> float:
    """Set every group's rate: linear warm-up, then a cosine to zero; return the first group's."""
    total = phase.epochs * batches
    warm = max(1, int(total * phase.warmup_fraction))
    factor = (
        (step + 1) / warm
        if step < warm
        else 0.5 * (1.0 + math.cos(math.pi * (step - warm) / max(1, total - warm)))
    )
    for group in optimizer.param_groups:
        group["lr"] = group["peak"] * factor
    return float(optimizer.param_groups[0]["lr"])
