"""Whether the ears hear, as one state with its reason, and the figures behind it."""

from collections.abc import Sequence
from typing import Any, Final, Literal

import msgspec
import numpy as np

from edgekws.audio.level import FLOOR_DBFS, levels_dbfs
from edgekws.events import Block, Detection, LinkHealth
from edgekws.runtime.detector import Counters

State = Literal["starting", "listening", "degraded", "muted", "deaf"]

QUIET_SECONDS: Final = 3.0  # so long without audio or a step, and nothing is heard


class DispatchCounts(msgspec.Struct, frozen=True):
    """How the dispatches ended so far, over all sinks."""

    done: int = 0
    failed: int = 0
    timeout: int = 0
    dropped: int = 0


class Health(msgspec.Struct, frozen=True):
    """One look at the daemon, taken from any thread; ages are seconds, None before the first.

    `reason` is one line for a person, empty while it listens. `level_dbfs` is the RMS of the last
    block relative to a full-scale square wave. `unwritten` counts lines that found no room.
    """

    state: State
    reason: str
    source: str
    device: str
    bundle: str
    uptime_seconds: float
    audio_age_seconds: float | None
    step_age_seconds: float | None
    level_dbfs: float
    last_detection: Detection | None
    detection_age_seconds: float | None
    counters: Counters
    dropped_frames: int
    reopenings: int
    reloads: int
    unwritten: int
    dispatches: DispatchCounts
    links: tuple[LinkHealth, ...] = ()


class Signs(msgspec.Struct, frozen=True):
    """What the state is judged by.

    `trouble` is why nothing can be heard, `complaint` what is wrong though all is heard; both are
    empty while there is none. `live` is False for recordings and pipes, which may well be silent.
    """

    live: bool
    muted: bool
    trouble: str
    complaint: str
    audio_age_seconds: float | None
    step_age_seconds: float | None


def judge(signs: Signs) -> tuple[State, str]:
    """Return the state and its reason; what keeps it from hearing goes before all else."""
    if signs.trouble:
        return "deaf", signs.trouble
    if signs.step_age_seconds is None or signs.audio_age_seconds is None:
        return "starting", "no audio has come through the model yet"
    if signs.live and max(signs.audio_age_seconds, signs.step_age_seconds) > QUIET_SECONDS:
        return "deaf", _standstill(signs.audio_age_seconds, signs.step_age_seconds)
    if signs.muted:
        return "muted", "on request: the model is given silence"
    return ("degraded", signs.complaint) if signs.complaint else ("listening", "")


def link_complaint(links: Sequence[LinkHealth]) -> str:
    """Return what is wrong with the first line that is down, "" where all are up."""
    return next((f"the link to the board is down: {x.detail}" for x in links if not x.up), "")


def _standstill(audio_age_seconds: float, step_age_seconds: float) -> str:
    if audio_age_seconds > QUIET_SECONDS:
        return f"no audio for {audio_age_seconds:.0f} s"
    return f"the model has made no step for {step_age_seconds:.0f} s"


def level_dbfs(block: Block | None) -> float:
    """Return the RMS level of a block in dB below full scale, at least FLOOR_DBFS."""
    pcm: Any = None if block is None else block.pcm
    if not isinstance(pcm, np.ndarray) or pcm.ndim != 1 or pcm.size == 0 or pcm.dtype != np.int16:
        return FLOOR_DBFS
    return float(levels_dbfs(pcm, len(pcm))[0])


def words(health: Health) -> str:
    """Return a line on what is heard, for `STATUS=` of systemd and for people."""
    seen = f"{health.counters.detections} heard"
    if health.last_detection is not None and health.detection_age_seconds is not None:
        last = health.last_detection
        seen += f', last "{last.label}" {health.detection_age_seconds:.0f} s ago'
    reason = f": {health.reason}" if health.reason else ""
    return f"{health.state}{reason} ({health.source}, {health.level_dbfs:.0f} dBFS, {seen})"
