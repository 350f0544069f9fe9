"""What flows through the device: blocks in, scores in the middle, detections and results out."""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Pcm = NDArray[np.int16]
Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Block:
    """A run of audio samples and its place in the stream.

    `pcm` is (n,) int16 mono; `start` is the absolute index of its first sample, counted from 0
    at the stream's begin; `sample_rate` is in Hz. Sources outside this package may hand over
    anything: `runtime.intake` repairs or refuses it, so the type here is the promise, not a check.
    """

    pcm: NDArray[Any]
    start: int
    sample_rate: int = 16_000

    @property
    def end(self) -> int:
        """The absolute index of the sample after the last one."""
        return self.start + len(self.pcm)


@dataclass(frozen=True, slots=True)
class Detection:
    """A command heard: `sample` is the absolute index of the last sample that was looked at."""

    id: int
    label: str
    score: float
    sample: int
    time_seconds: float


@dataclass(frozen=True, slots=True)
class Dispatch:
    """What became of one detection at one sink; `detail` is one line for a person."""

    id: int
    label: str
    sink: str
    status: Literal["done", "failed", "timeout", "dropped"]
    detail: str
    exit_code: int | None = None
    attempts: int = 1
