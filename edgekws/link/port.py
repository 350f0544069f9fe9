"""The serial port that a board is on, found again by a pattern of its name."""

from pathlib import Path
from typing import Any, Final, Protocol

from edgekws.errors import MissingExtraError, SinkError

DEFAULT_BAUD: Final = 115_200
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
    """A port of pyserial, taken for itself alone."""

    def __init__(self, name: str, baud: int) -> None:
        """Open the device; OSError if it is not there, not ours, or taken."""
        self._serial: Any = _pyserial().Serial(
            name, baud, write_timeout=_WRITE_SECONDS, exclusive=True
        )
        self.name: Final = name

    def read(self, timeout_seconds: float) -> bytes:
        """Return what came; an OSError of pyserial's says that the device is gone."""
        self._serial.timeout = timeout_seconds
        first: bytes = self._serial.read(1)
        return first + bytes(self._serial.read(self._serial.in_waiting)) if first else first

    def write(self, data: bytes) -> None:
        """Send all of it."""
        self._serial.write(data)

    def wake(self) -> None:
        """Make a waiting `read` return."""
        self._serial.cancel_read()

    def close(self) -> None:
        """Let go of the device."""
        self._serial.close()


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
