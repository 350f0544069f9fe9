"""eSpeak NG's voices through its library: a hundred languages, some sixty variants of each.

The library comes with the wheel espeakng-loader or from the system (libespeak-ng.so.1). It is
licensed GPL-3.0-or-later and is loaded only where speech is made, never on the device.
"""

import ctypes
import os
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from edgekws.errors import DataError, MissingExtraError
from edgekws.events import Floats, Pcm
from edgekws.train.interrupts import interrupts_kept_back
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

_SYNCHRONOUS: Final = 2  # espeak_AUDIO_OUTPUT: espeak_Synth returns when all has been spoken
_DONT_EXIT: Final = 0x8000  # a missing data file is a return code, not exit()
_UTF8: Final = 1
_RATE, _PITCH, _RANGE = 1, 3, 4  # espeak_PARAMETER
_LONGEST_PATH: Final = 140  # eSpeak NG 1.51 and 1.52 keep the data path in 160 bytes
_PIP_LINE: Final = "pip install 'edgekws[synth]' (or on Debian: apt-get install libespeak-ng1)"
_Callback = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p
)


class EspeakSynthesizer:
    """Says a text in a voice such as "cmn+f3" (language "cmn", variant "f3").

    The library has global state. `say` sets voice and delivery anew at each call, so several
    synthesizers may live in one process (and one thread), but phases of its oscillators carry over:
    the same calls in the same order from a fresh process give the same samples, a repeated call
    gives the same word with other samples. MissingExtraError where there is no library.
    """

    def __init__(self, voices: tuple[str, ...] = ()) -> None:
        if strange := [voice for voice in voices if voice not in VARIANTS]:
            raise DataError(
                f"eSpeak NG has no variant {strange[0]!r}; there is {', '.join(VARIANTS)}"
            )
        self._names = voices or VARIANTS
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
        return tuple(f"{language}+{v}" for v in self._names if (self._variants / v).is_file())

    def say(self, text: str, *, voice: str, delivery: Delivery = PLAIN) -> Pcm:
        """Return (n,) int16 at 16 kHz; DataError for an unknown voice or an unspeakable text."""
        self._set_voice(voice)
        for parameter, value in (
            (_RATE, delivery.rate_wpm),
            (_PITCH, delivery.pitch),
            (_RANGE, delivery.pitch_range),
        ):
            self._library.espeak_SetParameter(parameter, value, 0)
        x: Floats = self._speak(text).astype(np.float32) / np.float32(32768)
        return finish(x, self._rate, text, voice=voice, delivery=delivery)

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
