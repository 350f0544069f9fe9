"""Puts the MFCC before the net in an OpenVINO IR, in float32 whatever the net's precision."""

import msgspec

from edgekws.engines.openvino_runtime import core, openvino
from edgekws.export.onnx_frontend import front_end
from edgekws.export.to_onnx import FEATURES, graph_spec
from edgekws.export.to_openvino import read_onnx, write_ir
from edgekws.specs import GraphSpec, ModelSpec


def fuse(
    files: dict[str, bytes], graph: GraphSpec, model: ModelSpec
) -> tuple[dict[str, bytes], GraphSpec]:
    """Return a finished IR that takes samples in place of features, and its signature."""
    mfcc = front_end(model)
    head, net = read_onnx(mfcc), core().read_model(files[".xml"], files[".bin"])
    entrance = net.input(FEATURES).node
    states = [node for node in net.get_parameters() if node.friendly_name != entrance.friendly_name]
    entrance.output(0).replace(head.output(FEATURES).node.input_value(0))
    fused = openvino.Model(net.get_results(), [*head.get_parameters(), *states], "step")
    signature = msgspec.structs.replace(graph, features=graph_spec(mfcc).features)
    return write_ir(fused, compressed=False), signature
