"""The serial port that a board is on, found again by a pattern of its name."""

import errno
import math
import os
import select
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, Protocol

from edgekws.errors import MissingExtraError, SinkError

DEFAULT_BAUD: Final = 115_200
_READ_SIZE: Final = 4096
_WRITE_SECONDS: Final = 1.0  # a board that takes no bytes for so long is as good as gone


class Port(Protocol):
    """Bytes to and from a board. Every method but `wake` belongs to one thread.

    OSError from any of them says that the device is gone.
    """

    @property
    def name(self) -> str:
        """The device behind it."""
        ...

    def read(self, timeout_seconds: float) -> bytes:
        """Return what came, waiting at most so long for the first byte."""
        ...

    def write(self, data: bytes) -> None:
        """Send all of it."""
        ...

    def wake(self) -> None:
        """Make a waiting `read` return; from any thread."""
        ...

    def close(self) -> None:
        """Let go of the device."""
        ...


class SerialPort:
    """A port of pyserial, taken for itself alone.

    It waits by itself: pyserial would set the whole port up again for every other waiting time.
    """

    def __init__(self, name: str, baud: int) -> None:
        """Open the device; OSError if it is not there, not ours, or taken."""
        self._serial: Any = _open(name, baud)
        self.name: Final = name
        self._woken, self._wake = os.pipe()
        os.set_blocking(self._wake, False)
        self._waiting = select.poll()
        for each in (self._serial.fileno(), self._woken):
            self._waiting.register(each, select.POLLIN)

    def read(self, timeout_seconds: float) -> bytes:
        """Return what came; an OSError of pyserial's says that the device is gone."""
        ready = {each for each, _ in self._waiting.poll(math.ceil(timeout_seconds * 1000))}
        if self._woken in ready:
            os.read(self._woken, _READ_SIZE)
        return bytes(self._serial.read(_READ_SIZE)) if ready - {self._woken} else b""

    def write(self, data: bytes) -> None:
        """Send all of it."""
        self._serial.write(data)

    def wake(self) -> None:
        """Make a waiting `read` return."""
        with suppress(BlockingIOError):  # the pipe is full of it
            os.write(self._wake, b"w")

    def close(self) -> None:
        """Let go of the device; nobody may `wake` it any more."""
        self._serial.close()
        os.close(self._woken)
        os.close(self._wake)


def _open(name: str, baud: int) -> Any:
    try:
        return _pyserial().Serial(
            name, baud, timeout=0, write_timeout=_WRITE_SECONDS, exclusive=True
        )
    except OSError as error:
        if error.errno != errno.EWOULDBLOCK:
            raise
        raise BlockingIOError(
            errno.EWOULDBLOCK,
            f"{name} is taken by another program or another [[commands]] table: end the one, or "
            "give all tables of a board the same settings",
        ) from error


def open_port(pattern: str, baud: int = DEFAULT_BAUD) -> SerialPort:
    """Open the first device whose path matches a pattern such as "/dev/ttyACM*".

    Raises:
        OSError: none is there, or the first cannot be opened.
    """
    root = Path(pattern).anchor
    names = sorted(Path(root).glob(pattern.removeprefix(root)))
    if not names:
        raise FileNotFoundError(f"no device matches {pattern}")
    return SerialPort(str(names[0]), baud)


def check_pyserial() -> None:
    """Raise MissingExtraError where pyserial is not installed, SinkError where it is another."""
    _pyserial()


def _pyserial() -> Any:
    try:
        import serial
    except ImportError as error:
        raise MissingExtraError(
            "the serial sink needs pyserial: pip install 'edgekws[serial]'"
        ) from error
    if not hasattr(serial, "Serial"):
        raise SinkError(
            'the installed package "serial" is not pyserial: pip uninstall serial, '
            "then pip install 'edgekws[serial]'"
        )
    return serial
