"""What other threads ask of the running daemon: its health, muting, a reload."""

import datetime
import gc
import io
import json
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from itertools import cycle, pairwise
from typing import Final, Self

import pytest
from msgspec.structs import replace

from edgekws.dispatch.commands import CommandTable
from edgekws.dispatch.journal import Journal
from edgekws.errors import BundleError
from edgekws.events import Block, Detection, Dispatch, Floats
from edgekws.runtime.daemon import Daemon
from edgekws.runtime.decide import Decider, Rule
from edgekws.runtime.detector import Detector
from edgekws.runtime.evaluate import blocks
from edgekws.runtime.health import Health
from edgekws.runtime.parts import Parts, Rebuild
from tests.fakes import RATE, LoudnessEngine, bursts, small_model, trigger_spec

BURSTS: Final = (0.9, 3.0, 5.1)
AUDIO: Final = bursts(*BURSTS, seconds=6.5)
MODEL: Final = small_model()
NOON: Final = datetime.time(12)
LEAD: Final = MODEL.features.window - MODEL.features.hop


class Tape:
    """Plays AUDIO in live blocks, and does something before the block at a sample index."""

    name = "tape"

    def __init__(self) -> None:
        self.before: dict[int, Callable[[], None]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *fault: object) -> None:
        pass

    def __iter__(self) -> Iterator[Block]:
        yield Block(AUDIO[:LEAD], 0, RATE)
        for block in blocks(AUDIO[LEAD:], sample_rate=RATE, samples=1280):
            for at in [at for at in self.before if at <= block.start]:
                self.before.pop(at)()
            yield Block(block.pcm, block.start + LEAD, RATE)

    def stop(self) -> None:
        pass


class Bell:
    """A sink that notes what it was sent."""

    def __init__(self) -> None:
        self.name = "bell"
        self.heard: list[Detection] = []
        self.closed = False

    def send(self, detection: Detection) -> Dispatch:
        self.heard.append(detection)
        return Dispatch(detection.id, detection.label, self.name, "done", "rang")

    def close(self) -> None:
        self.closed = True


def parts(bell: Bell, *, name: str = "one 1") -> Parts:
    triggers = {"loud": trigger_spec(), "dull": trigger_spec()}
    detector = Detector(MODEL, LoudnessEngine(), triggers)
    return Parts(name, detector, CommandTable({"loud": (bell,)}))


def unasked(old: Parts) -> Parts:
    raise AssertionError("nobody asked for a reload")


class Run:
    """A daemon over the tape, and what came out of it."""

    def __init__(self, first: Parts, *, rebuild: Rebuild = unasked) -> None:
        self.tape, self.out = Tape(), io.StringIO()
        self.daemon = Daemon(self.tape, first, Journal(self.out), rebuild=rebuild)

    def at(self, seconds: float, what: Callable[[], None]) -> None:
        self.tape.before[round(seconds * RATE)] = what

    def detections(self) -> list[tuple[int, int]]:
        """Run it; return id and sample of each detection."""
        self.daemon.run()
        lines = [json.loads(line) for line in self.out.getvalue().splitlines()]
        return [(line["id"], line["sample"]) for line in lines if line["event"] == "detection"]


def reload_and_wait(run: Run) -> None:
    """Ask for a reload and wait until it is built, as time does between two blocks."""
    run.daemon.reload()
    for thread in threading.enumerate():
        if thread.name == "reload":
            thread.join(60.0)


EXPECTED: Final = Run(parts(Bell())).detections()


def test_three_bursts_are_three_detections() -> None:
    assert [number for number, _ in EXPECTED] == [1, 2, 3]
    assert all(a < b for (_, a), (_, b) in pairwise(EXPECTED))


def test_a_clock_that_jumps_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """As when NTP sets a Pi without a clock of its own, or a person sets it back."""
    jumps = cycle((0.0, 1e9, -1e9, 3600.0, -86_400.0))
    monkeypatch.setattr(time, "time", lambda: 1.7e9 + next(jumps))
    run = Run(parts(Bell()), rebuild=lambda _: parts(Bell()))
    run.at(2.0, lambda: reload_and_wait(run))
    assert run.detections() == EXPECTED
    assert run.daemon.health().state == "listening"


def test_while_muted_nothing_is_heard_and_steps_go_on() -> None:
    bell = Bell()
    run = Run(parts(bell))
    seen: list[Health] = []
    run.at(2.0, run.daemon.mute)
    run.at(3.5, lambda: seen.append(run.daemon.health()))
    run.at(4.0, run.daemon.unmute)
    detections = run.detections()
    assert [sample for _, sample in detections] == [EXPECTED[0][1], EXPECTED[2][1]]
    assert seen[0].state == "muted"
    counters = run.daemon.health().counters
    assert (counters.samples, counters.gaps) == (len(AUDIO), 0)
    assert run.daemon.health().state == "listening"


@pytest.mark.parametrize("seconds", [0.5, 0.95, 1.2, 3.2, 5.3])
def test_a_reload_loses_no_audio_even_in_the_midst_of_a_command(seconds: float) -> None:
    old, new = Bell(), Bell()
    run = Run(parts(old), rebuild=lambda _: parts(new, name="two 2"))
    run.at(seconds, lambda: reload_and_wait(run))
    assert run.detections() == EXPECTED
    assert [d.id for d in (*old.heard, *new.heard)] == [1, 2, 3]
    assert len(old.heard) == sum(sample < seconds * RATE for _, sample in EXPECTED)
    health = run.daemon.health()
    assert (health.bundle, health.reloads) == ("two 2", 1)
    assert (health.counters.samples, health.counters.detections) == (len(AUDIO), 3)
    assert (health.counters.gaps, health.dispatches.done) == (0, 3)
    assert old.closed
    assert new.closed


def test_a_reload_with_the_same_commands_keeps_the_sinks() -> None:
    bell = Bell()
    fresh = parts(Bell())
    run = Run(parts(bell), rebuild=lambda old: Parts("two 2", fresh.detector, old.table))
    run.at(2.0, lambda: reload_and_wait(run))
    assert run.detections() == EXPECTED
    assert len(bell.heard) == 3


def test_parts_that_were_built_and_not_taken_are_let_go_of_before_the_next_are_built() -> None:
    untaken, taken = Bell(), Bell()
    closed: list[bool] = []

    def rebuild(old: Parts) -> Parts:
        assert old.bundle == "one 1", "the parts in force, whatever else was built"
        closed.append(untaken.closed)
        return parts(taken if len(closed) > 1 else untaken, name=f"build {len(closed)}")

    def reload_twice() -> None:
        reload_and_wait(run)
        reload_and_wait(run)

    run = Run(parts(Bell()), rebuild=rebuild)
    run.at(2.0, reload_twice)
    assert run.detections() == EXPECTED
    assert closed == [False, True], "it may hold a pin that the next one wants"
    assert (untaken.heard, len(taken.heard)) == ([], 2)
    health = run.daemon.health()
    assert (health.bundle, health.reloads) == ("build 2", 1)


def test_a_command_that_waits_to_be_confirmed_outlives_a_reload() -> None:
    def asking(bell: Bell) -> Parts:
        rule = Rule(confirm=True, confirm_seconds=10.0)
        decider = Decider({"loud": rule}, sample_rate=RATE, clock=lambda: NOON)
        return replace(parts(bell), decider=decider)

    old, new = Bell(), Bell()
    run = Run(asking(old), rebuild=lambda _: asking(new))
    (_, first), (_, second), _ = EXPECTED
    run.at((first + second) / 2 / RATE, lambda: reload_and_wait(run))
    assert run.detections() == EXPECTED
    assert old.heard == []
    assert [detection.id for detection in new.heard] == [2], "said again, though to another decider"


def test_what_a_reload_replaces_is_let_go_of_without_a_search_for_garbage() -> None:
    """What was loaded at the start is frozen, and never searched again."""
    first = parts(Bell())
    old = weakref.ref(first.detector)
    run = Run(first, rebuild=lambda _: parts(Bell()))
    del first
    held: list[bool] = []
    gc.disable()
    try:
        run.at(2.0, lambda: reload_and_wait(run))
        run.at(4.0, lambda: held.append(old() is not None))
        run.detections()
    finally:
        gc.enable()
    assert held == [False]


def test_a_reload_that_fails_keeps_all_and_says_why_in_one_line(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def damaged(old: Parts) -> Parts:
        raise BundleError("dist/new: damaged:\ncopy it again")

    run = Run(parts(Bell()), rebuild=damaged)
    run.at(2.0, lambda: reload_and_wait(run))
    assert run.detections() == EXPECTED
    assert run.daemon.reload_failure == "dist/new: damaged: copy it again"
    assert run.daemon.health().bundle == "one 1"
    assert [r.getMessage() for r in caplog.records if r.levelname == "WARNING"] == [
        "reload failed, all stays as it was: dist/new: damaged: copy it again"
    ]


def test_an_observer_sees_every_step_and_stays_over_a_reload() -> None:
    ends: list[int] = []

    def observe(scores: Floats | None, end: int) -> None:
        assert scores is not None
        assert scores.shape == (MODEL.scores_per_step, len(MODEL.labels))
        ends.append(end)

    first = parts(Bell())
    first.detector.observe = observe
    run = Run(first, rebuild=lambda _: parts(Bell()))
    run.at(3.2, lambda: reload_and_wait(run))
    run.detections()
    apart = MODEL.step_frames * MODEL.features.hop
    assert [b - a for a, b in pairwise(ends)] == [apart] * (len(ends) - 1)
    assert len(ends) == run.daemon.health().counters.steps
