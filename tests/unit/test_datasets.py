"""The table of public sets: strict, each fault named by its key."""

from pathlib import Path
from typing import Final

import pytest

from edgekws.errors import ConfigError, UsageError
from edgekws.train.datasets import TABLE, find_dataset, read_table
from tests.archive_server import write_table

ARCHIVE: Final = b"any bytes"


def test_the_shipped_table_names_its_sets_with_licence_and_hash() -> None:
    table = read_table(TABLE)
    first = find_dataset(table, "speech-commands-0.02")
    assert first.sha256.startswith("af14739ee7dc3114")
    assert all(each.licence and each.url.startswith("https://") for each in table.datasets)
    with pytest.raises(UsageError, match=r"speech-commands-0\.02"):
        find_dataset(table, "speech-commands")


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("[[datasets]]", "[[datasets", "not valid TOML"),
        ("licence =", "license =", "license"),
        ('title = "A small set"\n', "", "title"),
        ("max_files = 100", 'max_files = "many"', r"layout\.max_files"),
        ('archive = "tar.gz"', 'archive = "zip"', "zip"),
        ("http://", "file://", "https"),
        ('sha256 = "', 'sha256 = "X', "64"),
        ("max_bytes = 10000000", "max_bytes = 0", "1 or more"),
    ],
)
def test_a_faulty_table_is_refused_by_key(tmp_path: Path, old: str, new: str, words: str) -> None:
    path = write_table(tmp_path / "sets.toml", "http://127.0.0.1/x", ARCHIVE)
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    with pytest.raises(ConfigError, match=words):
        read_table(path)


def test_a_table_that_is_missing_or_has_a_name_twice_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="--table"):
        read_table(tmp_path / "none.toml")
    path = write_table(tmp_path / "sets.toml", "http://127.0.0.1/x", ARCHIVE)
    path.write_text(path.read_text() * 2)
    with pytest.raises(ConfigError, match="one name"):
        read_table(path)
