"""Lines, codecs, rooms and voices: what they leave of a sound, and that nothing else changes."""

import re
import sys
from importlib.util import find_spec
from typing import Final

import numpy as np
import pytest

from edgekws.errors import MissingExtraError
from edgekws.events import Pcm
from edgekws.train.channel import (
    CODECS,
    LEAST_METRES,
    distort,
    fitted,
    overdrive,
    simulated_rooms,
    through_codec,
)
from edgekws.train.recipe_data import AugmentRecipe, Codec
from edgekws.train.voice import change_voice, vary_voice
from tests.needs import lacking
from tests.speech import Speech

RATE: Final = 16_000
CODED: Final = 0.8
"""Least correlation of a word and its coded form, at the lowest quality; 0.93 is measured."""
HERTZ: Final = 15
"""A tone after stretching: half of a bin of its second of spectrum, and the edges of the tone."""


def tone(hertz: float = 500.0) -> Pcm:
    return (8000 * np.sin(2 * np.pi * hertz * np.arange(RATE) / RATE)).astype(np.int16)


def peak_hertz(pcm: Pcm) -> float:
    return float(np.abs(np.fft.rfft(pcm)).argmax() * RATE / len(pcm))


@pytest.fixture
def stretching() -> None:
    if find_spec("python_stretch") is None:
        lacking("needs python-stretch: pip install 'edgekws[augment]'")


@pytest.fixture(scope="module")
def word(speech: Speech) -> Pcm:
    return speech.words(["yes"], clips=1)["yes"][0].pcm


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("quality", [0.0, 1.0])
def test_a_codec_leaves_the_word_and_its_length(word: Pcm, codec: Codec, quality: float) -> None:
    coded = through_codec(word, codec, quality, sample_rate=RATE)
    assert (coded.dtype, coded.shape) == (np.int16, word.shape)
    assert not np.array_equal(coded, word)
    assert np.corrcoef(coded, word)[0, 1] > CODED


def test_lower_quality_is_further_from_the_word(word: Pcm) -> None:
    low, high = (through_codec(word, "opus", q, sample_rate=RATE) for q in (0.0, 1.0))
    assert np.abs(low.astype(int) - word).mean() > np.abs(high.astype(int) - word).mean()


def test_an_overdriven_word_is_flat_at_full_scale(word: Pcm) -> None:
    driven = overdrive(word, 12.0)
    assert driven.max() == 32767
    assert np.mean(np.abs(driven.astype(int)) >= 32767) > 0.001
    assert np.array_equal(np.sign(driven), np.sign(word))
    assert not overdrive(np.zeros(9, np.int16), 12.0).any()


def test_rooms_are_drawn_from_the_seed_and_begin_with_the_direct_sound() -> None:
    rooms = simulated_rooms(3, sample_rate=RATE)
    assert all(room[0] >= 1.0 for room in rooms)
    assert all(len(room) > RATE // 10 for room in rooms)
    assert rooms is simulated_rooms(3, sample_rate=RATE)
    assert LEAST_METRES > 0


def test_what_a_recipe_leaves_out_draws_nothing(word: Pcm) -> None:
    rng, untouched = np.random.default_rng(1), np.random.default_rng(1)
    assert distort(word, AugmentRecipe(), rng, sample_rate=RATE) is word
    assert vary_voice(word, AugmentRecipe(), rng, sample_rate=RATE) is word
    assert rng.random() == untouched.random()


@pytest.mark.parametrize(
    "recipe",
    [
        AugmentRecipe(telephone_probability=1.0),
        AugmentRecipe(codec_probability=1.0, codecs=("mp3",)),
        AugmentRecipe(overdrive_probability=1.0),
    ],
)
def test_what_a_recipe_asks_for_is_done(word: Pcm, recipe: AugmentRecipe) -> None:
    done = distort(word, recipe, np.random.default_rng(1), sample_rate=RATE)
    assert (done.dtype, done.shape) == (np.int16, word.shape)
    assert not np.array_equal(done, word)


def test_a_telephone_passes_no_high_notes() -> None:
    recipe = AugmentRecipe(telephone_probability=1.0)
    high, low = (
        distort(tone(hertz), recipe, np.random.default_rng(1), sample_rate=RATE)
        for hertz in (5000.0, 1000.0)
    )
    assert high.std() < tone().std() / 100
    assert low.std() == pytest.approx(tone().std(), rel=0.05)


def test_tempo_changes_the_length_and_pitch_the_pitch(stretching: None) -> None:
    faster = change_voice(tone(), tempo=1.25, semitones=0.0, sample_rate=RATE)
    assert len(faster) == pytest.approx(RATE / 1.25, abs=1)
    assert peak_hertz(faster) == pytest.approx(500, abs=HERTZ)
    higher = change_voice(tone(), tempo=1.0, semitones=12.0, sample_rate=RATE)
    assert len(higher) == RATE
    assert peak_hertz(higher) == pytest.approx(1000, abs=HERTZ)


def test_without_the_extra_the_pip_line_is_told(word: Pcm, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "python_stretch", None)
    recipe = AugmentRecipe(tempo_probability=1.0)
    with pytest.raises(MissingExtraError, match=re.escape("pip install 'edgekws[augment]'")):
        vary_voice(word, recipe, np.random.default_rng(1), sample_rate=RATE)


def test_fitting_cuts_and_fills() -> None:
    assert fitted(np.array([1, 2, 3], np.int16), 2).tolist() == [1, 2]
    assert fitted(np.array([1, 2], np.int16), 4).tolist() == [1, 2, 0, 0]
