"""The lines of `edgekws listen`: one JSON object per detection, decision and dispatch result."""

import io
import json
import os
import threading
from contextlib import suppress
from typing import Final, TextIO

import msgspec

from edgekws.events import Decision, Detection, Dispatch, HealthChange, NearMiss, Result

Event = Detection | Decision | Dispatch | HealthChange | NearMiss | Result

_EVENT_NAMES: Final = {
    Detection: "detection",
    Decision: "decision",
    Dispatch: "dispatch",
    HealthChange: "health",
    NearMiss: "near_miss",
    Result: "result",
}


class Journal:
    """Writes events to a text stream, whole lines only, from any thread.

    Labels are written as they are, and escaped only where the stream's encoding lacks their
    letters. When the reader of a pipe is gone, `closed` turns true and later events are let go.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._lock = threading.Lock()
        self._closed = False

    @property
    def closed(self) -> bool:
        """Whether nobody reads the stream any more."""
        return self._closed

    def write(self, event: Event) -> None:
        """Write one line and flush it."""
        fields = event_fields(event)
        with self._lock:
            if self._closed:
                return
            try:
                self._write_line(fields)
            except BrokenPipeError:
                self._closed = True
                self._forget_rest()

    def _write_line(self, fields: dict[str, object]) -> None:
        try:
            self._stream.write(json.dumps(fields, ensure_ascii=False) + "\n")
        except UnicodeEncodeError:
            self._stream.write(json.dumps(fields) + "\n")
        self._stream.flush()

    def _forget_rest(self) -> None:
        """Send what is still buffered nowhere, so that the flush at exit does not fail again."""
        with suppress(io.UnsupportedOperation):
            null = os.open(os.devnull, os.O_WRONLY)
            try:
                os.dup2(null, self._stream.fileno())
            finally:
                os.close(null)


def is_for_stdout(event: Event) -> bool:
    """Return whether stdout is told: that a command is acted on, its dispatches tell."""
    if isinstance(event, Decision):
        return event.verdict != "act"
    return isinstance(event, Detection | Dispatch)


def event_fields(event: Event) -> dict[str, object]:
    """Return what the line of an event holds."""
    return {"event": _EVENT_NAMES[type(event)], **msgspec.to_builtins(event)}


def event_line(event: Event) -> bytes:
    """Return the line of an event in UTF-8, its end included."""
    return json.dumps(event_fields(event), ensure_ascii=False).encode(errors="replace") + b"\n"
