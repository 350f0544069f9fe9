"""One step of the speech_embedding net in the layout of TFLite: (1, bands, frames, channels)."""

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
)
from edgekws.train.nets import EmbeddingNet
from edgekws.train.nets.broadcast import CausalImageConv
from edgekws.train.nets.embedding import LEAK, LOWEST, Pair, Stage


class TfliteEmbedding(nn.Module):
    """Take (1, step_frames, n_features) and states; return posteriors (1, rows, labels) and states.

    A state lies as what it comes before: (1, bands, frames, channels), with one band for lines.
    """

    term: Tensor

    def __init__(self, net: EmbeddingNet) -> None:
        super().__init__()
        stem, embed = net.body.stem, net.body.embed
        self.stem = _OverTime(stem.over_both, _as_it_is(stem.over_both.conv, relu=True))
        self.register_buffer("term", stem.term.detach().clone())
        self.stages = nn.ModuleList(_Stage(stage) for stage in net.body.stack())
        self.embed = _OverTime(embed, folded(embed.conv, net.norm, relu=False))
        self.words = Causal(net.words)
        self.pool = Pool(net.pool)
        self.head = last_layer(net.head)
        images = (layer.state_shape() for layer in net.body.looking_back())
        lines = (net.words.state_shape(), net.pool.state_shape())
        self.state_shapes = (
            *((1, bands, frames, channels) for _, channels, bands, frames in images),
            *((1, 1, frames, channels) for _, channels, frames in lines),
        )

    def forward(self, features: Tensor, *states: Tensor) -> tuple[Tensor, ...]:
        """Run one step; states go in and come out in the same order."""
        past = Past(states)
        image = features.transpose(1, 2)[..., None]  # (1, bands, frames, 1)
        x = _capped(self.stem(image, past) + self.term)
        for stage in self.stages:
            x = stage(x, past)
        words = self.words(self.embed(x, past), past)
        logits = self.head(self.pool(words, past))
        return (torch.softmax(logits[:, 0], dim=-1), *past.after)


class _OverTime(nn.Module):
    """A convolution that needs its past."""

    def __init__(self, layer: CausalImageConv, conv: ChannelsLast) -> None:
        super().__init__()
        self.frames, self.conv = layer.history, conv

    def forward(self, x: Tensor, past: Past) -> Tensor:
        y: Tensor = self.conv(past.join(x, self.frames))
        return y


class _Pair(nn.Module):
    """A convolution over bands and one over time."""

    def __init__(self, pair: Pair) -> None:
        super().__init__()
        self.over_bands = _as_it_is(pair.over_bands)
        self.over_time = _OverTime(pair.over_time, _as_it_is(pair.over_time.conv))

    def forward(self, x: Tensor, past: Past) -> Tensor:
        return _capped(self.over_time(_capped(self.over_bands(x)), past))


class _Stage(nn.Module):
    """Pairs of convolutions and the pool after them."""

    def __init__(self, stage: Stage) -> None:
        super().__init__()
        self.pairs = nn.ModuleList(_Pair(pair) for pair in stage.stack())
        self.window = stage.pool

    def forward(self, x: Tensor, past: Past) -> Tensor:
        for pair in self.pairs:
            x = pair(x, past)
        return channels_last(nn.functional.max_pool2d(channels_first(x), self.window))


def _capped(x: Tensor) -> Tensor:
    """Return a leaky ReLU that ends at a lowest value, by operators that have 8-bit kernels."""
    return torch.maximum(torch.maximum(x, x * LEAK), torch.tensor(LOWEST))


def _as_it_is(conv: nn.Conv2d, *, relu: bool = False) -> ChannelsLast:
    return ChannelsLast(conv, conv.weight, conv.bias, relu=relu)
