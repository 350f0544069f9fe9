"""What moves the weights: the optimizer of a phase, and which layers it moves."""

from collections.abc import Sequence
from typing import Any, assert_never

import torch
from torch import nn

from edgekws.train.nets import StreamingNet
from edgekws.train.recipe_training import OptimizerRecipe, PhaseRecipe


def build_optimizer(
    net: StreamingNet,
    phase: PhaseRecipe,
    settings: OptimizerRecipe,
    *,
    beside: Sequence[nn.Module] = (),
) -> torch.optim.Optimizer:
    """Return the optimizer of the head and, where it is not frozen, the backbone.

    Modules `beside` the net learn at the rate of the head.
    """
    groups = parameter_groups(net, phase, settings, beside=beside)
    betas = (settings.momentum, 0.999)
    match settings.kind:
        case "sgd":
            return torch.optim.SGD(groups)
        case "momentum":
            return torch.optim.SGD(groups, momentum=settings.momentum)
        case "adam":
            return torch.optim.Adam(groups, betas=betas)
        case "adamw":
            return torch.optim.AdamW(groups, betas=betas)
        case _:
            assert_never(settings.kind)


def parameter_groups(
    net: StreamingNet,
    phase: PhaseRecipe,
    settings: OptimizerRecipe,
    *,
    beside: Sequence[nn.Module] = (),
) -> list[dict[str, Any]]:
    """Return the parameters by rate and decay: lower layers may be slower, vectors never decay."""
    layers = backbone_layers(net) if phase.layer_decay < 1 else net.backbone()
    above = range(len(layers) - 1, -1, -1)
    rates = [phase.backbone_rate * phase.layer_decay**count for count in above]
    groups = []
    upper = [(module, phase.head_rate) for module in (*net.upper(), *beside)]
    for module, rate in (*upper, *zip(layers, rates, strict=True)):
        for matrices in (True, False):
            chosen = [p for p in module.parameters() if (p.ndim > 1) == matrices and rate > 0]
            decay = settings.weight_decay if matrices else 0.0
            if chosen:
                groups.append({"params": chosen, "lr": rate, "peak": rate, "weight_decay": decay})
    return groups


def training_mode(net: StreamingNet, phase: PhaseRecipe, *, done: float = 1.0) -> None:
    """Switch to training what learns when a share of the phase is done.

    A frozen layer gets no gradients and keeps its batch statistics.
    """
    net.train()
    for module in net.upper():
        module.requires_grad_(phase.head_rate > 0)
    for module in net.backbone():
        module.requires_grad_(False).eval()
    layers = backbone_layers(net)
    frozen = len(layers) - learning_layers(phase, len(layers), done=done)
    for layer in layers[frozen:]:
        layer.requires_grad_(True).train()


def learning_layers(phase: PhaseRecipe, count: int, *, done: float) -> int:
    """Return how many of so many layers learn, counted from the head down."""
    if phase.backbone_rate == 0:
        return 0
    if done >= phase.unfreeze_fraction:
        return count
    return int(count * done / phase.unfreeze_fraction)


def backbone_layers(net: StreamingNet) -> list[nn.Module]:
    """Return the layers below the head, first one first: lists of layers one by one."""
    return [layer for module in net.backbone() for layer in _layers(module)]


def _layers(module: nn.Module) -> list[nn.Module]:
    if isinstance(module, nn.ModuleList | nn.Sequential):
        return [layer for child in module for layer in _layers(child)]
    return [module]
