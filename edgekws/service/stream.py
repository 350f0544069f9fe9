"""One stream of audio from a client: bytes of its format in, detections out."""

from typing import Annotated, Final, Literal

import msgspec
import numpy as np

from edgekws.audio.convert import Converter, to_floats
from edgekws.dispatch.wire import WireError
from edgekws.events import Block, Detection, Pcm
from edgekws.runtime.detector import Detector

SAMPLE_BYTES: Final = 2


class Form(msgspec.Struct, frozen=True):
    """The data of an audio event; only 16-bit samples are taken."""

    rate: Annotated[int, msgspec.Meta(ge=8_000, le=192_000)]
    width: Literal[2]
    channels: Annotated[int, msgspec.Meta(ge=1, le=8)]


class Stream:
    """Hears audio of one form with a detector that it has to itself."""

    def __init__(self, detector: Detector, form: Form) -> None:
        """Begin at sample 0; MissingExtraError where the rate needs soxr, which is not there."""
        self.detector, self.form = detector, form
        self._rate = detector.model.features.sample_rate
        self._converter = Converter(form.rate, self._rate, purpose=f"audio at {form.rate} Hz")
        self._plain = form.rate == self._rate and form.channels == 1
        self._next = 0

    def push(self, data: bytes) -> list[Detection]:
        """Take whole frames; WireError where there is a part of one."""
        if len(data) % (SAMPLE_BYTES * self.form.channels):
            raise WireError(f"{len(data)} bytes are not whole samples of every channel")
        pcm = np.frombuffer(data, "<i2").astype(np.int16)
        if self._plain:
            return self._hear(pcm)
        return self._hear(self._converter.push(to_floats(pcm.reshape(-1, self.form.channels))))

    def finish(self) -> list[Detection]:
        """Hear what the converter still holds."""
        return [] if self._plain else self._hear(self._converter.flush())

    def _hear(self, pcm: Pcm) -> list[Detection]:
        if not len(pcm):
            return []
        block = Block(pcm, self._next, self._rate)
        self._next = block.end
        return self.detector.push(block)
