"""Whether the tensors of a graph follow from the model that it is said to hold."""

import math
from collections.abc import Iterator
from typing import Final

import msgspec

from edgekws.specs import GraphSpec, ModelSpec, TensorSpec

FLOAT32_MAX: Final = 3.4028234e38
ZERO_POINTS: Final = {"float32": (0, 0), "int8": (-128, 127), "int16": (0, 0)}
"""Lowest and highest by type; 16-bit tensors are symmetric in every format."""


def graph_faults(model: ModelSpec, graph: GraphSpec) -> Iterator[tuple[str, str]]:
    """Yield what is wrong as (path below the graph, fault)."""
    step = (model.samples_per_step,) if graph.fused else (model.step_frames, model.features.n_mfcc)
    features = (1, *step)
    scores = (1, model.scores_per_step, len(model.labels))
    if graph.features.shape != features:
        yield ".features", f"shape {graph.features.shape} needs to be {features}"
    if graph.scores.shape != scores:
        yield ".scores", f"shape {graph.scores.shape} needs to be {scores}"
    if graph.fused and graph.features.dtype != "float32":
        yield ".features", f"samples of {graph.features.dtype} need to be float32"
    for path, tensor in _tensors(graph):
        for fault in _tensor_faults(tensor):
            yield path, fault
    for index, state in enumerate(graph.states):
        if msgspec.structs.replace(state.output, name=state.input.name) != state.input:
            yield f".states[{index}]", "input and output differ in more than their name"
    names = [tensor.name for _, tensor in _tensors(graph)]
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield "", f"two tensors of the name {name!r}"


def _tensors(graph: GraphSpec) -> Iterator[tuple[str, TensorSpec]]:
    yield ".features", graph.features
    yield ".scores", graph.scores
    for index, state in enumerate(graph.states):
        yield f".states[{index}].input", state.input
        yield f".states[{index}].output", state.output


def _tensor_faults(tensor: TensorSpec) -> Iterator[str]:
    if not tensor.shape or min(tensor.shape) < 1:
        yield f"shape {tensor.shape} needs sizes of 1 or more"
    if not (math.isfinite(tensor.scale) and 0 < tensor.scale <= FLOAT32_MAX):
        yield f"scale {tensor.scale} needs to be positive and finite"
    lowest, highest = ZERO_POINTS[tensor.dtype]
    if not lowest <= tensor.zero_point <= highest:
        yield f"zero point {tensor.zero_point} of {tensor.dtype}: needs {lowest} to {highest}"
    if tensor.dtype == "float32" and tensor.scale != 1.0:
        yield "a float32 tensor needs scale 1"
