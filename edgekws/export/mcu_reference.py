"""The arithmetic that the microcontroller's engine is held to: TFLite's reference kernels."""

from typing import Any

import numpy as np
from ai_edge_litert.interpreter import Interpreter, OpResolverType
from numpy.typing import NDArray

from edgekws.engines.tensors import load, start_states, store
from edgekws.events import Floats
from edgekws.export.quiet import quietly
from edgekws.specs import GraphSpec

Integers = NDArray[np.int8]


class ReferenceEngine:
    """An int8 model in LiteRT without XNNPACK and optimized kernels, and its states."""

    def __init__(self, data: bytes, graph: GraphSpec) -> None:
        self._graph = graph
        with quietly():
            self._interpreter: Any = Interpreter(
                model_content=data,
                num_threads=1,
                experimental_op_resolver_type=OpResolverType.BUILTIN_REF,
            )
            self._interpreter.allocate_tensors()
        self._inputs = _indices(self._interpreter.get_input_details())
        self._outputs = _indices(self._interpreter.get_output_details())
        self._states: list[NDArray[Any]] = start_states(graph)

    def step(self, features: Floats) -> Floats:
        """Take normalized features (step_frames, n_mfcc); return posteriors (rows, n_labels)."""
        return load(self.step_integers(self.quantize(features)), self._graph.scores)

    def quantize(self, features: Floats) -> Integers:
        """Return features as the graph takes them, (step_frames, n_mfcc)."""
        quantized = np.zeros(features.shape, np.int8)
        store(features, self._graph.features, quantized)
        return quantized

    def step_integers(self, features: Integers) -> Integers:
        """Take (step_frames, n_mfcc) and return (rows, n_labels), both int8."""
        given = {self._graph.features.name: features[None]}
        for state, array in zip(self._graph.states, self._states, strict=True):
            given[state.input.name] = array
        for name, array in given.items():
            self._interpreter.set_tensor(self._inputs[name], array)
        self._interpreter.invoke()
        self._states = [self._output(state.output.name) for state in self._graph.states]
        scores: Integers = self._output(self._graph.scores.name)[0]
        return scores

    def reset(self) -> None:
        """Put every state back to the start of a stream."""
        self._states = start_states(self._graph)

    def _output(self, name: str) -> NDArray[Any]:
        array: NDArray[Any] = self._interpreter.get_tensor(self._outputs[name])
        return array


def _indices(details: list[dict[str, Any]]) -> dict[str, int]:
    return {detail["name"]: detail["index"] for detail in details}
