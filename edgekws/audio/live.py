"""A live source whose blocks end where the model's steps do, so that no step waits for a block."""

from collections.abc import Iterator
from typing import Self

from edgekws.audio.source import AudioSource
from edgekws.events import Block


class Aligned:
    """Cuts a source's first block, and the first behind a gap, to its last `lead_samples`.

    Frames are longer than the hop from one to the next, so a step is complete that many samples
    after as many as a block has; behind so short a block, each block ends with a step. The first
    sample kept has index 0: a recording of what was kept gives the same detections. Sources that
    resample give blocks of changing length, which nothing aligns: those are left as they are.
    """

    def __init__(self, source: AudioSource, *, block_samples: int, lead_samples: int) -> None:
        assert 0 <= lead_samples <= block_samples, (lead_samples, block_samples)
        self._source = source
        self._block_samples = block_samples
        self._cut = block_samples - lead_samples

    @property
    def name(self) -> str:
        """What a person calls the source."""
        return self._source.name

    def __enter__(self) -> Self:
        self._source.__enter__()
        return self

    def __exit__(self, *fault: object) -> None:
        self._source.__exit__(*fault)

    def __iter__(self) -> Iterator[Block]:
        origin: int | None = None
        expected: int | None = None
        for block in self._source:
            starts_anew = block.start != expected and len(block.pcm) == self._block_samples
            expected = block.end
            cut = self._cut if starts_anew else 0
            origin = block.start + cut if origin is None else origin
            yield Block(block.pcm[cut:], block.start + cut - origin, block.sample_rate)

    def stop(self) -> None:
        """End the iteration soon; safe from a signal handler and from another thread."""
        self._source.stop()
