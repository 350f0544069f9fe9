"""One step of BC-ResNet in the layout of TFLite: images (1, bands, frames, channels), and lines.

The norm of bands is one factor and one term for each channel and band.
"""

import torch
from torch import Tensor, nn

from edgekws.export.tflite_causal import (
    Causal,
    ChannelsLast,
    Past,
    Pool,
    channels_first,
    channels_last,
    folded,
    last_layer,
    pointwise,
)
from edgekws.train.nets import BcResNet
from edgekws.train.nets.broadcast import BroadcastBlock


class TfliteBcResNet(nn.Module):
    """Take (1, step_frames, n_features) and states; return posteriors (1, rows, labels) and states.

    A state lies as what it comes before: (1, bands, frames, channels), with one band for a line.
    """

    def __init__(self, net: BcResNet) -> None:
        super().__init__()
        self.bands = _linear(net.bands.weight(), net.bands.offset)
        self.stem_frames, self.gather_frames = net.stem.history, net.gather.history
        self.stem = folded(net.stem.conv, net.stem_norm, relu=True)
        self.blocks = nn.ModuleList(_Block(block) for block in net.stack())
        self.gather = ChannelsLast(net.gather.conv, net.gather.conv.weight, None, relu=False)
        self.embed = pointwise(net.embed)
        self.step = (1, net.config.step_frames)
        self.pool = Pool(net.pool)
        self.head = last_layer(net.head)
        self.state_shapes = tuple(map(_channels_last_shape, net.state_shapes()))

    def forward(self, features: Tensor, *states: Tensor) -> tuple[Tensor, ...]:
        """Run one step; states go in and come out in the same order."""
        past = Past(states)
        x = self.bands(features).transpose(1, 2)[..., None]  # (1, bands, frames, 1)
        x = self.stem(past.join(x, self.stem_frames))
        for block in self.blocks:
            x = block(x, past)
        x = self.embed(self.gather(past.join(x, self.gather_frames)))  # (1, 1, frames, channels)
        x = channels_last(nn.functional.avg_pool2d(channels_first(x), self.step))
        logits = self.head(self.pool(x, past))
        return (torch.softmax(logits[:, 0], dim=-1), *past.after)


class _Block(nn.Module):
    """A convolution over bands, what comes of their mean over time, and the path around both."""

    factor: Tensor
    term: Tensor

    def __init__(self, block: BroadcastBlock) -> None:
        super().__init__()
        widen, norm = block.widen, block.band_norm.affine(block.bands_out)
        self.widen = nn.Identity() if widen is None else folded(widen.conv, widen.norm, relu=True)
        weight = block.frequency.weight * norm.gain[:, None, None, None]
        self.frequency = ChannelsLast(block.frequency, weight, None, relu=False)
        self.register_buffer("factor", norm.factor.T[None, :, None].contiguous())
        self.register_buffer("term", norm.term.T[None, :, None].contiguous())
        self.bands = (block.bands_out, 1)
        self.temporal = Causal(block.temporal)
        self.pointwise = ChannelsLast(block.pointwise, block.pointwise.weight, None, relu=False)
        self.residual = block.residual

    def forward(self, x: Tensor, past: Past) -> Tensor:
        y = self.frequency(self.widen(x)) * self.factor + self.term
        mean = channels_last(nn.functional.avg_pool2d(channels_first(y), self.bands))
        line = self.temporal(mean, past)
        y = y + self.pointwise(line * torch.sigmoid(line))
        return torch.relu(y + x if self.residual else y)


def _linear(weight: Tensor, bias: Tensor) -> nn.Linear:
    linear = nn.Linear(weight.shape[1], weight.shape[0])
    linear.load_state_dict({"weight": weight.detach(), "bias": bias.detach()})
    return linear


def _channels_last_shape(shape: tuple[int, ...]) -> tuple[int, int, int, int]:
    """Return the shape of a state of (1, channels, frames), or with bands before the frames."""
    bands = shape[2] if len(shape) == 4 else 1
    return (1, bands, shape[-1], shape[1])
