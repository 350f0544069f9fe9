"""One step of a net in the layout of TFLite: channels last, states in and out, posteriors.

States are (1, 1, frames, channels): to put the past before the present is then one copy, and every
convolution becomes one CONV_2D or DEPTHWISE_CONV_2D without a TRANSPOSE anywhere. Batch norm is
folded into the convolution before it.
"""

from collections.abc import Iterator
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_weights

from edgekws.train.nets import StreamingTcn
from edgekws.train.nets.causal import CausalConv, Pointwise, SlidingPool
from edgekws.train.nets.tcn import SeparableBlock

TIME: Final = 2  # the axis of (1, 1, frames, channels)
CHANNELS: Final = 3


class TfliteStep(nn.Module):
    """Take (1, step_frames, n_features) and states; return posteriors (1, rows, labels) and states.

    A part that needs no past has no state: one whose history is of no frames is left out.
    """

    def __init__(self, net: StreamingTcn) -> None:
        super().__init__()
        self.stem = _Causal(net.stem)
        self.blocks = nn.ModuleList(_Block(block) for block in net.stack())
        self.embed = _folded(net.embed.conv, net.embed.norm, relu=net.embed.relu)
        self.pool = _Pool(net.pool)
        self.head = _ChannelsLast(net.head.weight[:, :, None], net.head.bias, relu=False)
        self.state_shapes = tuple(
            (1, 1, frames, channels) for _, channels, frames in net.state_shapes() if frames
        )

    def forward(self, features: Tensor, *states: Tensor) -> tuple[Tensor, ...]:
        """Run one step; states go in and come out in the same order."""
        past = _Past(states)
        x = self.stem(features[:, None], past)  # (1, 1, frames, channels)
        for block in self.blocks:
            x = block(x, past)
        logits = self.head(self.pool(self.embed(x), past))
        return (torch.softmax(logits[:, 0], dim=-1), *past.after)


class _Past:
    """Hands out states in the order in which layers ask, and collects the new ones."""

    def __init__(self, states: tuple[Tensor, ...]) -> None:
        self._before: Iterator[Tensor] = iter(states)
        self.after: list[Tensor] = []

    def join(self, x: Tensor, frames: int) -> Tensor:
        """Put the last `frames` frames before x, and keep the newest of both."""
        if frames == 0:
            return x
        x = torch.cat((next(self._before), x), dim=TIME)
        self.after.append(x[:, :, x.shape[TIME] - frames :])
        return x


class _ChannelsLast(nn.Module):
    """A convolution over time of (1, 1, frames, channels); `weight` is (out, in, kernel)."""

    def __init__(
        self, weight: Tensor, bias: Tensor, *, relu: bool, stride: int = 1, groups: int = 1
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(weight.detach()[:, :, None].contiguous())
        self.bias = nn.Parameter(bias.detach().clone())
        self.stride, self.groups, self.relu = stride, groups, relu

    def forward(self, x: Tensor) -> Tensor:
        y = nn.functional.conv2d(
            _channels_first(x), self.weight, self.bias, stride=(1, self.stride), groups=self.groups
        )
        y = _channels_last(y)
        return torch.relu(y) if self.relu else y


class _Causal(nn.Module):
    """A convolution that needs its past."""

    def __init__(self, layer: CausalConv) -> None:
        super().__init__()
        self.frames = layer.history
        self.conv = _folded(layer.conv, layer.norm, relu=layer.relu)

    def forward(self, x: Tensor, past: _Past) -> Tensor:
        y: Tensor = self.conv(past.join(x, self.frames))
        return y


class _Block(nn.Module):
    """Depthwise and pointwise convolutions in turn, and the residual path."""

    def __init__(self, block: SeparableBlock) -> None:
        super().__init__()
        self.depthwise = nn.ModuleList(_Causal(layer) for layer, _ in block.layers())
        self.pointwise = nn.ModuleList(_pointwise(layer) for _, layer in block.layers())
        self.residual = block.residual

    def forward(self, x: Tensor, past: _Past) -> Tensor:
        y = x
        for depthwise, pointwise in zip(self.depthwise, self.pointwise, strict=True):
            y = pointwise(depthwise(y, past))
        return torch.relu(y + x if self.residual else y)


class _Pool(nn.Module):
    """Mean and maximum over the last frames, side by side."""

    def __init__(self, pool: SlidingPool) -> None:
        super().__init__()
        self.frames = pool.frames

    def forward(self, x: Tensor, past: _Past) -> Tensor:
        window = (1, self.frames)
        x = _channels_first(past.join(x, self.frames - 1))
        mean = nn.functional.avg_pool2d(x, window, stride=1)
        peak = nn.functional.max_pool2d(x, window, stride=1)
        return torch.cat((_channels_last(mean), _channels_last(peak)), dim=CHANNELS)


def _pointwise(layer: Pointwise) -> _ChannelsLast:
    return _folded(layer.conv, layer.norm, relu=layer.relu)


def _folded(conv: nn.Conv1d, norm: nn.BatchNorm1d, *, relu: bool) -> _ChannelsLast:
    """Return what convolution and batch norm (in eval mode) do together."""
    assert norm.running_mean is not None
    assert norm.running_var is not None
    weight, bias = fuse_conv_bn_weights(
        conv.weight,
        conv.bias,
        norm.running_mean,
        norm.running_var,
        norm.eps,
        norm.weight,
        norm.bias,
    )
    return _ChannelsLast(weight, bias, relu=relu, stride=conv.stride[0], groups=conv.groups)


def _channels_first(x: Tensor) -> Tensor:
    return x.permute(0, 3, 1, 2)


def _channels_last(x: Tensor) -> Tensor:
    return x.permute(0, 2, 3, 1)
