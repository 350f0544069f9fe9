"""What runs a bundle here at the least cost: each engine that works, measured for a second of CPU.

Portions of sound go by turns, so that what else the machine does hits all alike.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Final

from edgekws.bundle import Bundle
from edgekws.engines.accelerators import Accelerator
from edgekws.errors import BundleError, MissingExtraError, SkewError
from edgekws.runtime.bench import hear
from edgekws.runtime.wiring import Device, open_device

CPU_SECONDS: Final = 1.0  # for each device
PORTION_SECONDS: Final = 10  # of sound: 10 to 50 ms of CPU, which clocks can tell


@dataclass(frozen=True, slots=True)
class Refusal:
    """A model file that does not run here, and why."""

    key: str
    reason: MissingExtraError | SkewError | BundleError


@dataclass(frozen=True, slots=True)
class Measured:
    """A device, and the CPU seconds that a second of sound takes it."""

    device: Device
    core_share: float


def open_all(
    bundle: Bundle, accelerators: Sequence[Accelerator] = ()
) -> tuple[list[Device], list[Refusal]]:
    """Open every model file of a bundle whose engine works here, on the CPU and accelerated."""
    devices, refused = [], []
    for model_file in bundle.manifest.models:
        try:
            devices.append(open_device(bundle, key=model_file.key))
        except (BundleError, MissingExtraError, SkewError) as error:
            refused.append(Refusal(model_file.key, error))
            continue
        for accelerator in accelerators:
            device = open_device(bundle, key=model_file.key, accelerators=[accelerator])
            devices += [device] if device.accelerator else []
    return devices, refused


def measure_all(devices: Sequence[Device], *, cpu_seconds: float = CPU_SECONDS) -> list[Measured]:
    """Measure each device for so long; the one that costs least comes first."""
    spent: list[list[float]] = [[] for _ in devices]
    while unfinished := [n for n, portions in enumerate(spent) if sum(portions) < cpu_seconds]:
        for n in unfinished:
            spent[n].append(hear(devices[n], seconds=PORTION_SECONDS))
    shares = [median(portions) / PORTION_SECONDS for portions in spent]
    measured = [Measured(*pair) for pair in zip(devices, shares, strict=True)]
    return sorted(measured, key=lambda one: one.core_share)


def advice(measured: Sequence[Measured]) -> str:
    """Return one line: which to take, what each costs, and what to write into listen.toml."""
    best, *_ = measured
    costs = ", ".join(f"{_name(one.device)} {one.core_share:.2%}" for one in measured)
    lines = [f'model = "{best.device.model_file.key}"']
    if best.device.accelerator:
        lines.append(f'accelerators = ["{best.device.accelerator}"]')
    return f"take {_name(best.device)} (of a core: {costs}); in listen.toml: {' and '.join(lines)}"


def _name(device: Device) -> str:
    key = device.model_file.key
    return f"{key} on {device.accelerator}" if device.accelerator else key
