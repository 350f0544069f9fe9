"""Writing a bundle: whole or not at all, and an older one is there at every moment."""

import ctypes
import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from edgekws.bundle import Manifest, file_entry, open_bundle, write_bundle
from edgekws.errors import BundleError
from tests.bundles import make_bundle, manifest, model_spec

FILES = {"model.onnx": b"model", "golden.npz": b"golden", "card.md": b"card"}


def named(version: str, files: dict[str, bytes] = FILES) -> Manifest:
    return msgspec.structs.replace(manifest(model_spec(), files), version=version)


def test_new_bundle_opens_and_nothing_else_is_left(tmp_path: Path) -> None:
    out = tmp_path / "dist" / "tones-x86"
    write_bundle(out, named("1"), FILES)
    assert open_bundle(out).manifest == named("1")
    assert [path.name for path in out.parent.iterdir()] == ["tones-x86"]
    assert {path.name for path in out.iterdir()} == {*FILES, "manifest.json"}


def test_older_bundle_is_replaced_with_all_its_files(tmp_path: Path) -> None:
    out = make_bundle(tmp_path / "tones")
    files = {"other.onnx": b"model", "golden.npz": b"golden", "card.md": b"card"}
    entries = {"model.onnx": files["other.onnx"], **files}
    newer = manifest(model_spec(), entries)
    (model,) = newer.models
    renamed = msgspec.structs.replace(model, file=file_entry("other.onnx", b"model"))
    write_bundle(out, msgspec.structs.replace(newer, models=(renamed,)), files)
    assert {path.name for path in out.iterdir()} == {*files, "manifest.json"}
    assert open_bundle(out).manifest.models == (renamed,)
    assert [path.name for path in tmp_path.iterdir()] == ["tones"]


def test_bundle_is_readable_by_others_as_the_umask_says(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        write_bundle(tmp_path / "tones", named("1"), FILES)
    finally:
        os.umask(before)
    assert (tmp_path / "tones").stat().st_mode & 0o777 == 0o755
    assert (tmp_path / "tones/model.onnx").stat().st_mode & 0o777 == 0o644


def test_empty_folder_is_taken(tmp_path: Path) -> None:
    (tmp_path / "tones").mkdir()
    write_bundle(tmp_path / "tones", named("1"), FILES)
    assert open_bundle(tmp_path / "tones").manifest.version == "1"


def test_folder_that_is_no_bundle_stays_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(BundleError, match="it is no bundle"):
        write_bundle(tmp_path, named("1"), FILES)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


@pytest.mark.parametrize("kind", ["file", "link to a bundle", "dangling link"])
def test_what_is_no_folder_is_not_replaced(tmp_path: Path, kind: str) -> None:
    out = tmp_path / "out"
    if kind == "file":
        out.write_text("mine")
    else:
        target = make_bundle(tmp_path / "real") if "bundle" in kind else tmp_path / "nowhere"
        out.symlink_to(target)
    with pytest.raises(BundleError, match="is no folder"):
        write_bundle(out, named("1"), FILES)
    assert out.is_symlink() or out.read_text() == "mine"


@pytest.mark.parametrize(
    "files",
    [{**FILES, "extra.bin": b""}, {"model.onnx": b"model"}, {**FILES, "card.md": b"drac"}],
    ids=["one more", "missing", "other bytes"],
)
def test_files_that_are_not_the_manifests_are_refused(
    tmp_path: Path, files: dict[str, bytes]
) -> None:
    with pytest.raises(BundleError):
        write_bundle(tmp_path / "tones", named("1"), files)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_manifest_with_nan_is_not_written(tmp_path: Path, value: float) -> None:
    (clips,) = named("1").clip_metrics
    clips = msgspec.structs.replace(clips, accuracy=value)
    bad = msgspec.structs.replace(named("1"), clip_metrics=(clips,))
    with pytest.raises(BundleError, match="accuracy"):
        write_bundle(tmp_path / "tones", bad, FILES)
    assert list(tmp_path.iterdir()) == []


def test_place_that_cannot_be_written_is_a_bundle_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(BundleError, match="cannot write the bundle"):
        write_bundle(tmp_path / "file" / "tones", named("1"), FILES)


@pytest.mark.parametrize("fault", [OSError(errno.ENOSPC, "No space left"), KeyboardInterrupt()])
def test_write_that_fails_half_way_leaves_the_old_bundle_and_no_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: BaseException
) -> None:
    out = make_bundle(tmp_path / "tones")
    calls = iter([None, fault])

    def fsync(_: int) -> None:
        if (failure := next(calls)) is not None:
            raise failure

    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises((BundleError, KeyboardInterrupt)):
        write_bundle(out, named("2"), FILES)
    assert open_bundle(out).manifest.version == "1"
    assert [path.name for path in tmp_path.iterdir()] == ["tones"]


KILLED_WRITER = """
import os, signal, sys
from pathlib import Path
from edgekws.bundle import write_bundle
from tests.unit.test_bundle_writing import FILES, named

out, victim, count = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
seen = 0

def audit(event, arguments):
    global seen
    if event == victim:
        seen += 1
        if seen == count:
            os.kill(os.getpid(), signal.SIGKILL)

sys.addaudithook(audit)
write_bundle(out, named("2"), FILES)
"""

BEFORE = [("open", 2), ("open", 4), ("open", 6), ("ctypes.dlopen", 1)]
AFTER = [("shutil.rmtree", 1)]


@pytest.mark.parametrize(("event", "count"), BEFORE + AFTER)
def test_killed_write_leaves_one_whole_bundle_and_the_next_write_cleans_up(
    tmp_path: Path, event: str, count: int
) -> None:
    out = make_bundle(tmp_path / "tones")
    writer = [sys.executable, "-c", KILLED_WRITER, str(out), event, str(count)]
    ended = subprocess.run(writer, check=False, cwd=Path(__file__).parents[2], timeout=60)
    assert ended.returncode == -signal.SIGKILL
    rest = [path.name for path in tmp_path.iterdir() if path != out]
    assert len(rest) == 1
    assert rest[0].startswith(".tones.partial-")
    assert open_bundle(out).manifest.version == ("1" if (event, count) in BEFORE else "2")
    write_bundle(out, named("3"), FILES)
    assert open_bundle(out).manifest.version == "3"
    assert [path.name for path in tmp_path.iterdir()] == ["tones"]


def test_system_that_cannot_exchange_names_still_replaces(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = make_bundle(tmp_path / "tones")
    monkeypatch.setattr(ctypes, "CDLL", lambda *_, **__: object())  # a libc without renameat2
    write_bundle(out, named("2"), FILES)
    assert open_bundle(out).manifest.version == "2"
    assert [path.name for path in tmp_path.iterdir()] == ["tones"]


def test_bundle_set_aside_by_a_crash_is_brought_back(tmp_path: Path) -> None:
    out = make_bundle(tmp_path / "tones")
    out.rename(tmp_path / ".tones.old")
    with pytest.raises(BundleError):
        write_bundle(out, named("2"), {})  # refused before anything is touched
    assert not out.exists()
    write_bundle(out, named("2"), FILES)
    assert open_bundle(out).manifest.version == "2"
    assert [path.name for path in tmp_path.iterdir()] == ["tones"]


def test_folder_of_a_write_that_still_goes_on_is_left_alone(tmp_path: Path) -> None:
    fcntl = pytest.importorskip("fcntl")
    alive, dead = tmp_path / ".tones.partial-alive", tmp_path / ".tones.partial-dead"
    alive.mkdir()
    dead.mkdir()
    lock = os.open(alive, os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        write_bundle(tmp_path / "tones", named("1"), FILES)
    finally:
        os.close(lock)
    assert alive.exists()
    assert not dead.exists()
