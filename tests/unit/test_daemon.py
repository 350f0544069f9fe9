"""The daemon's loop around fakes: what ends it, and what it leaves behind."""

import errno
import io
import json
import threading
from collections.abc import Callable, Iterator
from typing import Any, Self

import pytest

from edgekws.audio.source import Condition
from edgekws.dispatch.commands import CommandTable
from edgekws.dispatch.journal import Journal
from edgekws.errors import EdgekwsError, SinkError, SourceError
from edgekws.events import Block, Detection, Dispatch
from edgekws.runtime.daemon import Daemon, unchanging
from edgekws.runtime.detector import Detector
from edgekws.runtime.evaluate import blocks
from edgekws.runtime.parts import Parts, Rebuild
from edgekws.runtime.scribe import Scribe
from tests.fakes import RATE, LoudnessEngine, bursts, small_model, trigger_spec

AUDIO = bursts(0.9, 3.0, seconds=4.5)


class Tape:
    """A source that plays AUDIO over and over until stopped, or dies after the first turn."""

    name = "tape"

    def __init__(self, *, dies: bool = False, turns: int = 10_000) -> None:
        self.dies, self.turns, self.stopped, self.closed = dies, turns, False, False
        self.first: Callable[[], None] = lambda: None  # what happens before and after the audio
        self.last: Callable[[], None] = lambda: None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *fault: object) -> None:
        self.closed = True

    def __iter__(self) -> Iterator[Block]:
        self.first()
        for turn in range(self.turns):
            for block in blocks(AUDIO, sample_rate=RATE, samples=1280):
                if self.stopped:
                    return
                yield Block(block.pcm, turn * len(AUDIO) + block.start, RATE)
            if self.dies:
                raise SourceError("the tape tore")
        self.last()

    def stop(self) -> None:
        self.stopped = True


class Bell:
    """A sink that rings, and answers whatever it is told to."""

    name = "bell"

    def __init__(self, *, status: Any = "done", detail: Any = "rang") -> None:
        self.status, self.detail, self.closed = status, detail, False

    def send(self, detection: Detection) -> Dispatch:
        return Dispatch(detection.id, detection.label, self.name, self.status, self.detail)

    def close(self) -> None:
        self.closed = True


def daemon(
    tape: Tape,
    bell: Bell,
    out: io.StringIO,
    *,
    rebuild: Rebuild = unchanging,
    condition: Callable[[], Condition] = Condition,
) -> Daemon:
    triggers = {"loud": trigger_spec(), "dull": trigger_spec()}
    detector = Detector(small_model(), LoudnessEngine(), triggers)
    parts = Parts("test 1", detector, CommandTable({"loud": (bell,)}))
    return Daemon(tape, parts, Journal(out), rebuild=rebuild, condition=condition)


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


@pytest.mark.parametrize(
    ("bell", "thread"),
    [
        (Bell(status=["unhashable"]), "'sink-bell' died of TypeError: unhashable"),
        (Bell(detail=object()), "'scribe' died of TypeError: Encoding objects of type object"),
    ],
)
def test_a_thread_that_dies_ends_it(bell: Bell, thread: str) -> None:
    tape = Tape()
    with pytest.raises(EdgekwsError, match=f"^the thread {thread}") as caught:
        daemon(tape, bell, io.StringIO()).run()
    assert caught.value.exit_code == 1, "systemd is to start it again"
    assert tape.stopped
    assert bell.closed


def test_the_watch_that_dies_ends_it() -> None:
    def condition() -> Condition:
        if threading.current_thread().name == "watch":
            raise LookupError("blind")
        return Condition()

    tape, bell = Tape(), Bell()
    with pytest.raises(EdgekwsError, match=r"^the thread 'watch' died of LookupError: blind"):
        daemon(tape, bell, io.StringIO(), condition=condition).run()
    assert tape.stopped


def test_a_reload_that_dies_ends_it() -> None:
    def rebuild(old: Parts) -> Parts:
        raise LookupError("no such part")

    tape, bell = Tape(), Bell()
    one = daemon(tape, bell, io.StringIO(), rebuild=rebuild)
    tape.first = one.reload
    with pytest.raises(EdgekwsError, match=r"^the thread 'reload' died of LookupError"):
        one.run()
    assert tape.stopped


def test_an_engine_that_raises_ends_it() -> None:
    tape, bell = Tape(), Bell()
    one = daemon(tape, bell, io.StringIO())
    one._parts.detector.observe = lambda *_: [].pop()
    with pytest.raises(IndexError):
        one.run()
    assert tape.closed
    assert bell.closed


class Disk(io.StringIO):
    """Stdout on a disk that is full for the first so many lines."""

    def __init__(self, *, refused: int) -> None:
        super().__init__()
        self.refused = refused

    def write(self, text: str) -> int:
        if self.refused:
            self.refused -= 1
            raise OSError(errno.ENOSPC, "No space left on device")
        return super().write(text)


def test_a_full_disk_costs_lines_and_nothing_else() -> None:
    tape, bell, out = Tape(turns=2), Bell(), Disk(refused=3)
    one = daemon(tape, bell, out)
    with pytest.raises(SinkError, match=r"^3 lines are lost, .*: No space left on device$"):
        one.run()
    health = one.health()
    assert (health.counters.detections, health.dispatches.done, health.unwritten) == (4, 4, 3)
    assert len(events(out)) == 5
    assert health.state == "listening"


class Stuck(io.StringIO):
    """Stdout whose reader does not read before it is let to."""

    def __init__(self) -> None:
        super().__init__()
        self.reading = threading.Event()

    def write(self, text: str) -> int:
        self.reading.wait()
        return super().write(text)


def test_a_reader_that_hangs_keeps_nobody_from_hearing_and_acting() -> None:
    tape, bell, out = Tape(turns=2), Bell(), Stuck()
    seen: list[int] = []

    def last() -> None:
        while one.health().dispatches.done < 4:
            pass
        seen.append(one.health().counters.samples)
        out.reading.set()

    tape.last = last
    one = daemon(tape, bell, out)
    one.run()
    assert seen == [2 * len(AUDIO)]
    assert len(events(out)) == 8


def test_lines_that_find_no_room_are_counted() -> None:
    out = Stuck()
    scribe = Scribe(Journal(out), on_gone=lambda: None, queue_size=3)
    for number in range(10):
        scribe.write(Detection(number, "loud", 0.9, 1, 0.1))
    scribe.start()
    out.reading.set()
    assert scribe.close(60.0)
    assert (scribe.lost, scribe.last_fault) == (7, "nobody reads them")
    assert [number for _, number in events(out)] == [0, 1, 2]


def test_a_recording_waits_for_its_reader() -> None:
    out = Stuck()
    scribe = Scribe(Journal(out), on_gone=lambda: None, patient=True, queue_size=1)
    scribe.start()
    threading.Timer(0.05, out.reading.set).start()
    for number in range(5):
        scribe.write(Detection(number, "loud", 0.9, 1, 0.1))
    assert scribe.close(60.0)
    assert (scribe.lost, len(events(out))) == (0, 5)


def test_a_reader_that_goes_away_ends_it() -> None:
    class Gone(io.StringIO):
        def write(self, text: str) -> int:
            raise BrokenPipeError

    tape, bell = Tape(), Bell()
    with pytest.raises(BrokenPipeError):
        daemon(tape, bell, Gone()).run()
    assert tape.stopped
    assert bell.closed
