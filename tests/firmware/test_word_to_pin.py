"""From a spoken word to a microcontroller's pin: `edgekws listen`, a faulty wire, a Cortex-M3."""

from pathlib import Path
from typing import Final

import pytest

from edgekws.runtime.wiring import find_bundle, find_shipped
from tests.commands import Done, edgekws, write_wav
from tests.emulated_board import EmulatedBoard, build_firmware
from tests.pty_proxy import PtyProxy

SPOKEN: Final = ("yes", "no")  # the golden audio of the shipped bundle, words of real people
PIN: Final = 3  # board.c: "yes" switches output 3 on, "no" off
RATE: Final = 0.2


@pytest.fixture(scope="module")
def link_firmware(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_firmware(tmp_path_factory.mktemp("pin"))


def listen(folder: Path, *flags: object) -> Done:
    """Hear the golden audio of the shipped bundle."""
    wav = write_wav(folder / "spoken.wav", find_bundle(find_shipped()).golden().pcm)
    return edgekws("listen", "--bundle", find_shipped(), "--source", f"wav:{wav}", *flags)


def test_a_spoken_word_moves_the_pin_of_the_emulated_board(
    link_firmware: Path, tmp_path: Path
) -> None:
    config = tmp_path / "listen.toml"
    with (
        EmulatedBoard(link_firmware, tmp_path / "board") as board,
        PtyProxy(board.uart, rate=RATE, seed=3) as wire,
    ):
        config.write_text(
            f'[[commands]]\nlabel = "*"\nsink = "serial"\ndevice = "{wire.port}"\n'
            "time_to_live_seconds = 30.0\narguments = { yes = 7 }\n"
        )
        done = listen(tmp_path, "--config", config)
        board.wait_for("down")
        log = board.log()
    assert done.code == 0, done.stderr
    results = [(x["label"], x["status"]) for x in done.lines if x["event"] == "dispatch"]
    assert results == [(word, "done") for word in SPOKEN]
    runs = [index for index, line in enumerate(log) if line.startswith("run")]
    assert [log[index + 1] for index in runs] == [f"drive {PIN} 1", f"drive {PIN} 0"]
    assert [log[index].split()[4] for index in runs] == ["7", "0"]
    assert wire.spoiled > 0
    assert "link up: build=1 boots=1" in done.stderr


def test_a_cut_wire_moves_nothing_and_is_told(link_firmware: Path, tmp_path: Path) -> None:
    with (
        EmulatedBoard(link_firmware, tmp_path / "board") as board,
        PtyProxy(board.uart, rate=0, seed=1) as wire,
    ):
        wire.cut.set()
        config = tmp_path / "listen.toml"
        config.write_text(
            f'[[commands]]\nlabel = "*"\nsink = "serial"\ndevice = "{wire.port}"\n'
            "time_to_live_seconds = 1.5\n"
        )
        done = listen(tmp_path, "--config", config)
    results = {(x["status"], x["detail"]) for x in done.lines if x["event"] == "dispatch"}
    assert results == {("timeout", "the link is down within 1500 ms")}
    assert "health degraded reason=the link to the board is down" in done.stderr
    assert not any(line.startswith("run") for line in board.log())
