"""The dispatcher: sinks work side by side, what finds no room is said, and closing is bounded."""

import queue
import threading
import time
from pathlib import Path

import pytest

from edgekws.dispatch.commands import CommandTable
from edgekws.dispatch.dispatcher import Dispatcher
from edgekws.dispatch.process import ProcessSettings
from edgekws.dispatch.sink import Sink
from edgekws.dispatch.stdout import StdoutSink
from edgekws.events import Detection, Dispatch

PATIENCE_SECONDS = 20.0  # how long a test waits before it fails; nothing here takes a tenth of it


class GateSink:
    """Says when it has begun, and answers only when the gate is open."""

    name = "gate"

    def __init__(self) -> None:
        self.begun, self.gate, self.closed = threading.Semaphore(0), threading.Event(), False

    def send(self, detection: Detection) -> Dispatch:
        self.begun.release()
        self.gate.wait(PATIENCE_SECONDS)
        return Dispatch(detection.id, detection.label, self.name, "done", "")

    def close(self) -> None:
        self.closed = True
        self.gate.set()


class BrokenSink(StdoutSink):
    """Raises where it should answer, and again when it is closed."""

    name = "broken"

    def send(self, detection: Detection) -> Dispatch:
        raise RuntimeError(f"two\nlines about {detection.label}")

    def close(self) -> None:
        raise RuntimeError("cannot close")


class SilentSink(StdoutSink):
    """Forgets to return a result."""

    name = "silent"

    def send(self, detection: Detection) -> Dispatch:
        return None  # type: ignore[return-value]


class AgingGate(GateSink):
    """Is told how long each detection waited in the queue."""

    name = "aging"

    def __init__(self) -> None:
        super().__init__()
        self.waited: list[float] = []

    def send_after(self, detection: Detection, waited_seconds: float) -> Dispatch:
        self.waited.append(waited_seconds)
        return self.send(detection)


def detection(number: int, label: str = "go") -> Detection:
    return Detection(number, label, 0.9, 16_000 * number, float(number))


def started(*sinks: Sink, size: int = 16) -> tuple[Dispatcher, "queue.Queue[Dispatch]"]:
    results: queue.Queue[Dispatch] = queue.Queue()
    return Dispatcher(CommandTable({"go": sinks}), results.put, queue_size=size), results


def take(results: "queue.Queue[Dispatch]", count: int) -> list[Dispatch]:
    return [results.get(timeout=PATIENCE_SECONDS) for _ in range(count)]


def test_a_detection_reaches_every_sink_of_its_label() -> None:
    gate = GateSink()
    gate.gate.set()
    dispatcher, results = started(StdoutSink(), gate)
    dispatcher.submit(detection(1))
    assert {(each.id, each.sink, each.status) for each in take(results, 2)} == {
        (1, "stdout", "done"),
        (1, "gate", "done"),
    }
    assert dispatcher.close(PATIENCE_SECONDS)


def test_a_sink_that_asks_is_told_how_long_a_detection_waited() -> None:
    sink = AgingGate()
    dispatcher, results = started(sink)
    begin = time.monotonic()
    dispatcher.submit(detection(1))
    dispatcher.submit(detection(2))
    submitted = time.monotonic()
    sink.begun.acquire(timeout=PATIENCE_SECONDS)
    opened = time.monotonic()
    sink.gate.set()
    take(results, 2)
    end = time.monotonic()
    dispatcher.close(PATIENCE_SECONDS)
    first, second = sink.waited
    assert 0 <= first <= opened - begin
    assert opened - submitted <= second <= end - begin


def test_a_label_without_a_command_goes_nowhere() -> None:
    dispatcher, results = started(StdoutSink())
    dispatcher.submit(detection(1, label="stop"))
    assert dispatcher.close(PATIENCE_SECONDS)
    assert results.empty()


def test_one_sink_gets_its_detections_in_order() -> None:
    dispatcher, results = started(StdoutSink(), size=100)
    for number in range(100):
        dispatcher.submit(detection(number))
    assert [each.id for each in take(results, 100)] == list(range(100))
    assert dispatcher.close(PATIENCE_SECONDS)


def test_a_full_queue_drops_what_comes_and_says_so() -> None:
    gate = GateSink()
    dispatcher, results = started(gate, size=2)
    dispatcher.submit(detection(1))
    assert gate.begun.acquire(timeout=PATIENCE_SECONDS)
    for number in (2, 3, 4, 5):
        dispatcher.submit(detection(number))
    full = "the sink's queue is full"
    assert take(results, 2) == [
        Dispatch(number, "go", "gate", "dropped", full, attempts=0) for number in (4, 5)
    ]
    gate.gate.set()
    assert dispatcher.close(PATIENCE_SECONDS)
    assert [each.id for each in take(results, 3)] == [1, 2, 3]
    assert dispatcher.counts() == {"done": 3, "failed": 0, "timeout": 0, "dropped": 2}


def test_a_hanging_sink_does_not_hold_up_another() -> None:
    gate = GateSink()
    dispatcher, results = started(gate, StdoutSink())
    dispatcher.submit(detection(1))
    dispatcher.submit(detection(2))
    assert [(each.id, each.sink) for each in take(results, 2)] == [(1, "stdout"), (2, "stdout")]
    gate.gate.set()
    assert dispatcher.close(PATIENCE_SECONDS)


def test_a_sink_that_raises_is_a_failed_dispatch_and_goes_on() -> None:
    dispatcher, results = started(BrokenSink())
    dispatcher.submit(detection(1))
    dispatcher.submit(detection(2))
    detail = "RuntimeError: two lines about go"
    assert take(results, 2) == [Dispatch(n, "go", "broken", "failed", detail) for n in (1, 2)]
    assert dispatcher.alive
    assert dispatcher.counts()["failed"] == 2
    with pytest.raises(RuntimeError, match="cannot close"):
        dispatcher.close(PATIENCE_SECONDS)


def test_a_sink_that_answers_nothing_is_a_failed_dispatch() -> None:
    dispatcher, results = started(SilentSink())
    dispatcher.submit(detection(1))
    (result,) = take(results, 1)
    assert (result.status, result.detail) == (
        "failed",
        "TypeError: send returned NoneType, not Dispatch",
    )
    assert dispatcher.close(PATIENCE_SECONDS)


def test_closing_works_off_the_queue() -> None:
    gate = GateSink()
    dispatcher, results = started(gate)
    for number in (1, 2, 3):
        dispatcher.submit(detection(number))
    threading.Timer(0.1, gate.gate.set).start()
    assert dispatcher.close(PATIENCE_SECONDS)
    assert [(each.id, each.status) for each in take(results, 3)] == [
        (number, "done") for number in (1, 2, 3)
    ]
    assert gate.closed
    assert dispatcher.alive


def test_after_closing_what_comes_is_dropped() -> None:
    dispatcher, results = started(StdoutSink())
    assert dispatcher.close(PATIENCE_SECONDS)
    assert dispatcher.close(PATIENCE_SECONDS)
    dispatcher.submit(detection(1))
    (result,) = take(results, 1)
    assert (result.status, result.detail) == ("dropped", "dispatcher is closed")


def test_closing_stops_a_hanging_program_in_time_and_drops_the_rest(tmp_path: Path) -> None:
    up = tmp_path / "up"
    argv = ("sh", "-c", 'echo up > "$1"; exec sleep 600', "sh", str(up))
    dispatcher, results = started(ProcessSettings(argv=argv, timeout_seconds=600.0).open())
    dispatcher.submit(detection(1))
    dispatcher.submit(detection(2))
    before = time.monotonic()
    assert dispatcher.close(2.0)
    assert time.monotonic() - before < 2.0 + PATIENCE_SECONDS / 10
    assert {(each.id, each.status, each.detail) for each in take(results, 2)} == {
        (1, "failed", "edgekws is closing; its process group was killed"),
        (2, "dropped", "edgekws is closing"),
    }
    assert up.exists()


def test_closing_gives_up_on_a_sink_that_never_comes_back(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Deaf(GateSink):
        def close(self) -> None:
            self.closed = True

    sink = Deaf()
    dispatcher, _ = started(sink)
    dispatcher.submit(detection(1))
    assert not dispatcher.close(0.2)
    assert "dispatch left hanging sinks=gate" in caplog.text
    sink.gate.set()


def test_a_sink_whose_close_raises_keeps_no_other_open() -> None:
    before, after = GateSink(), GateSink()
    dispatcher, _ = started(before, BrokenSink(), after)
    with pytest.raises(RuntimeError, match="cannot close"):
        dispatcher.close(PATIENCE_SECONDS)
    assert before.closed
    assert after.closed


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_dead_worker_shows() -> None:
    def refuse(_: Dispatch) -> None:
        raise OSError("no space left on device")

    dispatcher = Dispatcher(CommandTable({"go": (StdoutSink(),)}), refuse)
    assert dispatcher.alive
    dispatcher.submit(detection(1))
    assert dispatcher.close(PATIENCE_SECONDS)
    assert not dispatcher.alive


def test_a_dispatcher_takes_the_workers_of_sinks_it_shares_with_their_queues() -> None:
    gate, other = GateSink(), StdoutSink()
    old, results = started(gate, other)
    for number in (1, 2):
        old.submit(detection(number))
    new = Dispatcher(CommandTable({"go": (gate,)}), results.put, before=old)
    assert old.close(PATIENCE_SECONDS)
    assert old.ended
    new.submit(detection(3))
    gate.gate.set()
    done = take(results, 5)
    assert [each.id for each in done if each.sink == gate.name] == [1, 2, 3]
    assert new.counts()["done"] == 5
    assert new.alive
    assert new.close(PATIENCE_SECONDS)
