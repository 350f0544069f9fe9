"""What can be exported for: boards, and the model files that a bundle for each of them holds."""

from dataclasses import dataclass
from typing import Final

from edgekws.errors import UsageError
from edgekws.specs import Format, Precision


@dataclass(frozen=True, slots=True)
class Target:
    """One kind of board; `models` are (format, precision) pairs, the best one for it first."""

    name: str
    board: str
    architecture: str
    python: str
    models: tuple[tuple[Format, Precision], ...]


_BOTH: Final[tuple[tuple[Format, Precision], ...]] = (("onnx", "int8"), ("onnx", "fp32"))
_SMALL: Final[tuple[tuple[Format, Precision], ...]] = (("onnx", "int8"),)

TARGETS: Final = (
    Target("rpi", "Raspberry Pi 3, 4 or 5 with a 64-bit system", "aarch64", "3.11+", _BOTH),
    Target("rpi-zero2", "Raspberry Pi Zero 2 W with a 64-bit system", "aarch64", "3.11+", _SMALL),
    Target("jetson", "NVIDIA Jetson, on its CPU", "aarch64", "3.11+", _BOTH),
    Target("x86", "a PC or server", "x86_64", "3.11+", _BOTH),
)


def find_target(name: str) -> Target:
    """Return the target of that name; UsageError, listing all of them, where there is none."""
    for target in TARGETS:
        if target.name == name:
            return target
    known = "; ".join(f"{target.name} ({target.board})" for target in TARGETS)
    raise UsageError(f"no target {name!r}; there is {known}")
