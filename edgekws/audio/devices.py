"""The input devices that PortAudio sees, chosen by name or pattern and never by index."""

import contextlib
import io
import logging
import os
import re
import sys
import tempfile
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any, Final

import msgspec

from edgekws.audio.extras import load_extra
from edgekws.errors import SourceError

_log = logging.getLogger(__name__)
_STDERR: Final = 2
_NUMBERED: Final = re.compile(r" ?\(hw:\d+,\d+\)$")
_BEFORE: Final = "apt install portaudio19-dev python3-dev gcc, then "


class InputDevice(msgspec.Struct, frozen=True):
    """A device that records; `default_rate` in Hz, `is_default` for the one behind "mic:"."""

    name: str
    channels: int
    default_rate: int
    host_api: str
    is_default: bool


def list_devices() -> tuple[InputDevice, ...]:
    """Return the input devices in PortAudio's order.

    Raises:
        MissingExtraError: PyAudio, or the PortAudio library under it, is not installed.
    """
    with open_portaudio() as audio:
        return tuple(find_devices(audio).values())


@contextlib.contextmanager
def open_portaudio() -> Iterator[Any]:
    """Give a pyaudio.PyAudio and end it afterwards.

    Raises:
        MissingExtraError: PyAudio, or the PortAudio library under it, is not installed.
        SourceError: PortAudio does not start.
    """
    with contextlib.redirect_stdout(io.StringIO()):  # PyAudio prints there before it raises
        pyaudio = load_extra("pyaudio", extra="mic", purpose="the microphone", before=_BEFORE)
    try:
        with quiet_stderr():
            audio = pyaudio.PyAudio()
    except OSError as error:
        raise SourceError(f"PortAudio does not start ({error}); check the sound system") from error
    try:
        yield audio
    finally:
        audio.terminate()


def find_devices(audio: Any) -> dict[int, InputDevice]:
    """Return the input devices of an open PyAudio by their index, in PortAudio's order."""
    default = _default_index(audio)
    infos = (audio.get_device_info_by_index(i) for i in range(audio.get_device_count()))
    return {
        info["index"]: InputDevice(
            name=info["name"],
            channels=info["maxInputChannels"],
            default_rate=round(info["defaultSampleRate"]),
            host_api=audio.get_host_api_info_by_index(info["hostApi"])["name"],
            is_default=info["index"] == default,
        )
        for info in infos
        if info["maxInputChannels"] > 0
    }


def choose_device(devices: Mapping[int, InputDevice], wanted: str) -> int:
    """Return the index of the device wanted: "" the default one, else a name or a pattern.

    A whole name goes before a pattern with * or ?, and that before a part of a name; upper and
    lower case are the same, and the first in PortAudio's order wins.

    Raises:
        SourceError: no device matches; the message lists those there are.
    """
    for matches in (_is_default, _is_named, _is_like, _contains):
        for index, device in devices.items():
            if matches(device, wanted.casefold()):
                return index
    what = f"no input device matches {wanted!r}" if wanted else "there is no default input device"
    names = ", ".join(repr(device.name) for device in devices.values())
    advice = f"name one of {names}" if names else "none is there at all: plug in a microphone"
    raise SourceError(f"{what}; {advice}")


def same_device(name: str, other: str) -> bool:
    """Return whether two names are one device's, which ALSA may number anew: "USB (hw:1,0)"."""
    return _NUMBERED.sub("", name) == _NUMBERED.sub("", other)


@contextlib.contextmanager
def quiet_stderr() -> Iterator[None]:
    """Turn what C libraries write to stderr into debug log lines, for as long as this lasts.

    ALSA and JACK complain there about every device that they try. Nothing else should be busy.
    """
    sys.stderr.flush()
    try:
        saved = os.dup(_STDERR)
    except OSError:  # stderr is closed: nothing to keep quiet
        yield
        return
    with tempfile.TemporaryFile() as chatter:
        os.dup2(chatter.fileno(), _STDERR)
        try:
            yield
        finally:
            os.dup2(saved, _STDERR)
            os.close(saved)
            chatter.seek(0)
            for line in dict.fromkeys(chatter):  # each once: a third of ALSA's are repeats
                _log.debug("portaudio %s", line.decode(errors="replace").rstrip())


def _default_index(audio: Any) -> int | None:
    try:
        return int(audio.get_default_input_device_info()["index"])
    except OSError:
        return None


def _is_default(device: InputDevice, wanted: str) -> bool:
    return device.is_default and not wanted


def _is_named(device: InputDevice, wanted: str) -> bool:
    return device.name.casefold() == wanted


def _is_like(device: InputDevice, wanted: str) -> bool:
    return fnmatchcase(device.name.casefold(), wanted)


def _contains(device: InputDevice, wanted: str) -> bool:
    return bool(wanted) and wanted in device.name.casefold()
