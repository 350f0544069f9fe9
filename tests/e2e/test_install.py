"""install.sh of an x86 archive: the real pip, without its index, in a home folder of its own."""

import fcntl
import os
import platform
import select
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pytest

from edgekws.export.release import release
from tests.bundles import make_bundle, noise, tone
from tests.commands import PATIENCE_SECONDS, edgekws, parse, write_wav
from tests.needs import lacking

HERE: Final = f"{sys.version_info.major}.{sys.version_info.minor}"
OTHER: Final = "3.11" if HERE != "3.11" else "3.12"
USAGE, NOT_THIS_BOARD, NOT_THIS_PYTHON, NO_VENV, DAMAGED, NO_PACKAGES, REFUSED = range(2, 9)

Finished = subprocess.CompletedProcess[str]

pytestmark = pytest.mark.skipif(
    platform.machine() != "x86_64", reason="the target x86 is for another machine"
)


@dataclass(frozen=True, slots=True)
class Home:
    """A user's home folder, and what install.sh makes in it."""

    path: Path

    @property
    def prefix(self) -> Path:
        return self.path / ".local" / "share" / "edgekws"

    @property
    def unit(self) -> Path:
        return self.path / ".config" / "systemd" / "user" / "edgekws.service"

    @property
    def command(self) -> Path:
        return self.path / ".local" / "bin" / "edgekws"

    @property
    def settings(self) -> Path:
        return self.prefix / "listen.toml"

    def environment(self, *, namespaces: bool = True) -> dict[str, str]:
        """Return a login's environment: nothing of the tests' own, no systemd to talk to.

        Whether the kernel gives users namespaces is not this machine's to say.
        """
        tools = self.path.with_name(f"{self.path.name}-namespaces-{namespaces}")
        tools.mkdir(parents=True, exist_ok=True)
        unshare = tools / "unshare"
        unshare.write_text(f"#!/bin/sh\nexit {int(not namespaces)}\n")
        unshare.chmod(0o755)
        return {"HOME": str(self.path), "PATH": f"{tools}:{os.environ['PATH']}"}

    def sh(self, script: Path, *args: object, namespaces: bool = True) -> Finished:
        return subprocess.run(
            self.argv(script, *args),
            env=self.environment(namespaces=namespaces),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=3 * PATIENCE_SECONDS,
            check=False,
        )

    def argv(self, script: Path, *args: object) -> list[str]:
        return ["sh", str(script), "--user", *map(str, args)]

    def install(self, unpacked: Path, *args: object, namespaces: bool = True) -> Finished:
        argv = ("--python", sys.executable, *args)
        return self.sh(unpacked / "install.sh", *argv, namespaces=namespaces)

    def listen(self, wav: Path) -> list[dict[str, Any]]:
        """Run what is installed, with its settings; return the detections."""
        done = subprocess.run(
            [self.command, "listen", "--config", self.settings, "--source", f"wav:{wav}"],
            env=self.environment(),
            capture_output=True,
            timeout=PATIENCE_SECONDS,
            check=True,
        )
        return detections(parse(done.stdout))

    def release(self) -> Path:
        """Return the release in force, of which there is only one."""
        (only,) = (self.prefix / "releases").iterdir()
        assert (self.prefix / "current").resolve() == only
        return only


def detections(lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [line for line in lines if line["event"] == "detection"]


def refusal(done: Finished, code: int) -> str:
    """Return the one line of an error of install.sh."""
    assert done.returncode == code, done.stdout + done.stderr
    (line,) = done.stderr.splitlines()
    assert line.startswith("install.sh: error: ")
    return line


def unpack(folder: Path, *, target: str = "x86", python: str, wheelhouse: bool = False) -> Path:
    """Release the tones and unpack the archive, as a person would; return its folder."""
    made = release(
        lambda out: make_bundle(out / f"tones-{target}"),
        folder / "dist",
        target,
        pythons=(python,),
        wheelhouse=wheelhouse,
        say=lambda _: None,
    )
    subprocess.run(["tar", "xf", made.archive, "-C", folder], check=True)
    shutil.rmtree(folder / "dist")
    return folder / made.folder.name


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The archive for this machine and this Python, with a wheelhouse."""
    return unpack(tmp_path_factory.mktemp("archive"), python=HERE, wheelhouse=True)


@pytest.fixture(scope="module")
def installed(unpacked: Path, tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A home in which install.sh was run once."""
    home = Home(tmp_path_factory.mktemp("home"))
    done = home.install(unpacked)
    assert done.returncode == 0, done.stderr
    assert f"installing packages from {unpacked}/wheelhouse" in done.stdout
    assert "systemd does not run here" in done.stdout
    return home


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home")


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    sound = [noise(), tone("yes"), noise(seconds=2.0), tone("开灯"), noise()]
    return write_wav(tmp_path_factory.mktemp("sound") / "two.wav", np.concatenate(sound))


def test_it_hears_what_the_source_tree_hears(
    installed: Home, unpacked: Path, recording: Path
) -> None:
    here = edgekws("listen", "--bundle", unpacked, "--source", f"wav:{recording}")
    heard = installed.listen(recording)
    assert [each["label"] for each in heard] == ["yes", "开灯"]
    assert heard == detections(here.lines)


def test_doctor_finds_all_that_listening_needs(installed: Home) -> None:
    bundle = installed.prefix / "current" / "bundle"
    done = subprocess.run(
        [installed.command, "doctor", "--bundle", bundle],
        env=installed.environment(),
        cwd=installed.path,
        capture_output=True,
        timeout=PATIENCE_SECONDS,
        check=True,
    )
    (report,) = parse(done.stdout)
    for name in ("numpy", "onnxruntime", "soundfile", "soxr", "bundle"):
        assert report["checks"][name]["status"] == "ok"


def test_unit_and_settings_name_the_installation(installed: Home) -> None:
    unit, settings = installed.unit.read_text(), installed.settings.read_text("utf-8")
    assert f"ExecStart={installed.prefix}/current/venv/bin/edgekws listen --config" in unit
    assert "@PREFIX@" not in unit
    assert "\nPrivateUsers=yes\n" in unit
    assert '\nbundle = "current/bundle"\n' in settings


def test_the_packages_of_sinks_are_there(installed: Home) -> None:
    sinks = "import paho.mqtt.client, serial, wyoming.asr"
    python = installed.prefix / "current" / "venv" / "bin" / "python"
    subprocess.run([python, "-c", sinks], timeout=PATIENCE_SECONDS, check=True)


def test_packages_that_cannot_be_had_leave_the_old_installation(
    installed: Home, unpacked: Path, recording: Path, tmp_path: Path
) -> None:
    before = installed.release()
    line = refusal(installed.install(unpacked, "--wheelhouse", tmp_path), NO_PACKAGES)
    assert f"packages from {tmp_path}: No matching distribution" in line
    assert installed.release() == before
    assert installed.listen(recording)


def test_an_interrupt_leaves_the_old_installation(
    installed: Home, unpacked: Path, recording: Path
) -> None:
    before = installed.release()
    argv = installed.argv(unpacked / "install.sh", "--python", sys.executable)
    with subprocess.Popen(
        argv, env=installed.environment(), stdout=subprocess.PIPE, start_new_session=True
    ) as running:
        assert running.stdout is not None
        ready, _, _ = select.select([running.stdout], [], [], PATIENCE_SECONDS)
        assert ready, "it said nothing"
        os.killpg(running.pid, signal.SIGINT)
        assert running.wait(PATIENCE_SECONDS) == 130
    assert installed.release() == before
    assert installed.listen(recording)


def test_settings_that_the_new_bundle_refuses_leave_the_old_installation(
    installed: Home, unpacked: Path
) -> None:
    before, text = installed.release(), installed.settings.read_text("utf-8")
    installed.settings.write_text(f"{text}\n[triggers.maybe]\non = 0.9\n", "utf-8")
    line = refusal(installed.install(unpacked), REFUSED)
    number = text.count("\n") + 2
    assert f'{installed.settings}:{number}: triggers."maybe": the bundle has no command' in line
    assert installed.release() == before
    installed.settings.write_text(text, "utf-8")


def test_a_second_run_upgrades_and_keeps_the_settings(
    installed: Home, unpacked: Path, recording: Path
) -> None:
    before, text = installed.release(), installed.settings.read_text("utf-8")
    edited = f'{text}\n[[commands]]\nlabel = "yes"\nsink = "stdout"\n'
    installed.settings.write_text(edited, "utf-8")
    done = installed.install(unpacked, "--no-start", namespaces=False)
    assert done.returncode == 0, done.stderr
    assert "(kept; " in done.stdout
    assert "this kernel gives users no namespaces" in done.stdout
    kept, left_out = "NoNewPrivileges=yes", "PrivateUsers=yes CapabilityBoundingSet ProtectSystem"
    unit = installed.unit.read_text()
    assert kept in unit
    assert not [name for name in left_out.split() if name in unit]
    assert unit.endswith("\n[Install]\nWantedBy=default.target\n")
    assert installed.release() != before
    assert installed.settings.read_text("utf-8") == edited
    assert installed.listen(recording)


def test_uninstall_removes_all_but_the_settings_and_purge_those_too(installed: Home) -> None:
    foreign = installed.command.with_name("other")
    foreign.write_text("not ours")
    done = installed.sh(installed.prefix / "current" / "install.sh", "--uninstall")
    assert done.returncode == 0, done.stderr
    assert list(installed.prefix.iterdir()) == [installed.settings]
    assert not installed.unit.exists()
    assert list(installed.command.parent.iterdir()) == [foreign]
    assert "--purge removes it too" in done.stdout


@pytest.mark.parametrize(
    ("args", "code", "words"),
    [
        (("--nonsense",), USAGE, "unknown option --nonsense; see --help"),
        (("--prefix",), USAGE, "--prefix needs a value"),
        (("--prefix", "/tmp/a b"), USAGE, "without spaces"),
        (("--uninstall",), 1, "nothing is installed there"),
        (("--python", "/no/such/python"), NOT_THIS_PYTHON, "/no/such/python does not run"),
    ],
)
def test_what_cannot_be_followed_is_one_clear_line(
    unpacked: Path, home: Home, args: tuple[str, ...], code: int, words: str
) -> None:
    assert words in refusal(home.sh(unpacked / "install.sh", *args), code)
    assert not home.path.exists()


def test_help_costs_nothing(unpacked: Path, home: Home) -> None:
    done = home.sh(unpacked / "install.sh", "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert "--wheelhouse DIR" in done.stdout


def change_a_byte(path: Path) -> None:
    data = path.read_bytes()
    path.write_bytes(data[:100] + bytes([data[100] ^ 1]) + data[101:])


@pytest.mark.parametrize("name", ["model.onnx", "install.conf", "SHA256SUMS", "wheelhouse"])
@pytest.mark.parametrize("damage", [change_a_byte, Path.unlink])
def test_a_damaged_archive_is_refused_at_once(
    unpacked: Path, home: Home, tmp_path: Path, name: str, damage: Callable[[Path], None]
) -> None:
    copy = Path(shutil.copytree(unpacked, tmp_path / "copy", copy_function=os.link))
    path = next((copy / name).glob("msgspec*")) if name == "wheelhouse" else copy / name
    data = path.read_bytes()
    path.unlink()
    path.write_bytes(data)
    damage(path)
    line = refusal(home.install(copy), DAMAGED)
    assert str(copy) in line
    assert "copy it again" in line
    assert not home.path.exists()


def test_another_architecture_is_refused_at_once(home: Home, tmp_path: Path) -> None:
    line = refusal(home.install(unpack(tmp_path, target="rpi", python="3.13")), NOT_THIS_BOARD)
    assert "for aarch64 (Raspberry Pi" in line
    assert "this machine is x86_64" in line
    assert not home.path.exists()


def test_another_python_is_refused_at_once(home: Home, tmp_path: Path) -> None:
    line = refusal(home.install(unpack(tmp_path, python=OTHER)), NOT_THIS_PYTHON)
    assert f"for Python {OTHER}, but {sys.executable} is {HERE}" in line
    assert f"apt-get install python{OTHER} python{OTHER}-venv" in line
    assert not home.path.exists()


def test_a_python_without_venv_is_refused_at_once(
    unpacked: Path, home: Home, tmp_path: Path
) -> None:
    """As Debian ships it: the interpreter is there, ensurepip is a package of its own."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "bare"], check=True)
    (site,) = (tmp_path / "bare" / "lib").glob("python*/site-packages")
    (site / "sitecustomize.py").write_text('import sys; sys.modules["ensurepip"] = None\n')
    python = tmp_path / "bare" / "bin" / "python"
    line = refusal(home.sh(unpacked / "install.sh", "--python", python), NO_VENV)
    assert "apt-get install python3-venv" in line
    assert not home.path.exists()


def test_two_at_once_do_not_meet(unpacked: Path, home: Home) -> None:
    home.prefix.mkdir(parents=True)
    with (home.prefix / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        line = refusal(home.install(unpacked), 1)
    assert "another install.sh is running" in line


def test_the_script_is_plain_sh(unpacked: Path) -> None:
    """As shellcheck sees it, where that is installed; CI installs it."""
    if shutil.which("shellcheck") is None:
        lacking("needs the Debian package shellcheck")
    done = subprocess.run(
        ["shellcheck", unpacked / "install.sh"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout
