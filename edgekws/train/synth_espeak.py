"""eSpeak NG's voices through its library: a hundred languages, some sixty variants of each.

The library comes with the wheel espeakng-loader or from the system (libespeak-ng.so.1). It is
licensed GPL-3.0-or-later and is loaded only where speech is made, in a process of its own, never
on the device.
"""

import json
import os
import subprocess
import sys
import weakref
from contextlib import suppress
from pathlib import Path
from typing import Final

import numpy as np

from edgekws.errors import DataError, MissingExtraError
from edgekws.events import Floats, Pcm
from edgekws.train.espeak_child import ANSWER, NO_VOICE
from edgekws.train.synth import PLAIN, Delivery, finish

VARIANTS: Final = (
    *("m1", "m2", "m3", "m4", "m5", "m6", "m7", "m8", "f1", "f2", "f3", "f4", "f5"),
    *("adam", "Alex", "Alicia", "Andrea", "Andy", "anika", "antonio", "aunty", "belinda"),
    *("benjamin", "boris", "caleb", "david", "ed", "edward", "grandma", "grandpa", "gustave"),
    *("ian", "iven", "john", "linda", "marcelo", "Marco", "Mario", "max", "Michael", "michel"),
    *("miguel", "Mike", "norbert", "pablo", "paul", "pedro", "quincy", "rob", "robert"),
    *("sandro", "shelby", "steph", "travis", "victor", "zac"),
)
"""eSpeak NG's voice variants that sound like a person; each counts as one speaker."""

_CHILD: Final = "edgekws.train.espeak_child"
_PIP_LINE: Final = "pip install 'edgekws[synth]' (or on Debian: apt-get install libespeak-ng1)"


class EspeakSynthesizer:
    """Says a text in a voice such as "cmn+f3" (language "cmn", variant "f3").

    Phases of the library's oscillators carry over from one text to the next: the same calls in the
    same order of a new synthesizer give the same samples, a repeated call gives the same word with
    other samples. MissingExtraError where there is no library.
    """

    def __init__(self, voices: tuple[str, ...] = ()) -> None:
        if strange := [voice for voice in voices if voice not in VARIANTS]:
            raise DataError(
                f"eSpeak NG has no variant {strange[0]!r}; there is {', '.join(VARIANTS)}"
            )
        self._names = voices or VARIANTS
        self._child = _Child()

    def voices(self, language: str) -> tuple[str, ...]:
        """Return the voices of a language, one per variant that is installed."""
        self._ask(language, "", PLAIN)
        return tuple(f"{language}+{v}" for v in self._names if self._child.has(v))

    def say(self, text: str, *, voice: str, delivery: Delivery = PLAIN) -> Pcm:
        """Return (n,) int16 at 16 kHz; DataError for an unknown voice or an unspeakable text."""
        x = self._ask(voice, text, delivery)
        if not x.any():  # of the text, or of the library's state: a new process knows
            self._child = _Child()
            x = self._ask(voice, text, delivery)
        return finish(x, self._child.rate, text, voice=voice, delivery=delivery)

    def _ask(self, voice: str, text: str, delivery: Delivery) -> Floats:
        """Return (n,) samples in [-1, 1] at the library's rate; none for the empty text."""
        variant = voice.partition("+")[2]
        if variant and not self._child.has(variant):
            raise _no_voice(voice)
        settings = (delivery.rate_wpm, delivery.pitch, delivery.pitch_range)
        question = json.dumps({"voice": voice, "text": text, "settings": settings})
        try:
            code, pcm = self._child.ask(question)
        except _DiedError:
            self._child = _Child()
            code, pcm = self._ask_again(question, f"{text!r} as {voice}")
        if code == NO_VOICE:
            raise _no_voice(voice)
        if code:
            raise DataError(f"eSpeak NG could not say {text!r} as {voice} (code {code})")
        return np.frombuffer(pcm, "<i2").astype(np.float32) / np.float32(32768)

    def _ask_again(self, question: str, what: str) -> tuple[int, bytes]:
        try:
            return self._child.ask(question)
        except _DiedError as died:
            raise DataError(
                f"eSpeak NG ended twice ({died}) when it said {what}; leave that out"
            ) from died


class _DiedError(Exception):
    """The child is gone; says how."""


class _Child:
    """The process that speaks; it ends with this object."""

    def __init__(self) -> None:
        """Start it; MissingExtraError where it finds no library or no voices."""
        self._process = subprocess.Popen(
            (sys.executable, "-m", _CHILD), stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        weakref.finalize(self, _end, self._process)
        try:
            self.rate, folder = self._answer()
        except _DiedError as died:
            raise MissingExtraError(f"speech synthesis needs eSpeak NG: {_PIP_LINE}") from died
        if self.rate <= 0:
            raise MissingExtraError(f"eSpeak NG found no voice data: {_PIP_LINE}")
        self._variants = Path(os.fsdecode(folder)) / "voices" / "!v"

    def has(self, variant: str) -> bool:
        """Whether such a voice variant is installed."""
        return (self._variants / variant).is_file()

    def ask(self, question: str) -> tuple[int, bytes]:
        """Return the code and the samples of an answer; _DiedError where none comes."""
        assert self._process.stdin is not None
        try:
            with suppress(BrokenPipeError):  # of a dead one, from which no answer comes either
                self._process.stdin.write(question.encode() + b"\n")
                self._process.stdin.flush()
            return self._answer()
        except BaseException:  # interrupted: what it still answers is for nobody
            self._process.kill()
            raise

    def _answer(self) -> tuple[int, bytes]:
        assert self._process.stdout is not None
        head = self._process.stdout.read(ANSWER.size)
        if len(head) == ANSWER.size:
            code, size = ANSWER.unpack(head)
            pcm = self._process.stdout.read(size)
            if len(pcm) == size:
                return code, pcm
        raise _DiedError(f"exit code {self._process.wait()}")


def _end(process: "subprocess.Popen[bytes]") -> None:
    """End a child by closing its questions, of which a dead one has read no more."""
    with suppress(BrokenPipeError), process:
        pass


def _no_voice(voice: str) -> DataError:
    return DataError(
        f"eSpeak NG has no voice {voice!r}; a voice is a language such as en, cmn or de, with or "
        "without +variant, such as cmn+f3"
    )
