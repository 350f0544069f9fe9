"""A program as a source: real processes, which end, are killed, or hang."""

import os
import select
import signal
import sys
import threading
from itertools import islice
from pathlib import Path
from typing import Final

import numpy as np
import pytest

from edgekws.audio.capture import Patience
from edgekws.audio.child import ChildSource
from edgekws.audio.ears import Ears, Pauses
from edgekws.audio.source import open_source
from edgekws.errors import SourceError, UsageError

RATE: Final = 16_000
BLOCK: Final = 1280
ENDLESS: Final = "cat /dev/urandom"


def child(argument: str, *, seconds: float = 60.0) -> ChildSource:
    patience = Patience(first_seconds=seconds, next_seconds=seconds)
    return ChildSource(argument, sample_rate=RATE, block_samples=BLOCK, patience=patience)


def test_what_a_program_prints_is_heard(tmp_path: Path) -> None:
    pcm = np.random.default_rng(1).integers(-9, 9, 3 * BLOCK).astype(np.int16)
    (tmp_path / "a raw file").write_bytes(pcm.tobytes())
    with child(f"sh -c 'cat \"{tmp_path}/a raw file\"; exec sleep 60'") as source:
        blocks = list(islice(source, 3))
    assert [block.start for block in blocks] == [0, BLOCK, 2 * BLOCK]
    np.testing.assert_array_equal(np.concatenate([b.pcm for b in blocks]), pcm)


def test_there_is_no_shell_and_the_rate_is_filled_in(tmp_path: Path) -> None:
    script = tmp_path / "recorder.py"
    script.write_text("import sys; print(sys.argv[1:], file=sys.stderr, flush=True)")
    with (
        child(f"{sys.executable} {script} --rate={{rate}} '; touch {tmp_path}/x' $HOME") as source,
        pytest.raises(SourceError, match="it ended with code 0"),
    ):
        list(source)
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize(
    ("program", "reason"),
    [
        ("false", "it ended with code 1"),
        ("sh -c 'kill -9 $$'", "it was killed by signal 9"),
        ("sh -c 'exec 1>&-; exec sleep 60'", "it closed its stdout"),
    ],
)
def test_its_end_is_a_source_error_that_says_how(program: str, reason: str) -> None:
    with child(program) as source, pytest.raises(SourceError, match=f"{reason}; see what it says"):
        list(source)


def test_one_that_gives_nothing_is_a_source_error() -> None:
    with (
        child("sleep 60", seconds=0.05) as source,
        pytest.raises(SourceError, match=r"exec:sleep 60: no audio for 0.05 s"),
    ):
        list(source)


@pytest.mark.parametrize("argument", ["", "  ", "arecord 'open"])
def test_a_senseless_text_is_refused(argument: str) -> None:
    with pytest.raises(UsageError, match="audio source 'exec:"):
        open_source(f"exec:{argument}", sample_rate=RATE, block_samples=BLOCK)


def test_a_program_that_is_not_there_is_named() -> None:
    with (
        pytest.raises(SourceError, match="no-such-recorder cannot be started"),
        child("no-such-recorder -r {rate}"),
    ):
        pass


def test_a_program_that_ignores_sigterm_ends_with_all_that_it_started(tmp_path: Path) -> None:
    script = f'trap "" TERM; sleep 600 & echo $! > {tmp_path}/grandchild; cat /dev/zero'
    with child(f"sh -c '{script}'") as source:
        next(iter(source))
        grandchild = os.pidfd_open(int((tmp_path / "grandchild").read_text()))
    assert select.select([grandchild], [], [], 60.0)[0], "it lives on"
    os.close(grandchild)


def test_a_killed_program_is_started_again() -> None:
    pauses = Pauses(opening=(0.001, 0.001))
    source = child(ENDLESS)
    with Ears(source, pauses=pauses) as ears:
        blocks = iter(ears)
        first = next(blocks)
        process = source._process
        assert process is not None
        os.kill(process.pid, signal.SIGKILL)
        behind = next(block for block in blocks if ears.condition().reopenings)
        ears.stop()
    assert behind.start > first.end
    assert ears.condition().trouble == ""


def test_a_stop_ends_a_source_that_waits() -> None:
    with child("sleep 60") as source:
        timer = threading.Timer(0.05, source.stop)
        timer.start()
        assert list(source) == []
        timer.join()
