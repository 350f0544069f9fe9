"""An audio file as a source: all of it, as fast as it is asked for."""

from collections.abc import Iterator
from pathlib import Path
from typing import Self

from edgekws.audio.decode import read_audio
from edgekws.errors import UsageError
from edgekws.events import Block, Pcm


class WavSource:
    """Iterates over the Blocks of one audio file, the last one shorter; reads it on entering."""

    def __init__(self, argument: str, *, sample_rate: int, block_samples: int) -> None:
        if not argument:
            raise UsageError("audio source 'wav:' needs a path, as in wav:kitchen.wav")
        self.name = f"wav:{argument}"
        self._path = Path(argument)
        self._sample_rate = sample_rate
        self._block_samples = block_samples
        self._pcm: Pcm | None = None
        self._stopped = False

    def __enter__(self) -> Self:
        self._pcm = read_audio(self._path, sample_rate=self._sample_rate)
        return self

    def __exit__(self, *fault: object) -> None:
        self._pcm = None

    def __iter__(self) -> Iterator[Block]:
        pcm = self._pcm
        assert pcm is not None, "a source is iterated inside its with statement"
        for start in range(0, len(pcm), self._block_samples):
            if self._stopped:
                return
            yield Block(pcm[start : start + self._block_samples], start, self._sample_rate)

    def stop(self) -> None:
        """End the iteration before the next block."""
        self._stopped = True
