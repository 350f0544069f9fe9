"""The net of Google's speech_embedding, streamed, with layers for labels on top.

Lin et al. 2020, "Training keyword spotters with limited and synthesized speech data": images of
log-mel bands go through pairs of small convolutions, one over bands and one over time, and pools
that halve the bands until one embedding is left. Time is padded nowhere, so a clip without states
gives exactly what a stream gives once it has run for the receptive field. On top a convolution over
three embeddings comes before the pool: the pool forgets order, and a word is one.
"""

from collections.abc import Iterator, Sequence
from typing import Annotated, Final, cast

import torch
from msgspec import Meta
from torch import Tensor, nn

from edgekws.specs import Spec
from edgekws.train.nets.broadcast import CausalImageConv
from edgekws.train.nets.causal import CausalConv, SlidingPool
from edgekws.train.nets.net import Cost, Dropout, LabelNet, Size, States

LEAK: Final = 0.2
LOWEST: Final = -0.4
KERNEL: Final = 3  # of every convolution, over bands or time


class PairsConfig(Spec, frozen=True):
    """A run of pairs of convolutions; after it a pool halves the bands and strides over time."""

    channels: Size
    pairs: Size
    stride: Size


class EmbeddingConfig(Spec, frozen=True, tag_field="kind", tag="speech-embedding"):
    """The size of a net; frames per score row is the product of all strides."""

    n_features: Size
    stem_channels: Size
    stages: Annotated[tuple[PairsConfig, ...], Meta(min_length=1)]
    embedding: Size
    hidden: Size
    pool_rows: Annotated[int, Meta(ge=2)]
    dropout: Dropout

    def __post_init__(self) -> None:
        if self.bands < 1:
            raise ValueError(f"stages: no more than halve {self.n_features} features to one")

    @property
    def bands(self) -> int:
        """Bands that are left when every stage has halved them."""
        return self.n_features >> len(self.stages)

    @property
    def frames_per_score(self) -> int:
        """Feature frames between two rows of scores."""
        frames = 1
        for stage in self.stages:
            frames *= stage.stride
        return frames

    @property
    def receptive_frames(self) -> int:
        """Feature frames that one embedding is made of."""
        frames, apart = KERNEL, 1
        for stage in self.stages:
            frames += (KERNEL - 1) * apart * stage.pairs + (stage.stride - 1) * apart
            apart *= stage.stride
        return frames + (KERNEL - 1) * apart

    @property
    def receptive_rows(self) -> int:
        """Rows of scores until an embedding knows nothing of what came before them."""
        return -(-self.receptive_frames // self.frames_per_score)

    @property
    def window_frames(self) -> int:
        """Feature frames that one row of scores is about, in whole rows."""
        return (self.receptive_rows + self.pooled_rows - 1) * self.frames_per_score

    @property
    def pooled_rows(self) -> int:
        """Embeddings that go into one row of scores."""
        return self.pool_rows + KERNEL - 1


SPEECH_EMBEDDING: Final = EmbeddingConfig(
    n_features=32,
    stem_channels=24,
    stages=(
        PairsConfig(channels=24, pairs=1, stride=2),
        PairsConfig(channels=48, pairs=2, stride=1),
        PairsConfig(channels=72, pairs=2, stride=2),
        PairsConfig(channels=96, pairs=2, stride=1),
        PairsConfig(channels=96, pairs=2, stride=2),
    ),
    embedding=96,
    hidden=32,
    pool_rows=14,
    dropout=0.0,
)
"""The published sizes up to the embedding; the pool spans as much as makes two seconds."""


def capped(x: Tensor) -> Tensor:
    """Return a leaky ReLU that ends at a lowest value."""
    return nn.functional.leaky_relu(x, LEAK).clamp(min=LOWEST)


class Stem(nn.Module):
    """The first convolution and its norm, which comes after a ReLU: only a term of it is left."""

    def __init__(self, channels: int, *, bands: int) -> None:
        super().__init__()
        self.over_both = CausalImageConv(
            1, channels, bands=bands, kernel=(KERNEL, KERNEL), padding=1
        )
        self.term = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Take (batch, 1, bands, frames) and the state; give (batch, channels, bands, frames)."""
        y, state = self.over_both(x, state)
        return capped(torch.relu(y) + self.term[:, None, None]), state


class Pair(nn.Module):
    """A convolution over bands, which needs no past, and one over time."""

    def __init__(self, channels_in: int, channels: int, *, bands: int) -> None:
        super().__init__()
        self.over_bands = nn.Conv2d(channels_in, channels, (KERNEL, 1), padding=(KERNEL // 2, 0))
        self.over_time = CausalImageConv(
            channels, channels, bands=bands, kernel=(1, KERNEL), bias=True
        )

    def forward(self, x: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Take (batch, channels_in, bands, frames) and the state; give both of the same size."""
        y, state = self.over_time(capped(self.over_bands(x)), state)
        return capped(y), state

    def macs_per_frame(self) -> int:
        """Return multiply-accumulates for one frame of all bands."""
        return self.over_bands.weight.numel() * self.over_time.bands + (
            self.over_time.macs_per_frame()
        )


class Stage(nn.Module):
    """Pairs of convolutions and the pool after them."""

    def __init__(self, channels_in: int, config: PairsConfig, *, bands: int) -> None:
        super().__init__()
        widths = [channels_in, *[config.channels] * (config.pairs - 1)]
        self.pairs = nn.ModuleList(Pair(width, config.channels, bands=bands) for width in widths)
        self.pool = (2, config.stride)

    def stack(self) -> list[Pair]:
        """Return the pairs, first one first."""
        return [cast(Pair, pair) for pair in self.pairs]

    def forward(self, x: Tensor, before: Iterator[Tensor]) -> tuple[Tensor, list[Tensor]]:
        """Take (batch, channels_in, bands, frames) and a state per pair; give what is left."""
        after = []
        for pair in self.pairs:
            x, state = pair(x, next(before))
            after.append(state)
        return nn.functional.max_pool2d(x, self.pool), after


class Backbone(nn.Module):
    """Frames to embeddings, without what is learned for labels."""

    def __init__(self, config: EmbeddingConfig) -> None:
        super().__init__()
        self.stem = Stem(config.stem_channels, bands=config.n_features)
        self.stages = nn.ModuleList(_stages(config))
        self.embed = CausalImageConv(
            config.stages[-1].channels,
            config.embedding,
            bands=config.bands,
            kernel=(config.bands, KERNEL),
        )

    def stack(self) -> list[Stage]:
        """Return the stages, first one first."""
        return [cast(Stage, stage) for stage in self.stages]

    def looking_back(self) -> list[CausalImageConv]:
        """Return the convolutions that have a state, first one first."""
        pairs = [pair.over_time for stage in self.stack() for pair in stage.stack()]
        return [self.stem.over_both, *pairs, self.embed]

    def no_past(self, batch: int) -> States:
        """Return states of no frames: then all rows are those of a stream that runs already."""
        like = self.embed.conv.weight
        shapes = (layer.state_shape()[1:3] for layer in self.looking_back())
        return tuple(like.new_zeros(batch, *shape, 0) for shape in shapes)

    def forward(self, x: Tensor, before: States) -> tuple[Tensor, list[Tensor]]:
        """Take (batch, frames, n_features) and states; give (batch, embedding, 1, rows), states."""
        states = iter(before)
        y, state = self.stem(x.transpose(1, 2)[:, None], next(states))
        after = [state]
        for stage in self.stages:
            y, stage_states = stage(y, states)
            after += stage_states
        y, state = self.embed(y, next(states))
        return y, [*after, state]


class EmbeddingNet(LabelNet):
    """The backbone, its embeddings with mean 0 and deviation 1, and what learns words of them.

    The norm learns with the head even where the backbone is frozen, and has no weights to learn.
    """

    def __init__(self, config: EmbeddingConfig, n_labels: int) -> None:
        super().__init__()
        self.config = config
        self.body = Backbone(config)
        self.norm = nn.BatchNorm2d(config.embedding, affine=False)
        self.words = CausalConv(config.embedding, config.hidden, kernel=KERNEL)
        self.pool = SlidingPool(config.hidden, config.pool_rows)
        self.dropout = nn.Dropout(config.dropout)
        self.head = nn.Linear(2 * config.hidden, n_labels)

    def state_shapes(self) -> Sequence[tuple[int, ...]]:
        """Return the state shapes of one stream, in the order of `forward`."""
        back = [layer.state_shape() for layer in self.body.looking_back()]
        return [*back, self.words.state_shape(), self.pool.state_shape()]

    def embeddings(self, x: Tensor, states: States) -> tuple[Tensor, States]:
        """Return pooled rows (batch, rows, 2 * hidden) of (batch, frames, n_features)."""
        *before, words_state, pool_state = states
        y, after = self.body(x, tuple(before))
        y, words_state = self.words(self.norm(y)[:, :, 0], words_state)
        pooled, pool_state = self.pool(y, pool_state)
        return pooled.transpose(1, 2), (*after, words_state, pool_state)

    def last_embeddings(self, x: Tensor, count: int) -> Tensor:
        """Return the last `count` pooled rows of whole clips; no others are computed.

        Where clips are long enough for rows without a past, nothing of the start is in them.
        """
        rows = self.config.pooled_rows + count - 1
        frames = self.config.receptive_frames + (rows - 1) * self.config.frames_per_score
        if x.shape[1] < frames:
            return super().last_embeddings(x, count)
        widths = (self.config.embedding, self.config.hidden)
        no_past = (x.new_zeros(len(x), width, 0) for width in widths)
        return self.embeddings(x[:, -frames:], (*self.body.no_past(len(x)), *no_past))[0]

    def upper(self) -> list[nn.Module]:
        """Return the parts that learn with the head, and it."""
        return [self.words, self.head]

    def backbone(self) -> list[nn.Module]:
        """Return the parts that are kept when the labels change: all of the published net."""
        return [self.body.stem, self.body.stages, self.body.embed]

    def cost(self) -> Cost:
        """Return parameters and multiply-accumulates per row of scores."""
        frames = self.config.frames_per_score
        macs = self.body.stem.over_both.macs_per_frame() * frames
        for config, stage in zip(self.config.stages, self.body.stack(), strict=True):
            macs += frames * sum(pair.macs_per_frame() for pair in stage.stack())
            frames //= config.stride
        macs += self.body.embed.macs_per_frame() + self.words.macs_per_output()
        macs += self.head.weight.numel()
        return Cost(sum(p.numel() for p in self.parameters()), macs)


def _stages(config: EmbeddingConfig) -> Iterator[Stage]:
    channels, bands = config.stem_channels, config.n_features
    for stage in config.stages:
        yield Stage(channels, stage, bands=bands)
        channels, bands = stage.channels, bands // 2
