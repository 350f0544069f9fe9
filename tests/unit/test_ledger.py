"""The journal as a file: whole lines, bounded, and never the end of the ears."""

import resource
from pathlib import Path

import pytest

from edgekws.errors import ConfigError
from edgekws.runtime.ledger import LINES, Ledger


def lines(count: int, first: int = 0) -> list[bytes]:
    return [b'{"line": %06d}\n' % number for number in range(first, first + count)]


def write(ledger: Ledger, rows: list[bytes]) -> None:
    for row in rows:
        ledger.take(row)
        ledger.work(0.0)


def test_lines_are_appended_to_what_is_there(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    path.write_bytes(b"old\n")
    write(Ledger(path, max_bytes=4_096, files=2), lines(2))
    assert path.read_bytes() == b"old\n" + b"".join(lines(2))


def test_files_are_bounded_and_the_newest_lines_are_kept(tmp_path: Path) -> None:
    rows = lines(3_000)
    ledger = Ledger(tmp_path / "journal", max_bytes=4_096, files=3)
    write(ledger, rows)
    files = [tmp_path / name for name in ("journal.2", "journal.1", "journal")]
    assert sorted(tmp_path.iterdir()) == sorted(files)
    assert all(path.stat().st_size <= 4_096 for path in files)
    kept = b"".join(path.read_bytes() for path in files)
    assert b"".join(rows).endswith(kept)
    assert len(kept) > 2 * 4_000
    assert ledger.lost == 0


def test_one_file_alone_begins_anew(tmp_path: Path) -> None:
    write(Ledger(tmp_path / "journal", max_bytes=4_096, files=1), lines(500))
    assert [p.name for p in tmp_path.iterdir()] == ["journal"]
    assert (tmp_path / "journal").read_bytes().endswith(lines(1, 499)[0])


def test_a_file_that_logrotate_moves_away_is_opened_anew(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    ledger = Ledger(path, max_bytes=4_096, files=2)
    write(ledger, lines(1))
    path.rename(tmp_path / "moved")
    write(ledger, lines(1, 1))
    assert path.read_bytes() == lines(1, 1)[0]


def test_a_disk_that_is_full_costs_lines_that_are_counted_and_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "journal"
    path.symlink_to("/dev/full")
    ledger = Ledger(path, max_bytes=4_096, files=2)
    write(ledger, lines(3))
    assert ledger.lost == 3
    assert ledger.complaint == "the journal takes no more lines: No space left on device"
    assert len(caplog.records) == 1
    path.unlink()
    write(ledger, lines(1))
    assert ledger.complaint == ""
    assert path.read_bytes() == lines(1)[0]


def test_half_a_line_is_taken_back(tmp_path: Path) -> None:
    """The limit of a file's size stands for a disk that fills up amid a line."""
    path = tmp_path / "journal"
    ledger = Ledger(path, max_bytes=4_096, files=2)
    rows = lines(3)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(rows[0]) + 5, before[1]))
    try:
        write(ledger, rows[:2])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert ledger.lost == 1
    write(ledger, rows[2:])
    assert path.read_bytes() == rows[0] + rows[2]


def test_what_finds_no_room_is_counted(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "journal", max_bytes=1_000_000, files=2)
    for row in lines(LINES + 3):
        ledger.take(row)
    ledger.work(0.0)
    assert ledger.lost == 3
    assert (tmp_path / "journal").read_bytes() == b"".join(lines(LINES))


def test_a_place_that_cannot_be_written_is_refused_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"\[journal\] path: .*nowhere/journal: No such file"):
        Ledger(tmp_path / "nowhere" / "journal", max_bytes=4_096, files=2)
