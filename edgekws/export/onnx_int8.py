"""The int8 ONNX graph of a net: quantized whole, or without the tensors that eight bits spoil."""

from collections.abc import Sequence
from functools import lru_cache, partial
from typing import Final

import onnx

from edgekws.engines.engine import Engine
from edgekws.engines.registry import open_engine
from edgekws.export.formats import Job, Steps
from edgekws.export.quantize import QUANTIZED_OPS, to_int8
from edgekws.export.sensitivity import Node, Nodes, sound
from edgekws.export.to_onnx import graph_spec, to_onnx

CARRIERS: Final = ("Relu", "Concat", "Slice", "AveragePool", "MaxPool")


@lru_cache(maxsize=1)
def sound_int8(job: Job) -> onnx.ModelProto:
    """Return the int8 graph of a net, with sensitive tensors in float where it needs them.

    ONNX and OpenVINO both start from it, so the last job's is kept: it is to be read only.
    """
    return sound(partial(OnnxQuantizer, to_onnx(job.net, job.model)), job)


class OnnxQuantizer:
    """A float step graph, and the clips on which it is calibrated."""

    def __init__(self, fp32: onnx.ModelProto, clips: Sequence[Steps]) -> None:
        self._fp32, self._clips = fp32, clips

    def nodes(self) -> list[Node]:
        """Return the graph in the order in which it runs."""
        return [
            Node(
                node.name,
                tuple(node.input),
                tuple(node.output),
                carries=node.op_type in CARRIERS,
                quantized=node.op_type in QUANTIZED_OPS,
            )
            for node in self._fp32.graph.node
        ]

    def quantize(self, in_float: Nodes) -> onnx.ModelProto:
        """Return the model in QDQ form; the nodes of these names stay in float."""
        return to_int8(self._fp32, self._clips, in_float=in_float)

    def open(self, model: onnx.ModelProto) -> Engine:
        """Return ONNX Runtime with that model."""
        return open_engine("onnx", model.SerializeToString(), graph_spec(model))

    def open_float(self) -> Engine:
        """Return ONNX Runtime with the float graph."""
        return self.open(self._fp32)
