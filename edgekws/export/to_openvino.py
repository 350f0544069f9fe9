"""The net as OpenVINO IR: 16-bit weights computed in float32, or 8-bit convolutions.

Both start from our own ONNX graphs, whose names carry over. States are (1, 1, time, channels) here:
that is how OpenVINO's convolutions have them, and saves it a transposition of each state, twice a
step (87 against 98 microseconds of CPU for a net of 200 k parameters).

The 8-bit model takes its scales from the quantized ONNX model, but only where a convolution reads:
what stands between them stays in float. Over 1,864 held-out clips of twelve words, against the
trained net (accuracy 96.51 %, x86-64 with VNNI):

    from                                accuracy  top-1 agreement  divergence  us/step  .bin bytes
    NNCF 3.4.0, its own ranges           95.82 %          98.28 %           -      108     307,796
    NNCF, minimum and maximum            96.46 %          99.46 %     0.93e-3      108     307,796
    the quantized ONNX model             96.24 %          99.20 %     0.98e-3      106     220,136
    the same, at convolutions (this)     96.35 %          99.41 %     0.83e-3       86     210,812

NNCF's best is no better, and would bring eleven packages of 80 MB; the sets of clips that differ
are too small to tell 99.4 from 99.5 %.
"""

import io
import re
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final
from xml.etree import ElementTree

import msgspec
import onnx
from onnx import helper

from edgekws.engines.openvino_runtime import left_out, openvino
from edgekws.engines.tensors import one_line
from edgekws.errors import ExportError
from edgekws.export.formats import Converted, Job
from edgekws.export.quantize import to_int8
from edgekws.export.to_onnx import graph_spec, to_onnx
from edgekws.specs import GraphSpec, Precision, StateSpec, TensorSpec

with left_out("openvino_telemetry"):  # the converter reports each conversion otherwise
    from openvino.frontend import GeneralFailure, OpConversionFailure, OpValidationFailure
    from openvino.preprocess import PrePostProcessor
    from openvino.tools.ovc import convert_model
    from openvino.tools.ovc.error import Error

REFUSALS: Final = (  # they share no base but Exception
    Error,
    GeneralFailure,
    OpConversionFailure,
    OpValidationFailure,
    RuntimeError,
)


def convert(job: Job, precisions: Sequence[Precision]) -> list[Converted]:
    """Return the net in each precision, "fp16", "fp32" or "int8"; equal input gives equal bytes.

    Raises ExportError, naming the layer, for an operator that OpenVINO refuses.
    """
    fp32 = to_onnx(job.net, job.model)
    sources = (_source(fp32, job, precision) for precision in precisions)
    return [
        Converted("openvino", precision, to_ir(source, precision), ir_spec(source))
        for precision, source in zip(precisions, sources, strict=True)
    ]


def to_ir(model: onnx.ModelProto, precision: Precision) -> dict[str, bytes]:
    """Return the ".xml" and ".bin" of a step graph; with "fp16" its weights take 16 bits."""
    net = _channels_last(_read(model), graph_spec(model))
    with tempfile.TemporaryDirectory(prefix="edgekws-") as folder:
        xml, weights = Path(folder) / "step.xml", Path(folder) / "step.bin"
        openvino.save_model(net, xml, compress_to_fp16=precision == "fp16")
        return {".xml": _bare(xml.read_bytes()), ".bin": weights.read_bytes()}


def ir_spec(model: onnx.ModelProto) -> GraphSpec:
    """Return the signature that the IR of a step graph has."""
    graph = graph_spec(model)
    states = tuple(
        StateSpec(input=_turned(state.input), output=_turned(state.output))
        for state in graph.states
    )
    return msgspec.structs.replace(graph, states=states)


def quantize_convolutions(fp32: onnx.ModelProto, int8: onnx.ModelProto) -> onnx.ModelProto:
    """Return the float graph with each convolution quantized that is so in the other one."""
    twins = {node.name: node for node in int8.graph.node}
    dequantizers = {n.output[0]: n for n in int8.graph.node if n.op_type == "DequantizeLinear"}
    nodes = []
    for node in fp32.graph.node:
        if node.op_type == "Conv" and twins[node.name].input[1] in dequantizers:
            x, weight = (dequantizers[name] for name in twins[node.name].input[:2])
            nodes += _quantized(node, x, weight)
        else:
            nodes.append(node)
    used = {name for node in nodes for name in node.input}
    constants = {t.name: t for t in (*fp32.graph.initializer, *int8.graph.initializer)}
    graph = helper.make_graph(
        nodes,
        fp32.graph.name,
        fp32.graph.input,
        fp32.graph.output,
        [tensor for name, tensor in constants.items() if name in used],
    )
    return helper.make_model(graph, opset_imports=fp32.opset_import, ir_version=fp32.ir_version)


def _quantized(
    conv: onnx.NodeProto, x: onnx.NodeProto, weight: onnx.NodeProto
) -> list[onnx.NodeProto]:
    """Return a convolution behind the quantization that those two nodes undo."""
    scales = list(x.input[1:])
    steps, rounded = f"{conv.name}_steps", f"{conv.name}_rounded"
    own = onnx.NodeProto()
    own.CopyFrom(conv)
    own.input[0], own.input[1] = rounded, weight.output[0]
    return [
        helper.make_node("QuantizeLinear", [conv.input[0], *scales], [steps], name=steps),
        helper.make_node("DequantizeLinear", [steps, *scales], [rounded], name=rounded),
        weight,
        own,
    ]


def _source(fp32: onnx.ModelProto, job: Job, precision: Precision) -> onnx.ModelProto:
    if precision == "int8":
        return quantize_convolutions(fp32, to_int8(fp32, job.clips))
    return fp32


def _read(model: onnx.ModelProto) -> Any:
    """Return OpenVINO's form of an ONNX model, simplified."""
    try:
        return convert_model(io.BytesIO(model.SerializeToString(deterministic=True)))
    except REFUSALS as error:
        raise ExportError(
            f"OpenVINO {openvino.__version__} refuses {_culprits(model, str(error))}: "
            f"{one_line(error)}; leave openvino out, or build the net from other layers"
        ) from error


def _culprits(model: onnx.ModelProto, message: str) -> str:
    """Return the layers that OpenVINO names, or those of the kinds that it names."""
    nodes = model.graph.node
    named = [node.name for node in nodes if f": {node.name}>" in message]
    kinds = [node.name for node in nodes if re.search(rf"\b{node.op_type}\b", message)]
    layers = ", ".join(named or kinds)
    return f"the layer {layers}" if layers else "the net"


def _channels_last(net: Any, graph: GraphSpec) -> Any:
    """Return the net with every state as (1, 1, time, channels) at its border."""
    steps = PrePostProcessor(net)
    for state in graph.states:
        for border in (steps.input(state.input.name), steps.output(state.output.name)):
            border.model().set_layout(openvino.Layout("NCHW"))
            border.tensor().set_layout(openvino.Layout("NHWC"))
    return steps.build()


def _turned(tensor: TensorSpec) -> TensorSpec:
    batch, channels, rows, time = tensor.shape
    return msgspec.structs.replace(tensor, shape=(batch, rows, time, channels))


def _bare(xml: bytes) -> bytes:
    """Remove what tells of the run: versions, settings, and names that are counted up."""
    net = ElementTree.fromstring(xml)
    net.set("name", "step")
    for info in net.findall("rt_info"):
        net.remove(info)
    for layer in net.iter("layer"):
        if layer.attrib["name"][0].isupper():  # OpenVINO's: ours are all small
            layer.set("name", f"{layer.attrib['type']}_{layer.attrib['id']}")
    for element in net.iter():
        element.text, element.tail = (element.text or "").strip() or None, None
    text: bytes = ElementTree.tostring(net, encoding="utf-8", xml_declaration=True)
    return text + b"\n"
