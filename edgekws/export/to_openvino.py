"""The net as OpenVINO IR: 16-bit weights computed in float32, or 8-bit convolutions.

Both start from our own ONNX graphs. The states are one tensor: OpenVINO spends more on each input
and output than on most layers. A net of 197 k parameters takes 74 microseconds of CPU per step
with one state and 102 with ten, in fp16; in int8 73 and 105.

The 8-bit model takes its scales from the quantized ONNX model, but only where a convolution reads:
what stands between convolutions stays in float. Over 1,864 held-out clips of twelve words, against
the trained net, whose accuracy is 96.89 % (x86-64 with VNNI; the divergence is Kullback and
Leibler's, over all rows):

    from                               accuracy  agreement  divergence  .bin bytes
    NNCF 3.4.0 as it comes              96.24 %    98.34 %   24.94e-3      308,104
    NNCF with full ranges               96.89 %    99.89 %    0.92e-3      308,104
    the quantized ONNX model            96.83 %    99.84 %    0.80e-3      220,380
    the same where convolutions read    96.89 %    99.89 %    0.72e-3      211,068

So NNCF, eleven packages of 80 MB, is done without; and what `quantize` and `sensitivity` find out
holds for this format too.
"""

import io
import re
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final
from xml.etree import ElementTree

import onnx

from edgekws.engines.openvino_runtime import left_out, openvino
from edgekws.engines.tensors import one_line
from edgekws.errors import ExportError
from edgekws.export.formats import Converted, Job
from edgekws.export.onnx_int8 import sound_int8
from edgekws.export.openvino_graph import join_states, quantize_convolutions
from edgekws.export.quiet import quietly
from edgekws.export.to_onnx import graph_spec, to_onnx
from edgekws.specs import Precision

with left_out("openvino_telemetry"):  # the converter reports each conversion otherwise
    from openvino.frontend import GeneralFailure, OpConversionFailure, OpValidationFailure
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
    sources = (join_states(_source(job, precision)) for precision in precisions)
    return [
        Converted("openvino", precision, to_ir(source, precision), graph_spec(source))
        for precision, source in zip(precisions, sources, strict=True)
    ]


def to_ir(model: onnx.ModelProto, precision: Precision) -> dict[str, bytes]:
    """Return the ".xml" and ".bin" of an ONNX graph; with "fp16" its weights take 16 bits."""
    return write_ir(read_onnx(model), compressed=precision == "fp16")


def write_ir(net: Any, *, compressed: bool) -> dict[str, bytes]:
    """Return the ".xml" and ".bin" of OpenVINO's form of a model; equal ones give equal bytes."""
    with tempfile.TemporaryDirectory(prefix="edgekws-") as folder:
        xml, weights = Path(folder) / "step.xml", Path(folder) / "step.bin"
        openvino.save_model(net, xml, compress_to_fp16=compressed)
        return {".xml": _bare(xml.read_bytes()), ".bin": weights.read_bytes()}


def _source(job: Job, precision: Precision) -> onnx.ModelProto:
    fp32 = to_onnx(job.net, job.model)
    return quantize_convolutions(fp32, sound_int8(job)) if precision == "int8" else fp32


def read_onnx(model: onnx.ModelProto) -> Any:
    """Return OpenVINO's form of an ONNX model, simplified."""
    try:
        with quietly():  # the converter sets the root logger's level
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
