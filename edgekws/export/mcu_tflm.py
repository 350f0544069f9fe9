"""What TensorFlow Lite Micro makes of a model: that it has all operators, and how large an arena.

Measured with the interpreter of the package tflite-micro, which is a build for 64-bit machines: on
a microcontroller pointers are half as long, and the arena is smaller.
"""

import os
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import version
from tempfile import TemporaryFile
from typing import Any, Final

from edgekws.engines.tensors import one_line
from edgekws.errors import ExportError, MissingExtraError
from edgekws.export.quiet import quietly

PACKAGE: Final = "tflite-micro"
PLENTY: Final = 1 << 24  # bytes to measure in: too small an arena ends the interpreter's process
TOTAL: Final = re.compile(r"Arena allocation total (\d+) bytes")
STDERR: Final = 2


@dataclass(frozen=True, slots=True)
class Arena:
    """The bytes that a model uses, and the version of the interpreter that said so."""

    bytes: int
    version: str


def measure_arena(data: bytes) -> Arena:
    """Return the bytes of the arena that a model uses.

    Raises MissingExtraError where tflite-micro is not installed, ExportError where it refuses the
    model.
    """
    runtime = _runtime()
    try:
        with quietly():
            interpreter = runtime.Interpreter.from_bytes(data, arena_size=PLENTY)
            interpreter.invoke()
    except RuntimeError as error:
        raise ExportError(
            f"TensorFlow Lite Micro {version(PACKAGE)} does not take the model: {one_line(error)}; "
            f"it lacks an operator, or {PLENTY} bytes are too few: adapt a net of kind tcn"
        ) from error
    report = _said(interpreter.print_allocations)
    used = TOTAL.search(report)
    if used is None:
        raise ExportError(
            f"TensorFlow Lite Micro {version(PACKAGE)} tells no arena size as it used to; install "
            "another version: pip install 'edgekws[export-mcu]'"
        )
    return Arena(int(used[1]), version(PACKAGE))


def _runtime() -> Any:
    try:
        with quietly():
            return import_module("tflite_micro").runtime
    except ImportError as error:
        raise MissingExtraError(
            "the arena of a microcontroller is measured with tflite-micro, which is not installed "
            "or does not load: pip install 'edgekws[export-mcu]'"
        ) from error


def _said(speak: Callable[[], None]) -> str:
    """Return what native code writes to stderr meanwhile."""
    sys.stderr.flush()
    kept = os.dup(STDERR)
    try:
        with TemporaryFile() as file:
            os.dup2(file.fileno(), STDERR)
            speak()
            file.seek(0)
            return file.read().decode("utf-8", "replace")
    finally:
        os.dup2(kept, STDERR)
        os.close(kept)
