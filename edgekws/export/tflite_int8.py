"""The int8 .tflite of a net: quantized whole, or without the tensors that eight bits spoil.

Where one of these goes into a state or comes from one, all inputs and outputs are float32: the
quantizer knows no other way than all or none. States that are 8 bits inside lose nothing by it.
"""

import re
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any, Final

from edgekws.engines.engine import Engine
from edgekws.engines.registry import open_engine
from edgekws.export.formats import Job, Steps
from edgekws.export.sensitivity import Node, Nodes, sound
from edgekws.export.tflite_file import finish, interface, read_model
from edgekws.export.tflite_quantize import CARRIERS, INTERFACE, observe, quantize
from edgekws.specs import GraphSpec

File = tuple[bytes, GraphSpec]

MODULES: Final = re.compile(r"(?:\w+\.)+_?")
"""What stands before the class of a layer wherever litert-torch writes its path."""


def sound_int8(fp32: bytes, job: Job) -> File:
    """Return the int8 file of a converter's float one, with sensitive tensors in float."""
    return sound(partial(TfliteQuantizer, fp32), job)


class TfliteQuantizer:
    """A converter's float file, and the ranges that its values have over some clips."""

    def __init__(self, fp32: bytes, clips: Sequence[Steps]) -> None:
        self._fp32, self._ranges = fp32, observe(fp32, clips)
        self._model = read_model(fp32)
        (graph,) = self._model.subgraphs
        self._tensors = [tensor.name.decode() for tensor in graph.tensors]
        self._names = [_short(name, at) for at, name in enumerate(self._tensors)]

    def nodes(self) -> list[Node]:
        """Return the graph in the order in which it runs."""
        return list(self._operators())

    def quantize(self, in_float: Nodes) -> File:
        """Return the file as it ships; the nodes of these names stay in float."""
        tensors = dict(zip(self._names, self._tensors, strict=True))
        kept = frozenset(tensors[name] for name in in_float)
        if any(self._at_the_border(node) for node in self._operators() if node.name in in_float):
            kept |= {INTERFACE}
        return finish(quantize(self._fp32, "int8", self._ranges, in_float=kept))

    def open(self, model: File) -> Engine:
        """Return LiteRT with that file."""
        return open_engine("tflite", *model)

    def open_float(self) -> Engine:
        """Return LiteRT with the float file."""
        return self.open(finish(self._fp32))

    def _operators(self) -> Iterator[Node]:
        """Give a node for each operator, under the name of the tensor that it makes."""
        (graph,) = self._model.subgraphs
        for operator in graph.operators:
            kind = self._model.operatorCodes[operator.opcodeIndex].builtinCode
            inputs, outputs = (self._named(side) for side in (operator.inputs, operator.outputs))
            yield Node(outputs[0], inputs, outputs, carries=kind in CARRIERS, quantized=True)

    def _at_the_border(self, node: Node) -> bool:
        """Return whether a node reads what goes into the graph, or makes what comes out."""
        inputs, outputs = (self._named(side) for side in interface(self._model))
        return not {*inputs, *outputs}.isdisjoint((*node.inputs, *node.outputs))

    def _named(self, indices: Any) -> tuple[str, ...]:
        return tuple(self._names[at] for at in indices if at >= 0)


def _short(name: str, at: int) -> str:
    """Return a layer's path for a person, and the number of the tensor, which tells it apart."""
    return f"{MODULES.sub('', name).partition(';')[0]} #{at}"
