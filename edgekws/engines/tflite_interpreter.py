"""The interpreter of TFLite models: LiteRT's, or tflite_runtime's where only that is installed."""

from pathlib import Path
from typing import Any, Final, Literal

import numpy as np

try:
    from ai_edge_litert.interpreter import Interpreter, OpResolverType
except ModuleNotFoundError as missing:
    try:
        from tflite_runtime.interpreter import Interpreter, OpResolverType
    except ModuleNotFoundError:
        raise missing from None  # name the runtime that has a future
    if int(np.__version__.partition(".")[0]) >= 2:
        raise ImportError("tflite_runtime does not run with numpy 2") from None

from edgekws.engines.descriptors import muted
from edgekws.engines.tensors import describe, one_line, require_tensors
from edgekws.errors import BundleError
from edgekws.specs import GraphSpec, TensorSpec

Signature = tuple[tuple[int, ...], str, float, int]  # shape, dtype, scale, zero point

Kernels = Literal["fastest", "built-in", "reference"]
KERNELS: Final[dict[Kernels, Any]] = {
    "fastest": OpResolverType.AUTO,
    "built-in": OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
    "reference": OpResolverType.BUILTIN_REF,
}
"""Sets of kernels, each of which rounds in its own way: XNNPACK where the runtime has it, the
runtime's own optimized ones, and those that define what is right, which are very slow."""

STDERR: Final = 2


def open_interpreter(model: bytes | Path, *, kernels: Kernels = "fastest") -> Any:
    """Load a model for one thread, which does not spin; BundleError where it does not load."""
    try:
        data = model if isinstance(model, bytes) else model.read_bytes()
        with muted(STDERR):  # where LiteRT says that it took XNNPACK
            interpreter = Interpreter(
                model_content=data,
                num_threads=1,
                experimental_op_resolver_type=KERNELS[kernels],
            )
            interpreter.allocate_tensors()
    except (ValueError, RuntimeError, OSError) as error:
        raise BundleError(
            f"{describe(model)}: {Interpreter.__module__.partition('.')[0]} cannot load the model: "
            f"{one_line(error)}; export it again"
        ) from error
    return interpreter


def check_signature(
    interpreter: Any, graph: GraphSpec, *, where: str
) -> tuple[dict[str, int], dict[str, int]]:
    """Return indices of inputs and outputs by name; BundleError where `graph` has others."""
    found = interpreter.get_input_details(), interpreter.get_output_details()
    wanted = graph.inputs, graph.outputs
    for side, details, tensors in zip(("inputs", "outputs"), found, wanted, strict=True):
        has = [(detail["name"], _signature(detail)) for detail in details]
        needs = {tensor.name: _wanted(tensor) for tensor in tensors}
        require_tensors(has, needs, where=where, side=side)
    inputs, outputs = ({d["name"]: d["index"] for d in details} for details in found)
    return inputs, outputs


def _signature(detail: dict[str, Any]) -> Signature:
    scale, zero_point = detail["quantization"]  # 0.0 and 0 where the tensor is not quantized
    shape = tuple(detail["shape"].tolist())
    return shape, np.dtype(detail["dtype"]).name, float(scale) or 1.0, int(zero_point)


def _wanted(tensor: TensorSpec) -> Signature:
    return tensor.shape, tensor.dtype, float(np.float32(tensor.scale)), tensor.zero_point
