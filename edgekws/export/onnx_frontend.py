"""Puts the MFCC before the net in an ONNX step graph, in float whatever the net's precision.

The graph is changed once it is quantized, so every kind of net and every precision is fused alike.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from edgekws.export.mfcc_matrices import Matrices, mfcc_matrices
from edgekws.export.onnx_graph import GraphWriter
from edgekws.export.to_onnx import FEATURES, graph_spec
from edgekws.specs import SAMPLES, GraphSpec, ModelSpec


def fuse(
    files: dict[str, bytes], _: GraphSpec, model: ModelSpec
) -> tuple[dict[str, bytes], GraphSpec]:
    """Return a finished .onnx that takes samples in place of features, and its signature."""
    net, head = onnx.load_from_string(files[".onnx"]), front_end(model).graph
    before = list(net.graph.node)
    del net.graph.node[:], net.graph.input[0]
    net.graph.node.extend([*head.node, *before])
    net.graph.input.insert(0, head.input[0])
    net.graph.initializer.extend(head.initializer)
    onnx.checker.check_model(net, full_check=True)
    return {".onnx": net.SerializeToString(deterministic=True)}, graph_spec(net)


def front_end(model: ModelSpec) -> onnx.ModelProto:
    """Return a graph from "samples" to the normalized "features" of one step."""
    head, matrices, spec = _Head(), mfcc_matrices(model), model.features
    frames, points = model.step_frames, spec.fft
    samples = head.graph.features(SAMPLES, (1, model.samples_per_step))
    x = _numbers(head, samples, matrices, model)  # (groups, frames, 2 * columns)
    x = head.add("Mul", [x, x], "squares")
    x = head.add("Transpose", [x], "squares_by_frame", perm=[1, 0, 2])
    x = head.reshape(x, (frames, points), "spectrum")
    x = head.product(x, matrices.mel.reshape(points, -1), "mel")
    x = head.add("Add", [x, head.constant("floor", np.float32(matrices.floor))], "mel_over_floor")
    x = head.product(head.add("Log", [x], "log_mel"), matrices.dct, "cepstra")
    x = head.add("Add", [x, head.constant("bias", matrices.bias)], "normalized")
    shape = (1, frames, spec.n_mfcc)
    head.graph.add("Reshape", [x, head.integers("step_shape", shape)], FEATURES)
    head.graph.scores(FEATURES, shape)
    return head.graph.model()


class _Head:
    """Adds nodes and constants whose names are none of the net's."""

    def __init__(self) -> None:
        self.graph = GraphWriter()

    def add(self, op: str, inputs: Sequence[str], output: str, **attributes: Any) -> str:
        return self.graph.add(op, inputs, f"mfcc_{output}", **attributes)

    def constant(self, name: str, values: NDArray[Any] | np.float32) -> str:
        return self.graph.constant(f"mfcc_{name}", np.asarray(values))

    def integers(self, name: str, values: Sequence[int] | NDArray[np.int64]) -> str:
        return self.constant(name, np.array(values, np.int64))

    def reshape(self, x: str, shape: Sequence[int], output: str) -> str:
        return self.add("Reshape", [x, self.integers(f"{output}_shape", shape)], output)

    def product(self, x: str, weight: NDArray[Any], output: str) -> str:
        return self.add("MatMul", [x, self.constant(f"{output}_weight", weight)], output)


def _numbers(head: _Head, samples: str, matrices: Matrices, model: ModelSpec) -> str:
    """Add both stages of the transform; return its numbers (groups, frames, 2 * columns)."""
    rows, columns, groups = matrices.rows, matrices.columns, matrices.groups
    apart, frames, size = model.features.hop // columns, model.step_frames, 2 * columns
    places = apart * np.arange(frames)[:, None] + np.arange(rows)  # (frames, rows)
    x = head.reshape(samples, (model.samples_per_step // columns, columns), "rows")
    x = head.add("Gather", [x, head.integers("places", places)], "frames", axis=0)
    x = head.add("Mul", [x, head.constant("window", matrices.window)], "windowed")
    first = head.constant("first_stage", matrices.first.reshape(-1, rows))  # (2 * groups, rows)
    x = head.add("MatMul", [first, x], "by_column")  # (frames, 2 * groups, columns)
    x = head.reshape(x, (frames, groups, size), "by_group")
    x = head.add("Transpose", [x], "groups", perm=[1, 0, 2])
    return head.product(x, matrices.second.reshape(groups, size, size), "numbers")
