"""Our ONNX step graphs as OpenVINO runs them best: one state, and 8 bits where a convolution reads.

Both changes are made in ONNX, before OpenVINO sees the graph, so that either form can be run by
onnxruntime too.
"""

import math
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from edgekws.export.to_onnx import graph_spec
from edgekws.specs import StateSpec

STATES: Final = "states"


def quantize_convolutions(fp32: onnx.ModelProto, int8: onnx.ModelProto) -> onnx.ModelProto:
    """Return the float graph with each convolution quantized that is so in the other one."""
    twins = {node.name: node for node in int8.graph.node}
    dequantizers = {n.output[0]: n for n in int8.graph.node if n.op_type == "DequantizeLinear"}
    nodes: list[onnx.NodeProto] = []
    for node in fp32.graph.node:
        read = twins[node.name].input[:2] if node.op_type == "Conv" else []
        if read and all(name in dequantizers for name in read):
            made = _quantized(node, *(dequantizers[name] for name in read))
            nodes += [new for new in made if new not in nodes]  # some share their weights
        else:
            nodes.append(node)
    used = {name for node in nodes for name in node.input}
    constants = {t.name: t for t in (*int8.graph.initializer, *fp32.graph.initializer)}
    graph = onnx.GraphProto()
    graph.CopyFrom(fp32.graph)
    del graph.node[:], graph.initializer[:]
    graph.node.extend(nodes)
    graph.initializer.extend(tensor for name, tensor in constants.items() if name in used)
    return _model(graph, like=fp32)


def join_states(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return the graph with its states side by side in one tensor, (1, values).

    Within it each state lies as (time, channels), the order in which convolutions want it.
    """
    states, before = graph_spec(model).states, model.graph
    sizes = [math.prod(state.input.shape) for state in states]
    graph = onnx.GraphProto()
    graph.CopyFrom(before)
    del graph.node[:], graph.input[1:], graph.output[1:]
    whole = [1, sum(sizes)]
    graph.input.append(helper.make_tensor_value_info(STATES, TensorProto.FLOAT, whole))
    graph.output.append(helper.make_tensor_value_info(f"{STATES}_out", TensorProto.FLOAT, whole))
    graph.initializer.extend(
        [_integers("state_sizes", sizes), _integers("state_as_row", [1, -1])]
        + [_integers(f"{s.input.name}_shape", _channels_last(s.input.shape)) for s in states]
    )
    graph.node.extend([*_apart(states), *before.node, *_together(states)])
    return _model(graph, like=model)


def _quantized(
    conv: onnx.NodeProto, x: onnx.NodeProto, weight: onnx.NodeProto
) -> list[onnx.NodeProto]:
    """Return a convolution behind the quantization that those two nodes undo."""
    scales = list(x.input[1:])
    steps, rounded = f"{conv.name}_steps", f"{conv.name}_rounded"
    own = onnx.NodeProto()
    own.CopyFrom(conv)
    own.input[0], own.input[1] = rounded, weight.output[0]
    return [
        _node("QuantizeLinear", [conv.input[0], *scales], steps),
        _node("DequantizeLinear", [steps, *scales], rounded),
        weight,
        own,
    ]


def _apart(states: Sequence[StateSpec]) -> list[onnx.NodeProto]:
    """Return the nodes that give each state as (1, channels, 1, time)."""
    names = [state.input.name for state in states]
    parts = [f"{name}_part" for name in names]
    nodes = [helper.make_node("Split", [STATES, "state_sizes"], parts, name="state_parts", axis=1)]
    for name, part in zip(names, parts, strict=True):
        nodes.append(_node("Reshape", [part, f"{name}_shape"], f"{name}_last"))
        nodes.append(_node("Transpose", [f"{name}_last"], name, perm=[0, 3, 1, 2]))
    return nodes


def _together(states: Sequence[StateSpec]) -> list[onnx.NodeProto]:
    """Return the nodes that put the states written into one row."""
    nodes, rows = [], []
    for name in (state.output.name for state in states):
        nodes.append(_node("Transpose", [name], f"{name}_last", perm=[0, 2, 3, 1]))
        nodes.append(_node("Reshape", [f"{name}_last", "state_as_row"], f"{name}_row"))
        rows.append(f"{name}_row")
    return [*nodes, _node("Concat", rows, f"{STATES}_out", axis=1)]


def _channels_last(shape: Sequence[int]) -> list[int]:
    batch, channels, rows, time = shape
    return [batch, rows, time, channels]


def _node(kind: str, inputs: Sequence[str], output: str, **attributes: Any) -> onnx.NodeProto:
    return helper.make_node(kind, inputs, [output], name=output, **attributes)


def _integers(name: str, values: Sequence[int]) -> onnx.TensorProto:
    return numpy_helper.from_array(np.array(values, np.int64), name)


def _model(graph: onnx.GraphProto, *, like: onnx.ModelProto) -> onnx.ModelProto:
    model = onnx.ModelProto()
    model.CopyFrom(like)
    model.graph.CopyFrom(graph)
    onnx.checker.check_model(model, full_check=True)
    return model
