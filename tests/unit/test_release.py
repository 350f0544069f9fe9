"""A release: the bundle, its installer and the archive, written whole or not at all."""

import csv
import hashlib
import os
import resource
import shutil
import subprocess
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import onnx
import pytest

from edgekws.bundle import open_bundle, write_bundle
from edgekws.errors import BundleError, EdgekwsError, ExportError, UsageError
from edgekws.export.release import Release, release
from edgekws.export.targets import find_target
from edgekws.runtime.config import read_config
from tests.bundles import make_bundle, manifest, model_spec
from tests.commands import ROOT
from tests.needs import lacking

INSTALLER = {
    "README.md",
    "SHA256SUMS",
    "edgekws.service",
    "edgekws-user.service",
    "install.conf",
    "install.sh",
    "listen.toml",
    "requirements-microphone.txt",
    "requirements-py3.11.txt",
    "requirements-py3.13.txt",
}

MOST_EXPOSED = 20  # tenths of systemd's scale from 0 to 10; the system unit has 1.6, the user's 2.0


@pytest.fixture
def needs_systemd() -> None:
    if shutil.which("systemd-analyze") is None:
        lacking("systemd-analyze is missing; apt install systemd")


def quiet(_: str) -> None:
    """Say nothing."""


def tones(target: str, *, written: float = 0.0) -> Callable[[Path], Path]:
    """Return what makes the tone bundle for a target; `written` is the time its files say."""

    def make(out: Path) -> Path:
        bundle = make_bundle(out / f"tones-{target}")
        for path in bundle.iterdir():
            os.utime(path, (written, written))
        return bundle

    return make


def heavy(out: Path) -> Path:
    """Make a bundle whose model carries 800 kB of ballast."""
    bundle = make_bundle(out / "tones-rpi-zero2")
    model = onnx.load_model_from_string((bundle / "model.onnx").read_bytes())
    model.doc_string = "ballast " * 100_000
    files = {path.name: path.read_bytes() for path in bundle.iterdir()}
    del files["manifest.json"]
    files["model.onnx"] = model.SerializeToString()
    write_bundle(bundle, manifest(model_spec(), files), files)
    return bundle


def filled_unit(made: Release, name: str, folder: Path) -> Path:
    """Return the unit as install.sh fills it in, but with a program that is there."""
    text = (made.folder / name).read_text()
    text = text.replace("@PREFIX@/current/venv/bin/edgekws", "/bin/true")
    assert "@PREFIX@" in text
    (folder / name).write_text(text.replace("@PREFIX@", "/opt/edgekws"))
    return folder / name


def systemd_analyze(*args: object) -> "subprocess.CompletedProcess[str]":
    argv = ["systemd-analyze", *map(str, args)]
    return subprocess.run(argv, capture_output=True, text=True, check=False)


def contents(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Release:
    out = tmp_path_factory.mktemp("release") / "dist"
    return release(tones("rpi"), out, "rpi", pythons=("3.11", "3.13"), say=quiet)


def test_the_folder_is_the_bundle_with_all_that_installs_it(made: Release) -> None:
    bundle = open_bundle(made.folder)
    own = {entry.path for entry in bundle.manifest.files()} | {"manifest.json"}
    (wheel,) = made.folder.glob("*.whl")
    assert set(contents(made.folder)) == own | INSTALLER | {wheel.name}
    assert [path.name for path in sorted(made.folder.parent.iterdir())] == [
        "tones-rpi",
        "tones-rpi.tar.gz",
    ]


def test_the_archive_holds_the_folder_and_nothing_of_the_machine(made: Release) -> None:
    with tarfile.open(made.archive) as tar:
        entries = tar.getmembers()
        held = {
            entry.name.partition("/")[2]: data.read()
            for entry in entries
            if (data := tar.extractfile(entry)) is not None
        }
    assert held == contents(made.folder)
    assert [entry.name for entry in entries] == sorted(entry.name for entry in entries)
    assert {(e.uid, e.gid, e.uname, e.gname) for e in entries} == {(0, 0, "root", "root")}
    assert len({entry.mtime for entry in entries}) == 1
    modes = {entry.name: entry.mode for entry in entries}
    assert modes["tones-rpi/install.sh"] == modes["tones-rpi"] == 0o755
    assert modes["tones-rpi/manifest.json"] == 0o644


def test_equal_bundles_give_equal_archives_whenever_they_are_made(
    made: Release, tmp_path: Path
) -> None:
    later = tones("rpi", written=2e9)
    again = release(later, tmp_path, "rpi", pythons=("3.13", "3.11"), say=quiet)
    assert again.archive.read_bytes() == made.archive.read_bytes()


def test_a_second_export_replaces_the_first(tmp_path: Path) -> None:
    first = release(tones("x86"), tmp_path, "x86", pythons=("3.11",), say=quiet)
    (first.folder / "wheelhouse").mkdir()
    (first.folder / "wheelhouse" / "old.whl").write_bytes(b"old")
    second = release(tones("x86"), tmp_path, "x86", pythons=("3.12",), say=quiet)
    assert second == first
    assert not (second.folder / "wheelhouse").exists()
    assert (second.folder / "requirements-py3.12.txt").exists()
    assert not (second.folder / "requirements-py3.11.txt").exists()


def test_sums_cover_every_file(made: Release) -> None:
    lines = (made.folder / "SHA256SUMS").read_text().splitlines()
    sums = {name: digest for digest, name in (line.split("  ") for line in lines)}
    files = contents(made.folder)
    del files["SHA256SUMS"]
    assert sums == {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}


def test_the_wheel_is_this_package_without_bundles(made: Release) -> None:
    (path,) = made.folder.glob("*.whl")
    with zipfile.ZipFile(path) as wheel:
        names = wheel.namelist()
        info = next(name for name in names if name.endswith("RECORD")).partition("/")[0]
        record = list(csv.reader(wheel.read(f"{info}/RECORD").decode().splitlines()))
        assert [row[0] for row in record] == names
        assert b"edgekws = edgekws.cli.app:main" in wheel.read(f"{info}/entry_points.txt")
        assert b"Requires-Dist: numpy" in wheel.read(f"{info}/METADATA")
        ours = wheel.read("edgekws/cli/app.py")
    assert ours == (ROOT / "edgekws" / "cli" / "app.py").read_bytes()
    assert not [name for name in names if "/bundles/" in name or name.endswith(".pyc")]


def test_the_settings_name_the_bundle_beside_them(made: Release) -> None:
    config = read_config(made.folder / "listen.toml")
    assert config.bundle == made.folder
    assert config.accelerators == ()
    assert '"开灯"' in (made.folder / "listen.toml").read_text("utf-8")


def test_the_settings_for_a_jetson_prefer_its_gpu(tmp_path: Path) -> None:
    made = release(tones("jetson"), tmp_path, "jetson", pythons=("3.12",), say=quiet)
    config = read_config(made.folder / "listen.toml")
    assert config.accelerators == find_target("jetson").accelerators == ("tensorrt", "cuda")


def test_the_readme_says_for_what_it_is(made: Release) -> None:
    text = (made.folder / "README.md").read_text("utf-8")
    for words in ("tones 1", "aarch64", "3.13 3.11", "开灯", "onnx-fp32", "--uninstall"):
        assert words in text
    assert "{" not in text


@pytest.mark.usefixtures("needs_systemd")
@pytest.mark.parametrize("name", ["edgekws.service", "edgekws-user.service"])
def test_systemd_understands_the_units(made: Release, tmp_path: Path, name: str) -> None:
    done = systemd_analyze("verify", filled_unit(made, name, tmp_path))
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""


@pytest.mark.usefixtures("needs_systemd")
@pytest.mark.parametrize("name", ["edgekws.service", "edgekws-user.service"])
def test_the_units_expose_little(made: Release, tmp_path: Path, name: str) -> None:
    unit = filled_unit(made, name, tmp_path)
    done = systemd_analyze("security", "--offline=true", f"--threshold={MOST_EXPOSED}", unit)
    assert done.returncode == 0, done.stdout


def test_a_bundle_over_its_budget_is_refused_with_the_figures(tmp_path: Path) -> None:
    allowed = find_target("rpi-zero2").budget.model_bytes
    with pytest.raises(ExportError, match=rf"over .* rpi-zero2: models of 8\d+ bytes.* {allowed}"):
        release(heavy, tmp_path / "dist", "rpi-zero2", say=quiet)
    assert not (tmp_path / "dist").exists()


def test_the_costs_are_told(tmp_path: Path) -> None:
    said: list[str] = []
    release(tones("x86"), tmp_path, "x86", say=said.append)
    (line,) = [text for text in said if text.startswith("budget of x86: ")]
    for unit in ("bytes", "MB", "of a core"):
        assert unit in line


def test_a_board_without_python_has_no_wheelhouse(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="mcu runs no Python"):
        release(tones("mcu"), tmp_path, "mcu", wheelhouse=True, say=quiet)


@pytest.mark.parametrize(
    ("target", "pythons"),
    [("toaster", ()), ("rpi", ("2.7",)), ("jetson", ("3.10",)), ("mcu", ("3.13",))],
)
def test_a_wrong_name_is_refused_before_any_work(
    tmp_path: Path, target: str, pythons: tuple[str, ...]
) -> None:
    def never(_: Path) -> Path:
        raise AssertionError("the bundle was made")

    with pytest.raises(UsageError):
        release(never, tmp_path / "dist", target, pythons=pythons, say=quiet)
    assert not (tmp_path / "dist").exists()


def test_whatever_fails_the_old_release_stays_as_it_was(tmp_path: Path) -> None:
    old = release(tones("rpi"), tmp_path, "rpi", say=quiet)
    before = contents(tmp_path)

    def fails(out: Path) -> Path:
        make_bundle(out / "tones-rpi")
        raise EdgekwsError("in the middle")

    with pytest.raises(EdgekwsError, match="in the middle"):
        release(fails, tmp_path, "rpi", say=quiet)
    assert contents(tmp_path) == before
    assert sorted(tmp_path.iterdir()) == [old.folder, old.archive]


def test_packages_that_cannot_be_had_leave_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    with pytest.raises(ExportError, match=r"no wheelhouse for Python 3\.13: No matching"):
        release(
            tones("rpi"),
            tmp_path / "dist",
            "rpi",
            pythons=("3.13",),
            wheelhouse=True,
            say=quiet,
        )
    assert not (tmp_path / "dist").exists()


@pytest.mark.parametrize("last", ["tones-rpi/golden.npz", "tones-rpi/*.whl", "tones-rpi.tar.gz"])
def test_a_disk_that_is_full_leaves_the_old_release(tmp_path: Path, last: str) -> None:
    """A limit on the size of files stands in for the disk: it ends just before the end of one."""
    release(tones("rpi"), tmp_path, "rpi", say=quiet)
    before = contents(tmp_path)
    (file,) = tmp_path.glob(last)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (file.stat().st_size - 1000, hard))
    try:
        with pytest.raises(BundleError, match=r"cannot write the .*File too large"):
            release(tones("rpi"), tmp_path, "rpi", say=quiet)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert contents(tmp_path) == before


def test_a_folder_of_other_things_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "tones-x86").mkdir()
    (tmp_path / "tones-x86" / "thesis.txt").write_text("precious")
    with pytest.raises(BundleError, match="holds files"):
        release(tones("x86"), tmp_path, "x86", say=quiet)
    assert contents(tmp_path) == {"tones-x86/thesis.txt": b"precious"}


def test_what_a_killed_export_left_is_removed(tmp_path: Path) -> None:
    left = tmp_path / ".export.partial-00000000" / "tones-x86"
    left.mkdir(parents=True)
    (left / "model.onnx").write_bytes(b"half")
    release(tones("x86"), tmp_path, "x86", pythons=("3.11",), say=quiet)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["tones-x86", "tones-x86.tar.gz"]
