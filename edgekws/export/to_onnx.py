"""A trained net as an ONNX graph of one step: features and states in, posteriors and states out.

The graph is written node by node: torch's exporters give the same operators, but bring their own
names, versions and stack traces into the file. Two things differ from the net. Batch norm is folded
into the convolution before it. And tensors have a fourth axis of size one, as onnxruntime runs 2-D
convolutions much faster than 1-D ones: 99 against 264 microseconds a step of the shipped base.
"""

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

from edgekws.events import Floats
from edgekws.specs import GraphSpec, ModelSpec, StateSpec, TensorSpec
from edgekws.train.nets import StreamingTcn
from edgekws.train.nets.causal import CausalConv, Pointwise
from edgekws.train.nets.tcn import SeparableBlock

OPSET: Final = 17
IR_VERSION: Final = 8  # what onnx 1.12 wrote: every onnxruntime that we allow reads it
FEATURES: Final = "features"
SCORES: Final = "scores"
POOL: Final = "pool"  # how the names of the pooling nodes begin
_END: Final = np.iinfo(np.int64).max


class Folded(NamedTuple):
    """A convolution with its batch norm inside: (out, in / groups, 1, kernel) and (out,)."""

    weight: Floats
    bias: Floats


def to_onnx(net: StreamingTcn, model: ModelSpec) -> onnx.ModelProto:
    """Return the step graph of a net in eval mode; equal weights give equal bytes."""
    graph = _GraphWriter()
    graph.inputs.append(_value(FEATURES, (1, model.step_frames, model.features.n_mfcc)))
    x = graph.add("Transpose", [FEATURES], "features_by_channel", perm=[0, 2, 1])
    x = graph.add("Unsqueeze", [x, graph.integers("row_axis", [2])], "features_as_rows")
    x = _causal(graph, net.stem, x, name="stem")
    for index, block in enumerate(net.blocks):
        assert isinstance(block, SeparableBlock)
        x = _block(graph, block, x, name=f"block_{index}")
    x = _pointwise(graph, net.embed, x, name="embed")
    x = _pool(graph, net.pool.channels, net.pool.frames, x)
    x = _head(graph, net.head, x)
    graph.add("Softmax", [x], SCORES, axis=-1)
    graph.outputs.insert(0, _value(SCORES, (1, model.scores_per_step, len(model.labels))))
    return graph.model()


def graph_spec(model: onnx.ModelProto) -> GraphSpec:
    """Return the signature of a step graph, as the device reads it from the manifest."""
    inputs = [_tensor_spec(value) for value in model.graph.input]
    outputs = [_tensor_spec(value) for value in model.graph.output]
    pairs = zip(inputs[1:], outputs[1:], strict=True)
    states = tuple(StateSpec(input=before, output=after) for before, after in pairs)
    return GraphSpec(features=inputs[0], scores=outputs[0], states=states)


class _GraphWriter:
    """Collects nodes and constants in the order in which they are added."""

    def __init__(self) -> None:
        self.inputs: list[onnx.ValueInfoProto] = []
        self.outputs: list[onnx.ValueInfoProto] = []
        self._nodes: list[onnx.NodeProto] = []
        self._constants: dict[str, onnx.TensorProto] = {}

    def add(self, op: str, inputs: Sequence[str], output: str, **attributes: Any) -> str:
        """Add a node that is called as its one output, and return that name."""
        self._nodes.append(helper.make_node(op, inputs, [output], name=output, **attributes))
        return output

    def constant(self, name: str, array: NDArray[Any]) -> str:
        """Add a constant, once per name."""
        self._constants.setdefault(name, numpy_helper.from_array(array, name))
        return name

    def integers(self, name: str, values: Sequence[int]) -> str:
        """Add a constant of int64, as axes and places are."""
        return self.constant(name, np.array(values, np.int64))

    def conv(self, folded: Folded, x: str, *, name: str, stride: int = 1, groups: int = 1) -> str:
        """Add a convolution over the last axis."""
        weight = self.constant(f"{name}_weight", folded.weight)
        bias = self.constant(f"{name}_bias", folded.bias)
        kernel = list(folded.weight.shape[2:])
        return self.add(
            "Conv", [x, weight, bias], name, kernel_shape=kernel, strides=[1, stride], group=groups
        )

    def with_past(self, x: str, *, channels: int, history: int, name: str) -> str:
        """Put a state of `history` frames before x, and hand on the newest frames of both."""
        if history == 0:
            return x
        state = f"state_{len(self.inputs) - 1}"
        shape = (1, channels, 1, history)
        self.inputs.append(_value(state, shape))
        self.outputs.append(_value(f"{state}_out", shape))
        joined = self.add("Concat", [state, x], f"{name}_joined", axis=3)
        first = self.integers(f"last_{history}", [-history])
        self.add(
            "Slice",
            [joined, first, self.integers("end", [_END]), self.integers("time_axis", [3])],
            f"{state}_out",
        )
        return joined

    def model(self) -> onnx.ModelProto:
        """Return the checked model."""
        graph = helper.make_graph(
            self._nodes, "step", self.inputs, self.outputs, list(self._constants.values())
        )
        opset = helper.make_opsetid("", OPSET)
        model = helper.make_model(
            graph, opset_imports=[opset], ir_version=IR_VERSION, producer_name="edgekws"
        )
        onnx.checker.check_model(model, full_check=True)
        return model


def _causal(graph: _GraphWriter, layer: CausalConv, x: str, *, name: str) -> str:
    conv = layer.conv
    x = graph.with_past(x, channels=conv.in_channels, history=layer.history, name=name)
    x = graph.conv(_fold(conv, layer.norm), x, name=name, stride=conv.stride[0], groups=conv.groups)
    return graph.add("Relu", [x], f"{name}_relu") if layer.relu else x


def _pointwise(graph: _GraphWriter, layer: Pointwise, x: str, *, name: str) -> str:
    x = graph.conv(_fold(layer.conv, layer.norm), x, name=name)
    return graph.add("Relu", [x], f"{name}_relu") if layer.relu else x


def _block(graph: _GraphWriter, block: SeparableBlock, x: str, *, name: str) -> str:
    y = x
    for index, (depthwise, pointwise) in enumerate(
        zip(block.depthwise, block.pointwise, strict=True)
    ):
        assert isinstance(depthwise, CausalConv)
        assert isinstance(pointwise, Pointwise)
        y = _causal(graph, depthwise, y, name=f"{name}_depthwise_{index}")
        y = _pointwise(graph, pointwise, y, name=f"{name}_pointwise_{index}")
    if block.residual:
        y = graph.add("Add", [y, x], f"{name}_sum")
    return graph.add("Relu", [y], f"{name}_relu")


def _pool(graph: _GraphWriter, channels: int, frames: int, x: str) -> str:
    x = graph.with_past(x, channels=channels, history=frames - 1, name=POOL)
    window, stride = [1, frames], [1, 1]
    mean = graph.add("AveragePool", [x], f"{POOL}_mean", kernel_shape=window, strides=stride)
    peak = graph.add("MaxPool", [x], f"{POOL}_peak", kernel_shape=window, strides=stride)
    return graph.add("Concat", [mean, peak], f"{POOL}ed", axis=1)


def _head(graph: _GraphWriter, head: nn.Linear, x: str) -> str:
    """Add the linear layer as a convolution of one frame; return (1, rows, labels)."""
    folded = Folded(_array(head.weight)[:, :, None, None], _array(head.bias))
    x = graph.conv(folded, x, name="logits_by_label")
    x = graph.add("Squeeze", [x, graph.integers("row_axis", [2])], "logits_as_columns")
    return graph.add("Transpose", [x], "logits", perm=[0, 2, 1])


def _fold(conv: nn.Conv1d, norm: nn.BatchNorm1d) -> Folded:
    """Return what convolution and batch norm (in eval mode) do together."""
    assert norm.running_mean is not None
    assert norm.running_var is not None
    scale = norm.weight.double() / torch.sqrt(norm.running_var.double() + norm.eps)
    weight = conv.weight.double() * scale[:, None, None]
    bias = norm.bias.double() - norm.running_mean.double() * scale
    return Folded(_array(weight)[:, :, None, :], _array(bias))


def _array(tensor: Tensor) -> Floats:
    return np.ascontiguousarray(tensor.detach().numpy(), dtype=np.float32)


def _value(name: str, shape: Sequence[int]) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)


def _tensor_spec(value: onnx.ValueInfoProto) -> TensorSpec:
    shape = tuple(size.dim_value for size in value.type.tensor_type.shape.dim)
    return TensorSpec(name=value.name, shape=shape, dtype="float32", scale=1.0, zero_point=0)
