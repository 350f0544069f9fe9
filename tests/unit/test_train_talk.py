"""Talk made of words: nothing but what was drawn, joined closely, without the quiet at the ends."""

from typing import Final

import numpy as np

from edgekws.events import Pcm
from edgekws.train.talk import FALL_DB, join, trimmed

RATE: Final = 16_000
WORD: Final = 4_800  # samples
QUIET: Final = 3_200  # on either side of it


def word(level: int = 8_000) -> Pcm:
    rng = np.random.default_rng(1)
    pcm = rng.integers(-3, 4, 2 * QUIET + WORD).astype(np.int16)
    pcm[QUIET : QUIET + WORD] = rng.integers(-level, level, WORD)
    return pcm


def test_quiet_ends_are_cut_and_nothing_of_the_word() -> None:
    found = trimmed(word())
    assert np.array_equal(found, word()[QUIET : QUIET + WORD])


def test_a_recording_that_is_quiet_all_over_stays_whole() -> None:
    quiet = np.full(RATE, 5, np.int16)
    assert np.array_equal(trimmed(quiet), quiet)
    assert len(trimmed(np.zeros(0, np.int16))) == 0


def test_talk_is_mostly_words() -> None:
    talk = join(word, 5 * RATE, np.random.default_rng(2), sample_rate=RATE)
    assert talk.shape == (5 * RATE,)
    assert talk.dtype == np.float32
    frames = talk.reshape(-1, 320)
    level = 10 * np.log10(np.mean(frames**2, axis=1) + 1e-9)
    assert np.mean(level > level.max() - FALL_DB) > 0.5
    assert np.mean(level < level.max() - FALL_DB) > 0.05  # but with gaps between


def test_talk_is_the_same_again_by_its_seed_and_starts_anywhere_in_a_word() -> None:
    starts = set()
    for seed in range(6):
        first, again = (
            join(word, RATE, np.random.default_rng(seed), sample_rate=RATE) for _ in range(2)
        )
        assert np.array_equal(first, again)
        starts.add(int(np.flatnonzero(np.abs(first) > 0.01)[0]))
    assert len(starts) > 1


def test_every_word_is_drawn_anew() -> None:
    drawn: list[int] = []

    def draw() -> Pcm:
        drawn.append(len(drawn))
        return word()

    join(draw, 3 * RATE, np.random.default_rng(3), sample_rate=RATE)
    assert len(drawn) >= 3 * RATE // (WORD + RATE // 4)
