"""Where every tensor of a step lies in one block of memory, with no copy that can be spared.

A state and the rows that are joined to it lie side by side, so a join is no work, and neither are a
reshape and a join of channels: their parts are written where they are read. What is not needed in
the next step shares its place with others.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from edgekws.errors import ExportError
from edgekws.export.mcu_graph import Graph, Node

TIME, CHANNELS = 2, 3  # axes of (1, 1, frames, channels)
ALIGNMENT: Final = 4


@dataclass(frozen=True, slots=True)
class Place:
    """Where the first row of a tensor begins, and bytes from one row to the next."""

    offset: int
    stride: int


@dataclass(frozen=True, slots=True)
class Past:
    """`kept` bytes at `offset + moved`, which the next step finds at `offset`."""

    offset: int
    kept: int
    moved: int
    start: int


@dataclass(frozen=True, slots=True)
class Plan:
    """The places of all tensors that are computed; `size` is the bytes of the whole."""

    places: dict[int, Place]
    pasts: tuple[Past, ...]
    size: int


def plan_memory(graph: Graph) -> Plan:
    """Return a plan for a graph; ExportError where a state is no run of the newest rows."""
    homes = _Homes(graph)
    lasting = {homes.root(node.output)[0] for node in graph.nodes if _joins_rows(node)}
    starts, size = _lay_out(graph, homes, lasting)
    places = {
        index: Place(starts[root] + offset, graph.tensors[root].channels)
        for index in homes.computed
        for root, offset in [homes.root(index)]
    }
    return Plan(places, tuple(_pasts(graph, homes, starts)), size)


class _Homes:
    """Which tensor is a part of which other one, and at how many bytes from its start."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._parents: dict[int, tuple[int, int]] = {}
        self.computed = [*graph.inputs]
        for node in graph.nodes:
            if node.kind == "SLICE":  # a state on its way out, which is in its place already
                _require_state(graph, node)
                continue
            self.computed.append(node.output)
            if node.kind == "RESHAPE":
                self._settle(node.inputs[0], node.output, 0)
            if node.kind == "CONCATENATION":
                self._settle_parts(node)

    def root(self, index: int) -> tuple[int, int]:
        """Return the tensor that a tensor is in, itself if in none, and the bytes before it."""
        offset = 0
        while index in self._parents:
            index, within = self._parents[index]
            offset += within
        return index, offset

    def _settle_parts(self, node: Node) -> None:
        _require_axis(node)
        offset = 0
        for part in node.inputs:
            tensor = self._graph.tensors[part]
            self._settle(part, node.output, offset)
            offset += tensor.channels * (tensor.rows if _joins_rows(node) else 1)

    def _settle(self, part: int, whole: int, offset: int) -> None:
        if part in self._parents:
            raise ExportError(
                f"tensor {part} of the model is joined to two others, which the microcontroller's "
                "engine has no copy for: adapt a net of kind tcn"
            )
        _require_one_scale(self._graph, part, whole)
        self._parents[part] = (whole, offset)


def _require_one_scale(graph: Graph, part: int, whole: int) -> None:
    one, other = graph.tensors[part], graph.tensors[whole]
    if (one.scale, one.zero_point) != (other.scale, other.zero_point):
        raise ExportError(
            f"tensors {part} and {whole} of the model are joined on two scales, which the "
            "microcontroller's engine does not convert: export the run again"
        )


def _require_axis(node: Node) -> None:
    if node.options.axis not in {TIME, CHANNELS}:
        raise ExportError(
            f"tensor {node.output} of the model is joined along axis {node.options.axis}, the "
            "microcontroller's engine joins frames and channels: adapt a net of kind tcn"
        )


def _require_state(graph: Graph, node: Node) -> None:
    if node.output not in graph.outputs[1:]:
        raise ExportError(
            f"tensor {node.output} of the model is a slice and no state, which the "
            "microcontroller's engine has no copy for: adapt a net of kind tcn"
        )


def _joins_rows(node: Node) -> bool:
    return node.kind == "CONCATENATION" and node.options.axis == TIME


def _lay_out(graph: Graph, homes: _Homes, lasting: set[int]) -> tuple[dict[int, int], int]:
    """Return where each root begins, and the end of all: first what lasts, then the rest."""
    starts: dict[int, int] = {}
    size = 0
    for root in sorted(lasting):
        starts[root], size = size, size + _bytes(graph, root)
    taken: list[tuple[int, int, range]] = []  # begin, end, steps at which the bytes are in use
    for root, life in _lives(graph, homes):
        if root in lasting:
            continue
        length = _bytes(graph, root)
        busy = [(low, high) for low, high, other in taken if _overlap(life, other)]
        begin = _first_gap(busy, size, length)
        taken.append((begin, begin + length, life))
        starts[root] = begin
    return starts, max([size, *(end for _, end, _ in taken)])


def _first_gap(busy: Iterable[tuple[int, int]], begin: int, length: int) -> int:
    for low, high in sorted(busy):
        if begin + length <= low:
            break
        begin = max(begin, high)
    return begin


def _lives(graph: Graph, homes: _Homes) -> Iterator[tuple[int, range]]:
    """Give each root with the steps from its first writing to its last reading."""
    uses: dict[int, list[int]] = {homes.root(index)[0]: [0] for index in graph.inputs}
    for step, node in enumerate(graph.nodes):
        for index in (*node.inputs, node.output):
            if graph.tensors[index].data is None and node.kind != "SLICE":
                uses.setdefault(homes.root(index)[0], []).append(step)
    uses[homes.root(graph.outputs[0])[0]].append(len(graph.nodes))
    for root, steps in uses.items():
        yield root, range(min(steps), max(steps) + 1)


def _overlap(one: range, other: range) -> bool:
    return one.start < other.stop and other.start < one.stop


def _bytes(graph: Graph, index: int) -> int:
    tensor = graph.tensors[index]
    size = tensor.rows * tensor.channels
    return size + -size % ALIGNMENT


def _pasts(graph: Graph, homes: _Homes, starts: dict[int, int]) -> Iterator[Past]:
    """Give what is moved at the end of a step, and check that it is the newest rows."""
    cut = {node.output: node for node in graph.nodes if node.kind == "SLICE"}
    for before, after in graph.states():
        root, offset = homes.root(before)
        state, whole = graph.tensors[before], graph.tensors[root]
        size, end = state.rows * state.channels, whole.rows * whole.channels
        source = cut[after].inputs[0] if after in cut else after
        source_root, moved = homes.root(source)
        if after in cut:
            moved += _skipped_rows(graph, cut[after]) * state.channels
        if offset or source_root != root or moved != end - size:
            raise ExportError(
                f"state tensor {after} of the model is not the newest rows of what it is joined "
                "to, as the microcontroller's engine keeps them: adapt a net of kind tcn"
            )
        yield Past(starts[root], size, moved, state.zero_point)


def _skipped_rows(graph: Graph, node: Node) -> int:
    begin = graph.tensors[node.inputs[1]].data
    assert begin is not None, node
    return int(begin[TIME])
