"""What one client says and is answered: the wake word part of the Wyoming protocol."""

import logging
from collections.abc import Callable, Mapping
from typing import Annotated, Final

import msgspec
from wyoming.error import Error
from wyoming.event import Event
from wyoming.info import Info
from wyoming.ping import Pong
from wyoming.wake import Detection as WakeDetection
from wyoming.wake import NotDetected

from edgekws.dispatch.wire import Arrived, WireError, checked
from edgekws.events import Detection
from edgekws.service.pool import Pool
from edgekws.service.stream import Form, Stream

log = logging.getLogger(__name__)

MAX_NAMES: Final = 256
MAX_TEXT: Final = 256
_MILLISECONDS: Final = 1000

_Name = Annotated[str, msgspec.Meta(max_length=MAX_TEXT)]


class _Detect(msgspec.Struct):
    """The data of a detect event: no names, or none, are all."""

    names: Annotated[list[_Name], msgspec.Meta(max_length=MAX_NAMES)] | None = None


class _Ping(msgspec.Struct):
    text: _Name | None = None


class Session:
    """Answers one client's events; borrows a detector from the first audio to the stop."""

    def __init__(self, info: Info, pool: Pool) -> None:
        self._info, self._pool = info, pool
        self._known = frozenset(model.name for program in info.wake for model in program.models)
        self._wanted = self._known
        self._stream: Stream | None = None
        self._heard = 0
        self._answers: Mapping[str, Callable[[Arrived], list[Event]]] = {
            "describe": self._describe,
            "ping": self._ping,
            "detect": self._detect,
            "audio-start": self._start,
            "audio-chunk": self._chunk,
            "audio-stop": self._stop,
        }

    def answer(self, arrived: Arrived) -> list[Event]:
        """Return the events to send back; those of other parts of the protocol are let be.

        Raises:
            WireError: an event whose data makes no sense, or no detector is free.
            MissingExtraError: audio at a rate that cannot be converted here.
        """
        handler = self._answers.get(arrived.type)
        return [] if handler is None else handler(arrived)

    def close(self) -> None:
        """Give the detector back."""
        stream, self._stream = self._stream, None
        if stream is not None:
            self._pool.give_back(stream.detector)

    def _describe(self, _: Arrived) -> list[Event]:
        return [self._info.event()]

    def _ping(self, arrived: Arrived) -> list[Event]:
        return [Pong(text=checked(arrived.data, _Ping).text).event()]

    def _detect(self, arrived: Arrived) -> list[Event]:
        names = checked(arrived.data, _Detect).names
        self._wanted = self._known & frozenset(names) if names else self._known
        if self._wanted:
            return []
        known = ", ".join(sorted(self._known))
        return [Error(f"no model of these names; there is {known}", code="not-found").event()]

    def _start(self, arrived: Arrived) -> list[Event]:
        self._begin(checked(arrived.data, Form))
        return []

    def _chunk(self, arrived: Arrived) -> list[Event]:
        form = checked(arrived.data, Form)
        if self._stream is None or self._stream.form != form:
            self._begin(form)
        assert self._stream is not None, "it was just begun"
        return self._report(self._stream.push(arrived.payload), arrived)

    def _stop(self, arrived: Arrived) -> list[Event]:
        if self._stream is None:
            return []
        reports = self._report(self._stream.finish(), arrived)
        self.close()
        return reports if self._heard else [NotDetected().event()]

    def _begin(self, form: Form) -> None:
        self.close()
        detector = self._pool.take()
        if detector is None:
            raise WireError("all detectors are in use; try again later")
        try:
            self._stream = Stream(detector, form)
        except BaseException:
            self._pool.give_back(detector)
            raise
        self._heard = 0

    def _report(self, detections: list[Detection], arrived: Arrived) -> list[Event]:
        """Return an event for each detection that the client asked for."""
        wanted = [each for each in detections if each.label in self._wanted]
        self._heard += len(wanted)
        given = arrived.data.get("timestamp")
        return [
            WakeDetection(
                name=each.label,
                timestamp=given if type(given) is int else round(each.time_seconds * _MILLISECONDS),
            ).event()
            for each in wanted
        ]
