"""One step of the CRNN in the layout of TFLite: lines (1, 1, frames, channels), cells written out.

A row of a cell is two linear layers, sigmoids, tanhs and products; the rows of a step follow each
other.
"""

import torch
from torch import Tensor, nn

from edgekws.export.tflite_causal import Causal, Past, Pool, last_layer
from edgekws.train.nets import Crnn
from edgekws.train.nets.recurrent import Recurrent


class TfliteCrnn(nn.Module):
    """Take (1, step_frames, n_features) and states; return posteriors (1, rows, labels) and states.

    The states of convolutions and of the pool are (1, 1, frames, channels), of cells (1, hidden). A
    part that needs no past has no state.
    """

    def __init__(self, net: Crnn) -> None:
        super().__init__()
        self.stem = nn.ModuleList(Causal(layer) for layer in net.convolutions())
        self.cells = nn.ModuleList(_Cell(layer) for layer in net.recurrent())
        self.pool = Pool(net.pool)
        self.head = last_layer(net.head)
        self.state_shapes = tuple(
            (1, 1, shape[2], shape[1]) if len(shape) == 3 else shape
            for shape in net.state_shapes()
            if shape[-1]
        )

    def forward(self, features: Tensor, *states: Tensor) -> tuple[Tensor, ...]:
        """Run one step; states go in and come out in the same order."""
        past = Past(states)
        x = features[:, None]
        for layer in self.stem:
            x = layer(x, past)
        rows = x[0, 0]  # (rows, channels)
        for cell in self.cells:
            rows = cell(rows, past)
        logits = self.head(self.pool(rows[None, None], past))
        return (torch.softmax(logits[:, 0], dim=-1), *past.after)


class _Cell(nn.Module):
    """A recurrent layer over the rows of a step, (rows, channels)."""

    def __init__(self, layer: Recurrent) -> None:
        super().__init__()
        weights = layer.weights()
        self.inputs = nn.Parameter(weights.inputs)
        self.hidden = nn.Parameter(weights.hidden)
        self.bias = nn.Parameter(weights.bias)
        self.new_bias = nn.Parameter(weights.new_bias)
        self.states, self.is_gru = layer.states, layer.is_gru

    def forward(self, x: Tensor, past: Past) -> Tensor:
        given = nn.functional.linear(x, self.inputs, self.bias)  # (rows, gates * hidden)
        states, out = [past.take() for _ in range(self.states)], []
        for row in torch.split(given, 1):
            recalled = nn.functional.linear(states[0], self.hidden)
            if self.is_gru:
                states = [self._gru(row, recalled, states[0])]
            else:
                states = self._lstm(row, recalled, states[1])
            out.append(states[0])
        past.after += states
        return torch.cat(out)

    def _gru(self, given: Tensor, recalled: Tensor, before: Tensor) -> Tensor:
        reset_given, update_given, new_given = given.chunk(3, dim=1)
        reset_recalled, update_recalled, new_recalled = recalled.chunk(3, dim=1)
        reset = torch.sigmoid(reset_given + reset_recalled)
        update = torch.sigmoid(update_given + update_recalled)
        new = torch.tanh(new_given + reset * (new_recalled + self.new_bias))
        return new + update * (before - new)

    def _lstm(self, given: Tensor, recalled: Tensor, before: Tensor) -> list[Tensor]:
        enter, forget, new, leave = (given + recalled).chunk(4, dim=1)
        after = torch.sigmoid(forget) * before + torch.sigmoid(enter) * torch.tanh(new)
        return [torch.sigmoid(leave) * torch.tanh(after), after]
