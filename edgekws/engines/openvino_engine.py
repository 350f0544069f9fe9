"""Runs OpenVINO models on the CPU: one thread, latency mode, no allocation per step.

Two infer requests take turns over arrays that stay, so that the states one step writes are those
the next one reads; OpenVINO gives views of its outputs and copies none. It makes its code as it
loads a model, which takes memory that is writable and executable (under systemd
`MemoryDenyWriteExecute=no`).
"""

from pathlib import Path
from typing import Any, Final

import numpy as np

from edgekws.engines.openvino_runtime import compile_ir, openvino
from edgekws.engines.tensors import Array, describe, load, require_tensors, start_states, store
from edgekws.events import Floats
from edgekws.specs import GraphSpec, TensorSpec

TYPES: Final = {"float32": "f32", "int8": "i8", "int16": "i16"}


class OpenvinoEngine:
    """One compiled model, and its states."""

    def __init__(self, model: bytes | Path, graph: GraphSpec) -> None:
        self._graph = graph
        self._compiled = compile_ir(model)
        _check_signature(self._compiled, graph, where=describe(model))
        self._features = np.zeros(graph.features.shape, graph.features.dtype)
        self._scores = np.zeros(graph.scores.shape, graph.scores.dtype)
        self._states = (start_states(graph), start_states(graph))
        self._requests = (self._request(*self._states), self._request(*self._states[::-1]))
        self._turn = 0

    def step(self, features: Floats) -> Floats:
        """Take normalized features (step_frames, n_mfcc); return posteriors (rows, n_labels)."""
        assert features.shape == self._features.shape[1:], features.shape
        store(features, self._graph.features, self._features[0])
        self._requests[self._turn].infer(share_outputs=True)
        self._turn ^= 1
        return load(self._scores[0], self._graph.scores)

    def reset(self) -> None:
        """Put every state back to the start of a stream."""
        for array, state in zip(self._states[self._turn], self._graph.states, strict=True):
            array.fill(state.input.zero_point)

    def _request(self, before: list[Array], after: list[Array]) -> Any:
        """Return a request that reads the states `before` and writes the states `after`."""
        request, graph = self._compiled.create_infer_request(), self._graph
        arrays = {graph.features.name: self._features, graph.scores.name: self._scores}
        for state, read, written in zip(graph.states, before, after, strict=True):
            arrays |= {state.input.name: read, state.output.name: written}
        for name, array in arrays.items():
            request.set_tensor(name, openvino.Tensor(array, shared_memory=True))
        return request


def _check_signature(compiled: Any, graph: GraphSpec, *, where: str) -> None:
    """Raise BundleError where the model takes or gives other tensors than the graph says."""
    for side, ports, tensors in (
        ("inputs", compiled.inputs, graph.inputs),
        ("outputs", compiled.outputs, graph.outputs),
    ):
        has = [(" or ".join(sorted(port.names)), _found(port)) for port in ports]
        needs = {tensor.name: _wanted(tensor) for tensor in tensors}
        require_tensors(has, needs, where=where, side=side)


def _found(port: Any) -> str:
    """Return type and shape of a tensor of the model, such as "f32[1,8,40]"."""
    return f"{port.element_type.get_type_name()}{port.partial_shape}"


def _wanted(tensor: TensorSpec) -> str:
    return f"{TYPES[tensor.dtype]}[{','.join(map(str, tensor.shape))}]"
