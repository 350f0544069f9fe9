"""The delay net as a TFLite model, written by hand: no converter, no torch."""

from typing import Any, Final

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

from edgekws.specs import TensorSpec
from tests.delay_net import delay_graph

BACK: Final = [0, 2, 0]  # where the last two of four frames begin
Operator = schema.BuiltinOperator
Options = schema.BuiltinOptions


def delay_model(dtype: str, *, operator: int = Operator.SLICE) -> bytes:
    """Return that net; its float form adds state 1, which counts the steps, to the scores."""
    net = _Writer()
    graph = delay_graph(dtype)
    first, second = graph.states
    features, before, count = (net.tensor(t) for t in (graph.features, first.input, second.input))
    scores, after, next_count = (net.tensor(t) for t in (graph.scores, first.output, second.output))
    shape, one = net.constant([1, 2, 3]), net.constant(np.ones(1, np.float32))
    if dtype == "int8":
        net.add(Operator.RESHAPE, [before, shape], scores, Options.ReshapeOptions)
    else:
        net.add(Operator.ADD, [before, count], scores, Options.AddOptions)
    net.add(operator, [features, net.constant(BACK), shape], after, Options.SliceOptions)
    net.add(Operator.ADD, [count, one], next_count, Options.AddOptions)
    return net.model([features, before, count], [scores, after, next_count])


class _Writer:
    """Collects tensors and operators of one graph."""

    def __init__(self) -> None:
        self.tensors: list[Any] = []
        self.buffers: list[Any] = [schema.BufferT()]
        self.codes: list[int] = []
        self.operators: list[Any] = []

    def tensor(self, spec: TensorSpec) -> int:
        quantization = None
        if spec.dtype == "int8":
            quantization = schema.QuantizationParametersT(
                scale=np.float32([spec.scale]), zeroPoint=np.array([spec.zero_point])
            )
        kind = getattr(schema.TensorType, spec.dtype.upper())
        self.tensors.append(
            schema.TensorT(
                name=spec.name,
                shape=np.int32(spec.shape),
                type=kind,
                quantization=quantization,
            )
        )
        return len(self.tensors) - 1

    def constant(self, values: list[int] | NDArray[np.float32]) -> int:
        array = np.asarray(values, np.int32 if isinstance(values, list) else np.float32)
        kind = getattr(schema.TensorType, array.dtype.name.upper())
        self.buffers.append(schema.BufferT(data=array.view(np.uint8)))
        self.tensors.append(
            schema.TensorT(
                name=f"constant_{len(self.tensors)}",
                shape=np.int32(array.shape),
                type=kind,
                buffer=len(self.buffers) - 1,
            )
        )
        return len(self.tensors) - 1

    def add(self, operator: int, inputs: list[int], output: int, options: int) -> None:
        self.codes.append(operator)
        made = getattr(schema, f"{_named(options)}T")()
        self.operators.append(
            schema.OperatorT(
                opcodeIndex=len(self.codes) - 1,
                inputs=np.int32(inputs),
                outputs=np.int32([output]),
                builtinOptionsType=options,
                builtinOptions=made,
            )
        )

    def model(self, inputs: list[int], outputs: list[int]) -> bytes:
        graph = schema.SubGraphT(
            tensors=self.tensors,
            inputs=np.int32(inputs),
            outputs=np.int32(outputs),
            operators=self.operators,
        )
        codes = [
            schema.OperatorCodeT(deprecatedBuiltinCode=min(code, 127), builtinCode=code, version=1)
            for code in self.codes
        ]
        model = schema.ModelT(
            version=3, operatorCodes=codes, subgraphs=[graph], buffers=self.buffers
        )
        builder = flatbuffers.Builder()
        builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
        return bytes(builder.Output())


def _named(options: int) -> str:
    (name,) = [name for name, number in vars(Options).items() if number == options]
    return name
