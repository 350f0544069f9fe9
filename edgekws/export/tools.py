"""What exporting to each format needs: tools are named here, and imported only when asked for."""

from collections.abc import Mapping
from importlib import import_module
from typing import Any, Final

from edgekws.errors import MissingExtraError
from edgekws.specs import Format

EXTRAS: Final = {"onnx": "export", "tflite": "export-tflite", "openvino": "export-openvino"}
"""What brings the tools of each format."""


def find_tool(table: Mapping[Format, str], format: Format) -> Any:
    """Return the function that a table of "module:function" names for a format.

    Raises MissingExtraError where what it imports is not installed.
    """
    return load_tool(table[format], aim=format, extra=EXTRAS[format])


def load_tool(target: str, *, aim: str, extra: str) -> Any:
    """Return the function "module:function", which exporting to an aim needs.

    Raises MissingExtraError, with the extra that brings it, where what it imports is not installed.
    """
    module, _, name = target.partition(":")
    try:
        return getattr(import_module(module), name)
    except ImportError as error:
        raise MissingExtraError(
            f"exporting to {aim} needs {error.name}, which is not installed or does not load: "
            f"pip install 'edgekws[{extra}]'"
        ) from error
