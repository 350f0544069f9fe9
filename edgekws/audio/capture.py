"""The two sides of an open microphone: PortAudio's thread copies in, the main loop takes Blocks."""

import logging
import select
from collections.abc import Iterator
from typing import Final

import msgspec

from edgekws.audio.convert import Converter, to_floats
from edgekws.audio.ring import Portion, Ring
from edgekws.audio.stream_format import StreamFormat
from edgekws.audio.wake import WakePipe
from edgekws.errors import EdgekwsError, SourceError
from edgekws.events import Block, Pcm

_log = logging.getLogger(__name__)
INPUT_OVERFLOW: Final = 0x2  # PortAudio's paInputOverflow: frames were lost before the callback
CONTINUE: Final = 0  # PortAudio's paContinue
_BUFFER_SECONDS: Final = 8  # how far the main loop may fall behind before audio is dropped


class Patience(msgspec.Struct, frozen=True):
    """How long to wait for the first audio after opening, and for more after that.

    The first block of PulseAudio behind ALSA came 1.0 to 2.1 s after opening, measured. That there
    is none any more is to be noticed within 2 s.
    """

    first_seconds: float
    next_seconds: float


PATIENCE: Final = Patience(first_seconds=10.0, next_seconds=1.8)


class Capture:
    """Carries audio from the callback to the main loop, as int16 mono Blocks at `sample_rate`."""

    def __init__(
        self,
        name: str,
        *,
        stream: StreamFormat,
        sample_rate: int,
        patience: Patience = PATIENCE,
    ) -> None:
        """Allocate all that the callback needs.

        Raises:
            MissingExtraError: the stream's rate is another one and soxr is not installed.
        """
        self._name = name
        self._stream = stream
        self._sample_rate = sample_rate
        self._patience = patience
        self._converter = self._open_converter()
        slots = -(-_BUFFER_SECONDS * stream.rate // stream.block_frames)
        self._ring = Ring(slots=slots, slot_frames=stream.block_frames, channels=stream.channels)
        self._wake = WakePipe()
        self._go_on = (None, CONTINUE)
        self._stopped = False
        self._fault: Exception | None = None
        self._end_in = 0  # frames of the stream accounted for
        self._end_out = 0  # samples of the blocks accounted for
        self._reported = 0

    @property
    def dropped_frames(self) -> int:
        """Frames of the stream that were lost, before the callback or for want of room."""
        return self._ring.dropped

    def accept(self, data: bytes, frames: int, _timing: object, status: int) -> tuple[None, int]:
        """Copy what the callback brings; never waits, logs or raises.

        PyAudio would let an error fall into whatever the main thread is doing: `blocks` raises it.
        """
        try:
            if status & INPUT_OVERFLOW:
                # how many were lost PortAudio does not say: a block's worth
                self._ring.skip(frames)
            self._ring.write(data)
        except Exception as error:  # noqa: BLE001  (the end of a thread that is not ours)
            self._fault = error
        self._wake.set()
        return self._go_on

    def blocks(self) -> Iterator[Block]:
        """Yield what was captured until a stop.

        Raises:
            SourceError: no audio came for as long as `patience` allows.
            EdgekwsError: the callback failed.
        """
        seconds = self._patience.first_seconds
        while not self._stopped:
            if self._fault is not None:
                raise EdgekwsError(
                    f"{self._name}: the audio callback died of {type(self._fault).__name__}:"
                    f" {self._fault}"
                ) from self._fault
            portion = self._ring.read()
            if portion is None:
                self._wait(seconds)
                continue
            seconds = self._patience.next_seconds
            block = self._block(portion)
            if len(block.pcm):
                yield block

    def stop(self) -> None:
        """End the iteration soon; safe from a signal handler and from another thread."""
        self._stopped = True
        self._wake.set()

    def close(self) -> None:
        """Free the descriptors, after the last callback."""
        self._wake.close()

    def _open_converter(self) -> Converter | None:
        rate = self._stream.rate
        if (rate, self._stream.channels) == (self._sample_rate, 1):
            return None
        purpose = f"{self._name} gives {rate} Hz, and resampling"
        return Converter(rate, self._sample_rate, purpose=purpose)

    def _wait(self, seconds: float) -> None:
        poll = select.poll()
        poll.register(self._wake.fileno(), select.POLLIN)
        if not poll.poll(seconds * 1000):
            raise SourceError(
                f"{self._name}: no audio for {seconds:g} s; check that the microphone is plugged in"
                " and that no other program holds it, then start again"
            )
        self._wake.clear()

    def _block(self, portion: Portion) -> Block:
        if portion.start != self._end_in:
            self._jump(portion.start)
        self._end_in = portion.start + len(portion.frames)
        pcm = self._convert(portion.frames)
        block = Block(pcm, self._end_out, self._sample_rate)
        self._end_out = block.end
        return block

    def _convert(self, frames: Pcm) -> Pcm:
        if self._converter is None:
            return frames[:, 0]
        return self._converter.push(to_floats(frames))

    def _jump(self, start: int) -> None:
        """Go on behind a drop: at least one sample of the index is left out."""
        if self._converter is not None:
            self._converter.reset()
        self._end_out = max(self._end_out + 1, start * self._sample_rate // self._stream.rate)
        dropped = self._ring.dropped
        if dropped >= 2 * self._reported:  # a machine that is too slow must not flood the log
            self._reported = dropped
            _log.warning("audio dropped source=%s frames=%d in all", self._name, dropped)
