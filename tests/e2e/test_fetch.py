"""`edgekws fetch` as a person types it, against a server on loopback."""

import random
import signal
import subprocess
import time
from pathlib import Path
from typing import Final

import pytest

from tests.archive_server import ArchiveServer, Manner, file, pack, write_table
from tests.commands import PATIENCE_SECONDS, argv, environment, error_line, run_text

ARCHIVE: Final = pack(
    [file("./yes/ann_nohash_0.wav", bytes(1000)), file("./_background_noise_/room.wav")]
)
LARGE: Final = pack([file("yes/a.wav", random.Random(1).randbytes(10**6))])
BUFFERED: Final = 16_384  # bytes that have come may not be on the disk yet


def run(*args: object, shell_limit: str = "") -> subprocess.CompletedProcess[str]:
    return run_text("fetch", *args, shell_limit=shell_limit)


def test_without_a_name_it_lists_the_sets_with_size_and_licence() -> None:
    done = run()
    assert done.returncode == 0
    (line,) = [x for x in done.stdout.splitlines() if x.startswith("speech-commands-0.02 ")]
    assert "2.4 GB" in line
    assert "CC BY 4.0" in line


def test_a_set_is_fetched_once_and_the_next_command_is_named(tmp_path: Path) -> None:
    out = tmp_path / "words"
    with ArchiveServer(ARCHIVE) as server:
        table = write_table(tmp_path / "sets.toml", server.url, ARCHIVE)
        first = run("small", "--out", out, "--table", table)
        again = run("small", "--out", out, "--table", table)
    assert (first.returncode, again.returncode) == (0, 0)
    assert (first.stdout.strip(), again.stdout.strip()) == (str(out), str(out))
    assert "already" in again.stderr
    assert f"--data {out}" in first.stderr.splitlines()[-1]
    assert len(server.ranges) == 1
    assert sorted(p.name for p in out.iterdir()) == ["_background_noise_", "dataset.json", "yes"]


def test_ctrl_c_in_the_middle_is_gone_on_with(tmp_path: Path) -> None:
    out = tmp_path / "words"
    with ArchiveServer(LARGE, "pause") as server:
        table = write_table(tmp_path / "sets.toml", server.url, LARGE)
        command = argv(("fetch", "small", "--out", out, "--table", table))
        with subprocess.Popen(
            command,
            env={**environment(), "no_proxy": "127.0.0.1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        ) as process:
            half = len(LARGE) // 2
            wait_for_partial(tmp_path / "words.partial", half - BUFFERED)
            process.send_signal(signal.SIGINT)
            _, stderr = process.communicate(timeout=PATIENCE_SECONDS)
        assert process.returncode == 130
        assert b"goes on" in stderr
        assert b"Traceback" not in stderr
        assert not out.exists()
        server.released.set()
        assert run("small", "--out", out, "--table", table).returncode == 0
    first, second = server.ranges
    assert first is None
    assert second is not None
    assert half - BUFFERED <= int(second.removeprefix("bytes=").removesuffix("-")) <= half
    assert sorted(p.name for p in tmp_path.iterdir()) == ["sets.toml", "words"]


def wait_for_partial(folder: Path, size: int) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while sum(path.stat().st_size for path in folder.glob("*.gz")) < size:
        assert time.monotonic() < deadline, "the download did not come so far"
        time.sleep(0.01)


@pytest.mark.parametrize(
    ("args", "code", "words"),
    [
        (["small"], 2, "--out"),
        (["--out", "x"], 2, "name of a set"),
        (["nothing", "--out", "x"], 2, "there are: small"),
        (["small", "--out", "x", "--timeout", "0"], 2, "--timeout"),
        (["small", "--out", "x", "--timeout", "nan"], 2, "--timeout"),
        (["--table", "none.toml"], 3, "none.toml"),
        (["small", "--out", "."], 4, "another folder"),
        (["small", "--out", "/dev/null/x"], 4, "/dev/null"),
    ],
)
def test_each_refusal_is_one_line_with_its_exit_code(
    tmp_path: Path, args: list[str], code: int, words: str
) -> None:
    table = write_table(tmp_path / "sets.toml", "http://127.0.0.1:9/x", ARCHIVE)
    more = [] if "--table" in args else ["--table", str(table)]
    done = run(*args, *more)
    assert done.returncode == code
    assert words in error_line(done.stderr)


@pytest.mark.parametrize(("manner", "words"), [("missing", "404"), ("endless", "more than")])
def test_a_server_that_has_not_the_set_is_one_line(
    tmp_path: Path, manner: Manner, words: str
) -> None:
    with ArchiveServer(ARCHIVE, manner) as server:
        table = write_table(tmp_path / "sets.toml", server.url, ARCHIVE)
        done = run("small", "--out", tmp_path / "words", "--table", table)
    assert done.returncode == 4
    assert words in error_line(done.stderr)
    assert [p.name for p in tmp_path.iterdir()] == ["sets.toml"]


def test_a_full_disk_is_one_line_and_keeps_what_came(tmp_path: Path) -> None:
    out = tmp_path / "words"
    limit = len(LARGE) // 1024 // 2
    with ArchiveServer(LARGE) as server:
        table = write_table(tmp_path / "sets.toml", server.url, LARGE)
        done = run("small", "--out", out, "--table", table, shell_limit=f"ulimit -f {limit * 2}")
        assert done.returncode == 4
        assert "File too large" in error_line(done.stderr)
        assert not out.exists()
        assert run("small", "--out", out, "--table", table).returncode == 0
    assert server.ranges[0] is None
    assert server.ranges[1] not in (None, "bytes=0-")
    assert len(server.ranges) == 2
