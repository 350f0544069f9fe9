"""The net as ONNX models: the float graph, and its 8-bit form."""

from collections.abc import Sequence

import onnx

from edgekws.export.formats import Converted, Job
from edgekws.export.onnx_int8 import sound_int8
from edgekws.export.to_onnx import graph_spec, to_onnx
from edgekws.specs import Precision


def convert(job: Job, precisions: Sequence[Precision]) -> list[Converted]:
    """Return the net in each precision, "fp32" or "int8"; equal input gives equal bytes."""
    return [
        _converted(
            sound_int8(job) if precision == "int8" else to_onnx(job.net, job.model), precision
        )
        for precision in precisions
    ]


def _converted(model: onnx.ModelProto, precision: Precision) -> Converted:
    data = model.SerializeToString(deterministic=True)
    return Converted("onnx", precision, {".onnx": data}, graph_spec(model))
