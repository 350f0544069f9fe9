"""The values of a detection inside of texts that a person wrote: {label}, {score} and so on."""

import re
from collections.abc import Mapping, Sequence
from typing import Final

from edgekws.events import Detection

PLACEHOLDER: Final = re.compile(r"\{(label|score|sample|time_seconds|id|transcript)\}")


def values_of(detection: Detection) -> Mapping[str, str]:
    """Return each value as text, under the name that its placeholder has."""
    return {
        "label": detection.label,
        "score": f"{detection.score:.4f}",
        "sample": str(detection.sample),
        "time_seconds": f"{detection.time_seconds:.3f}",
        "id": str(detection.id),
    }


def fill(text: str, values: Mapping[str, str]) -> str:
    """Replace each placeholder that has a value, once; what a value holds is not searched again."""
    return PLACEHOLDER.sub(lambda found: values.get(found[1], found[0]), text)


def as_environment(values: Mapping[str, str]) -> Mapping[str, str]:
    """Return the values under the names that a program finds them by."""
    return {f"EDGEKWS_{key.upper()}": value for key, value in values.items()}


def check_argv(argv: Sequence[str]) -> None:
    """Raise ValueError for a list of arguments that no program can be started with."""
    if not argv or not argv[0]:
        raise ValueError("argv needs a program as its first item")
    if any("\0" in item for item in argv):
        raise ValueError("argv must not hold a NUL character")
    if PLACEHOLDER.search(argv[0]):
        raise ValueError("argv[0] is the program itself and takes no placeholder")
