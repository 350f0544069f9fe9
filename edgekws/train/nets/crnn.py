"""The CRNN: a causal convolutional stem, then recurrent layers that take a step per score row.

The shape follows Arik et al. 2017, "Convolutional Recurrent Neural Networks for Small-Footprint
Keyword Spotting", without what cannot be streamed: its recurrent layers run one way, and its last
dense layer over a whole clip is a pool over the last rows.
"""

from typing import Annotated, cast

from msgspec import Meta
from torch import Tensor, nn

from edgekws.specs import Spec
from edgekws.train.nets.causal import CausalConv, SlidingPool
from edgekws.train.nets.net import Cost, Dropout, LabelNet, Size, States
from edgekws.train.nets.recurrent import Cell, Recurrent


class ConvolutionConfig(Spec, frozen=True):
    """One layer of the stem."""

    channels: Size
    kernel: Size
    stride: Size

    def __post_init__(self) -> None:
        if self.kernel < self.stride:
            raise ValueError("kernel: needs to be as long as its stride, or longer")


class CrnnConfig(Spec, frozen=True, tag_field="kind", tag="crnn"):
    """The size of a net; frames per score row is the product of all strides."""

    n_features: Size
    stem: Annotated[tuple[ConvolutionConfig, ...], Meta(min_length=1)]
    cell: Cell
    hidden: Size
    layers: Size
    pool_rows: Annotated[int, Meta(ge=2)]
    dropout: Dropout

    @property
    def frames_per_score(self) -> int:
        """Feature frames between two rows of scores."""
        stride = 1
        for layer in self.stem:
            stride *= layer.stride
        return stride

    @property
    def window_frames(self) -> int:
        """Feature frames that the pool spans; what the cells remember may be older."""
        return self.pool_rows * self.frames_per_score


class Crnn(LabelNet):
    """A net with a state per convolution, one or two per recurrent layer, and one for the pool."""

    def __init__(self, config: CrnnConfig, n_labels: int) -> None:
        super().__init__()
        self.config = config
        widths = [config.n_features, *(layer.channels for layer in config.stem)]
        self.stem = nn.ModuleList(
            CausalConv(before, layer.channels, kernel=layer.kernel, stride=layer.stride)
            for before, layer in zip(widths, config.stem, strict=False)
        )
        inputs = [widths[-1], *[config.hidden] * (config.layers - 1)]
        self.cells = nn.ModuleList(
            Recurrent(count, config.hidden, cell=config.cell) for count in inputs
        )
        self.pool = SlidingPool(config.hidden, config.pool_rows)
        self.dropout = nn.Dropout(config.dropout)
        self.head = nn.Linear(2 * config.hidden, n_labels)

    def convolutions(self) -> list[CausalConv]:
        """Return the layers of the stem, first one first."""
        return [cast(CausalConv, layer) for layer in self.stem]

    def recurrent(self) -> list[Recurrent]:
        """Return the recurrent layers, first one first."""
        return [cast(Recurrent, layer) for layer in self.cells]

    def state_shapes(self) -> list[tuple[int, ...]]:
        """Return the state shapes of one stream, in the order of `forward`."""
        stem = [layer.state_shape() for layer in self.convolutions()]
        cells = [shape for layer in self.recurrent() for shape in layer.state_shapes()]
        return [*stem, *cells, self.pool.state_shape()]

    def embeddings(self, x: Tensor, states: States) -> tuple[Tensor, States]:
        """Return pooled embeddings (batch, rows, 2 * hidden) of (batch, frames, n_features)."""
        before, after = iter(states), []
        y = x.transpose(1, 2)
        for layer in self.convolutions():
            y, state = layer(y, next(before))
            after.append(state)
        y = y.transpose(1, 2)  # (batch, rows, channels)
        for cell in self.recurrent():
            y, cell_states = cell(y, tuple(next(before) for _ in range(cell.states)))
            after += cell_states
        pooled, pool_state = self.pool(y.transpose(1, 2), next(before))
        return pooled.transpose(1, 2), (*after, pool_state)

    def backbone(self) -> list[nn.Module]:
        """Return the parts that are kept when the labels change: all but the head."""
        return [self.stem, self.cells]

    def cost(self) -> Cost:
        """Return parameters and multiply-accumulates per row of scores."""
        frames, macs = self.config.frames_per_score, self.head.weight.numel()
        for layer in self.convolutions():
            frames //= layer.conv.stride[0]
            macs += frames * layer.macs_per_output()
        macs += sum(layer.macs_per_row() for layer in self.recurrent())
        return Cost(sum(p.numel() for p in self.parameters()), macs)
