"""The process in which eSpeak NG speaks: it answers on stdout what is asked on stdin.

A question is one line of JSON, an answer a struct `ANSWER` (return code, bytes) and so many bytes
of int16 samples. The first answer comes unasked: the sample rate as its code, and the folder of
the voice data. The library keeps global state and now and then reads what it never wrote, so that
it falls silent or crashes; here that hurts nobody.
"""

import ctypes
import json
import os
import signal
import struct
import sys
from typing import Any, BinaryIO, Final

ANSWER: Final = struct.Struct("<iI")
NO_LIBRARY: Final = 3
"""Exit code where there is no eSpeak NG."""
NO_VOICE: Final = 1000
"""Return code for an unknown voice; the library's own are small."""

_SYNCHRONOUS: Final = 2  # espeak_AUDIO_OUTPUT: espeak_Synth returns when all has been spoken
_DONT_EXIT: Final = 0x8000  # a missing data file is a return code, not exit()
_UTF8: Final = 1
_RATE, _PITCH, _RANGE = 1, 3, 4  # espeak_PARAMETER
_LONGEST_PATH: Final = 140  # eSpeak NG 1.51 and 1.52 keep the data path in 160 bytes
_Callback = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p
)


class Voice:
    """The library and what it has said so far."""

    def __init__(self) -> None:
        """Load it; OSError where there is none."""
        self._library, data = _load_library()
        self.rate = int(self._library.espeak_Initialize(_SYNCHRONOUS, 0, data, _DONT_EXIT))
        self._said = bytearray()
        self._callback = _Callback(self._collect)
        self._library.espeak_SetSynthCallback(self._callback)

    def data_folder(self) -> bytes:
        """Return where its voices lie, by a path that another process can follow."""
        folder = ctypes.c_char_p()
        self._library.espeak_Info.restype = ctypes.c_char_p
        self._library.espeak_Info(ctypes.byref(folder))
        return os.path.realpath(folder.value or b"")

    def say(self, voice: str, text: str, settings: tuple[int, int, int]) -> tuple[int, bytes]:
        """Return (0, samples), or (not 0, nothing); an empty text only chooses the voice."""
        if self._library.espeak_SetVoiceByName(voice.encode()):
            return NO_VOICE, b""
        for parameter, value in zip((_RATE, _PITCH, _RANGE), settings, strict=True):
            self._library.espeak_SetParameter(parameter, value, 0)
        self._said.clear()
        encoded = text.encode() + b"\0"
        code = 0
        if text:
            code = self._library.espeak_Synth(encoded, len(encoded), 0, 1, 0, _UTF8, None, None)
        return code, b"" if code else bytes(self._said)

    def _collect(self, samples: Any, count: int, _events: int | None) -> int:
        if samples and count > 0:
            self._said += ctypes.string_at(samples, 2 * count)
        return 0


def serve(questions: BinaryIO, answers: BinaryIO) -> int:
    """Answer until there are no more questions; return the exit code."""
    try:
        voice = Voice()
    except OSError:
        return NO_LIBRARY
    _answer(answers, voice.rate, voice.data_folder())
    for line in questions:
        asked = json.loads(line)
        _answer(answers, *voice.say(asked["voice"], asked["text"], tuple(asked["settings"])))
    return 0


def _answer(answers: BinaryIO, code: int, data: bytes) -> None:
    answers.write(ANSWER.pack(code, len(data)) + data)
    answers.flush()


def _load_library() -> tuple[ctypes.CDLL, bytes | None]:
    """Return the library and its data path; None stands for the path compiled into it."""
    try:
        import espeakng_loader

        library = ctypes.CDLL(espeakng_loader.get_library_path())
        return library, _short_path(espeakng_loader.get_data_path())
    except (ImportError, OSError):
        return ctypes.CDLL("libespeak-ng.so.1"), None


def _short_path(path: str) -> bytes:
    """Return the path, or through an open descriptor one that fits the library's buffer."""
    if len(os.fsencode(path)) <= _LONGEST_PATH:
        return os.fsencode(path)
    return f"/proc/self/fd/{os.open(path, os.O_RDONLY | os.O_DIRECTORY)}".encode()


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the one who asks
    sys.exit(serve(sys.stdin.buffer, sys.stdout.buffer))
