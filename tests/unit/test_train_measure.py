"""What is measured of one recording: on tones and noise whose figures are known, and on speech."""

from typing import Final

import numpy as np
import pytest

from edgekws.events import Pcm
from edgekws.train.measure import Measures, measure, spectrum_of
from tests.speech import Speech, pink_noise

RATE: Final = 16_000
LEVEL_DB: Final = 0.3
"""A frame of 30 ms holds no whole number of periods of every tone."""
FRAME: Final = 480  # samples: what the span of sound is exact to, on either side


def tone(*, hertz: float = 440, height: float = 0.5, seconds: float = 1.0) -> Pcm:
    wave = height * np.sin(2 * np.pi * hertz * np.arange(int(seconds * RATE)) / RATE)
    return np.round(32767 * wave).astype(np.int16)


def measured(pcm: Pcm) -> Measures:
    return measure(pcm, spectrum_of(pcm))


@pytest.mark.parametrize("height", [0.5, 0.05, 0.005])
def test_the_level_is_that_of_the_loudest_frame(height: float) -> None:
    pcm = np.concatenate((np.zeros(RATE, np.int16), tone(height=height)))
    expected = 20 * np.log10(height / np.sqrt(2))
    assert measured(pcm).loudest_db == pytest.approx(expected, abs=LEVEL_DB)


def test_an_offset_is_told_and_does_not_count_as_sound() -> None:
    pcm = np.full(RATE, 3277, np.int16)
    assert measured(pcm).offset == pytest.approx(0.1, abs=0.001)
    assert measured(pcm).is_offset
    assert measured(pcm).is_silent
    assert not measured(tone()).is_offset


@pytest.mark.parametrize("ceiling", [1.0, 0.4])
def test_what_was_cut_off_at_the_top_is_clipped(ceiling: float) -> None:
    cut = np.clip(tone(height=0.99) * 1.5, -32768 * ceiling, 32767 * ceiling).astype(np.int16)
    assert measured(cut).is_clipped
    assert not measured((tone(height=0.9) * 1.0).astype(np.int16)).is_clipped


def test_the_span_of_sound_is_found_in_silence_and_in_noise() -> None:
    for noise in (0.0, 100.0):
        pcm = np.random.default_rng(1).normal(0, noise or 1e-9, 3 * RATE)
        pcm[RATE : 2 * RATE] += tone()
        found = measured(pcm.astype(np.int16))
        assert found.start == pytest.approx(RATE, abs=FRAME)
        assert found.end == pytest.approx(2 * RATE, abs=FRAME)


def test_words_change_and_noise_and_tones_do_not(speech: Speech) -> None:
    for clips in speech.words(["yes", "left", "seven"], clips=8).values():
        assert not any(measured(clip.pcm).is_steady for clip in clips)
    still = [pink_noise(RATE, rms=rms, seed=3) for rms in (50, 500, 5000)]
    for pcm in (*still, tone(), tone(hertz=3000, height=0.1)):
        assert measured(pcm).is_steady


@pytest.mark.parametrize("samples", [1, 100, 480, 2000])
def test_any_length_is_measured(samples: int) -> None:
    found = measured(pink_noise(max(2, samples), rms=300, seed=1)[:samples])
    assert 0 <= found.start < found.end <= samples
