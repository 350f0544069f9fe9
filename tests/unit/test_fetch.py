"""Fetching a published set: whatever server, archive or disk, the set is whole or not there."""

import fcntl
import os
import random
import socket
from pathlib import Path
from typing import Final

import pytest

from edgekws.errors import DataError
from edgekws.train.datasets import read_table
from edgekws.train.download import Network
from edgekws.train.fetch import fetch
from tests.archive_server import (
    PATIENCE_SECONDS,
    ArchiveServer,
    Manner,
    file,
    pack,
    write_table,
)
from tests.fetching import (
    ARCHIVE,
    CLIP,
    QUICK,
    Quiet,
    assert_only_the_archive,
    fetch_small,
    partial_of,
)

UNPACKED: Final = {
    *("LICENSE", "_background_noise_/room.wav", "yes/ann_nohash_0.wav", "dataset.json")
}


@pytest.fixture
def out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder to fetch to, past any proxy."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    return tmp_path / "place" / "set"


def put_partial(server: ArchiveServer, out: Path, size: int) -> None:
    """Leave what an interrupted download of so many bytes leaves."""
    with pytest.raises(KeyboardInterrupt):
        fetch_small(server, out, Quiet(interrupt_at="downloading"))
    (archive,) = partial_of(out).iterdir()
    archive.write_bytes(server.data[:size])
    server.ranges.clear()


def tree(folder: Path) -> set[str]:
    return {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()}


def assert_whole(out: Path) -> None:
    assert tree(out) == UNPACKED
    assert (out / "yes" / "ann_nohash_0.wav").read_bytes() == CLIP
    assert [path.name for path in out.parent.iterdir()] == ["set"]


def test_a_set_becomes_a_folder_per_label_without_hidden_files(out: Path) -> None:
    with ArchiveServer(ARCHIVE) as server:
        assert fetch_small(server, out)
    assert_whole(out)
    assert server.ranges == [None]


def test_a_finished_set_is_not_fetched_again(out: Path) -> None:
    with ArchiveServer(ARCHIVE) as server:
        assert fetch_small(server, out)
        assert not fetch_small(server, out)
    assert server.ranges == [None]


def test_an_empty_folder_is_filled(out: Path) -> None:
    out.mkdir(parents=True)
    with ArchiveServer(ARCHIVE) as server:
        fetch_small(server, out)
    assert_whole(out)


@pytest.mark.parametrize("kind", ["folder", "file", "other set"])
def test_anything_else_at_the_place_stays_as_it_is(out: Path, kind: str) -> None:
    mine = out if kind == "file" else out / ("dataset.json" if kind == "other set" else "mine")
    mine.parent.mkdir(parents=True)
    mine.write_text("{}")
    with ArchiveServer(ARCHIVE) as server, pytest.raises(DataError, match="name another folder"):
        fetch_small(server, out)
    assert mine.read_text() == "{}"
    assert server.ranges == []


def test_a_partial_file_is_gone_on_with(out: Path) -> None:
    with ArchiveServer(ARCHIVE) as server:
        put_partial(server, out, 1000)
        fetch_small(server, out)
    assert server.ranges == ["bytes=1000-"]
    assert_whole(out)


def test_a_complete_file_is_not_asked_for_again(out: Path) -> None:
    with ArchiveServer(ARCHIVE) as server:
        put_partial(server, out, len(ARCHIVE))
        fetch_small(server, out)
    assert server.ranges == []
    assert_whole(out)


def test_a_server_that_ignores_the_range_is_read_from_the_start(out: Path) -> None:
    with ArchiveServer(ARCHIVE, "no ranges") as server:
        put_partial(server, out, 1000)
        fetch_small(server, out)
    assert server.ranges == ["bytes=1000-"]
    assert_whole(out)


def test_a_server_that_sends_another_range_is_given_up(out: Path) -> None:
    with ArchiveServer(ARCHIVE, "wrong range") as server:
        put_partial(server, out, 1000)
        with pytest.raises(DataError, match="another part"):
            fetch_small(server, out)
    assert len(server.ranges) == QUICK.attempts
    assert not out.exists()


def test_a_body_that_is_cut_is_gone_on_with(out: Path) -> None:
    watcher = Quiet()
    with ArchiveServer(ARCHIVE, "cut") as server:
        fetch_small(server, out, watcher)
    assert server.ranges == [None, f"bytes={len(ARCHIVE) // 2}-"]
    assert "ended early" in watcher.said[0]
    assert_whole(out)


def test_a_server_that_is_busy_is_asked_again(out: Path) -> None:
    with ArchiveServer(ARCHIVE, "busy") as server:
        fetch_small(server, out)
    assert_whole(out)


def test_a_server_that_always_cuts_is_given_up_after_some_tries(out: Path) -> None:
    with (
        ArchiveServer(ARCHIVE, "always cut") as server,
        pytest.raises(DataError, match=r"3 tries.*goes on"),
    ):
        fetch_small(server, out)
    assert len(server.ranges) == QUICK.attempts
    (archive,) = partial_of(out).iterdir()
    assert ARCHIVE.startswith(archive.read_bytes())
    assert archive.stat().st_size > len(ARCHIVE) // 2


def test_headway_makes_the_tries_count_anew(out: Path) -> None:
    data = pack([file("yes/a.wav", random.Random(2).randbytes(9 * 2**20))])
    two = Network(timeout_seconds=PATIENCE_SECONDS, attempts=2, pause_seconds=0.0)
    with ArchiveServer(data, "always cut") as server, pytest.raises(DataError, match="2 tries"):
        fetch_small(server, out, network=two)
    assert len(server.ranges) == 4  # of 9 MiB come 4.5, 2.2, 1.1, and then less than one: 0.6


@pytest.mark.parametrize(("manner", "words"), [("hang", "no answer"), ("drip", "fewer than")])
def test_a_server_that_hangs_is_given_up_in_bounded_time(
    out: Path, manner: Manner, words: str
) -> None:
    with ArchiveServer(ARCHIVE, manner) as server, pytest.raises(DataError, match=words):
        fetch_small(server, out)
    assert len(server.ranges) == QUICK.attempts


def test_no_server_is_one_clear_error(out: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    table = write_table(out.parents[1] / "sets.toml", f"http://127.0.0.1:{port}/x", ARCHIVE)
    with pytest.raises(DataError, match="Connection refused"):
        fetch(read_table(table).datasets[0], out, network=QUICK, watcher=Quiet())
    assert not partial_of(out).exists()


def test_a_file_that_is_not_there_is_asked_for_once(out: Path) -> None:
    with ArchiveServer(ARCHIVE, "missing") as server, pytest.raises(DataError, match="404"):
        fetch_small(server, out)
    assert len(server.ranges) == 1
    assert not partial_of(out).exists()


def test_more_than_the_table_says_is_not_taken(out: Path) -> None:
    with ArchiveServer(ARCHIVE, "endless") as server, pytest.raises(DataError, match="more than"):
        fetch_small(server, out)
    assert not partial_of(out).exists()


@pytest.mark.parametrize(
    ("digest", "size", "words"),
    [("0" * 64, None, "sha256"), (None, len(ARCHIVE) - 1, "instead of")],
)
def test_another_file_than_the_table_says_is_never_unpacked(
    out: Path, digest: str | None, size: int | None, words: str
) -> None:
    with ArchiveServer(ARCHIVE) as server:
        table = out.parents[1] / "sets.toml"
        write_table(table, server.url, ARCHIVE, digest=digest, size=size)
        with pytest.raises(DataError, match=words):
            fetch(read_table(table).datasets[0], out, network=QUICK, watcher=Quiet())
    assert list(out.parent.iterdir()) == []


def test_a_wrong_hash_removes_the_file_so_that_the_next_try_is_a_new_one(out: Path) -> None:
    with ArchiveServer(ARCHIVE) as server:
        put_partial(server, out, 1000)
        (archive,) = partial_of(out).iterdir()
        archive.write_bytes(b"x" * 1000)
        with pytest.raises(DataError, match="sha256"):
            fetch_small(server, out)
        assert not partial_of(out).exists()
        fetch_small(server, out)
    assert_whole(out)


@pytest.mark.parametrize("what", ["checking", "unpacking"])
def test_an_interruption_leaves_nothing_half_unpacked(out: Path, what: str) -> None:
    with ArchiveServer(ARCHIVE) as server:
        with pytest.raises(KeyboardInterrupt):
            fetch_small(server, out, Quiet(interrupt_at=what))
        assert_only_the_archive(out)
        fetch_small(server, out)
    assert server.ranges == [None]
    assert_whole(out)


def test_what_a_killed_unpacking_left_is_replaced(out: Path) -> None:
    with ArchiveServer(ARCHIVE) as server:
        put_partial(server, out, 1000)
        left = partial_of(out) / "unpacked" / "yes" / "half.wav"
        left.parent.mkdir(parents=True)
        left.touch()
        fetch_small(server, out)
    assert_whole(out)


def test_a_folder_in_the_way_that_is_not_ours_is_left_alone(out: Path) -> None:
    mine = partial_of(out) / "mine"
    mine.mkdir(parents=True)
    with ArchiveServer(ARCHIVE) as server, pytest.raises(DataError, match="holds mine"):
        fetch_small(server, out)
    assert mine.is_dir()


def test_two_fetches_do_not_write_to_one_place(out: Path) -> None:
    partial_of(out).mkdir(parents=True)
    other = os.open(partial_of(out), os.O_RDONLY)
    try:
        fcntl.flock(other, fcntl.LOCK_EX)
        with ArchiveServer(ARCHIVE) as server, pytest.raises(DataError, match="another fetch"):
            fetch_small(server, out)
    finally:
        os.close(other)
    assert server.ranges == []


def test_a_disk_without_room_is_said_before_anything_is_loaded(out: Path) -> None:
    with ArchiveServer(ARCHIVE) as server:
        table = out.parents[1] / "sets.toml"
        write_table(table, server.url, ARCHIVE, max_bytes=10**18)
        with pytest.raises(DataError, match="GB are free"):
            fetch(read_table(table).datasets[0], out, network=QUICK, watcher=Quiet())
    assert server.ranges == []
