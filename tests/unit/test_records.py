"""One record per detection, with its times."""

from typing import Final

import pytest

from edgekws.events import Decision, Detection, Dispatch, Result, SinkResult
from edgekws.runtime.records import UNFINISHED, Records

HEARD: Final = Detection(1, "on", 0.9, 16_000, 1.0)
UTC: Final = "2026-11-25T18:00:00.000+00:00"


def records() -> Records:
    return Records(100.0, lambda: UTC)


def test_a_detection_has_a_record_once_all_its_sinks_are_done() -> None:
    notes = records()
    act = Decision(1, "on", "act", sinks=("process", "mqtt"), lag_seconds=0.25)
    assert notes.note(HEARD, 110.0) is None
    assert notes.note(act, 110.5) is None
    assert notes.note(Dispatch(1, "on", "mqtt", "done", "sent"), 111.0) is None
    result = notes.note(Dispatch(1, "on", "process", "failed", "", 3, attempts=2), 112.0)
    assert result == Result(
        id=1,
        label="on",
        score=0.9,
        sample=16_000,
        time_seconds=1.0,
        verdict="act",
        reason="",
        audio_at=10.25,
        detected_at=10.0,
        queued_at=10.5,
        ended_at=12.0,
        sinks=(
            SinkResult("mqtt", "done", None, 1, 11.0),
            SinkResult("process", "failed", 3, 2, 12.0),
        ),
        utc=UTC,
    )


def test_one_that_is_held_has_a_record_at_once() -> None:
    notes = records()
    notes.note(HEARD, 110.0)
    result = notes.note(Decision(1, "on", "hold", "quiet hours"), 110.5)
    assert result is not None
    assert (result.verdict, result.reason, result.queued_at) == ("hold", "quiet hours", None)
    assert notes.note(Dispatch(1, "on", "mqtt", "done", ""), 111.0) is None


def test_one_that_is_confirmed_has_a_record_of_each() -> None:
    notes = records()
    notes.note(HEARD, 110.0)
    waits = notes.note(Decision(1, "on", "wait", 'say "yes"'), 110.0)
    assert waits is not None
    notes.note(Decision(1, "on", "act", "confirmed", sinks=("stdout",)), 113.0)
    done = notes.note(Dispatch(1, "on", "stdout", "done", "printed"), 114.0)
    assert done is not None
    assert (waits.verdict, done.verdict) == ("wait", "act")
    assert (done.detected_at, done.queued_at) == (10.0, 13.0)


@pytest.mark.parametrize("number", [UNFINISHED, 5 * UNFINISHED])
def test_sinks_that_never_end_do_not_add_up(number: int) -> None:
    notes = records()
    for at in range(number + 1):
        notes.note(Detection(at, "on", 0.9, at, 0.0), 110.0)
        notes.note(Decision(at, "on", "act", sinks=("stdout",)), 110.0)
    assert notes.note(Dispatch(0, "on", "stdout", "done", ""), 111.0) is None
    assert notes.note(Dispatch(number, "on", "stdout", "done", ""), 111.0) is not None
