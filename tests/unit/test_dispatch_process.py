"""The process sink against real programs: good ones, missing ones, hanging ones and dying ones."""

import os
import select
import shutil
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from edgekws.dispatch.process import ProcessSettings
from edgekws.errors import SinkError
from edgekws.events import Detection, Dispatch

PATIENCE_SECONDS = 20.0  # how long a test waits before it fails; nothing here takes a tenth of it
HANG_SECONDS = 1.0  # the time of a program that is to time out, enough for its start-up
DETECTION = Detection(id=7, label="开灯", score=0.98765, sample=32_000, time_seconds=2.0)

# A program that opens the FIFO $1, starts a child that ignores SIGTERM, says so, and never ends.
HANGING = 'exec 3>"$1"; (trap "" TERM; exec sleep 600) & echo up >&3; wait'


class Fifo:
    """A named pipe whose end of file shows that every process that held it is gone."""

    def __init__(self, path: Path) -> None:
        os.mkfifo(path)
        self.path = path
        self._fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK)

    def read(self) -> bytes:
        """Return what was written, b"" when all writers are gone; fail if neither comes."""
        ready, _, _ = select.select([self._fd], [], [], PATIENCE_SECONDS)
        assert ready, "neither text nor the end of the writers"
        return os.read(self._fd, 4096)

    def close(self) -> None:
        os.close(self._fd)


@pytest.fixture
def fifo(tmp_path: Path) -> Iterator[Fifo]:
    fifo = Fifo(tmp_path / "fifo")
    yield fifo
    fifo.close()


def run(*argv: str, timeout_seconds: float = PATIENCE_SECONDS, retries: int = 0) -> Dispatch:
    settings = ProcessSettings(argv=argv, timeout_seconds=timeout_seconds, retries=retries)
    return settings.open().send(DETECTION)


def test_a_program_that_succeeds_is_done() -> None:
    assert run("true") == Dispatch(7, "开灯", "process", "done", "exit code 0", exit_code=0)


def test_placeholders_are_replaced_inside_items_and_nowhere_else(tmp_path: Path) -> None:
    out = tmp_path / "out"
    script = "import sys; open(sys.argv[1], 'w', encoding='utf-8').write('|'.join(sys.argv[2:]))"
    run(sys.executable, "-c", script, str(out), "a {label}; rm", "{score}", "{sample}/{id}")
    assert out.read_text(encoding="utf-8") == "a 开灯; rm|0.9877|32000/7"


def test_a_value_is_not_searched_for_placeholders_and_other_braces_stay(tmp_path: Path) -> None:
    out = tmp_path / "out"
    script = 'printf "%s" "$2" > "$1"'
    settings = ProcessSettings(argv=("sh", "-c", script, "sh", str(out), "{label} {x} {{id}}"))
    settings.open().send(Detection(1, "{sample}", 0.5, 9, 0.1))
    assert out.read_text() == "{sample} {x} {1}"


def test_the_program_finds_the_detection_in_its_environment(tmp_path: Path) -> None:
    out = tmp_path / "out"
    names = "$EDGEKWS_LABEL $EDGEKWS_SCORE $EDGEKWS_SAMPLE $EDGEKWS_TIME_SECONDS $EDGEKWS_ID"
    run("sh", "-c", f'echo "{names}" > "$1"', "sh", str(out))
    assert out.read_text(encoding="utf-8") == "开灯 0.9877 32000 2.000 7\n"


def test_the_program_reads_nothing_and_prints_to_stderr_only(
    capfd: pytest.CaptureFixture[str],
) -> None:
    assert run("sh", "-c", "cat; echo out; echo err >&2").status == "done"
    assert capfd.readouterr() == ("", "out\nerr\n")


def test_a_program_that_fails_is_reported_with_its_exit_code() -> None:
    result = run("sh", "-c", "exit 3")
    assert (result.status, result.exit_code, result.detail) == ("failed", 3, "exit code 3")


def test_a_program_that_dies_of_a_signal_is_reported_with_its_name() -> None:
    result = run("sh", "-c", "kill -SEGV $$")
    assert (result.status, result.exit_code) == ("failed", None)
    assert result.detail == "killed by SIGSEGV"


def test_a_hanging_program_times_out_and_its_whole_group_dies(fifo: Fifo) -> None:
    result = run("sh", "-c", HANGING, "sh", str(fifo.path), timeout_seconds=HANG_SECONDS)
    assert (result.status, result.exit_code) == ("timeout", None)
    assert result.detail == "did not end within 1 s; its process group was killed"
    assert fifo.read() == b"up\n"
    assert fifo.read() == b""


def test_a_program_may_leave_a_child_in_the_background(fifo: Fifo) -> None:
    leaves = '(exec 3>"$1"; read -r _ < "$2"; echo still here >&3) & :'
    gate = fifo.path.with_name("gate")
    os.mkfifo(gate)
    assert run("sh", "-c", leaves, "sh", str(fifo.path), str(gate)).status == "done"
    with gate.open("w") as stream:
        stream.write("go\n")
    assert fifo.read() == b"still here\n"


def test_a_failing_program_is_run_again_until_it_succeeds(tmp_path: Path) -> None:
    count = tmp_path / "count"
    script = 'echo x >> "$1"; [ "$(wc -l < "$1")" -ge 3 ]'
    result = run("sh", "-c", script, "sh", str(count), retries=5)
    assert (result.status, result.attempts) == ("done", 3)
    assert count.read_text() == "x\n" * 3


def test_retries_are_bounded() -> None:
    result = run("false", retries=2)
    assert (result.status, result.attempts) == ("failed", 3)


def test_closing_ends_a_running_program_and_starts_no_other(fifo: Fifo) -> None:
    argv = ("sh", "-c", HANGING, "sh", str(fifo.path))
    sink = ProcessSettings(argv=argv, timeout_seconds=600.0, retries=5).open()
    results: list[Dispatch] = []
    thread = threading.Thread(target=lambda: results.append(sink.send(DETECTION)), daemon=True)
    thread.start()
    assert fifo.read() == b"up\n"
    sink.close()
    thread.join(PATIENCE_SECONDS)
    assert [(each.status, each.attempts) for each in results] == [("failed", 1)]
    assert results[0].detail == "edgekws is closing; its process group was killed"
    assert fifo.read() == b""
    assert sink.send(DETECTION).detail == "edgekws is closing"


@pytest.mark.parametrize("program", ["no-such-program-here", "/nowhere/at/all", "/dev/null"])
def test_a_missing_program_is_refused_at_start_up(program: str) -> None:
    with pytest.raises(SinkError, match=f'"{program}" is not found or not executable'):
        ProcessSettings(argv=(program,)).open()


def test_a_program_that_vanishes_later_is_a_failed_dispatch(tmp_path: Path) -> None:
    program = tmp_path / "program"
    shutil.copy("/bin/true", program)
    sink = ProcessSettings(argv=(str(program),), retries=1).open()
    program.unlink()
    result = sink.send(DETECTION)
    assert (result.status, result.attempts, result.exit_code) == ("failed", 2, None)
    assert result.detail == f'"{program}" cannot be started: No such file or directory'


def test_a_file_that_is_no_program_is_a_failed_dispatch(tmp_path: Path) -> None:
    program = tmp_path / "program"
    program.write_text("no first line that names an interpreter\n")
    program.chmod(0o755)
    assert "Exec format error" in run(str(program)).detail


def test_a_label_that_no_argument_can_hold_is_a_failed_dispatch() -> None:
    sink = ProcessSettings(argv=("true", "{label}")).open()
    result = sink.send(Detection(1, "nul\0", 0.5, 9, 0.1))
    assert (result.status, result.detail) == (
        "failed",
        '"true" cannot be started: embedded null byte',
    )


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"argv": ()}, "needs a program"),
        ({"argv": ("",)}, "needs a program"),
        ({"argv": ("true", "a\0b")}, "NUL"),
        ({"argv": ("{label}",)}, "takes no placeholder"),
        ({"argv": ("true",), "timeout_seconds": 0.0}, "0 < timeout_seconds <= 3600"),
        ({"argv": ("true",), "timeout_seconds": float("nan")}, "0 < timeout_seconds"),
        ({"argv": ("true",), "timeout_seconds": float("inf")}, "0 < timeout_seconds"),
        ({"argv": ("true",), "retries": -1}, "0 <= retries <= 10"),
        ({"argv": ("true",), "retries": 11}, "0 <= retries <= 10"),
    ],
)
def test_senseless_settings_are_refused(values: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ProcessSettings(**values)  # type: ignore[arg-type]
