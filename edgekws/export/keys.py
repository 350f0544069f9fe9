"""The names of the models that there are; no converter is needed to know them."""

from collections.abc import Mapping
from typing import Final

from edgekws.errors import UsageError
from edgekws.specs import FUSED, Format, ModelKey, Precision

PRECISIONS: Final[Mapping[Format, tuple[Precision, ...]]] = {
    "onnx": ("int8", "fp32"),
    "tflite": ("int8", "int8-dynamic", "int16x8", "fp32"),
    "openvino": ("int8", "fp16"),
}
"""Every precision that a converter makes; each of them can be fused."""


def parse_key(text: str) -> ModelKey:
    """Read FORMAT-PRECISION or FORMAT-PRECISION-fused; UsageError, listing all, for others."""
    known = {
        f"{format}-{precision}": ModelKey(format, precision)
        for format, precisions in PRECISIONS.items()
        for precision in precisions
    }
    plain = text.removesuffix(FUSED)
    if plain not in known:
        names = ", ".join(known)
        raise UsageError(f"no model {text!r}; there is {names}, and each of these with {FUSED}")
    return known[plain]._replace(fused=plain != text)
