"""Synthesizes words in many voices through eSpeak NG's library, for demos, tests and `_unknown_`.

The library comes with the wheel espeakng-loader or from the system (libespeak-ng.so.1). It is
licensed GPL-3.0-or-later and is loaded only where speech is made, never on the device.
"""

import ctypes
import math
import os
import wave
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from edgekws.errors import DataError, MissingExtraError
from edgekws.events import Pcm
from edgekws.train.interrupts import interrupts_kept_back

SAMPLE_RATE: Final = 16_000
VARIANTS: Final = (
    *("m1", "m2", "m3", "m4", "m5", "m6", "m7", "m8", "f1", "f2", "f3", "f4", "f5"),
    *("adam", "Alex", "Alicia", "Andrea", "Andy", "anika", "antonio", "aunty", "belinda"),
    *("benjamin", "boris", "caleb", "david", "ed", "edward", "grandma", "grandpa", "gustave"),
    *("ian", "iven", "john", "linda", "marcelo", "Marco", "Mario", "max", "Michael", "michel"),
    *("miguel", "Mike", "norbert", "pablo", "paul", "pedro", "quincy", "rob", "robert"),
    *("sandro", "shelby", "steph", "travis", "victor", "zac"),
)
"""eSpeak NG's voice variants that sound like a person; each counts as one speaker."""

_SYNCHRONOUS: Final = 2  # espeak_AUDIO_OUTPUT: espeak_Synth returns when all has been spoken
_DONT_EXIT: Final = 0x8000  # a missing data file is a return code, not exit()
_UTF8: Final = 1
_RATE, _PITCH, _RANGE = 1, 3, 4  # espeak_PARAMETER
_LONGEST_PATH: Final = 140  # eSpeak NG 1.51 and 1.52 keep the data path in 160 bytes
_PIP_LINE: Final = "pip install 'edgekws[synth]' (or on Debian: apt-get install libespeak-ng1)"
_Callback = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p
)


@dataclass(frozen=True, slots=True)
class Delivery:
    """How something is said; the defaults are eSpeak NG's own."""

    rate_wpm: int = 175
    """Words per minute, 80 to 450."""
    pitch: int = 50
    """0 to 99."""
    pitch_range: int = 50
    """Intonation: 0 (monotone) to 99."""
    tract: float = 1.0
    """All frequencies times this: above 1 a shorter vocal tract, and faster speech."""
    peak_db: float = -6.0
    """The loudest sample, in dB of full scale."""


class Synthesizer:
    """Says a text in a voice such as "cmn+f3" (language "cmn", variant "f3").

    The library has global state. `say` sets voice and delivery anew at each call, so several
    synthesizers may live in one process (and one thread), but phases of its oscillators carry over:
    the same calls in the same order from a fresh process give the same samples, a repeated call
    gives the same word with other samples. MissingExtraError where there is no library.
    """

    def __init__(self) -> None:
        try:
            import soxr
        except ImportError as fault:
            raise MissingExtraError(f"speech synthesis needs soxr: {_PIP_LINE}") from fault
        self._resample: Any = soxr.resample
        self._library, data = _load_library()
        self._rate = int(self._library.espeak_Initialize(_SYNCHRONOUS, 0, data, _DONT_EXIT))
        if self._rate <= 0:
            raise MissingExtraError(f"eSpeak NG found no voice data: {_PIP_LINE}")
        self._variants = _data_folder(self._library) / "voices" / "!v"
        self._pieces: list[NDArray[np.int16]] = []
        self._callback = _Callback(self._collect)

    def voices(self, language: str) -> tuple[str, ...]:
        """Return the voices of a language, one per variant that is installed."""
        self._set_voice(language)
        return tuple(f"{language}+{v}" for v in VARIANTS if (self._variants / v).is_file())

    def say(self, text: str, *, voice: str, delivery: Delivery = Delivery()) -> Pcm:
        """Return (n,) int16 at 16 kHz; DataError for an unknown voice or an unspeakable text."""
        self._set_voice(voice)
        for parameter, value in (
            (_RATE, delivery.rate_wpm),
            (_PITCH, delivery.pitch),
            (_RANGE, delivery.pitch_range),
        ):
            self._library.espeak_SetParameter(parameter, value, 0)
        x = self._speak(text).astype(np.float32) / 32768  # (n,) at the voice's own rate
        if not len(x) or not x.any():
            raise DataError(f"voice {voice} says nothing for {text!r}; give it words")
        x = self._resample(x, self._rate * delivery.tract, SAMPLE_RATE)
        gain = 10 ** (delivery.peak_db / 20) / float(np.abs(x).max())
        pcm: Pcm = np.round(x * (gain * 32767)).astype(np.int16)
        return pcm

    def _set_voice(self, voice: str) -> None:
        variant = voice.partition("+")[2]
        unknown = variant and not (self._variants / variant).is_file()
        if unknown or self._library.espeak_SetVoiceByName(voice.encode()):
            raise DataError(
                f"eSpeak NG has no voice {voice!r}; a voice is a language such as en, cmn or de, "
                "with or without +variant, such as cmn+f3"
            )

    def _speak(self, text: str) -> NDArray[np.int16]:
        encoded = text.encode() + b"\0"
        self._pieces.clear()
        self._library.espeak_SetSynthCallback(self._callback)
        with interrupts_kept_back():  # raised inside of its callback, ctypes would swallow it
            failed = self._library.espeak_Synth(encoded, len(encoded), 0, 1, 0, _UTF8, None, None)
        if failed:
            raise DataError(f"eSpeak NG could not say {text!r} (code {failed})")
        return np.concatenate([np.zeros(0, np.int16), *self._pieces])

    def _collect(self, samples: Any, count: int, _events: int | None) -> int:
        if samples and count > 0:
            self._pieces.append(np.ctypeslib.as_array(samples, (count,)).copy())
        return 0


def synthesize_words(
    texts: Iterable[str],
    language: str,
    *,
    takes: int,
    seed: int,
    variants: Sequence[str] = VARIANTS,
    synthesizer: Synthesizer | None = None,
) -> Iterator[tuple[str, Pcm]]:
    """Yield (speaker, pcm) for each text in each of so many takes, every take in another voice.

    The speaker is named for the voice, e.g. "cmn-f3", so that a split by speaker is possible; with
    more takes than voices a voice speaks again in another delivery. Reproducible by its seed.
    """
    synthesizer = synthesizer or Synthesizer()
    rng = np.random.default_rng(seed)
    installed = [v for v in synthesizer.voices(language) if v.partition("+")[2] in variants]
    if not installed:
        raise DataError(f"eSpeak NG has none of the variants {', '.join(variants)}; see VARIANTS")
    texts = list(texts)
    order = rng.permutation(len(installed))
    for take in range(takes):
        voice = installed[order[take % len(order)]]
        for text in texts:
            yield voice.replace("+", "-"), synthesizer.say(text, voice=voice, delivery=_draw(rng))


def write_takes(folder: Path, takes: Iterable[tuple[str, Pcm]]) -> int:
    """Write folder/<speaker>_nohash_<n>.wav for every take, as `adapt` reads them; return how many.

    n counts on from the takes of that speaker that are there already.
    """
    folder.mkdir(parents=True, exist_ok=True)
    before = len(list(folder.glob("*_nohash_*.wav")))
    for speaker, pcm in takes:
        n = len(list(folder.glob(f"{speaker}_nohash_*.wav")))
        write_wav(folder / f"{speaker}_nohash_{n}.wav", pcm)
    return len(list(folder.glob("*_nohash_*.wav"))) - before


def write_wav(path: Path, pcm: Pcm) -> None:
    """Write (n,) int16 as a 16 kHz mono WAV file."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE)
        file.writeframes(pcm.astype("<i2").tobytes())


def _draw(rng: np.random.Generator) -> Delivery:
    return Delivery(
        rate_wpm=int(rng.integers(130, 215)),
        pitch=int(rng.integers(25, 80)),
        pitch_range=int(rng.integers(20, 80)),
        tract=math.exp(rng.normal(0.0, 0.04)),
        peak_db=float(rng.uniform(-15.0, -1.0)),
    )


def _load_library() -> tuple[ctypes.CDLL, bytes | None]:
    """Return the library and its data path; None stands for the path compiled into it."""
    try:
        import espeakng_loader

        library = ctypes.CDLL(espeakng_loader.get_library_path())
        return library, _short_path(espeakng_loader.get_data_path())
    except (ImportError, OSError):
        try:
            return ctypes.CDLL("libespeak-ng.so.1"), None
        except OSError as fault:
            raise MissingExtraError(f"speech synthesis needs eSpeak NG: {_PIP_LINE}") from fault


def _short_path(path: str) -> bytes:
    """Return the path, or through an open descriptor one that fits the library's buffer."""
    if len(os.fsencode(path)) <= _LONGEST_PATH:
        return os.fsencode(path)
    return f"/proc/self/fd/{os.open(path, os.O_RDONLY | os.O_DIRECTORY)}".encode()


def _data_folder(library: ctypes.CDLL) -> Path:
    folder = ctypes.c_char_p()
    library.espeak_Info.restype = ctypes.c_char_p
    library.espeak_Info(ctypes.byref(folder))
    return Path(os.fsdecode(folder.value or b""))
