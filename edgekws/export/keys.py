"""The names of the models that there are, FORMAT-PRECISION; no converter is needed to know them."""

from collections.abc import Mapping
from typing import Final

from edgekws.errors import UsageError
from edgekws.specs import Format, Precision

Key = tuple[Format, Precision]

PRECISIONS: Final[Mapping[Format, tuple[Precision, ...]]] = {
    "onnx": ("int8", "fp32"),
    "tflite": ("int8", "int8-dynamic", "int16x8", "fp32"),
    "openvino": ("int8", "fp16"),
}
"""Every precision that a converter makes."""


def parse_key(text: str) -> Key:
    """Read FORMAT-PRECISION; UsageError, listing what there is, for anything else."""
    known: dict[str, Key] = {
        f"{format}-{precision}": (format, precision)
        for format, precisions in PRECISIONS.items()
        for precision in precisions
    }
    if text not in known:
        raise UsageError(f"no model {text!r}; there is {', '.join(known)}")
    return known[text]
