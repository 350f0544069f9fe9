"""The door of the detector: repairs the blocks that can be repaired and refuses the others."""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from edgekws.events import Block, Pcm
from edgekws.runtime.tally import Tally, Warn, unheard

MAX_CHANNELS: Final = 8  # an array shorter than this along one axis holds channels along it
FULL_SCALE: Final = 32768.0
LAST_START: Final = 2**62  # 9 million years of audio: beyond it int64 would run over


class Refused(Exception):  # noqa: N818  (it is an answer, and never leaves this file)
    """A block that means nothing; `kind` is what it is counted under."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


class Intake:
    """Makes (n,) int16 blocks at one rate of whatever a source hands over; never raises on data."""

    def __init__(self, sample_rate: int, *, warn: Warn = unheard) -> None:
        self._sample_rate = sample_rate
        self._repaired, self._refused = Tally(warn), Tally(warn)

    def accept(self, block: Block) -> Block | None:
        """Return the block as (n,) int16, repaired where needed, or None where it is refused."""
        pcm = block.pcm
        try:
            self._check_frame(block)
            if pcm.dtype == np.int16 and pcm.ndim == 1:
                return block
            mono = self._to_int16(self._to_mono(self._to_numbers(pcm)))
        except Refused as refusal:
            self._refused.note(refusal.kind, f"block refused: {refusal}")
            return None
        return Block(mono, block.start, block.sample_rate)

    @property
    def repaired(self) -> int:
        """How many repairs were made."""
        return self._repaired.total()

    @property
    def refused(self) -> int:
        """How many blocks were refused."""
        return self._refused.total()

    def _check_frame(self, block: Block) -> None:
        """Refuse a block whose array, rate or place in the stream makes no sense."""
        if not isinstance(block.pcm, np.ndarray):
            raise Refused("type", f"pcm is a {type(block.pcm).__name__}, not an array")
        if block.pcm.size == 0:
            raise Refused("empty", "no samples in it")
        if block.sample_rate != self._sample_rate:
            rates = f"{block.sample_rate} Hz, but the model hears {self._sample_rate} Hz"
            raise Refused("rate", f"{rates}; open the source at that rate or convert it")
        if not isinstance(block.start, int | np.integer) or not 0 <= block.start < LAST_START:
            raise Refused("start", f"start index {block.start!r} is not a whole number from 0 on")

    def _to_numbers(self, pcm: NDArray[Any]) -> NDArray[Any]:
        """Return float32 with nothing non-finite in it from floats, and int32 from integers."""
        if pcm.dtype.kind == "f":
            self._repaired.note("float", f"block of {pcm.dtype} taken as audio in [-1, 1]")
            finite = np.isfinite(pcm)
            if not finite.all():
                self._repaired.note("non-finite", "NaN or infinity in a block taken as silence")
            return np.where(finite, pcm, 0.0).astype(np.float64).clip(-1.0, 1.0) * FULL_SCALE
        if pcm.dtype.kind == "i" and pcm.dtype.itemsize in (2, 4):
            if pcm.dtype.itemsize == 4:
                self._repaired.note("int32", "block of 32-bit integers cut to 16 bits")
                pcm = pcm >> 16
            return pcm.astype(np.int32)
        raise Refused("dtype", f"samples of type {pcm.dtype}; int16 is expected")

    def _to_mono(self, pcm: NDArray[Any]) -> NDArray[Any]:
        """Return (n,): channels along either axis are averaged."""
        if pcm.ndim == 1:
            return pcm
        if pcm.ndim != 2 or min(pcm.shape) > MAX_CHANNELS:
            raise Refused("shape", f"samples of shape {pcm.shape}; (n,) is expected")
        channels = int(np.argmin(pcm.shape)) if pcm.shape[0] != pcm.shape[1] else 1
        self._repaired.note("channels", f"block of {pcm.shape[channels]} channels averaged to one")
        return np.asarray(pcm.mean(axis=channels))

    def _to_int16(self, pcm: NDArray[Any]) -> Pcm:
        return pcm.round().clip(-32768, 32767).astype(np.int16)
