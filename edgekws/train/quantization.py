"""Training as the int8 model will see it: weights and activations rounded, gradients straight on.

The weights are rounded in place for one forward and backward pass and put back before the optimizer
moves them: the straight-through estimator (Bengio et al. 2013) without a second set of parameters,
so that checkpoints and averages stay what they are. Batch norm needs no folding here: a scale per
output channel divides out of weights that are rounded per output channel. In a recurrent layer
the weights are rounded and what it gives out, as exported cells compute in float; the inverse DCT
of BC-ResNet, which is no parameter, keeps its weights and gives out rounded bands.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

import torch
from torch import Tensor, nn

from edgekws.train.nets.broadcast import BandsOfCepstra

WEIGHT_LEVELS: Final = 63  # to either side of zero: the seven bits of `export.quantize`
ACTIVATION_LEVELS: Final = 255
ROUNDED: Final = (nn.Conv1d, nn.Conv2d, nn.Linear, nn.GRU, nn.LSTM)
OUTPUTS: Final = (*ROUNDED, nn.BatchNorm1d, nn.BatchNorm2d, nn.SiLU, BandsOfCepstra)


@contextmanager
def rounded(net: nn.Module) -> Iterator[None]:
    """Let a net compute as its int8 form does, for a forward and a backward pass.

    Every convolution, linear and recurrent layer has weights of seven bits per output channel, and
    gives outputs on 255 steps over the range of the batch. On the way out the weights are what they
    were.
    """
    weights = [
        parameter
        for module in net.modules()
        if isinstance(module, ROUNDED)
        for name, parameter in module.named_parameters(recurse=False)
        if name.startswith("weight")
    ]
    kept = [weight.detach().clone() for weight in weights]
    hooks = [
        module.register_forward_hook(_round_output)
        for module in net.modules()
        if isinstance(module, OUTPUTS)
    ]
    try:
        _set(weights, [round_weight(weight.detach()) for weight in weights])
        yield
    finally:
        _set(weights, kept)
        for hook in hooks:
            hook.remove()


def round_weight(weight: Tensor) -> Tensor:
    """Return weights (out, ...) on steps of a scale per output channel."""
    largest = weight.flatten(1).abs().amax(dim=1).clamp(min=1e-12)
    scale = (largest / WEIGHT_LEVELS).reshape(-1, *[1] * (weight.ndim - 1))
    return (weight / scale).round() * scale


def round_activation(x: Tensor) -> Tensor:
    """Return activations on 255 steps from their lowest to their highest value, zero among them."""
    low, high = x.detach().min().clamp(max=0.0), x.detach().max().clamp(min=0.0)
    scale = (high - low).clamp(min=1e-12) / ACTIVATION_LEVELS
    zero = (low / scale).round()
    steps = (x.detach() / scale).round().clamp(zero, zero + ACTIVATION_LEVELS)
    return x + (steps * scale - x).detach()


def _round_output(
    _module: nn.Module, _inputs: Any, output: Tensor | tuple[Tensor, Any]
) -> Tensor | tuple[Tensor, Any]:
    if isinstance(output, Tensor):
        return round_activation(output)
    rows, states = output  # of a recurrent layer
    return round_activation(rows), states


@torch.no_grad()
def _set(weights: Sequence[Tensor], values: Sequence[Tensor]) -> None:
    for weight, value in zip(weights, values, strict=True):
        weight.copy_(value)
