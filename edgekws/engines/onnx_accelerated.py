"""Runs ONNX models on the GPU of a Jetson through ONNX Runtime, where it really starts there.

ONNX Runtime goes on silently on the CPU where a provider is not built in or its libraries do not
load. Here that is an error that says so: what runs on the CPU is for the CPU's engine to open.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
import onnxruntime

from edgekws.engines.descriptors import muted
from edgekws.engines.engine import Engine
from edgekws.engines.onnx_engine import OnnxEngine
from edgekws.engines.onnx_session import LOAD_ERRORS, Provider
from edgekws.engines.tensors import describe, one_line
from edgekws.errors import BundleError, MissingExtraError
from edgekws.specs import GraphSpec

STDERR: Final = 2
CUDA: Final[Provider] = ("CUDAExecutionProvider", {"use_tf32": "0"})
"""Without TF32, whose products of 10 bits move posteriors by more than golden vectors allow."""

TENSORRT: Final[Provider] = ("TensorrtExecutionProvider", {})
NAMED: Final = {"tensorrt": TENSORRT, "cuda": CUDA}


def offered() -> list[str]:
    """Return the names of the accelerators that this ONNX Runtime was built with, best first."""
    built = onnxruntime.get_available_providers()
    return [name for name, (provider, _) in NAMED.items() if provider in built]


def open_cuda(model: bytes | Path, graph: GraphSpec) -> Engine:
    """Open a model on CUDA; MissingExtraError, BundleError where that does not work."""
    return open_on(model, graph, providers=(CUDA,))


def open_tensorrt(model: bytes | Path, graph: GraphSpec) -> Engine:
    """Open a model on TensorRT, which leaves to CUDA what it cannot compute; errors as above."""
    return open_on(model, graph, providers=(TENSORRT, CUDA))


def open_on(model: bytes | Path, graph: GraphSpec, *, providers: Sequence[Provider]) -> Engine:
    """Open a model on the first of the providers, the others for what it leaves to them.

    Raises MissingExtraError where that one is not built in or does not start, BundleError where it
    does not take the model.
    """
    wanted, _ = providers[0]
    built = onnxruntime.get_available_providers()
    if wanted not in built:
        raise MissingExtraError(
            f"ONNX Runtime {onnxruntime.__version__} here has no {wanted}, only "
            f"{', '.join(built)}: install the onnxruntime-gpu that is made for this board"
        )
    with muted(STDERR):  # where it says what it does not find, whatever the severity
        engine = OnnxEngine(model, graph, providers=providers)
    if wanted not in engine.providers:
        raise MissingExtraError(
            f"ONNX Runtime has {wanted}, but it does not start: check the driver, and that its "
            "libraries are of the versions that this ONNX Runtime was built for"
        )
    _try_out(engine, graph, where=f"{describe(model)} on {wanted}")
    return engine


def _try_out(engine: OnnxEngine, graph: GraphSpec, *, where: str) -> None:
    """Run one step; BundleError where it fails. Providers build their kernels only then."""
    try:
        engine.step(np.zeros(graph.features.shape[1:], np.float32))
    except LOAD_ERRORS as error:
        raise BundleError(f"{where}: the first step fails: {one_line(error)}") from error
    engine.reset()
