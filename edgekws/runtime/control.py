"""What is asked at the control socket and what is answered: one line of JSON each way."""

import resource
import time
from collections.abc import Callable, Iterator
from typing import Final, Literal, Protocol

import msgspec

from edgekws.events import Detection
from edgekws.runtime.counts import Tellers
from edgekws.runtime.health import Health
from edgekws.runtime.hush import MAX_SECONDS, Hush
from edgekws.runtime.moments import MOMENTS, Kind
from edgekws.runtime.reception import Visits
from edgekws.runtime.sight import Sight
from edgekws.specs import Spec

LINE_BYTES: Final = 4_096  # of a request; the longest sensible one has a hundred
_BYTES_PER_RSS: Final = 1_024  # getrusage(2) counts in these


class Ask(Spec, frozen=True):
    """A request; `seconds` is for mute alone, `kind` and `id` for explain."""

    do: Literal["status", "mute", "unmute", "reload", "tail", "scores", "explain"]
    seconds: float | None = None
    kind: Kind = "detection"
    id: int = 0

    def __post_init__(self) -> None:
        if self.seconds is not None and not 0 < self.seconds <= MAX_SECONDS:
            raise ValueError(f"need 0 < seconds <= {MAX_SECONDS:g}")


class Refusal(Spec, frozen=True):
    """Why a request is not followed."""

    error: str
    ok: bool = False


class Agreed(Spec, frozen=True):
    """A request that is followed."""

    ok: bool = True


class Status(Spec, frozen=True):
    """How the daemon is; `reload_failure` is None during a reload, "" where none failed."""

    health: Health
    muted_seconds: float | None
    reload_failure: str | None
    visits: Visits
    cpu_seconds: float
    peak_rss_bytes: int
    latest: tuple[Detection, ...]
    ok: bool = True


class Controlled(Protocol):
    """What the control socket may do with the daemon; all of it from any thread."""

    def health(self) -> Health:
        """Return how it is."""
        ...

    def mute(self) -> None:
        """Hear nothing."""
        ...

    def unmute(self) -> None:
        """Hear again."""
        ...

    def reload(self) -> None:
        """Begin to read everything anew."""
        ...

    @property
    def reload_failure(self) -> str | None:
        """Why the last reload failed; "" where it did not, None while one is under way."""
        ...


class Control:
    """Follows requests, whoever they come from: the door has looked at that."""

    def __init__(
        self,
        daemon: Controlled,
        hush: Hush,
        sight: Sight,
        tellers: Tellers,
        *,
        visits: Callable[[], Visits] = Visits,
    ) -> None:
        self._daemon, self._hush, self._visits = daemon, hush, visits
        self._sight, self._tellers = sight, tellers

    def follow(self, ask: Ask) -> Spec:
        """Do what is asked and return the answer; "tail" is the talk's own business."""
        if ask.do == "status":
            return self._status()
        if ask.do == "scores":
            return self._sight.scores()
        if ask.do == "explain":
            return self._sight.explain(ask.kind, ask.id) or _unknown(ask)
        if ask.do == "mute":
            self._hush.mute(ask.seconds)
        elif ask.do == "unmute":
            self._hush.unmute()
        elif ask.do == "reload":
            self._daemon.reload()
        return Agreed()

    def _status(self) -> Status:
        return Status(
            health=self._daemon.health(),
            muted_seconds=self._hush.left_seconds,
            reload_failure=self._daemon.reload_failure,
            visits=self._visits(),
            cpu_seconds=time.process_time(),
            peak_rss_bytes=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _BYTES_PER_RSS,
            latest=self._tellers.latest(),
        )


class ControlTalk:
    """Lines of JSON with one guest; a line that makes no sense is answered with what is wrong."""

    def __init__(self, control: Control) -> None:
        self._control = control
        self._held = b""
        self.follows = self.over = False

    def hear(self, data: bytes) -> Iterator[bytes]:
        """Take what came and answer each whole line; one without end ends the talk."""
        *lines, self._held = (self._held + data).split(b"\n")
        for line in lines:
            yield self._answer(line)
        if len(self._held) > LINE_BYTES:
            self.over, self._held = True, b""
            yield refusal(f"a request has at most {LINE_BYTES} bytes")

    def _answer(self, line: bytes) -> bytes:
        try:
            ask = msgspec.json.decode(line, type=Ask)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            return refusal(f"not understood: {error}")
        self.follows |= ask.do == "tail"
        return encode(self._control.follow(ask))


def _unknown(ask: Ask) -> Refusal:
    return Refusal(
        error=f"no {ask.kind} {ask.id} is held; the last {MOMENTS} detections and near misses are"
    )


def refusal(reason: str) -> bytes:
    """Return the line that says why not."""
    return encode(Refusal(error=reason))


def encode(answer: Spec) -> bytes:
    """Return an answer as a line."""
    return msgspec.json.encode(answer) + b"\n"
