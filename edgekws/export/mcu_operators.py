"""The operators of a step with all their numbers worked out: what is left is what C has to do."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from ai_edge_litert.schema_py_generated import ActivationFunctionType, Padding
from numpy.typing import NDArray

from edgekws.errors import ExportError
from edgekws.export.mcu_graph import Graph, Node, Tensor
from edgekws.export.mcu_plan import Plan
from edgekws.export.mcu_scaling import ONE, Scaling, scaling

LOWEST, HIGHEST = -128, 127
SUM_HEADROOM_BITS: Final = 20
DIFFERENCE_BITS: Final = 5  # integer bits of a difference of logits
POSTERIORS: Final = (1 / 256, -128)  # scale and zero point that TFLite's softmax gives out


@dataclass(frozen=True, eq=False, slots=True)
class Filter:
    """Weights (out, kernel * in) or (kernel, channels); biases hold the input's zero point.

    `stride` is in rows, and so is `apart`, from one input of the kernel to the next.
    """

    weights: NDArray[np.int8]
    biases: NDArray[np.int32]
    scalings: tuple[Scaling, ...]
    kernel: int
    stride: int
    apart: int

    @property
    def reach(self) -> int:
        """Rows that one output is made of."""
        return (self.kernel - 1) * self.apart + 1


@dataclass(frozen=True, slots=True)
class Sum:
    """Zero points and scalings of both terms, and the scaling of the sum."""

    zero_points: tuple[int, int]
    inputs: tuple[Scaling, Scaling]
    output: Scaling


@dataclass(frozen=True, slots=True)
class Softmax:
    """How a difference of logits is scaled, and the least one whose posterior is more than 0."""

    beta: Scaling
    least_difference: int


@dataclass(frozen=True, eq=False, slots=True)
class Operator:
    """One operator of `ekws_net.h`; tensors by their index in the graph."""

    kind: str
    inputs: tuple[int, ...]
    output: int
    zero_point: int
    low: int
    high: int
    window: int = 0
    filter: Filter | None = None
    sum: Sum | None = None
    softmax: Softmax | None = None


def operators(graph: Graph, plan: Plan) -> list[Operator]:
    """Return what is to be computed, in order; joins, reshapes and states need no computing."""
    made = [_operator(graph, node) for node in graph.nodes if node.kind in _MAKERS]
    for operator in made:
        _require_runs(graph, plan, operator)
    scores = graph.tensors[graph.outputs[0]]
    if (scores.scale, scores.zero_point) != POSTERIORS:
        raise ExportError(
            f"scores of scale {scores.scale:g} and zero point {scores.zero_point} are no int8 "
            "posteriors: adapt a net of kind tcn, whose int8 file has no tensor in float"
        )
    return made


def _operator(graph: Graph, node: Node) -> Operator:
    return _MAKERS[node.kind](graph, node)


def _convolution(graph: Graph, node: Node) -> Operator:
    given, weights, biases, out = _of_filter(graph, node)
    assert weights.data is not None
    flat = weights.data.reshape(len(weights.data), -1)
    filter = _filter(node, given, weights, biases, out, flat, flat.sum(axis=1, dtype=np.int64))
    return Operator("CONVOLUTION", node.inputs[:1], node.output, *_clamp(node, out), filter=filter)


def _depthwise(graph: Graph, node: Node) -> Operator:
    given, weights, biases, out = _of_filter(graph, node)
    assert weights.data is not None
    flat = weights.data.reshape(-1, weights.channels)
    filter = _filter(node, given, weights, biases, out, flat, flat.sum(axis=0, dtype=np.int64))
    return Operator("DEPTHWISE", node.inputs[:1], node.output, *_clamp(node, out), filter=filter)


def _of_filter(graph: Graph, node: Node) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    _require_plain(node)
    given, weights, biases = (graph.tensors[index] for index in node.inputs)
    return given, weights, biases, graph.tensors[node.output]


def _filter(
    node: Node,
    given: Tensor,
    weights: Tensor,
    biases: Tensor,
    out: Tensor,
    flat: NDArray[np.int8],
    sums: NDArray[np.int64],
) -> Filter:
    assert biases.data is not None
    scales = weights.scales if len(weights.scales) > 1 else weights.scales * len(sums)
    whole = biases.data - given.zero_point * sums
    if np.abs(whole).max(initial=0) >= ONE:
        raise ExportError(f"biases of tensor {node.output} are over 32 bits: export the run again")
    return Filter(
        weights=flat,
        biases=whole.astype(np.int32),
        scalings=tuple(scaling(given.scale * scale / out.scale) for scale in scales),
        kernel=weights.rows,
        stride=node.options.strideW,
        apart=node.options.dilationWFactor,
    )


def _sum(graph: Graph, node: Node) -> Operator:
    out = graph.tensors[node.output]
    one, other = (graph.tensors[index] for index in node.inputs)
    common = 2.0 * max(one.scale, other.scale)
    terms = Sum(
        zero_points=(one.zero_point, other.zero_point),
        inputs=(scaling(one.scale / common), scaling(other.scale / common)),
        output=scaling(common / ((1 << SUM_HEADROOM_BITS) * out.scale)),
    )
    return Operator("SUM", node.inputs, node.output, *_clamp(node, out), sum=terms)


def _pool(graph: Graph, node: Node) -> Operator:
    _require_plain(node)
    kind = "MEAN" if node.kind == "AVERAGE_POOL_2D" else "MAXIMUM"
    _, low, high = _clamp(node, graph.tensors[node.output])
    return Operator(kind, node.inputs, node.output, 0, low, high, window=node.options.filterWidth)


def _softmax(graph: Graph, node: Node) -> Operator:
    factor = node.options.beta * graph.tensors[node.inputs[0]].scale
    beta = scaling(min(factor * (1 << (31 - DIFFERENCE_BITS)), ONE - 1.0))
    reach = ((1 << DIFFERENCE_BITS) - 1) * (1 << (31 - DIFFERENCE_BITS)) / (1 << beta.shift)
    params = Softmax(beta, -math.floor(reach))
    return Operator("SOFTMAX", node.inputs, node.output, -128, LOWEST, HIGHEST, softmax=params)


_MAKERS: Final = {
    "ADD": _sum,
    "AVERAGE_POOL_2D": _pool,
    "CONV_2D": _convolution,
    "DEPTHWISE_CONV_2D": _depthwise,
    "MAX_POOL_2D": _pool,
    "SOFTMAX": _softmax,
}


def _clamp(node: Node, out: Tensor) -> tuple[int, int, int]:
    """Return the zero point of an output, and the range that its activation leaves."""
    match node.options.fusedActivationFunction:
        case ActivationFunctionType.NONE:
            return out.zero_point, LOWEST, HIGHEST
        case ActivationFunctionType.RELU:
            return out.zero_point, max(LOWEST, out.zero_point), HIGHEST
        case other:
            raise ExportError(
                f"activation {other} of tensor {node.output} is none of the microcontroller's "
                "engine, which has ReLU: adapt a net of kind tcn"
            )


def _require_plain(node: Node) -> None:
    """Raise ExportError where a window is padded, or more than one row of bands high."""
    options: Any = node.options
    neutral = [getattr(options, name, 1) for name in ("depthMultiplier", "filterHeight")]
    if options.padding != Padding.VALID or neutral != [1, 1]:
        raise ExportError(
            f"the window of tensor {node.output} is padded or over bands, which the "
            "microcontroller's engine has no code for: adapt a net of kind tcn"
        )


def _require_runs(graph: Graph, plan: Plan, operator: Operator) -> None:
    """Raise ExportError where shapes are not those that the engine takes for granted."""
    first, out = graph.tensors[operator.inputs[0]], graph.tensors[operator.output]
    filter = operator.filter
    reach, stride = (filter.reach, filter.stride) if filter else (max(1, operator.window), 1)
    enough = first.rows >= (out.rows - 1) * stride + reach
    whole = operator.kind != "CONVOLUTION" or plan.places[operator.inputs[0]].stride == (
        first.channels
    )
    flat = all(math.prod(graph.tensors[i].shape[:-2]) == 1 for i in operator.inputs)
    if not (enough and whole and flat):
        raise ExportError(
            f"tensor {operator.output} of the model has a shape that the microcontroller's engine "
            "has no code for: adapt a net of kind tcn"
        )


def macs(graph: Graph, made: list[Operator]) -> Iterator[int]:
    """Give the multiply-accumulates of each filter in one step."""
    for operator in made:
        if operator.filter is not None:
            yield graph.tensors[operator.output].rows * operator.filter.weights.size
