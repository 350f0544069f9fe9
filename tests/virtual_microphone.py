"""A microphone without a sound card: PulseAudio in user space, recorded where it is played to.

The fixture is there for every test in tests/e2e. The Debian packages that it needs are those of
`PACKAGES`; where they are missing, a test fails in CI (CI is set, or EDGEKWS_REQUIRE_MICROPHONE=1)
and is skipped on a maker's machine.
"""

import contextlib
import os
import select
import shutil
import subprocess
import tempfile
import time
import wave
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import numpy as np
import pytest

from edgekws.audio.decode import read_audio
from edgekws.events import Pcm
from tests.needs import lacking

RATE: Final = 16_000
PACKAGES: Final = "portaudio19-dev gcc python3-dev pulseaudio pulseaudio-utils libasound2-plugins"
PROGRAMS: Final = ("pulseaudio", "pactl", "paplay")
SECONDS: Final = 30  # for every wait below: far more than any of them takes
ASOUNDRC: Final = """\
pcm.!default { type pulse }
ctl.!default { type pulse }
pcm.kitchen { type pulse device kws.monitor }
"""
"""The default device, and a second one by the name of "kitchen", are the same microphone.

When another microphone is there in its place, "mic:kitchen" is not to hear it.
"""


@dataclass(frozen=True, slots=True)
class VirtualMicrophone:
    """What is played into it, a program run with `environment` hears on "mic:" and "mic:kitchen".

    The first audio reaches the program up to 2 s after it opens the device, and what was played
    before is lost: hence the lead of silence.
    """

    environment: Mapping[str, str]
    folder: Path
    server: subprocess.Popen[bytes]

    def play(self, audio: Path | Pcm, *, lead_seconds: float = 2.0) -> None:
        """Play a file, or (n,) int16 at 16 kHz, behind silence, in real time, to its end."""
        pcm = read_audio(audio, sample_rate=RATE) if isinstance(audio, Path) else audio
        lead = np.zeros(int(lead_seconds * RATE), np.int16)
        path = write_wav(self.folder / "played.wav", np.concatenate((lead, pcm)))
        # With 20 ms of latency instead of 200 a loaded machine glitches, with no flag set.
        self._run("paplay", "--latency-msec=200", str(path))

    def wait_for_listener(self) -> None:
        """Return once a program records from the microphone."""
        deadline = time.monotonic() + SECONDS
        with self._events() as events:
            assert events.stdout is not None
            try:
                while not self._run("pactl", "list", "short", "source-outputs"):
                    assert time.monotonic() < deadline, "no program has opened the microphone"
                    if select.select([events.stdout], [], [], 0.2)[0]:
                        os.read(events.stdout.fileno(), 4096)
            finally:
                events.terminate()

    @contextlib.contextmanager
    def room_noise(self) -> Iterator[None]:
        """Play the faint noise that every real microphone gives, for as long as it is there."""
        noise = np.random.default_rng(0).integers(-20, 20, RATE * 600).astype(np.int16)
        path = write_wav(self.folder / "noise.wav", noise)
        player = subprocess.Popen(
            ["paplay", "--latency-msec=200", str(path)],
            env=dict(self.environment),
            stderr=subprocess.DEVNULL,
        )
        try:
            yield
        finally:
            player.terminate()
            player.wait(SECONDS)

    def unplug(self) -> None:
        """Take the microphone away; the sound system goes on."""
        self._run("pactl", "unload-module", "module-null-sink")

    def plug_in(self, name: str = "kws") -> None:
        """Put a microphone of a name there, which then is the default one."""
        self._run("pactl", "load-module", "module-null-sink", *sink(name).split())
        self._run("pactl", "set-default-source", f"{name}.monitor")

    def mute(self) -> None:
        """Have the sound system give zeros in place of the sound."""
        self._run("pactl", "set-source-mute", "kws.monitor", "1")

    def unmute(self) -> None:
        """Give the sound again."""
        self._run("pactl", "set-source-mute", "kws.monitor", "0")

    def end_server(self) -> None:
        """End the whole sound system."""
        self.server.terminate()
        self.server.wait(SECONDS)

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + SECONDS
        while self._try("pactl", "set-default-source", "kws.monitor").returncode:
            assert time.monotonic() < deadline, "PulseAudio does not answer"
            with contextlib.suppress(subprocess.TimeoutExpired):
                pytest.fail(f"PulseAudio ended with code {self.server.wait(timeout=0.05)}")

    def _events(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            ["pactl", "subscribe"],
            env=dict(self.environment),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )

    def _run(self, *command: str) -> str:
        done = self._try(*command)
        assert done.returncode == 0, f"{' '.join(command)}: {done.stderr.strip()}"
        return done.stdout

    def _try(self, *command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command,
            env=dict(self.environment),
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )


@pytest.fixture
def virtual_microphone() -> Iterator[VirtualMicrophone]:
    """A microphone of this test's own; ends what it starts."""
    require_programs()
    with open_microphone() as microphone:
        yield microphone


@contextlib.contextmanager
def open_microphone() -> Iterator[VirtualMicrophone]:
    """Start a sound system of its own with a microphone in it, and end it afterwards."""
    with tempfile.TemporaryDirectory(prefix="edgekws-mic-") as name:  # short: it holds a socket
        folder = Path(name)
        for part in ("runtime", "home"):
            (folder / part).mkdir(mode=0o700)
        (folder / "home" / ".asoundrc").write_text(ASOUNDRC)
        environment = _environment(folder)
        microphone = VirtualMicrophone(environment, folder, _start_server(environment))
        try:
            microphone._wait_until_ready()
            yield microphone
        finally:
            microphone.end_server()


def sink(name: str) -> str:
    return f"sink_name={name} rate={RATE} channels=1 format=s16le"


def probe(*, seconds: float, seed: int) -> Pcm:
    """Return noise without a zero in it, so that it can be found again to the sample."""
    noise = np.random.default_rng(seed).integers(1, 8_000, int(seconds * RATE))
    return noise.astype(np.int16)


def _start_server(environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
    socket = environment["PULSE_SERVER"].removeprefix("unix:")
    return subprocess.Popen(
        [
            "pulseaudio",
            "-n",
            "--daemonize=no",
            "--exit-idle-time=300",  # should nobody be left to end it
            "-L",
            f"module-native-protocol-unix auth-anonymous=1 socket={socket}",
            "-L",
            f"module-null-sink {sink('kws')}",
        ],
        env=dict(environment),
        stderr=subprocess.DEVNULL,
    )


def write_wav(path: Path, pcm: Pcm) -> Path:
    """Write (n,) int16 as a plain 16 kHz WAV."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(pcm.astype("<i2", copy=False).tobytes())
    return path


def _environment(folder: Path) -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("PULSE_", "ALSA_", "DBUS_"))}
    return kept | {
        "HOME": str(folder / "home"),
        "XDG_RUNTIME_DIR": str(folder / "runtime"),
        "PULSE_SERVER": f"unix:{folder}/runtime/native",
    }


def require_programs() -> None:
    missing = [name for name in PROGRAMS if shutil.which(name) is None]
    if find_spec("pyaudio") is None:
        missing.append("pyaudio (pip install 'edgekws[mic]')")
    if not missing:
        return
    reason = f"missing: {', '.join(missing)}; apt install {PACKAGES}"
    if os.environ.get("EDGEKWS_REQUIRE_MICROPHONE") == "1":
        pytest.fail(reason)
    lacking(reason)
