"""The values of a detection inside of texts that a person wrote: {label}, {score} and so on."""

import re
from collections.abc import Mapping
from typing import Final

from edgekws.events import Detection

PLACEHOLDER: Final = re.compile(r"\{(label|score|sample|time_seconds|id)\}")


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
    """Replace each placeholder once; what a value holds is not searched again."""
    return PLACEHOLDER.sub(lambda found: values[found[1]], text)
