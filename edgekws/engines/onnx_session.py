"""The session of an ONNX model: one thread, no spinning, and the tensors of its manifest."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import onnxruntime
from onnxruntime.capi import onnxruntime_pybind11_state as native

from edgekws.engines.tensors import describe, one_line, require_tensors
from edgekws.errors import BundleError
from edgekws.specs import GraphSpec

Provider = tuple[str, dict[str, str]]  # ONNX Runtime's name of what computes, and its options

CPU: Final[Provider] = ("CPUExecutionProvider", {})
ONNX_TYPES: Final = {"float32": "tensor(float)", "int8": "tensor(int8)"}
LOAD_ERRORS: Final = (  # they share no base but Exception
    native.EPFail,
    native.Fail,
    native.InvalidArgument,
    native.InvalidGraph,
    native.InvalidProtobuf,
    native.NoModel,
    native.NoSuchFile,
    native.NotImplemented,
    native.RuntimeException,
    RuntimeError,
    ValueError,
)


def open_session(model: bytes | Path, providers: Sequence[Provider]) -> Any:
    """Load from memory, always: ONNX Runtime then follows no path to weights in other files."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.inter_op.allow_spinning", "0")
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.log_severity_level = 4  # what is an error comes as an exception; stderr is ours
    try:
        data = model if isinstance(model, bytes) else model.read_bytes()
        return onnxruntime.InferenceSession(data, options, providers=list(providers))
    except (*LOAD_ERRORS, OSError) as error:
        raise BundleError(
            f"{describe(model)}: ONNX Runtime {onnxruntime.__version__} cannot load the model: "
            f"{one_line(error)}; export it again"
        ) from error


def check_signature(session: Any, graph: GraphSpec, *, where: str) -> None:
    """Raise BundleError where the model takes or gives other tensors than the graph says."""
    for side, found, tensors in (
        ("inputs", session.get_inputs(), graph.inputs),
        ("outputs", session.get_outputs(), graph.outputs),
    ):
        has = [(tensor.name, (list(tensor.shape), tensor.type)) for tensor in found]
        needs = {tensor.name: (list(tensor.shape), ONNX_TYPES[tensor.dtype]) for tensor in tensors}
        require_tensors(has, needs, where=where, side=side)
