"""What can be exported for: boards, the models that a bundle for each holds, what they may cost."""

from dataclasses import dataclass
from typing import Final

from edgekws.errors import UsageError
from edgekws.runtime.wiring import DEFAULT_BUNDLE
from edgekws.specs import ModelKey


@dataclass(frozen=True, slots=True)
class Budget:
    """The most that a bundle may cost; an export over it fails.

    `model_bytes` counts all model files together. `rss_mb` and `core_share` are those of the first
    model as `edgekws bench` measures them where the export runs: on the board the memory is about
    the same, the share of a core is larger, by a factor that only the board itself can tell.
    A microcontroller has `flash_bytes` and `ram_bytes` instead, for all of the keyword spotter.
    """

    model_bytes: int
    rss_mb: float = 0.0
    core_share: float = 0.0
    flash_bytes: int = 0
    ram_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Target:
    """One kind of board.

    `architecture` is what `uname -m` says there. `pythons` are the versions of its usual systems,
    newest first; a board without Python gets firmware in C and no installer. Of `models` the best
    one for it stands first: the engine of that one is installed, on `threads` threads.
    `accelerators` are those that its listen.toml names, best first. `shipped` is the bundle that is
    exported where there is no run.
    """

    name: str
    board: str
    architecture: str
    pythons: tuple[str, ...]
    models: tuple[ModelKey, ...]
    threads: int
    budget: Budget
    accelerators: tuple[str, ...] = ()
    shipped: str = DEFAULT_BUNDLE


_ONNX: Final = (
    ModelKey("onnx", "int8", fused=True),
    ModelKey("onnx", "int8"),
    ModelKey("onnx", "fp32"),
)
_TFLITE: Final = (ModelKey("tflite", "int8", fused=True), ModelKey("tflite", "int8"))
"""With the front end inside they cost less, in every engine (docs/benchmarks.md); the plain one
beside it is for `edgekws bench --compare` on the board."""

TARGETS: Final = (
    Target(
        name="rpi",
        board="Raspberry Pi 3, 4 or 5 with a 64-bit system",
        architecture="aarch64",
        pythons=("3.13", "3.12", "3.11"),  # Raspberry Pi OS trixie, Ubuntu 24.04, bookworm
        models=(*_TFLITE, ModelKey("onnx", "int8")),
        threads=1,
        budget=Budget(model_bytes=2_000_000, rss_mb=80.0, core_share=0.01),
    ),
    Target(
        name="rpi-zero2",
        board="Raspberry Pi Zero 2 W with a 64-bit system",
        architecture="aarch64",
        pythons=("3.13", "3.11"),
        models=_TFLITE[:1],
        threads=1,
        budget=Budget(model_bytes=700_000, rss_mb=60.0, core_share=0.01),
    ),
    Target(
        name="jetson",
        board="NVIDIA Jetson, on its GPU where ONNX Runtime can, else on its CPU",
        architecture="aarch64",
        pythons=("3.12", "3.11"),  # JetPack 7; JetPack 6 has 3.10, and 3.11 as a package
        models=_ONNX,
        threads=1,
        budget=Budget(model_bytes=8_000_000, rss_mb=250.0, core_share=0.05),
        accelerators=("tensorrt", "cuda"),
    ),
    Target(
        name="x86",
        board="a PC or server",
        architecture="x86_64",
        pythons=("3.14", "3.13", "3.12", "3.11"),
        models=_ONNX,
        threads=1,
        budget=Budget(model_bytes=8_000_000, rss_mb=250.0, core_share=0.05),
    ),
    Target(
        name="mcu",
        board="a microcontroller of the class of a Cortex-M3 or M4",
        architecture="armv7e-m",
        pythons=(),
        models=(ModelKey("tflite", "int8"),),
        threads=1,
        budget=Budget(model_bytes=100_000, flash_bytes=98_304, ram_bytes=32_768),
        shipped="commands-12-tiny",
    ),
)


def find_target(name: str) -> Target:
    """Return the target of that name; UsageError, listing all of them, where there is none."""
    for target in TARGETS:
        if target.name == name:
            return target
    known = "; ".join(f"{target.name} ({target.board})" for target in TARGETS)
    raise UsageError(f"no target {name!r}; there is {known}")


def choose_pythons(target: Target, wanted: tuple[str, ...]) -> tuple[str, ...]:
    """Return the versions that are wanted, all of the target's where none is named.

    Raises UsageError for a version that the target has no requirements for.
    """
    for version in wanted:
        if version not in target.pythons:
            raise UsageError(
                f"no Python {version!r} on {target.name}; there is "
                f"{', '.join(target.pythons) or 'none'}"
            )
    return tuple(v for v in target.pythons if not wanted or v in wanted)
