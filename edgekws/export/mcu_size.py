"""Flash and memory that a model takes on a machine of 32 bits: tables counted, code measured."""

from dataclasses import dataclass
from typing import Final

from edgekws.errors import ExportError
from edgekws.export.mcu_features import bands
from edgekws.export.mcu_net import Net
from edgekws.export.mcu_range import LOG_STEPS
from edgekws.export.mcu_trigger import TriggerValues
from edgekws.export.targets import Target
from edgekws.specs import ModelSpec

CODE_BYTES: Final = 12_288
"""Room for the text of front end, engine and trigger in Thumb-2, which a test measures."""
STACK_BYTES: Final = 1024
"""Room for the deepest call; a test adds up what the compiler says of each function."""
OBJECT_BYTES: Final = 128
"""Of `ekws_kws` itself."""

BIN, LEVEL, STATE = 8, 4, 16  # sizeof ekws_bin, ekws_level, ekws_trigger_state
OPERATOR, PAST, BAND, VALUES = 72, 16, 6, 24  # sizeof those structs, at most
ALIGNMENT: Final = 8


@dataclass(frozen=True, slots=True)
class Size:
    """Bytes of flash and of memory.

    `working` is the part of memory that the caller hands over, `arena` what TensorFlow Lite Micro
    takes for the net instead.
    """

    flash: int
    working: int
    arena: int

    @property
    def ram(self) -> int:
        """Working memory, the object and the stack."""
        return self.working + OBJECT_BYTES + STACK_BYTES


def size_of(model: ModelSpec, net: Net, trigger: list[TriggerValues], arena: int) -> Size:
    """Return what a model takes with the front end in fixed point."""
    tables = _table_bytes(model) + net.constant_bytes
    structs = OPERATOR * len(net.operators) + PAST * len(net.plan.pasts) + VALUES * len(trigger)
    labels = sum(4 + len(label.encode()) + 1 for label in model.labels)
    flash = CODE_BYTES + tables + structs + labels
    return Size(flash, working_bytes(model, net, trigger), arena)


def working_bytes(model: ModelSpec, net: Net, trigger: list[TriggerValues]) -> int:
    """Return what `ekws_kws_memory` returns for a model."""
    spec = model.features
    depth = max(values.rows for values in trigger)
    parts = (
        (spec.fft // 2 + 1) * BIN,
        len(trigger) * STATE,
        spec.n_mels * LEVEL,
        spec.window * 2,
        net.plan.size,
        depth * len(trigger),
    )
    return sum(part + -part % ALIGNMENT for part in parts)


def require_room(size: Size, target: Target) -> None:
    """Raise ExportError, with the figures, where a model needs more than its target allows."""
    budget = target.budget
    parts = (
        ("flash", size.flash, budget.flash_bytes),
        ("memory", size.ram, budget.ram_bytes),
        ("arena in TensorFlow Lite Micro", size.arena, budget.ram_bytes),
    )
    over = [f"{has} bytes of {name}, allowed are {most}" for name, has, most in parts if has > most]
    if over:
        raise ExportError(
            f"over the budget of {target.name}: {'; '.join(over)}; train a smaller net, such as "
            "that of models/recipes/commands-12-tiny.toml"
        )


def describe_room(size: Size, target: Target) -> str:
    """Return one line of what the whole keyword spotter takes, and the budget."""
    budget = target.budget
    return (
        f"firmware of {target.name}: {size.flash} of {budget.flash_bytes} bytes of flash, "
        f"{size.ram} of {budget.ram_bytes} bytes of memory with the stack "
        f"(arena in TensorFlow Lite Micro: {size.arena})"
    )


def _table_bytes(model: ModelSpec) -> int:
    spec = model.features
    _, weights = bands(spec)
    dct = spec.n_mfcc * ((spec.n_mels + 1) // 2 + 2)  # with mean and factor of each coefficient
    words = spec.window // 2 + 1 + spec.fft + LOG_STEPS + 1 + dct
    return 4 * words + 2 * len(weights) + BAND * spec.n_mels
