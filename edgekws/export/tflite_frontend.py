"""Puts the MFCC before the net in a .tflite file, in float whatever the net's precision.

The file is changed as it ships, so every kind of net and every precision is fused alike. All new
operators are among those that XNNPACK takes: with the net they are one part, run in one go.
"""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

from edgekws.events import Floats
from edgekws.export.mfcc_matrices import Matrices, mfcc_matrices
from edgekws.export.tflite_file import pack_model, read_model, signature
from edgekws.specs import SAMPLES, GraphSpec, ModelSpec

Operator = schema.BuiltinOperator

GROUPED: Final = 6  # the version of CONV_2D that knows groups
TO_INT16: Final = 2  # the version of QUANTIZE that gives 16 bits
CODES_OF_OLD: Final = 127  # the highest operator that fits into the schema's first field for it
TYPES: Final = {
    np.dtype(np.float32): schema.TensorType.FLOAT32,
    np.dtype(np.int32): schema.TensorType.INT32,
}


def fuse(
    files: dict[str, bytes], _: GraphSpec, model: ModelSpec
) -> tuple[dict[str, bytes], GraphSpec]:
    """Return a finished .tflite that takes samples in place of features, and its signature."""
    net = read_model(files[".tflite"])
    (graph,) = net.subgraphs
    head, entrance = _Head(net), int(graph.inputs[0])
    samples = head.tensor((1, model.samples_per_step))
    features = head.reshape(
        _mfcc(head, mfcc_matrices(model), model, samples), graph.tensors[entrance].shape
    )
    kind = graph.tensors[entrance].type
    if kind == schema.TensorType.FLOAT32:
        head.operators[-1].outputs[0] = entrance
    else:
        head.quantize(features, entrance, kind=kind)
    graph.tensors[samples].name, graph.tensors[entrance].name = SAMPLES.encode(), None
    graph.inputs = np.array([samples, *graph.inputs[1:]], np.int32)
    graph.operators = [*head.operators, *graph.operators]
    return {".tflite": pack_model(net)}, signature(net)


class _Head:
    """Adds tensors to a model, and collects the operators that are to come first in it."""

    def __init__(self, model: Any) -> None:
        self._model = model
        (self._graph,) = model.subgraphs
        self.operators: list[Any] = []

    def tensor(
        self, shape: Sequence[int], *, kind: int = schema.TensorType.FLOAT32, buffer: int = 0
    ) -> int:
        """Add a tensor and return its index."""
        sizes = np.array(shape, np.int32)
        self._graph.tensors.append(schema.TensorT(shape=sizes, type=kind, buffer=buffer))
        return len(self._graph.tensors) - 1

    def constant(self, values: NDArray[Any]) -> int:
        """Add a tensor that holds float32 or int32 values."""
        plain = np.frombuffer(np.ascontiguousarray(values).tobytes(), np.uint8)
        self._model.buffers.append(schema.BufferT(data=plain))
        kind, buffer = TYPES[values.dtype], len(self._model.buffers) - 1
        return self.tensor(values.shape, kind=kind, buffer=buffer)

    def add(
        self,
        code: int,
        inputs: Sequence[int],
        output: int,
        *,
        options: Any = None,
        version: int = 1,
    ) -> int:
        """Add an operator that makes a tensor, and return that one's index."""
        kind = f"{type(options).__name__.removesuffix('T')}" if options else "NONE"
        operator = schema.OperatorT(
            opcodeIndex=self._opcode(code, version),
            inputs=np.array(inputs, np.int32),
            outputs=np.array([output], np.int32),
            builtinOptionsType=getattr(schema.BuiltinOptions, kind),
            builtinOptions=options,
        )
        self.operators.append(operator)
        return output

    def reshape(self, x: int, shape: Sequence[int]) -> int:
        """Add a reshape."""
        sizes = np.array(shape, np.int32)
        options = schema.ReshapeOptionsT(newShape=sizes)
        inputs = [x, self.constant(sizes)]
        return self.add(Operator.RESHAPE, inputs, self.tensor(shape), options=options)

    def conv(self, x: int, weight: Floats, *, frames: int, stride: int) -> int:
        """Add a convolution along axis 1 of (1, n, 1, channels), its groups as the weight says."""
        options = schema.Conv2DOptionsT(padding=schema.Padding.VALID, strideH=stride, strideW=1)
        options.dilationHFactor = options.dilationWFactor = 1
        inputs = [x, self.constant(weight), self.constant(np.zeros(len(weight), np.float32))]
        output = self.tensor((1, frames, 1, len(weight)))
        return self.add(Operator.CONV_2D, inputs, output, options=options, version=GROUPED)

    def dense(self, x: int, weight: Floats, bias: Floats, *, frames: int) -> int:
        """Add a product of (frames, n) with a weight (n, m), and a bias (m,)."""
        inputs = [x, self.constant(weight.T), self.constant(bias)]
        output, options = self.tensor((frames, len(bias))), schema.FullyConnectedOptionsT()
        return self.add(Operator.FULLY_CONNECTED, inputs, output, options=options)

    def quantize(self, x: int, output: int, *, kind: int) -> int:
        """Add a step from float32 to the integers of a tensor."""
        version = TO_INT16 if kind == schema.TensorType.INT16 else 1
        options = schema.QuantizeOptionsT()
        return self.add(Operator.QUANTIZE, [x], output, options=options, version=version)

    def _opcode(self, code: int, version: int) -> int:
        """Return the place of an operator of a version in the model's list, added if need be."""
        codes = self._model.operatorCodes
        known = [(entry.builtinCode, entry.version) for entry in codes]
        if (code, version) not in known:
            old = min(code, CODES_OF_OLD)
            codes.append(schema.OperatorCodeT(old, builtinCode=code, version=version))
            return len(known)
        return known.index((code, version))


def _mfcc(head: _Head, matrices: Matrices, model: ModelSpec, samples: int) -> int:
    """Add the front end; return the normalized features (step_frames, n_mfcc)."""
    frames, spec = model.step_frames, model.features
    x = _spectrum(head, matrices, model, samples)  # (frames, fft)
    squares = head.tensor((frames, spec.fft))
    x = head.add(Operator.MUL, [x, x], squares, options=schema.MulOptionsT())
    floor = np.full(spec.n_mels, matrices.floor, np.float32)
    x = head.dense(x, matrices.mel.reshape(spec.fft, -1), floor, frames=frames)
    x = head.add(Operator.LOG, [x], head.tensor((frames, spec.n_mels)))
    return head.dense(x, matrices.dct, matrices.bias, frames=frames)


def _spectrum(head: _Head, matrices: Matrices, model: ModelSpec, samples: int) -> int:
    """Add both stages of the transform; return its numbers (step_frames, fft)."""
    frames, spec, columns = model.step_frames, model.features, matrices.columns
    x = head.reshape(samples, (1, model.samples_per_step // columns, 1, columns))
    # A group per column: the window, cutting into frames and the first stage are one operator.
    x = head.conv(x, _by_column(matrices), frames=frames, stride=spec.hop // columns)
    numbers = 2 * matrices.groups  # of each column
    x = head.reshape(x, (frames, columns, numbers))
    order, turned = np.array((0, 2, 1), np.int32), head.tensor((frames, numbers, columns))
    inputs, options = [x, head.constant(order)], schema.TransposeOptionsT()
    x = head.add(Operator.TRANSPOSE, inputs, turned, options=options)
    x = head.reshape(x, (1, frames, 1, spec.fft))
    x = head.conv(x, _by_group(matrices), frames=frames, stride=1)
    return head.reshape(x, (frames, spec.fft))


def _by_column(matrices: Matrices) -> Floats:
    """Return window and first stage as weights (columns * 2 * groups, rows, 1, 1)."""
    first = matrices.first.reshape(-1, matrices.rows)  # (2 * groups, rows)
    weights: Floats = first * matrices.window.T[:, None]  # (columns, 2 * groups, rows)
    return weights.reshape(-1, matrices.rows, 1, 1)


def _by_group(matrices: Matrices) -> Floats:
    """Return the second stage as weights (groups * 2 * columns, 1, 1, 2 * columns)."""
    size = 2 * matrices.columns
    second = matrices.second.reshape(matrices.groups, size, size)
    return second.transpose(0, 2, 1).reshape(-1, 1, 1, size)
