"""`edgekws top` in a real terminal, the far side of which is a pty."""

import fcntl
import os
import pty
import select
import struct
import subprocess
import termios
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np
import pytest

from tests.bundles import make_bundle, noise, tone
from tests.commands import PATIENCE_SECONDS, Listening, argv, environment, run_text
from tests.control_socket import short_folder

SPEECH: Final = np.concatenate((noise(seconds=1), tone("yes"), noise(seconds=1))).tobytes()


@pytest.fixture(scope="module")
def socket_path(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    bundle = make_bundle(tmp_path_factory.mktemp("top") / "tones")
    with short_folder() as folder:
        config = folder / "listen.toml"
        config.write_text(f'bundle = "{bundle}"\n[control]\nsocket = "{folder / "control"}"\n')
        with Listening("--config", config) as listening:
            listening.feed(SPEECH)
            assert listening.event()["label"] == "yes"
            yield folder / "control"


class Terminal:
    """A terminal of 72 cells by 20, and what is drawn on it."""

    def __init__(self) -> None:
        self.ours, self.theirs = pty.openpty()
        fcntl.ioctl(self.theirs, termios.TIOCSWINSZ, struct.pack("4H", 20, 72, 0, 0))
        self.drawn = b""

    def wait_for(self, text: bytes) -> None:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while text not in self.drawn:
            left = deadline - time.monotonic()
            ready, _, _ = select.select([self.ours], [], [], max(0.0, left))
            assert ready, f"{text!r} is not drawn in {self.drawn!r}"
            self.drawn += os.read(self.ours, 65_536)


def test_it_draws_until_a_key_and_gives_the_terminal_back(socket_path: Path) -> None:
    terminal = Terminal()
    before = termios.tcgetattr(terminal.theirs)
    command = argv(("top", "--socket", socket_path))
    with subprocess.Popen(
        command, stdin=terminal.theirs, stdout=terminal.theirs, env=environment()
    ) as top:
        terminal.wait_for(b"edgekws is listening")
        terminal.wait_for(b'"yes"')
        frames = terminal.drawn.count(b"\x1b[H")
        while terminal.drawn.count(b"\x1b[H") < frames + 2:
            terminal.wait_for(terminal.drawn + b"\x1b")  # and it goes on drawing
        os.write(terminal.ours, b"x q")
        assert top.wait(PATIENCE_SECONDS) == 0
    terminal.wait_for(b"\x1b[?25h\x1b[?1049l")
    assert terminal.drawn.startswith(b"\x1b[?1049h\x1b[?25l")
    assert termios.tcgetattr(terminal.theirs) == before
    frame = terminal.drawn.decode().split("\x1b[H")[1]
    lines = frame.replace("\x1b[2K", "").replace("\x1b[J", "").replace("\r", "").split("\n")
    assert len(lines) <= 20
    assert all(len(line) <= 72 for line in lines)


def test_once_prints_one_view_without_any_escape(socket_path: Path) -> None:
    done = run_text("top", "--once", "--socket", socket_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("edgekws is listening\n")
    assert '"yes"' in done.stdout
    assert "\x1b" not in done.stdout


def test_without_a_terminal_it_says_what_to_do(socket_path: Path) -> None:
    done = run_text("top", "--socket", socket_path)
    assert done.returncode == 2
    assert "top needs a terminal; --once prints one view without" in done.stderr
