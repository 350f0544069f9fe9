"""The C of firmware_bridge/, built for this machine and driven through ctypes."""

import ctypes
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest

from tests.firmware_tools import FIRMWARE, run, tool

WARNINGS: Final = (
    "-std=c99",
    "-Wall",
    "-Wextra",
    "-Wconversion",
    "-Wshadow",
    "-pedantic",
    "-Werror",
)
INCLUDES: Final = [f"-I{FIRMWARE / 'include'}", f"-I{FIRMWARE / 'generated'}"]
SOURCES: Final = tuple(sorted((FIRMWARE / "src").glob("*.c")))
MAX_WIRE: Final = 82
LABELS_HASH: Final = 0xC0FFEE
TIMEOUT_MS: Final = 700
SAFE: Final = {0: 0, 3: 9}
"""The safe state of the test's board: value by output."""

_u8, _u16, _u32, _i32 = ctypes.c_uint8, ctypes.c_uint16, ctypes.c_uint32, ctypes.c_int32
_int, _void_p, _size = ctypes.c_int, ctypes.c_void_p, ctypes.c_size_t


class CHeader(ctypes.Structure):
    _fields_ = (
        ("version", _u8),
        ("type", _u8),
        ("flags", _u8),
        ("sequence", _u8),
        ("session", _u32),
        ("command", _u32),
        ("length", _u8),
    )


class CCommand(ctypes.Structure):
    _fields_ = (
        ("label", _u16),
        ("score", _u16),
        ("time_to_live_ms", _u16),
        ("age_ms", _u16),
        ("argument", _i32),
    )


class COutput(ctypes.Structure):
    _fields_ = (("output", _u8), ("value", _u16))


Write = ctypes.CFUNCTYPE(_int, _void_p, ctypes.POINTER(_u8), _size)
Execute = ctypes.CFUNCTYPE(_int, _void_p, ctypes.POINTER(CCommand))
Drive = ctypes.CFUNCTYPE(None, _void_p, _u8, _u16)
Outputs = ctypes.CFUNCTYPE(_u32, _void_p)
Event = ctypes.CFUNCTYPE(None, _void_p, _int, _u32)


class CConfig(ctypes.Structure):
    _fields_ = (
        ("labels_hash", _u32),
        ("label_count", _u16),
        ("timeout_ms", _u16),
        ("build", _u32),
        ("safe", ctypes.POINTER(COutput)),
        ("safe_count", _u8),
        ("context", _void_p),
        ("write", Write),
        ("execute", Execute),
        ("drive", Drive),
        ("outputs", Outputs),
        ("event", Event),
    )


@pytest.fixture(scope="session")
def c_library(tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    """The library with `sizeof(struct ekws_link)` beside it."""
    folder = tmp_path_factory.mktemp("bridge")
    size = folder / "size.c"
    size.write_text(
        '#include "ekws_bridge.h"\nunsigned link_size(void);\n'
        "unsigned link_size(void) { return (unsigned)sizeof(struct ekws_link); }\n"
    )
    library = folder / "bridge.so"
    flags = [*WARNINGS, "-O1", "-g", "-fPIC", "-shared", *INCLUDES]
    run([tool("gcc"), *flags, "-o", library, *SOURCES, size])
    return load_library(library)


def load_library(path: Path) -> ctypes.CDLL:
    library = ctypes.CDLL(str(path))
    library.ekws_init.argtypes = (_void_p, _void_p, _u32, _u32)
    library.ekws_feed.argtypes = (_void_p, ctypes.c_char_p, _size, _u32)
    library.ekws_poll.argtypes = (_void_p, _u32)
    library.ekws_is_up.argtypes = (_void_p,)
    library.ekws_encode.argtypes = (_void_p, _void_p, ctypes.c_char_p)
    library.ekws_decode.argtypes = (_void_p, _size, _void_p, _void_p)
    return library


class CBoard:
    """A board that runs the C library: what it sends, executes and drives is there to look at.

    `answer` is what `execute` returns for a command, `boots` what the first start counts.
    """

    def __init__(self, library: ctypes.CDLL, *, boots: int = 1, **changes: Any) -> None:
        self._library = library
        self._link = ctypes.create_string_buffer(library.link_size())
        self._safe = (COutput * len(SAFE))(*SAFE.items())
        self._config = CConfig(
            labels_hash=LABELS_HASH,
            label_count=12,
            timeout_ms=TIMEOUT_MS,
            build=7,
            safe=self._safe,
            safe_count=len(SAFE),
            write=Write(self._write),
            execute=Execute(self._execute),
            drive=Drive(self._drive),
            outputs=Outputs(lambda _: sum(1 << i for i, on in self.outputs.items() if on)),
            event=Event(lambda _, event, detail: self.events.append((event, detail))),
        )
        for name, value in changes.items():
            setattr(self._config, name, value)
        self.answer: Callable[[int, int], int] = lambda _label, _argument: 0
        self.executed: list[tuple[int, int]] = []
        """(label, argument) of every command carried out, over all boots."""
        self.outputs: dict[int, int] = {}
        self.events: list[tuple[int, int]] = []
        self.deaf = False
        self._out = bytearray()
        self.boots = boots
        """What the next start counts."""

    def boot(self, now_ms: int) -> int:
        """Start the board, or start it again: it remembers nothing."""
        self._out.clear()
        boots, self.boots = self.boots, self.boots + 1
        return int(self._library.ekws_init(self._link, ctypes.byref(self._config), boots, now_ms))

    def feed(self, data: bytes, now_ms: int) -> int:
        return int(self._library.ekws_feed(self._link, data, len(data), now_ms % 2**32))

    def poll(self, now_ms: int) -> int:
        return int(self._library.ekws_poll(self._link, now_ms % 2**32))

    @property
    def up(self) -> bool:
        return bool(self._library.ekws_is_up(self._link))

    def take_output(self) -> bytes:
        data = bytes(self._out)
        self._out.clear()
        return data

    def _write(self, _context: int, data: Any, count: int) -> int:
        if self.deaf:
            return -1
        self._out += bytes(data[:count])
        return 0

    def _execute(self, _context: int, command: Any) -> int:
        label, argument = command.contents.label, command.contents.argument
        result = self.answer(label, argument)
        if result == 0:
            self.executed.append((label, argument))
            self.outputs[label % 32] = argument
        return result

    def _drive(self, _context: int, output: int, value: int) -> None:
        self.outputs[output] = value
