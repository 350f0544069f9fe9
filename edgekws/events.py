"""What flows through the device: blocks in, scores in the middle, detections and results out."""

from typing import Any, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

Pcm = NDArray[np.int16]
Floats = NDArray[np.float32]


class Block(msgspec.Struct, frozen=True):
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


class Detection(msgspec.Struct, frozen=True):
    """A command heard: `sample` is the absolute index of the last sample that was looked at."""

    id: int
    label: str
    score: float
    sample: int
    time_seconds: float


class Dispatch(msgspec.Struct, frozen=True):
    """What became of one detection at one sink; `detail` is one line for a person."""

    id: int
    label: str
    sink: str
    status: Literal["done", "failed", "timeout", "dropped"]
    detail: str
    exit_code: int | None = None
    attempts: int = 1


class LinkHealth(msgspec.Struct, frozen=True):
    """Whether the board is heard, on which device (None: none is open), and how noisy it is."""

    up: bool
    device: str | None
    detail: str
    refused_frames: int


class HealthChange(msgspec.Struct, frozen=True):
    """The daemon's health turned to another state, and why."""

    state: str
    reason: str


Verdict = Literal["act", "wait", "hold"]


class Decision(msgspec.Struct, frozen=True):
    """Whether a detection is acted upon, and why not; `sinks` are the names of where it goes.

    `lag_seconds` is how long before this the audio that decided it had come in.
    """

    id: int
    label: str
    verdict: Verdict
    reason: str = ""
    sinks: tuple[str, ...] = ()
    lag_seconds: float = 0.0


class NearMiss(msgspec.Struct, frozen=True):
    """Something that was nearly a command: its mean score rose to `peak`, `on` would have done.

    `sample` is where it rose; a peak above `on` did not last, or came too soon after another.
    """

    id: int
    label: str
    peak: float
    on: float
    sample: int
    time_seconds: float


class SinkResult(msgspec.Struct, frozen=True):
    """How a dispatch ended, in seconds since the daemon's start."""

    sink: str
    status: str
    exit_code: int | None
    attempts: int
    ended_at: float


class Result(msgspec.Struct, frozen=True):
    """All there is to say of a detection once it is over; moments are seconds since the start.

    `audio_at` is when the audio that decided it came in, `queued_at` when the sinks were given it,
    None where they were not; `utc` is the wall clock as this was written.
    """

    id: int
    label: str
    score: float
    sample: int
    time_seconds: float
    verdict: Verdict
    reason: str
    audio_at: float
    detected_at: float
    queued_at: float | None
    ended_at: float
    sinks: tuple[SinkResult, ...]
    utc: str
