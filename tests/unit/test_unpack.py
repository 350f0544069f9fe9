"""Archives that came from outside: whatever they hold, nothing of it stays unpacked."""

import tarfile
from pathlib import Path

import pytest

from edgekws.errors import DataError
from tests.archive_server import ArchiveServer, file, pack, special
from tests.fetching import ARCHIVE, assert_only_the_archive, fetch_small


@pytest.fixture
def out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder to fetch to, past any proxy."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    return tmp_path / "place" / "set"


@pytest.mark.parametrize(
    "members",
    [
        [file("../outside/x")],
        [file("yes/../../outside/x")],
        [file("/outside/x")],
        [special("yes", tarfile.SYMTYPE, "../.."), file("yes/outside")],
        [file("a"), special("b", tarfile.LNKTYPE, "/etc/passwd")],
        [special("disk", tarfile.BLKTYPE)],
        [special("pipe", tarfile.FIFOTYPE)],
        [special("../outside", tarfile.DIRTYPE)],
        [file(".")],
        [file("dataset.json")],
        [file("twice"), file("twice")],
        [file("a"), file("a/b")],
    ],
)
def test_a_hostile_archive_leaves_nothing_unpacked(
    out: Path, members: list[tuple[tarfile.TarInfo, bytes]]
) -> None:
    with (
        ArchiveServer(pack([file("yes/good.wav"), *members])) as server,
        pytest.raises(DataError, match=r"tar\.gz|is not|exists"),
    ):
        fetch_small(server, out)
    assert_only_the_archive(out)
    assert not Path("/outside").exists()


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (pack([]), "no files"),
        (pack([special("yes", tarfile.DIRTYPE), file(".hidden")]), "no files"),
        (pack([file("yes/a.wav", bytes(10**7 + 1))]), "more than"),
        (pack([file("a", bytes(6 * 10**6)), file(".b", bytes(6 * 10**6))]), "more than"),
        (pack([special(f"d{n}", tarfile.DIRTYPE) for n in range(101)]), "more than"),
        (b"not an archive", "damaged"),
        (ARCHIVE[: len(ARCHIVE) // 2], "damaged"),
    ],
    ids=("empty", "hidden", "long", "long-in-all", "folders", "other-bytes", "cut-off"),
)
def test_a_senseless_archive_leaves_nothing_unpacked(out: Path, data: bytes, words: str) -> None:
    with ArchiveServer(data) as server, pytest.raises(DataError, match=words):
        fetch_small(server, out)
    assert_only_the_archive(out)
