"""The trigger's values in integers: sums of steps of int8 posteriors stand for means of floats."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from edgekws.errors import ExportError
from edgekws.specs import ModelSpec, TriggerSpec

STEPS: Final = 256  # of a posterior
MOST: Final = 255  # steps of the largest posterior that int8 can say
LIMITS: Final = {"rows": 1 << 16, "consecutive": 1 << 16, "refractory": 1 << 32}


@dataclass(frozen=True, slots=True)
class TriggerValues:
    """The values of one command as `ekws_trigger.h` has them."""

    label: int
    rows: int
    on: int
    off: int
    consecutive: int
    refractory: int


def trigger_values(model: ModelSpec, triggers: Mapping[str, TriggerSpec]) -> list[TriggerValues]:
    """Return the values of every command; ExportError for one that the C code has no room for."""
    return [_values(model, label, triggers[label]) for label in model.commands]


def _values(model: ModelSpec, label: str, spec: TriggerSpec) -> TriggerValues:
    rows = max(1, spec.mean_samples // model.samples_per_score)
    values = TriggerValues(
        label=model.labels.index(label),
        rows=rows,
        on=least_sum(spec.on, rows),
        off=least_sum(spec.off, rows),
        consecutive=spec.consecutive,
        refractory=spec.refractory_samples,
    )
    for name, limit in LIMITS.items():
        if getattr(values, name) >= limit:
            raise ExportError(
                f"trigger of {label!r}: {name} is {getattr(values, name)}, the microcontroller "
                f"has room for less than {limit}; choose a shorter time in the manifest"
            )
    return values


def least_sum(threshold: float, rows: int) -> int:
    """Return the least sum of steps whose mean the Python trigger calls at or above a threshold.

    Sums of multiples of 1/256 are exact in float32, so the same rows give the same answer. Where no
    posteriors reach the threshold it is one more than they can add up to.
    """
    sums = np.arange(rows * MOST + 1)
    means = (sums / STEPS).astype(np.float32) / np.float32(rows)
    reached = np.flatnonzero(means >= np.float32(threshold))
    return int(reached[0]) if len(reached) else len(sums)
