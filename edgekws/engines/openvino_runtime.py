"""OpenVINO as a device wants it: silent, of one thread, and given its models from memory.

By itself `import openvino` sends a message to Google Analytics and writes into the home folder. It
does so in `openvino.tools.ovc`, the converter, which no device needs: left out, nothing is sent,
the import takes half the time, and the process is 24 MB smaller.
"""

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, Final

from edgekws.engines.tensors import one_line
from edgekws.errors import BundleError

__all__ = ["compile_ir", "core", "left_out", "openvino"]

SETTINGS: Final = {
    "PERFORMANCE_HINT": "LATENCY",
    "NUM_STREAMS": 1,
    "INFERENCE_NUM_THREADS": 1,
    "ENABLE_CPU_PINNING": False,  # which core the process takes is not ours to say
    "INFERENCE_PRECISION_HINT": "f32",  # else bf16 or f16 where the CPU has it: other scores
}
IR: Final = re.compile(rb'\s*(<\?xml[^>]*\?>\s*)?<net\b[^>]*\bversion="1[01]"')


@contextmanager
def left_out(module: str) -> Iterator[None]:
    """Make every import of a module fail inside, as if it were not installed.

    One that is imported already stays, and afterwards it can be imported as ever.
    """
    if module in sys.modules:
        yield
        return
    sys.modules[module] = None  # type: ignore[assignment]  # so Python marks one that is barred
    try:
        yield
    finally:
        del sys.modules[module]


with left_out("openvino.tools.ovc"):
    import openvino


@cache
def core() -> Any:
    """Return the one OpenVINO core of this process, which stays until its end.

    The CPU plugin of each core puts a signal stack of its own in place of the one before, and puts
    that back when it goes. Two cores that do not end in the opposite order of their beginning leave
    a stack that is freed already: the next signal, such as Ctrl-C, is then a segmentation fault.
    """
    return openvino.Core()


def compile_ir(model: bytes | Path) -> Any:
    """Return the compiled model of NAME.xml and the NAME.bin beside it.

    Both files are read here and none is mapped into memory: what was verified is what runs. Raises
    BundleError where OpenVINO does not take them.
    """
    if isinstance(model, bytes):
        raise BundleError(
            "an OpenVINO model is two files: give the path of its .xml, with the .bin beside it"
        )
    try:
        net, weights = model.read_bytes(), model.with_suffix(".bin").read_bytes()
        if not IR.match(net):  # OpenVINO would then try the readers of all other formats
            raise ValueError("this is no OpenVINO IR of version 10 or 11")
        return core().compile_model(core().read_model(net, weights), "CPU", SETTINGS)
    except (OSError, RuntimeError, ValueError) as error:
        raise BundleError(
            f"{model}: OpenVINO {openvino.__version__} cannot load the model: {one_line(error)}; "
            "export it again"
        ) from error
