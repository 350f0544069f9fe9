"""The daemon's loop around fakes: what ends it, and what it leaves behind."""

import io
import json
from collections.abc import Iterator
from typing import Any, Self

import pytest

from edgekws.dispatch.commands import CommandTable
from edgekws.dispatch.journal import Journal
from edgekws.errors import EdgekwsError, SourceError
from edgekws.events import Block, Detection, Dispatch
from edgekws.runtime.daemon import Daemon
from edgekws.runtime.detector import Detector
from edgekws.runtime.evaluate import blocks
from edgekws.runtime.parts import Parts
from tests.fakes import RATE, LoudnessEngine, bursts, small_model, trigger_spec

AUDIO = bursts(0.9, 3.0, seconds=4.5)


class Tape:
    """A source that plays AUDIO over and over until stopped, or dies after the first turn."""

    name = "tape"

    def __init__(self, *, dies: bool = False, turns: int = 10_000) -> None:
        self.dies, self.turns, self.stopped, self.closed = dies, turns, False, False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *fault: object) -> None:
        self.closed = True

    def __iter__(self) -> Iterator[Block]:
        for turn in range(self.turns):
            for block in blocks(AUDIO, sample_rate=RATE, samples=1280):
                if self.stopped:
                    return
                yield Block(block.pcm, turn * len(AUDIO) + block.start, RATE)
            if self.dies:
                raise SourceError("the tape tore")

    def stop(self) -> None:
        self.stopped = True


class Bell:
    """A sink that rings, with whatever detail it is told to give."""

    name = "bell"

    def __init__(self, detail: Any = "rang") -> None:
        self.detail, self.closed = detail, False

    def send(self, detection: Detection) -> Dispatch:
        return Dispatch(detection.id, detection.label, self.name, "done", self.detail)

    def close(self) -> None:
        self.closed = True


def daemon(tape: Tape, bell: Bell, out: io.StringIO) -> Daemon:
    triggers = {"loud": trigger_spec(), "dull": trigger_spec()}
    detector = Detector(small_model(), LoudnessEngine(), triggers)
    parts = Parts("test 1", detector, CommandTable({"loud": (bell,)}))
    return Daemon(tape, parts, Journal(out))


def events(out: io.StringIO) -> list[tuple[str, int]]:
    lines = [json.loads(line) for line in out.getvalue().splitlines()]
    return sorted((line["event"], line["id"]) for line in lines)


def test_the_end_of_the_audio_waits_for_every_result() -> None:
    tape, bell, out = Tape(turns=1), Bell(), io.StringIO()
    counters = daemon(tape, bell, out).run()
    assert counters.detections == 2
    assert events(out) == [("detection", 1), ("detection", 2), ("dispatch", 1), ("dispatch", 2)]
    assert tape.closed
    assert bell.closed


def test_a_source_that_dies_ends_it_after_the_results() -> None:
    tape, bell, out = Tape(dies=True), Bell(), io.StringIO()
    with pytest.raises(SourceError, match="tore"):
        daemon(tape, bell, out).run()
    assert len(events(out)) == 4
    assert bell.closed


def test_a_dead_worker_ends_it() -> None:
    tape, bell = Tape(), Bell(detail=b"bytes are no JSON")
    with pytest.raises(EdgekwsError, match="the thread 'sink-bell' died of TypeError: Object of"):
        daemon(tape, bell, io.StringIO()).run()
    assert tape.stopped
    assert bell.closed


def test_a_reader_that_goes_away_ends_it() -> None:
    class Gone(io.StringIO):
        def write(self, text: str) -> int:
            raise BrokenPipeError

    tape, bell = Tape(), Bell()
    with pytest.raises(BrokenPipeError):
        daemon(tape, bell, Gone()).run()
    assert tape.stopped
    assert bell.closed
