"""Noise and other words made on the spot: of many kinds, seeded, and none of them a command."""

import msgspec
import numpy as np

from edgekws.specs import SILENCE, UNKNOWN
from edgekws.train.background import everyday_words, make_noise, make_other_words
from tests.training import RATE, recipe_of, recipe_text


def slope_db(pcm: np.ndarray) -> float:
    """Return the level from 4 to 7 kHz against that from 200 to 500 Hz, in dB."""
    power = np.abs(np.fft.rfft(pcm.astype(float))) ** 2
    hertz = np.fft.rfftfreq(len(pcm), 1 / RATE)
    low = np.median(power[(hertz > 200) & (hertz < 500)])
    high = np.median(power[(hertz > 4000) & (hertz < 7000)])
    return float(10 * np.log10(high / low))


def test_noise_is_of_many_colours_and_levels_on_both_sides() -> None:
    clips = make_noise(20, seed=3, sample_rate=RATE)
    assert {clip.label for clip in clips} == {SILENCE}
    assert [clip.split for clip in clips].count("validation") == 4
    assert all(clip.pcm.dtype == np.int16 and len(clip.pcm) > 10 * RATE for clip in clips)
    assert all(5 < clip.pcm.std() < 12_000 for clip in clips)
    slopes = {c.group: slope_db(c.pcm) for c in clips}
    assert slopes["brown"] < slopes["pink"] < slopes["white"] < slopes["hiss"]


def test_noise_is_the_same_again_by_its_seed() -> None:
    first, again = (make_noise(2, seed=3, sample_rate=RATE) for _ in range(2))
    assert all(np.array_equal(a.pcm, b.pcm) for a, b in zip(first, again, strict=True))
    other = make_noise(2, seed=4, sample_rate=RATE)
    assert not np.array_equal(first[0].pcm, other[0].pcm)


def test_everyday_words_are_of_several_languages() -> None:
    words = everyday_words()
    assert len(words) >= 2
    assert all(len(own) >= 8 for own in words.values())


def test_other_words_leave_the_commands_out_and_keep_speakers_apart() -> None:
    recipe = recipe_of(recipe_text())
    all_words = everyday_words()
    spared = {language: own[0] for language, own in all_words.items()}
    # Nearly all are commands, so that little is left to speak.
    commands = tuple(w.upper() for language in all_words for w in all_words[language][2:])
    clips = make_other_words(commands, recipe, takes=2)
    assert {clip.label for clip in clips} == {UNKNOWN}
    assert {clip.group for clip in clips} == {f"synthesized_{language}" for language in spared}
    assert len(clips) <= 2 * 2 * len(all_words)
    everyone = make_other_words(commands[1:], recipe, takes=2)
    assert len(everyone) == len(clips) + 2


def test_the_share_held_out_follows_the_recipe() -> None:
    recipe = recipe_of(recipe_text())
    half = msgspec.structs.replace(
        recipe, data=msgspec.structs.replace(recipe.data, validation_percent=50)
    )
    commands = tuple(w for own in everyday_words().values() for w in own[6:])
    clips = make_other_words(commands, half, takes=2)
    held = [clip for clip in clips if clip.split == "validation"]
    assert 0 < len(held) < len(clips)
