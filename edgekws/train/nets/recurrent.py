"""One recurrent layer, GRU or LSTM, whose past goes in and comes out as tensors of one row.

torch's own layers compute it, over a clip at once or row by row. In exported graphs the cell is
written out in the order of their weights: reset, update, new of a GRU; input, forget, cell, output
of an LSTM.
"""

from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn

from edgekws.train.nets.net import States

Cell = Literal["gru", "lstm"]


class CellWeights(NamedTuple):
    """What a cell multiplies and adds, one gate after the other in the order of torch.

    `inputs` (gates * hidden, inputs) and `hidden` (gates * hidden, hidden) are for what comes in
    and what was given out before, `bias` (gates * hidden,) for their sum. A GRU adds `new_bias`
    (hidden,) to its recalled part of the new value, before the reset gate; in an LSTM it is zero.
    """

    inputs: Tensor
    hidden: Tensor
    bias: Tensor
    new_bias: Tensor


class Recurrent(nn.Module):
    """A layer with one state, (batch, hidden), as a GRU, or two of that size, as an LSTM."""

    def __init__(self, inputs: int, hidden: int, *, cell: Cell) -> None:
        super().__init__()
        kind = nn.GRU if cell == "gru" else nn.LSTM
        self.layer = kind(inputs, hidden, batch_first=True)

    @property
    def is_gru(self) -> bool:
        """Whether it is a GRU; it is an LSTM otherwise."""
        return isinstance(self.layer, nn.GRU)

    @property
    def hidden(self) -> int:
        """The values that it gives out."""
        return self.layer.hidden_size

    @property
    def states(self) -> int:
        """The number of its states."""
        return 1 if self.is_gru else 2

    @torch.no_grad()
    def weights(self) -> CellWeights:
        """Return what its cell computes with."""
        inputs, hidden, given, recalled = (parameter.clone() for parameter in self.parameters())
        apart = 2 * self.hidden if self.is_gru else len(recalled)
        new_bias = recalled[apart:].clone() if self.is_gru else torch.zeros(self.hidden)
        recalled[apart:] = 0
        return CellWeights(inputs, hidden, given + recalled, new_bias)

    def state_shapes(self) -> list[tuple[int, ...]]:
        """Return the shapes of the states of one stream: what it gave out, and an LSTM's cell."""
        return [(1, self.hidden)] * self.states

    def forward(self, x: Tensor, states: States) -> tuple[Tensor, States]:
        """Take (batch, rows, inputs) and the states; give (batch, rows, hidden) and them."""
        before = tuple(state[None] for state in states)
        y, after = self.layer(x, before[0] if self.is_gru else before)
        return y, tuple(state[0] for state in ((after,) if self.is_gru else after))

    def macs_per_row(self) -> int:
        """Return multiply-accumulates for one row."""
        inputs, hidden, *_ = self.parameters()
        return inputs.numel() + hidden.numel()
