"""The same recording is found again however it was cut, coded or amplified; another take is not."""

import io
from collections.abc import Callable
from itertools import combinations
from typing import Final

import numpy as np
import pytest
import soundfile
import soxr

from edgekws.events import Pcm
from edgekws.train.duplicates import SAME, correlation, digest, fingerprint, near_duplicates
from edgekws.train.measure import spectrum_of
from tests.speech import Speech

RATE: Final = 16_000
CLIPS: Final = 6


def through(pcm: Pcm, kind: str, subtype: str, rate: int = RATE) -> Pcm:
    file = io.BytesIO()
    audio = soxr.resample(pcm / 32768, RATE, rate)
    soundfile.write(file, audio, rate, format=kind, subtype=subtype)
    file.seek(0)
    back = soxr.resample(soundfile.read(file)[0], rate, RATE)
    return np.clip(back * 32768, -32768, 32767).astype(np.int16)


ALTERATIONS: Final[dict[str, Callable[[Pcm], Pcm]]] = {
    "mp3": lambda pcm: through(pcm, "MP3", "MPEG_LAYER_III"),
    "opus": lambda pcm: through(pcm, "OGG", "OPUS"),
    "8 kHz": lambda pcm: through(pcm, "WAV", "PCM_16", 8_000),
    "softer": lambda pcm: pcm // 3,
    "upside down": lambda pcm: -pcm,
    "later": lambda pcm: np.pad(pcm, (3210, 0)),
    "padded": lambda pcm: np.pad(pcm, (1234, 4000)),
}


@pytest.fixture(scope="module")
def takes(speech: Speech) -> list[Pcm]:
    words = speech.words(["stop", "seven"], clips=CLIPS)
    return [clip.pcm for clips in words.values() for clip in clips]


def pairs(recordings: list[Pcm]) -> set[tuple[int, int]]:
    prints = [fingerprint(spectrum_of(pcm).mel) for pcm in recordings]
    return set(near_duplicates(recordings, prints))


def test_different_takes_are_not_the_same(takes: list[Pcm]) -> None:
    assert pairs(takes) == set()
    assert max(correlation(a, b) for a, b in combinations(takes, 2)) < SAME


@pytest.mark.parametrize("how", ALTERATIONS)
def test_a_copy_is_found_through(takes: list[Pcm], how: str) -> None:
    altered = [ALTERATIONS[how](pcm) for pcm in takes]
    assert pairs(takes + altered) == {(n, n + len(takes)) for n in range(len(takes))}


def test_a_digest_is_of_the_samples_without_the_zeros_around(takes: list[Pcm]) -> None:
    assert digest(np.pad(takes[0], 99)) == digest(takes[0])
    assert len({digest(pcm) for pcm in takes}) == len(takes)
    assert digest(np.zeros(5, np.int16)) == digest(np.zeros(9, np.int16))


def test_nothing_and_silence_have_no_copies() -> None:
    silence = np.zeros(RATE, np.int16)
    assert pairs([]) == set()
    assert pairs([silence, silence]) == set()
    assert correlation(silence, silence) == 0.0
