"""Runs TFLite models through LiteRT, or tflite_runtime where only that is there: one thread.

States go from the outputs to the inputs by `set_tensor` of a view: 0.9 us each, where two views
cost 1.5 us and LiteRT's CompiledModel, which would swap its buffers, 6 us more per call. A step of
the shipped net, 197 k parameters, costs 33 us of CPU in int8 (14 of them inside LiteRT) and 45 us
in fp32, where ONNX Runtime takes 86 and 73; in tflite_runtime 196 and 41, as its int8 kernels are
older (x86-64, ai-edge-litert 2.3.0, minimum of 25 rounds).
"""

from pathlib import Path

import numpy as np

from edgekws.engines.tensors import describe, load, start_states, store
from edgekws.engines.tflite_interpreter import Kernels, check_signature, open_interpreter
from edgekws.events import Floats
from edgekws.specs import GraphSpec


class TfliteEngine:
    """One model in one interpreter, and its states."""

    def __init__(
        self, model: bytes | Path, graph: GraphSpec, *, kernels: Kernels = "fastest"
    ) -> None:
        self._graph = graph
        self._interpreter = open_interpreter(model, kernels=kernels)
        inputs, outputs = check_signature(self._interpreter, graph, where=describe(model))
        self._features = np.zeros(graph.features.shape, graph.features.dtype)
        self._feed = inputs[graph.features.name]
        self._scores = self._interpreter.tensor(outputs[graph.scores.name])
        self._start = [
            (inputs[state.input.name], array)
            for state, array in zip(graph.states, start_states(graph), strict=True)
        ]
        self._handed_on = [  # a view is taken anew each time: none may be held across `invoke`
            (inputs[state.input.name], self._interpreter.tensor(outputs[state.output.name]))
            for state in graph.states
        ]
        self.reset()

    def step(self, features: Floats) -> Floats:
        """Take normalized features (step_frames, n_mfcc); return posteriors (rows, n_labels)."""
        assert features.shape == self._features.shape[1:], features.shape
        store(features, self._graph.features, self._features[0])
        interpreter = self._interpreter
        interpreter.set_tensor(self._feed, self._features)
        interpreter.invoke()
        for index, view in self._handed_on:
            interpreter.set_tensor(index, view())
        return load(self._scores()[0], self._graph.scores)

    def reset(self) -> None:
        """Put every state back to the start of a stream."""
        for index, array in self._start:
            self._interpreter.set_tensor(index, array)


def open_builtin(model: bytes | Path, graph: GraphSpec) -> TfliteEngine:
    """Load a model into the runtime's own optimized kernels."""
    return TfliteEngine(model, graph, kernels="built-in")


def open_reference(model: bytes | Path, graph: GraphSpec) -> TfliteEngine:
    """Load a model into the reference kernels, which give the same bits in every runtime."""
    return TfliteEngine(model, graph, kernels="reference")
