"""What a device delivers, and the choice of it: our own rate in mono, or what the device has."""

from typing import Any, Final

import msgspec

from edgekws.audio.devices import InputDevice
from edgekws.errors import SourceError

INT16: Final = 8  # PortAudio's paInt16


class StreamFormat(msgspec.Struct, frozen=True):
    """Interleaved int16 at `rate` Hz, `block_frames` frames per callback."""

    rate: int
    channels: int
    block_frames: int


def choose_format(
    audio: Any, index: int, *, device: InputDevice, sample_rate: int, block_samples: int
) -> StreamFormat:
    """Return the first that the device offers: our rate before its own, mono before all channels.

    `audio` is an open pyaudio.PyAudio; a callback brings as long a time as `block_samples` are at
    `sample_rate` Hz.

    Raises:
        SourceError: the device gives int16 in none of these.
    """
    for rate in (sample_rate, device.default_rate):
        for channels in (1, device.channels):
            if _offers(audio, index, rate=rate, channels=channels):
                return StreamFormat(rate, channels, -(-block_samples * rate // sample_rate))
    raise SourceError(
        f"input device {device.name!r} gives int16 audio neither at {sample_rate} Hz nor at"
        f" {device.default_rate} Hz; close the program that holds it or name another device"
    )


def _offers(audio: Any, index: int, *, rate: int, channels: int) -> bool:
    try:
        return bool(
            audio.is_format_supported(
                rate, input_device=index, input_channels=channels, input_format=INT16
            )
        )
    except ValueError:  # PyAudio's way to say no
        return False
