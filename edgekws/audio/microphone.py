"""A microphone through PyAudio: PortAudio's callback fills a ring, the main loop reads Blocks."""

import logging
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any, Self

from edgekws.audio.capture import PATIENCE, Capture, Patience
from edgekws.audio.devices import (
    InputDevice,
    choose_device,
    find_devices,
    list_devices,
    open_portaudio,
    quiet_stderr,
    same_device,
)
from edgekws.audio.stream_format import INT16, StreamFormat, choose_format
from edgekws.errors import SourceError
from edgekws.events import Block

__all__ = ["InputDevice", "Microphone", "list_devices"]

_log = logging.getLogger(__name__)


class Microphone:
    """Iterates over Blocks from an input device, given by name or pattern; "" is the default one.

    Opens at `sample_rate` mono where the device offers that, else at what the device has, and
    converts. Lost audio is counted and leaves a gap between one Block's end and the next's start.
    """

    def __init__(
        self,
        argument: str,
        *,
        sample_rate: int,
        block_samples: int,
        patience: Patience = PATIENCE,
    ) -> None:
        self.name = f"mic:{argument}"
        self._wanted = argument
        self._sample_rate = sample_rate
        self._block_samples = block_samples
        self._patience = patience
        self._capture: Capture | None = None
        self._stopped = False
        self._closing = ExitStack()
        self.device = ""
        """The name of the device that was opened last."""

    def __enter__(self) -> Self:
        """Look for the device among those there are now, and open it.

        Entered again, it may be that a name or pattern finds another device that it suits, which is
        said; where none was named, only the device of before is taken.

        Raises:
            MissingExtraError: PyAudio or PortAudio is not installed, or soxr where it is needed.
            SourceError: no such device, or it does not open.
        """
        with ExitStack() as opening:
            audio = opening.enter_context(open_portaudio())
            devices = find_devices(audio)
            index = choose_device(devices, self._wanted)
            self._check_same(devices[index].name)
            self._open(opening, audio, index=index, device=devices[index])
            self._closing = opening.pop_all()
        return self

    def __exit__(self, *fault: object) -> None:
        self._closing.close()

    def __iter__(self) -> Iterator[Block]:
        assert self._capture is not None, "a source is iterated inside its with statement"
        if not self._stopped:
            yield from self._capture.blocks()

    @property
    def dropped_frames(self) -> int:
        """Frames of the device that were lost since it was opened."""
        return 0 if self._capture is None else self._capture.dropped_frames

    def stop(self) -> None:
        """End the iteration soon; safe from a signal handler and from another thread."""
        self._stopped = True
        if self._capture is not None:
            self._capture.stop()

    def _check_same(self, name: str) -> None:
        if not self.device or same_device(name, self.device):
            return
        if not self._wanted:
            raise SourceError(
                f"the default input device was {self.device!r} and is {name!r} now, which is not"
                " taken unasked; plug the first one in again, or name the other as mic:NAME"
            )
        _log.warning("microphone was device=%r and is another now: device=%r", self.device, name)

    def _open(self, opening: ExitStack, audio: Any, *, index: int, device: InputDevice) -> None:
        with quiet_stderr():
            stream = choose_format(
                audio,
                index,
                device=device,
                sample_rate=self._sample_rate,
                block_samples=self._block_samples,
            )
        capture = Capture(
            self.name, stream=stream, sample_rate=self._sample_rate, patience=self._patience
        )
        opening.callback(capture.close)
        opened = _start(audio, index, device=device, stream=stream, capture=capture)
        opening.callback(opened.close)
        self._capture = capture
        self.device = device.name
        _log.info(
            "microphone device=%r host_api=%r rate=%d channels=%d",
            device.name,
            device.host_api,
            stream.rate,
            stream.channels,
        )


def _start(
    audio: Any, index: int, *, device: InputDevice, stream: StreamFormat, capture: Capture
) -> Any:
    """Open the device; from here on PortAudio's thread calls `capture.accept`."""
    try:
        with quiet_stderr():
            return audio.open(
                rate=stream.rate,
                channels=stream.channels,
                format=INT16,
                input=True,
                input_device_index=index,
                frames_per_buffer=stream.block_frames,
                stream_callback=capture.accept,
            )
    except OSError as error:
        raise SourceError(
            f"input device {device.name!r} does not open at {stream.rate} Hz ({error});"
            " close the program that holds it or name another device"
        ) from error
