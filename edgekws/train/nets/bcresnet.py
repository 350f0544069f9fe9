"""BC-ResNet in a causal form that streams: an image of bands, narrowing, beside a line of time.

Kim et al. 2021, "Broadcasted Residual Learning for Efficient Keyword Spotting". It differs from
the paper in what a stream needs: convolutions over time end at the newest frame and keep their past
as states, and the mean over a whole clip is the mean and the maximum over the last `pool_rows`
means of `step_frames` frames. The paper's net sees 40 log-mel bands; here a first linear layer
makes them of the cepstra again (`BandsOfCepstra`: the inverse DCT behind learnable gains), so that
the device's front end is the same for every net.
"""

from typing import Annotated, Final, cast

import torch
from msgspec import Meta
from torch import Tensor, nn

from edgekws.specs import Spec
from edgekws.train.nets.broadcast import BandsOfCepstra, BroadcastBlock, CausalImageConv
from edgekws.train.nets.causal import Pointwise, SlidingPool
from edgekws.train.nets.net import Cost, Dropout, LabelNet, Size, States

UNIT: Final = 8  # channels of the first stage at a width of 1
STEM: Final = 2.0  # of the units, as are the widths of the stages and of the embedding
STAGES: Final = ((1.0, 1), (1.5, 2), (2.0, 2), (2.5, 1))  # (width, stride over bands)
EMBEDDING: Final = 4.0
NARROWING: Final = 8  # bands are so many times fewer after the stem and the stages


class BcResNetConfig(Spec, frozen=True, tag_field="kind", tag="bc-resnet"):
    """The size of a net: BC-ResNet-1 of the paper has width 1 and blocks of 2, 2, 4 and 4."""

    n_features: Annotated[int, Meta(ge=NARROWING, multiple_of=NARROWING)]
    width: Annotated[float, Meta(ge=0.25, le=16)]
    blocks: tuple[Size, Size, Size, Size]
    step_frames: Size
    pool_rows: Annotated[int, Meta(ge=2)]
    dropout: Dropout

    @property
    def frames_per_score(self) -> int:
        """Feature frames between two rows of scores."""
        return self.step_frames

    @property
    def window_frames(self) -> int:
        """Feature frames that the pool spans."""
        return self.pool_rows * self.step_frames

    @property
    def groups(self) -> int:
        """The runs of bands that are normalized apart: one per band that is left at the end."""
        return self.n_features // NARROWING

    def channels(self, units: float) -> int:
        """Return a width of so many units in channels."""
        return round(UNIT * units * self.width)


class BcResNet(LabelNet):
    """A net with a state for each convolution that looks back, and one for the pool."""

    def __init__(self, config: BcResNetConfig, n_labels: int) -> None:
        super().__init__()
        self.config = config
        width = config.channels(STEM)
        self.bands = BandsOfCepstra(config.n_features)
        self.stem = CausalImageConv(
            1, width, bands=config.n_features, kernel=(5, 5), stride=2, padding=2
        )
        self.stem_norm = nn.BatchNorm2d(width)
        self.blocks = nn.ModuleList(_blocks(config))
        last = config.channels(STAGES[-1][0])
        self.gather = CausalImageConv(
            last, last, bands=config.groups, kernel=(config.groups, 5), groups=last
        )
        self.embed = Pointwise(last, config.channels(EMBEDDING))
        self.pool = SlidingPool(config.channels(EMBEDDING), config.pool_rows)
        self.dropout = nn.Dropout(config.dropout)
        self.head = nn.Linear(2 * config.channels(EMBEDDING), n_labels)

    def stack(self) -> list[BroadcastBlock]:
        """Return the blocks, first one first."""
        return [cast(BroadcastBlock, block) for block in self.blocks]

    def state_shapes(self) -> list[tuple[int, ...]]:
        """Return the state shapes of one stream, in the order of `forward`."""
        temporal = [block.temporal.state_shape() for block in self.stack()]
        ends = (self.gather.state_shape(), self.pool.state_shape())
        return [self.stem.state_shape(), *temporal, *ends]

    def embeddings(self, x: Tensor, states: States) -> tuple[Tensor, States]:
        """Return pooled embeddings (batch, rows, 2 * embedding) of (batch, frames, n_features)."""
        image = self.bands(x).transpose(1, 2)[:, None]  # (batch, 1, bands, frames)
        y, stem_state = self.stem(image, states[0])
        y, after = torch.relu(self.stem_norm(y)), [stem_state]
        for block, state in zip(self.stack(), states[1:-2], strict=True):
            y, state = block(y, state)
            after.append(state)
        y, gather_state = self.gather(y, states[-2])
        line = self.embed(y[:, :, 0])  # (batch, channels, frames)
        step = self.config.step_frames
        pooled, pool_state = self.pool(nn.functional.avg_pool1d(line, step, step), states[-1])
        return pooled.transpose(1, 2), (*after, gather_state, pool_state)

    def backbone(self) -> list[nn.Module]:
        """Return the parts that are kept when the labels change: all but the head."""
        return [self.bands, self.stem, self.stem_norm, self.blocks, self.gather, self.embed]

    def cost(self) -> Cost:
        """Return parameters and multiply-accumulates per row of scores."""
        frame = self.bands.macs_per_frame() + self.stem.macs_per_frame()
        frame += sum(block.macs_per_frame() for block in self.stack())
        frame += self.gather.macs_per_frame() + self.embed.macs_per_output()
        macs = frame * self.config.step_frames + self.head.weight.numel()
        return Cost(sum(p.numel() for p in self.parameters()), macs)


def _blocks(config: BcResNetConfig) -> list[BroadcastBlock]:
    blocks, before, bands = [], config.channels(STEM), config.n_features // 2
    for stage, (units, stride) in enumerate(STAGES):
        for index in range(config.blocks[stage]):
            block = BroadcastBlock(
                before,
                config.channels(units),
                bands=bands,
                stride=stride if index == 0 else 1,
                groups=config.groups,
                dilation=2**stage,
                dropout=config.dropout,
            )
            blocks.append(block)
            before, bands = config.channels(units), block.bands_out
    return blocks
