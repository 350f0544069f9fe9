"""The recordings of a few-shot measurement: what is drawn from, what is tested with, the rest."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final

import numpy as np

from edgekws.audio.decode import read_audio
from edgekws.events import Pcm
from edgekws.specs import SILENCE, UNKNOWN
from edgekws.train import augment
from edgekws.train.copies import all_copies
from edgekws.train.dataset import Clip, list_audio
from edgekws.train.findings import examine

RATE: Final = 16_000
TESTS_OF_OTHERS: Final = 1000
LEAD_SECONDS, TAIL_SECONDS = 1.0, 0.6  # of quiet noise round a clip that is heard as a stream
NOISE_LEVEL: Final = 10.0


@dataclass(frozen=True, slots=True)
class Folders:
    """Where the recordings lie; without `test`, words are tested with what is not drawn from."""

    words: Path
    test: Path | None
    unknown: Sequence[Path]
    unknown_test: Sequence[Path]
    noise: Sequence[Path]
    negatives: Sequence[Path]


@dataclass(frozen=True)
class Task:
    """The recordings: of each word those to draw from and those to test with, and all others."""

    words: tuple[str, ...]
    pool: Mapping[str, Sequence[Pcm]]
    test: Mapping[str, Sequence[Pcm]]
    others: Sequence[Clip]
    others_test: Sequence[Pcm]
    noise: Sequence[Clip]
    negatives: Sequence[Pcm]

    @cached_property
    def streams(self) -> dict[str, list[Pcm]]:
        """Return the test clips with quiet round them, as a stream hears them."""
        return {word: [_laid(pcm) for pcm in clips] for word, clips in self.test.items()}

    @property
    def hours(self) -> float:
        """Return the length of the continuous speech."""
        return sum(map(len, self.negatives)) / RATE / 3600

    def drawn(self, k: int, seed: int) -> dict[str, list[Pcm]]:
        """Return K recordings of each word; those of a smaller K are among those of a larger."""
        chosen = {}
        for number, word in enumerate(self.words):
            order = np.random.default_rng([seed, number]).permutation(len(self.pool[word]))
            chosen[word] = [self.pool[word][i] for i in order[:k]]
        return chosen

    def noise_clips(self, count: int, seed: int) -> list[Pcm]:
        """Return so many seconds of noise at many levels."""
        recordings = [clip.pcm for clip in self.noise]
        rng, clips = np.random.default_rng([seed, 99]), []
        for _ in range(count):
            segment = augment.noise_segment(recordings, RATE, rng)
            gain = np.float32(10.0 ** (rng.uniform(-40, 0) / 20))
            clips.append(augment.to_scale(segment * gain).astype(np.int16))
        return clips


def load_task(folders: Folders, words: Sequence[str], *, most_drawn: int, others: int) -> Task:
    """Read every recording; `most_drawn` per word are set aside to draw from, twice over.

    Of recordings that are the same one is kept: none is learned from and tested with.
    """
    names = tuple(words or sorted(p.name for p in folders.words.iterdir() if p.is_dir()))
    pool, test = {}, {}
    for number, word in enumerate(names):
        own = _read_once(list_audio(folders.words / word))
        if folders.test is not None:
            pool[word], test[word] = own, _read_all(list_audio(folders.test / word))
        else:
            order = np.random.default_rng(number).permutation(len(own))
            cut = min(len(own) // 2, most_drawn * 2)
            pool[word] = [own[i] for i in order[:cut]]
            test[word] = [own[i] for i in order[cut:]]
    rng = np.random.default_rng(5)
    rest = _some([p for f in folders.unknown for p in list_audio(f)], others, rng)
    held = [p for f in folders.unknown_test for p in list_audio(f) if p.parent.name not in names]
    noise = [p for f in folders.noise for p in list_audio(f)]
    return Task(
        names,
        pool,
        test,
        [Clip(_read(p), UNKNOWN, p.parent.name, "training") for p in rest],
        _read_all(_some(held, TESTS_OF_OTHERS, rng)),
        [Clip(_read(p), SILENCE, p.parent.name, "training") for p in noise],
        _read_all([p for f in folders.negatives for p in list_audio(f)]),
    )


def _laid(pcm: Pcm) -> Pcm:
    lead, tail = int(LEAD_SECONDS * RATE), int(TAIL_SECONDS * RATE)
    out = np.random.default_rng(len(pcm)).normal(0, NOISE_LEVEL, lead + len(pcm) + tail)
    out[lead : lead + len(pcm)] += pcm
    return np.clip(out, -32768, 32767).astype(np.int16)


def _some(paths: list[Path], count: int, rng: np.random.Generator) -> list[Path]:
    return [paths[i] for i in rng.permutation(len(paths))[:count]]


def _read_all(paths: Sequence[Path]) -> list[Pcm]:
    return [_read(path) for path in paths]


def _read_once(paths: Sequence[Path]) -> list[Pcm]:
    """Return the recordings without copies of an earlier one, however they were cut or coded."""
    examined = [examine(Clip(_read(path), "", "", "training", path)) for path in paths]
    copies = {id(copy) for _, copy in all_copies(examined)}
    return [one.clip.pcm for one in examined if id(one) not in copies]


def _read(path: Path) -> Pcm:
    return read_audio(path, sample_rate=RATE)
