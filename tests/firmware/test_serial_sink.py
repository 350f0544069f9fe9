"""The serial sink against the example board on a pseudo-terminal, and against worse."""

import logging
import random
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from edgekws.dispatch.commands import Command, number_labels, open_table
from edgekws.dispatch.serial import SerialSettings, SerialSink
from edgekws.dispatch.sink import parse_sink
from edgekws.dispatch.stdout import StdoutSettings
from edgekws.errors import SinkError, UsageError
from edgekws.events import Detection
from edgekws.link.driver import LinkDriver
from edgekws.link.orders import Order
from edgekws.runtime.wiring import find_bundle, find_shipped
from tests.commands import edgekws
from tests.firmware_tools import PATIENCE_SECONDS
from tests.simulated_board import SimulatedBoard, build_simulator


@pytest.fixture(scope="module")
def labels() -> tuple[str, ...]:
    return find_bundle(find_shipped()).manifest.model.labels


@pytest.fixture(scope="module")
def simulator(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_simulator(tmp_path_factory.mktemp("simulator"))


@pytest.fixture
def board(simulator: Path, tmp_path: Path) -> Iterator[SimulatedBoard]:
    with SimulatedBoard(simulator, tmp_path / "log") as board:
        yield board


def heard(label: str, number: int = 1) -> Detection:
    return Detection(number, label, 0.9, 16_000, 1.0)


def opened(device: object, labels: tuple[str, ...], *, seconds: float = 30.0) -> SerialSink:
    """Open a sink whose time to live is that of a loaded machine."""
    return SerialSettings(device=str(device), labels=labels, time_to_live_seconds=seconds).open()


def until(condition: object, what: str) -> None:
    end = time.monotonic() + PATIENCE_SECONDS
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < end, what
        time.sleep(0.005)


def test_a_command_moves_an_output_and_the_result_says_so(
    board: SimulatedBoard, labels: tuple[str, ...]
) -> None:
    settings = SerialSettings(
        device=str(board.port), labels=labels, arguments={"on": -5}, time_to_live_seconds=30
    )
    sink = settings.open()
    result = sink.send(heard("on", 7))
    sink.close()
    assert (result.id, result.label, result.sink, result.status) == (7, "on", "serial", "done")
    assert result.detail == "carried out by the board"
    (ran,) = [line.split() for line in board.log() if line.startswith("run")]
    assert ran[3:] == [str(labels.index("on")), str(2**32 - 5)]
    assert board.log()[-1] == "drive 0 1"


def test_the_board_goes_to_its_safe_state_when_edgekws_ends(
    board: SimulatedBoard, labels: tuple[str, ...]
) -> None:
    sink = opened(board.port, labels)
    sink.send(heard("on"))
    sink.close()
    board.wait_for("down")
    assert board.log()[-5] == "drive 0 0"


def test_what_the_board_refuses_is_a_failure_with_its_reason(
    board: SimulatedBoard, labels: tuple[str, ...]
) -> None:
    sink = opened(board.port, labels)
    result = sink.send(heard("left"))
    sink.close()
    assert (result.status, result.detail) == ("failed", "refused by the board: refused (1)")


def test_a_restarted_board_is_greeted_again(board: SimulatedBoard, labels: tuple[str, ...]) -> None:
    sink = opened(board.port, labels)
    sink.send(heard("on"))
    board.reset()
    board.wait_for("up", times=2)
    assert sink.send(heard("off")).status == "done"
    sink.close()


def test_other_labels_are_refused_at_once_and_both_sides_log_why(
    board: SimulatedBoard, labels: tuple[str, ...], caplog: pytest.LogCaptureFixture
) -> None:
    sink = opened(board.port, labels[::-1])
    result = sink.send(heard("on"))
    until(lambda: "other labels" in caplog.text, "nothing is logged")
    sink.close()
    assert result.status == "failed"
    assert "the board was built with other labels (hash" in result.detail
    assert board.wait_for("refused") == "refused 2"
    assert not any(line.startswith("run") for line in board.log())


def test_a_device_that_goes_and_comes_back_is_found_by_its_pattern(
    simulator: Path, tmp_path: Path, labels: tuple[str, ...], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    sink = opened(tmp_path / "tty*", labels)
    until(lambda: "no device matches" in sink.link_health().detail, "nothing is said of no device")
    name = tmp_path / "ttyBoard"
    for number in (1, 2):
        with SimulatedBoard(simulator, tmp_path / f"log{number}") as board:
            name.symlink_to(board.port)
            assert sink.send(heard("on")).status == "done"
            assert sink.link_health().up
            assert sink.link_health().device == str(name)
        name.unlink()
        until(lambda: not sink.link_health().up, "the loss is not noticed")
    sink.close()
    assert [caplog.text.count(words) for words in ("opened", "link up", "is gone")] == [2, 2, 2]


def test_a_command_without_a_board_runs_out_of_its_time(
    tmp_path: Path, labels: tuple[str, ...]
) -> None:
    sink = opened(tmp_path / "tty*", labels, seconds=0.2)
    result = sink.send(heard("on"))
    sink.close()
    assert (result.status, result.detail) == ("timeout", "the link is down within 200 ms")


def test_the_time_in_the_queue_counts(board: SimulatedBoard, labels: tuple[str, ...]) -> None:
    sink = opened(board.port, labels)
    assert sink.send(heard("on")).status == "done"
    late = sink.send_after(heard("off"), 30.0)
    sink.close()
    assert (late.status, late.detail) == ("timeout", "no answer within 30000 ms")
    assert len([line for line in board.log() if line.startswith("run")]) == 1


def test_closing_ends_a_send_that_waits(tmp_path: Path, labels: tuple[str, ...]) -> None:
    sink = opened(tmp_path / "tty*", labels)
    results = []
    thread = threading.Thread(target=lambda: results.append(sink.send(heard("on"))))
    thread.start()
    sink.close()
    thread.join(PATIENCE_SECONDS)
    assert results[0].status == "failed"


class GarbagePort:
    """A board that answers garbage for ever."""

    name = "garbage"

    def __init__(self) -> None:
        self._random = random.Random(1)
        self.closed = False

    def read(self, timeout_seconds: float) -> bytes:
        return self._random.randbytes(500)

    def write(self, data: bytes) -> None:
        pass

    def wake(self) -> None:
        pass

    def close(self) -> None:
        self.closed = True


def test_a_board_that_answers_garbage_for_ever_is_a_link_that_is_down() -> None:
    port = GarbagePort()
    driver = LinkDriver(1, lambda: port)
    outcome = driver.send(Order(1, 0.5, 300))
    health = driver.health()
    driver.close()
    assert (outcome.status, outcome.detail) == ("timeout", "the link is down within 300 ms")
    assert (health.up, health.device) == (False, "garbage")
    assert health.refused_frames > 100
    assert port.closed


def test_commands_of_one_board_share_its_sink_and_get_the_bundles_labels(tmp_path: Path) -> None:
    settings = SerialSettings(device=str(tmp_path / "none"))
    given = (Command("on", settings), Command("off", settings), Command("on", StdoutSettings()))
    commands = number_labels(given, ("off", "on"))
    assert [getattr(each.sink, "labels", None) for each in commands] == [("off", "on")] * 2 + [None]
    table = open_table(commands)
    (serial,) = (sink for sink in table.sinks if sink.name == "serial")
    assert [link.up for link in table.links()] == [False]
    serial.close()


def test_tables_of_one_device_with_other_settings_are_refused_with_both_labels(
    tmp_path: Path,
) -> None:
    settings = SerialSettings(device=str(tmp_path / "none"), labels=("off", "on"))
    later = replace(settings, time_to_live_seconds=1.0)
    with pytest.raises(SinkError, match=r'"off": the table of "on" has the serial device .*/none'):
        open_table([Command("on", settings), Command("off", later)])


def test_the_daemon_says_in_which_file_two_tables_want_one_port(tmp_path: Path) -> None:
    table = '[[commands]]\nlabel = "{}"\nsink = "serial"\ndevice = "/dev/none"\nbaud = {}\n'
    path = tmp_path / "listen.toml"
    path.write_text(table.format("on", 9600) + table.format("off", 115_200))
    flags = ("--bundle", find_shipped(), "--config", path)  # whatever dist/ holds
    done = edgekws("listen", *flags, "--source", "stdin:")
    assert done.code == SinkError.exit_code
    assert f'{path}: command "off": the table of "on" has the serial device' in done.stderr


def test_a_port_that_another_link_has_is_told_with_what_to_do(
    board: SimulatedBoard, labels: tuple[str, ...], tmp_path: Path
) -> None:
    """Two patterns of one device are two claims: the lock on the port tells them apart."""
    (tmp_path / "ttyBoard").symlink_to(board.port)
    first = opened(board.port, labels)
    assert first.send(heard("on")).status == "done"
    second = opened(tmp_path / "tty*", labels)
    until(lambda: "taken by another program" in second.link_health().detail, "nothing is said")
    assert not second.link_health().up
    first.close()
    assert second.send(heard("off")).status == "done"
    second.close()


def test_a_port_that_changes_hands_at_a_reload_is_no_trouble(
    board: SimulatedBoard, labels: tuple[str, ...], caplog: pytest.LogCaptureFixture
) -> None:
    old = opened(board.port, labels)
    assert old.send(heard("on")).status == "done"
    new = opened(board.port, labels)
    old.close()
    assert new.send(heard("off")).status == "done"
    new.close()
    assert "taken" not in caplog.text


def test_a_label_that_the_firmware_does_not_know_fails(tmp_path: Path) -> None:
    sink = opened(tmp_path / "none", ("on",))
    result = sink.send(heard("off"))
    sink.close()
    assert (result.status, result.detail) == ("failed", "the label is not in the firmware's set")


@pytest.mark.parametrize(
    ("text", "words"),
    [("serial:", "device needs a path"), ("serial:  ", "device needs a path")],
)
def test_a_sink_text_without_a_device_is_a_usage_error(text: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        parse_sink(text)


@pytest.mark.parametrize(
    "changes",
    [
        {"baud": 0},
        {"time_to_live_seconds": 0},
        {"time_to_live_seconds": 66},
        {"arguments": {"on": 2**31}},
    ],
)
def test_senseless_settings_are_refused(changes: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"need 0|need 0\.001|arguments need"):
        SerialSettings(device="/dev/ttyACM0", **changes)  # type: ignore[arg-type]


def test_settings_without_labels_cannot_be_opened() -> None:
    with pytest.raises(SinkError, match="labels are needed"):
        SerialSettings(device="/dev/ttyACM0").open()
