"""The nodes of the CRNN; tensors are (1, channels, 1, rows).

Each recurrent layer is one convolution over the inputs of all rows of a step, and for each row one
over what it gave out before; the cell between them is written out. What a cell does stays in float,
as its states do: an error in a state comes back with every row. Eight bits are for what the two
convolutions read.
"""

from collections.abc import Sequence

from torch import Tensor

from edgekws.events import Floats
from edgekws.export.onnx_causal import CHANNELS, TIME, by_channel, causal, head, sliding_pool
from edgekws.export.onnx_graph import CELL, Folded, GraphWriter, floats
from edgekws.train.nets import Crnn
from edgekws.train.nets.recurrent import Recurrent


def crnn_logits(graph: GraphWriter, net: Crnn, features: str, *, rows: int) -> str:
    """Add the net; return the name of the logits (1, rows, labels)."""
    x = by_channel(graph, features)
    for index, layer in enumerate(net.convolutions()):
        x = causal(graph, layer, x, name=f"stem_{index}")
    for index, cell in enumerate(net.recurrent()):
        x = _recurrent(graph, cell, x, rows=rows, name=f"recurrent_{index}")
    return head(graph, net.head, sliding_pool(graph, net.pool, x))


def _recurrent(graph: GraphWriter, layer: Recurrent, x: str, *, rows: int, name: str) -> str:
    weights = layer.weights()
    inputs = Folded(_as_conv(weights.inputs), floats(weights.bias))
    hidden = Folded(_as_conv(weights.hidden), None)
    given = _by_row(graph, graph.conv(inputs, x, name=f"{name}_inputs"), rows=rows)
    states = [graph.state((1, layer.hidden, 1, 1)) for _ in range(layer.states)]
    ends, out = [f"{state}_out" for state in states], []
    for row in range(rows):
        cell = _Cell(graph, f"{CELL}_{name}_{row}")
        recalled = graph.conv(hidden, states[0], name=f"{name}_{row}", weights=f"{name}_hidden")
        after = ends if row + 1 == rows else [f"{cell.name}_{end}" for end in ends]
        if layer.is_gru:
            bias = graph.constant(f"{CELL}_{name}_bias", _as_conv(weights.new_bias[None]))
            cell.gru(given[row], recalled, states[0], bias=bias, after=after[0])
        else:
            cell.lstm(given[row], recalled, states[1], after=after)
        states = after
        out.append(after[0])
    return out[0] if rows == 1 else graph.add("Concat", out, f"{CELL}_{name}", axis=TIME)


def _by_row(graph: GraphWriter, x: str, *, rows: int) -> list[str]:
    if rows == 1:
        return [x]
    return graph.split(x, [f"{CELL}_{x}_{row}" for row in range(rows)], axis=TIME)


def _as_conv(weight: Tensor) -> Floats:
    return floats(weight)[:, :, None, None]


class _Cell:
    """Writes the nodes of one row of a layer, which stay in float by their name.

    `given` and `recalled` hold what the gates take from the input and from what was given out
    before, one gate after the other, (1, gates * hidden, 1, 1).
    """

    def __init__(self, graph: GraphWriter, name: str) -> None:
        self.name, self._graph = name, graph

    def gru(self, given: str, recalled: str, before: str, *, bias: str, after: str) -> None:
        """Go from the value before to the new one, as far as the update gate lets."""
        reset_given, update_given, new_given = self._gates(given, "given", 3)
        reset_recalled, update_recalled, new_recalled = self._gates(recalled, "recalled", 3)
        reset = self._add("Sigmoid", [self._sum(reset_given, reset_recalled, "reset_sum")], "reset")
        update = self._sum(update_given, update_recalled, "update_sum")
        update = self._add("Sigmoid", [update], "update")
        memory = self._product(reset, self._sum(new_recalled, bias, "memory"), "memory_reset")
        new = self._add("Tanh", [self._sum(new_given, memory, "new_sum")], "new")
        kept = self._product(update, self._add("Sub", [before, new], "change"), "kept")
        self._graph.add("Add", [new, kept], after, called=f"{self.name}_out")

    def lstm(self, given: str, recalled: str, before: str, *, after: Sequence[str]) -> None:
        """Keep of the cell what the forget gate lets, add what is new, and give out a part."""
        gates = self._gates(self._sum(given, recalled, "sum"), "gate", 4)
        enter, forget, leave = (self._add("Sigmoid", [gates[n]], f"open_{n}") for n in (0, 1, 3))
        new = self._product(enter, self._add("Tanh", [gates[2]], "new"), "entered")
        kept = self._product(forget, before, "kept")
        self._graph.add("Add", [kept, new], after[1], called=f"{self.name}_cell")
        leaving = self._add("Tanh", [after[1]], "leaving")
        self._graph.add("Mul", [leave, leaving], after[0], called=f"{self.name}_out")

    def _gates(self, x: str, name: str, count: int) -> list[str]:
        names = [f"{self.name}_{name}_{n}" for n in range(count)]
        return self._graph.split(x, names, axis=CHANNELS)

    def _sum(self, a: str, b: str, name: str) -> str:
        return self._add("Add", [a, b], name)

    def _product(self, a: str, b: str, name: str) -> str:
        return self._add("Mul", [a, b], name)

    def _add(self, op: str, inputs: Sequence[str], name: str) -> str:
        return self._graph.add(op, inputs, f"{self.name}_{name}")
