"""The layers that nets share in the layout of TFLite: (1, bands, frames, channels), or one band.

To put the past before the present is then one copy, and every convolution becomes one CONV_2D or
DEPTHWISE_CONV_2D without a TRANSPOSE anywhere.
"""

from collections.abc import Iterator
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_weights

from edgekws.train.nets.causal import CausalConv, Pointwise, SlidingPool

TIME: Final = 2  # the axis of (1, bands, frames, channels)
CHANNELS: Final = 3


class Past:
    """Hands out states in the order in which layers ask, and collects the new ones."""

    def __init__(self, states: tuple[Tensor, ...]) -> None:
        self._before: Iterator[Tensor] = iter(states)
        self.after: list[Tensor] = []

    def take(self) -> Tensor:
        """Hand out the next state."""
        return next(self._before)

    def join(self, x: Tensor, frames: int) -> Tensor:
        """Put the last `frames` frames before x, and keep the newest of both."""
        if frames == 0:
            return x
        x = torch.cat((self.take(), x), dim=TIME)
        self.after.append(x[:, :, x.shape[TIME] - frames :])
        return x


class ChannelsLast(nn.Module):
    """A convolution of (1, bands, frames, channels) like another one, with weights of its own."""

    def __init__(
        self, like: nn.Conv1d | nn.Conv2d, weight: Tensor, bias: Tensor | None, *, relu: bool
    ) -> None:
        super().__init__()
        kept = weight if weight.ndim == 4 else weight[:, :, None]  # (out, in, bands, frames)
        self.weight = nn.Parameter(kept.detach().contiguous())
        self.bias = None if bias is None else nn.Parameter(bias.detach().clone())
        self.stride, self.padding, self.dilation = (
            _both_axes(*sizes, neutral=neutral)
            for sizes, neutral in ((like.stride, 1), (like.padding, 0), (like.dilation, 1))
        )
        self.groups, self.relu = like.groups, relu

    def forward(self, x: Tensor) -> Tensor:
        """Take and give (1, bands, frames, channels)."""
        y = nn.functional.conv2d(
            channels_first(x),
            self.weight,
            self.bias,
            self.stride,
            self.padding,
            self.dilation,
            self.groups,
        )
        y = channels_last(y)
        return torch.relu(y) if self.relu else y


class Causal(nn.Module):
    """A convolution that needs its past."""

    def __init__(self, layer: CausalConv) -> None:
        super().__init__()
        self.frames = layer.history
        self.conv = folded(layer.conv, layer.norm, relu=layer.relu)

    def forward(self, x: Tensor, past: Past) -> Tensor:
        """Take the new frames; the ones before them come from the past."""
        y: Tensor = self.conv(past.join(x, self.frames))
        return y


class Pool(nn.Module):
    """Mean and maximum over the last frames, side by side."""

    def __init__(self, pool: SlidingPool) -> None:
        super().__init__()
        self.frames = pool.frames

    def forward(self, x: Tensor, past: Past) -> Tensor:
        """Take the new frames; return twice as many channels for each."""
        window = (1, self.frames)
        x = channels_first(past.join(x, self.frames - 1))
        mean = nn.functional.avg_pool2d(x, window, stride=1)
        peak = nn.functional.max_pool2d(x, window, stride=1)
        return torch.cat((channels_last(mean), channels_last(peak)), dim=CHANNELS)


def pointwise(layer: Pointwise) -> ChannelsLast:
    """Return a 1x1 convolution with its norm."""
    return folded(layer.conv, layer.norm, relu=layer.relu)


def last_layer(linear: nn.Linear) -> ChannelsLast:
    """Return a linear layer over the channels of each frame."""
    like = nn.Conv1d(linear.in_features, linear.out_features, 1)
    return ChannelsLast(like, linear.weight[:, :, None], linear.bias, relu=False)


def folded(
    conv: nn.Conv1d | nn.Conv2d, norm: nn.BatchNorm1d | nn.BatchNorm2d, *, relu: bool
) -> ChannelsLast:
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
    return ChannelsLast(conv, weight, bias, relu=relu)


def channels_first(x: Tensor) -> Tensor:
    """Turn (1, bands, frames, channels) to where torch takes the channels."""
    return x.permute(0, 3, 1, 2)


def channels_last(x: Tensor) -> Tensor:
    """Turn torch's order back."""
    return x.permute(0, 2, 3, 1)


def _both_axes(*sizes: int | str, neutral: int) -> tuple[int, int]:
    """Return sizes over bands and frames; a convolution of one axis has frames alone."""
    bands, frames = sizes if len(sizes) == 2 else (neutral, *sizes)
    return int(bands), int(frames)
