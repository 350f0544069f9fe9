"""An int8 .tflite file as typed nodes and tensors, for the engine that runs on microcontrollers."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

from edgekws.errors import ExportError
from edgekws.export.tflite_file import read_model

KINDS: Final = {
    getattr(schema.BuiltinOperator, kind): kind
    for kind in (
        "ADD",
        "AVERAGE_POOL_2D",
        "CONCATENATION",
        "CONV_2D",
        "DEPTHWISE_CONV_2D",
        "MAX_POOL_2D",
        "RESHAPE",
        "SLICE",
        "SOFTMAX",
    )
}
"""What the engine knows: a step of the temporal convolution net has nothing else."""


@dataclass(frozen=True, eq=False, slots=True)
class Tensor:
    """Rows of channels, or a constant, which has `data`; scales are per channel or one."""

    shape: tuple[int, ...]
    scales: tuple[float, ...]
    zero_point: int
    data: NDArray[Any] | None

    @property
    def rows(self) -> int:
        """Frames: the last axis but one."""
        return self.shape[-2]

    @property
    def channels(self) -> int:
        """The last axis."""
        return self.shape[-1]

    @property
    def scale(self) -> float:
        """The one scale of a tensor that is computed."""
        (scale,) = self.scales
        return scale


@dataclass(frozen=True, eq=False, slots=True)
class Node:
    """An operator; `options` are those of TFLite's schema."""

    kind: str
    version: int
    inputs: tuple[int, ...]
    output: int
    options: Any


@dataclass(frozen=True, eq=False, slots=True)
class Graph:
    """All of a file; the first input is the features, the first output the scores."""

    tensors: tuple[Tensor, ...]
    nodes: tuple[Node, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]

    def states(self) -> Iterator[tuple[int, int]]:
        """Give each state as it goes in and comes out."""
        return zip(self.inputs[1:], self.outputs[1:], strict=True)


def read_graph(data: bytes) -> Graph:
    """Return the graph of a file; ExportError for an operator that the engine does not know."""
    model = read_model(data)
    (graph,) = model.subgraphs
    return Graph(
        tensors=tuple(_tensor(model, tensor) for tensor in graph.tensors),
        nodes=tuple(_node(model, operator) for operator in graph.operators),
        inputs=tuple(graph.inputs.tolist()),
        outputs=tuple(graph.outputs.tolist()),
    )


def _tensor(model: Any, tensor: Any) -> Tensor:
    raw = model.buffers[tensor.buffer].data
    kind = np.int8 if tensor.type == schema.TensorType.INT8 else np.int32
    quantization = tensor.quantization
    scaled = quantization is not None and quantization.scale is not None
    shape = tuple(tensor.shape.tolist())
    return Tensor(
        shape=shape,
        scales=tuple(quantization.scale.tolist()) if scaled else (),
        zero_point=int(quantization.zeroPoint[0]) if scaled else 0,
        data=None if raw is None else np.frombuffer(raw.tobytes(), kind).reshape(shape),
    )


def _node(model: Any, operator: Any) -> Node:
    code = model.operatorCodes[operator.opcodeIndex]
    if code.builtinCode not in KINDS:
        raise ExportError(
            f"the operator {_name(code.builtinCode)} is none of the microcontroller's engine, "
            f"which has {', '.join(sorted(KINDS.values()))}: adapt a net of kind tcn, whose int8 "
            "file has no tensor in float"
        )
    (output,) = operator.outputs.tolist()
    inputs = tuple(operator.inputs.tolist())
    return Node(KINDS[code.builtinCode], code.version, inputs, output, operator.builtinOptions)


def _name(code: int) -> str:
    names = {number: name for name, number in vars(schema.BuiltinOperator).items()}
    return str(names.get(code, code))
