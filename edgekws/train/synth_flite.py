"""Flite's English voices through its program: other people than eSpeak NG's, free to use.

Debian's package `flite` brings program and voices, which are licensed much like the BSDs.
"""

import shutil
import subprocess
import tempfile
import wave
from pathlib import Path
from typing import Final

import numpy as np

from edgekws.errors import DataError, MissingExtraError
from edgekws.events import Floats, Pcm
from edgekws.train.synth import PLAIN, USUAL_RATE_WPM, Delivery, finish

HERTZ: Final = {"awb": 133.0, "kal16": 100.0, "rms": 107.0, "slt": 187.0}
"""The voices that speak at 16 kHz, and the pitch that each has by itself (measured)."""

_PATIENCE_SECONDS: Final = 60.0  # a word takes 0.03 s


class FliteSynthesizer:
    """Says English texts in a voice such as "en+slt"; `rms` keeps its own pitch.

    Raises MissingExtraError where the program is not on PATH, DataError for voices it has not.
    """

    def __init__(self, voices: tuple[str, ...] = ()) -> None:
        self._program = shutil.which("flite") or ""
        if not self._program:
            raise MissingExtraError("no program flite on PATH: on Debian, apt-get install flite")
        if strange := [voice for voice in voices if voice not in HERTZ]:
            raise DataError(f"Flite has no voice {strange[0]!r}; there is {', '.join(HERTZ)}")
        self._names = voices or tuple(HERTZ)

    def voices(self, language: str) -> tuple[str, ...]:
        """Return its voices of a language, of which only English has any."""
        if language.partition("-")[0] != "en":
            raise DataError(f"Flite has no voice of {language!r}, it speaks en; take espeak")
        return tuple(f"en+{name}" for name in self._names)

    def say(self, text: str, *, voice: str, delivery: Delivery = PLAIN) -> Pcm:
        """Return (n,) int16 at 16 kHz; DataError for an unknown voice or an unspeakable text."""
        name = voice.partition("+")[2]
        if name not in self._names:
            raise DataError(
                f"Flite has no voice {voice!r}; there is {', '.join(self.voices('en'))}"
            )
        with tempfile.TemporaryDirectory(prefix="edgekws-flite-") as folder:
            path = Path(folder) / "said.wav"
            self._run(text, name, delivery, path)
            x, rate = _read(path)
        return finish(x, rate, text, voice=voice, delivery=delivery)

    def _run(self, text: str, name: str, delivery: Delivery, path: Path) -> None:
        hertz = HERTZ[name] * 2 ** ((delivery.pitch - 50) / 75)
        settings = (
            f"duration_stretch={USUAL_RATE_WPM / delivery.rate_wpm:.4f}",
            f"int_f0_target_mean={hertz:.1f}",
            f"int_f0_target_stddev={0.3 * delivery.pitch_range:.1f}",
        )
        flags = [flag for setting in settings for flag in ("--setf", setting)]
        try:
            subprocess.run(
                [self._program, "-voice", name, *flags, "-t", text, "-o", str(path)],
                check=True,
                capture_output=True,
                timeout=_PATIENCE_SECONDS,
            )
        except (OSError, subprocess.SubprocessError) as fault:
            raise DataError(f"Flite could not say {text!r} ({fault}); run flite by hand") from fault


def _read(path: Path) -> tuple[Floats, int]:
    """Return (n,) float32 samples in [-1, 1] and their rate."""
    try:
        with wave.open(str(path)) as file:
            pcm = np.frombuffer(file.readframes(file.getnframes()), "<i2")
            return pcm.astype(np.float32) / np.float32(32768), file.getframerate()
    except (OSError, EOFError, wave.Error) as fault:
        raise DataError(f"Flite wrote no WAV file ({fault}); run flite by hand") from fault
