"""The streaming temporal convolution net: depthwise-separable, residual, causal.

The shape follows MatchboxNet (Majumdar and Ginsburg 2020): a strided stem, blocks of depthwise and
pointwise convolutions with a residual path, one pooled embedding, one linear layer. Where a net
looks back over a second and more, a convolution over embeddings may come before the pool, which
forgets in which order they came.
"""

import math
from collections.abc import Sequence
from typing import Annotated, Self, cast

import torch
from msgspec import Meta
from msgspec.structs import replace
from torch import Tensor, nn

from edgekws.specs import Spec
from edgekws.train.nets.causal import CausalConv, Pointwise, SlidingPool
from edgekws.train.nets.net import Cost, Dropout, LabelNet, Size, States


class StageConfig(Spec, frozen=True):
    """A run of residual blocks: each has `depth` separable convolutions; the first one strides.

    A stage that is `dilated` gives as many rows as it takes: all that comes after looks at rows a
    stride apart, so every row is what the strided net would give for that moment.
    """

    channels: Size
    kernel: Size
    depth: Size
    blocks: Size
    stride: Size
    dilated: bool = False

    def __post_init__(self) -> None:
        if self.kernel < self.stride:
            raise ValueError("kernel: needs to be as long as its stride, or longer")


class OrderConfig(Spec, frozen=True):
    """A convolution over embeddings that are `dilation` rows apart, below the pool."""

    channels: Size
    kernel: Annotated[int, Meta(ge=2)]
    dilation: Size

    @property
    def rows(self) -> int:
        """Rows that it looks back."""
        return (self.kernel - 1) * self.dilation


class TcnConfig(Spec, frozen=True, tag_field="kind", tag="tcn"):
    """The size of a net; frames per score row is the product of all strides that do stride.

    `pool_rows`, and the dilation of `order`, count in rows of the net with all strides.
    """

    n_features: Size
    stem_channels: Size
    stem_kernel: Size
    stem_stride: Size
    stages: Annotated[tuple[StageConfig, ...], Meta(min_length=1)]
    embedding: Size
    pool_rows: Annotated[int, Meta(ge=2)]
    dropout: Dropout
    order: OrderConfig | None = None
    stem_dilated: bool = False

    def __post_init__(self) -> None:
        if self.stem_kernel < self.stem_stride:
            raise ValueError("stem_kernel: needs to be as long as its stride, or longer")

    @property
    def frames_per_score(self) -> int:
        """Feature frames between two rows of scores."""
        return math.prod(stride for stride, dilated in self._strides() if not dilated)

    @property
    def apart(self) -> int:
        """Rows of scores from one row of the net with all strides to its next."""
        return math.prod(stride for stride, dilated in self._strides() if dilated)

    @property
    def window_frames(self) -> int:
        """Feature frames that the pool spans, and the convolution below it."""
        return self.window_rows * self.frames_per_score * self.apart

    @property
    def window_rows(self) -> int:
        """Embeddings that go into one row of scores, in rows of the net with all strides."""
        return self.pool_rows + (self.order.rows if self.order else 0)

    def finer(self, frames: int) -> Self:
        """Return the net of the same weights with a row of scores in so many frames, or in fewer.

        Strides become dilation from the last one on, until `frames` is a multiple of what is left.
        """
        config = self
        for index in reversed(range(len(self.stages))):
            if frames % config.frames_per_score:
                stages = list(config.stages)
                stages[index] = replace(stages[index], dilated=True)
                config = replace(config, stages=tuple(stages))
        return replace(config, stem_dilated=True) if frames % config.frames_per_score else config

    def _strides(self) -> list[tuple[int, bool]]:
        stages = [(stage.stride, stage.dilated) for stage in self.stages]
        return [(self.stem_stride, self.stem_dilated), *stages]


class SeparableBlock(nn.Module):
    """Depthwise and pointwise convolutions in turn, with a residual path when shapes allow it.

    Its inputs that follow each other in the net with all strides are `apart` rows apart.
    """

    def __init__(self, channels_in: int, stage: StageConfig, *, stride: int, apart: int) -> None:
        super().__init__()
        widths = [channels_in] + [stage.channels] * stage.depth
        self.depthwise = nn.ModuleList(
            CausalConv(
                widths[i],
                widths[i],
                kernel=stage.kernel,
                stride=stride if i == 0 and not stage.dilated else 1,
                dilation=apart * stride if i and stage.dilated else apart,
                groups=widths[i],
                relu=False,
            )
            for i in range(stage.depth)
        )
        self.pointwise = nn.ModuleList(
            Pointwise(widths[i], widths[i + 1], relu=i + 1 < stage.depth)
            for i in range(stage.depth)
        )
        self.residual = channels_in == stage.channels and stride == 1

    def layers(self) -> list[tuple[CausalConv, Pointwise]]:
        """Return the depthwise and pointwise layers in pairs, first one first."""
        pairs = zip(self.depthwise, self.pointwise, strict=True)
        return [(cast(CausalConv, d), cast(Pointwise, p)) for d, p in pairs]

    def forward(self, x: Tensor, states: Sequence[Tensor]) -> tuple[Tensor, list[Tensor]]:
        """Take (batch, channels_in, frames) and a state per depthwise layer; give both back."""
        y, after = x, []
        for (depthwise, pointwise), state in zip(self.layers(), states, strict=True):
            y, state = depthwise(y, state)
            after.append(state)
            y = pointwise(y)
        return torch.relu(y + x if self.residual else y), after


class StreamingTcn(LabelNet):
    """A net with a state per convolution that looks back, and one for the pool."""

    def __init__(self, config: TcnConfig, n_labels: int) -> None:
        super().__init__()
        self.config = config
        self.stem = CausalConv(
            config.n_features,
            config.stem_channels,
            kernel=config.stem_kernel,
            stride=1 if config.stem_dilated else config.stem_stride,
        )
        self.blocks = nn.ModuleList(_blocks(config))
        self.embed = Pointwise(config.stages[-1].channels, config.embedding)
        self.order = None if config.order is None else _order(config, config.order)
        width = config.embedding if config.order is None else config.order.channels
        self.pool = SlidingPool(width, config.pool_rows * config.apart)
        self.dropout = nn.Dropout(config.dropout)
        self.head = nn.Linear(2 * width, n_labels)

    def state_shapes(self) -> list[tuple[int, int, int]]:
        """Return the state shapes of one stream, in the order of `forward`."""
        depthwise = [d.state_shape() for block in self.stack() for d, _ in block.layers()]
        order = [] if self.order is None else [self.order.state_shape()]
        return [self.stem.state_shape(), *depthwise, *order, self.pool.state_shape()]

    def stack(self) -> list[SeparableBlock]:
        """Return the residual blocks, first one first."""
        return [cast(SeparableBlock, block) for block in self.blocks]

    def embeddings(self, x: Tensor, states: States) -> tuple[Tensor, States]:
        """Return pooled embeddings (batch, rows, 2 * width) of (batch, frames, n_features).

        The width is that of an embedding, or the channels of the convolution over them.
        """
        y, stem_state = self.stem(x.transpose(1, 2), states[0])
        after, used = [stem_state], 1
        for block in self.stack():
            count = len(block.depthwise)
            y, block_states = block(y, states[used : used + count])
            after, used = after + block_states, used + count
        y = self.embed(y)
        if self.order is not None:
            y, order_state = self.order(y, states[used])
            after.append(order_state)
        pooled, pool_state = self.pool(y, states[-1])
        return pooled.transpose(1, 2), (*after, pool_state)

    def upper(self) -> list[nn.Module]:
        """Return the convolution over embeddings, which is of the labels too, and the head."""
        return [self.head] if self.order is None else [self.order, self.head]

    def backbone(self) -> list[nn.Module]:
        """Return the parts that are kept when the labels change."""
        return [self.stem, self.blocks, self.embed]

    def cost(self) -> Cost:
        """Return parameters and multiply-accumulates per row of scores."""
        rows = self.config.frames_per_score // self.stem.conv.stride[0]
        macs = self.stem.macs_per_output() * rows
        for block in self.stack():
            for depthwise, pointwise in block.layers():
                rows //= depthwise.conv.stride[0]
                macs += rows * (depthwise.macs_per_output() + pointwise.macs_per_output())
        macs += self.embed.macs_per_output() + self.head.weight.numel()
        macs += 0 if self.order is None else self.order.macs_per_output()
        return Cost(sum(p.numel() for p in self.parameters()), macs)


def _order(config: TcnConfig, order: OrderConfig) -> CausalConv:
    return CausalConv(
        config.embedding,
        order.channels,
        kernel=order.kernel,
        dilation=order.dilation * config.apart,
    )


def _blocks(config: TcnConfig) -> list[SeparableBlock]:
    blocks, width = [], config.stem_channels
    apart = config.stem_stride if config.stem_dilated else 1
    for stage in config.stages:
        for index in range(stage.blocks):
            stride = stage.stride if index == 0 else 1
            blocks.append(SeparableBlock(width, stage, stride=stride, apart=apart))
            apart *= stride if stage.dilated else 1
            width = stage.channels
    return blocks
