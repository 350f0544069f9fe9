"""What cannot be sound is noticed within two seconds of it, and what can be is left alone."""

from typing import Final

import numpy as np
import pytest

from edgekws.audio.vigil import Vigil
from edgekws.events import Block, Floats, Pcm

RATE: Final = 16_000
BLOCK: Final = 1280


def noise(seconds: float, *, level: float) -> Pcm:
    sound: Floats = np.random.default_rng(3).standard_normal(round(seconds * RATE)) * level
    return sound.clip(-32768, 32767).astype(np.int16)


def constant(seconds: float, value: int) -> Pcm:
    return np.full(round(seconds * RATE), value, np.int16)


def after(vigil: Vigil, *sounds: Pcm) -> tuple[str, str]:
    """Return trouble and complaint behind the sounds."""
    pcm = np.concatenate(sounds)
    for start in range(0, len(pcm) - BLOCK + 1, BLOCK):
        vigil.push(Block(pcm[start : start + BLOCK], start, RATE))
    return vigil.trouble, vigil.complaint


@pytest.mark.parametrize(
    ("value", "words"), [(0, "nothing but zeros"), (-5, "every sample is -5"), (32767, "32767")]
)
def test_one_value_for_two_seconds_is_trouble(value: int, words: str) -> None:
    vigil = Vigil()
    assert after(vigil, noise(0.8, level=100), constant(1.92, value))[0] == ""
    trouble, _ = after(vigil, constant(0.08, value))
    assert words in trouble
    assert after(vigil, noise(0.1, level=100))[0] == ""


@pytest.mark.parametrize("level", [1.0, 10.0, 1000.0, 8000.0])
def test_noise_of_any_level_is_sound(level: float) -> None:
    assert after(Vigil(), noise(6.0, level=level)) == ("", "")


def test_another_value_begins_anew() -> None:
    steps = [constant(0.8, value) for value in range(10)]
    assert after(Vigil(), *steps) == ("", "")


def test_constant_clipping_is_complained_of_until_it_has_ended_for_two_seconds() -> None:
    vigil = Vigil()
    loud, calm = noise(1.9, level=60_000), noise(1.9, level=1000)
    assert after(vigil, loud) == ("", "")
    assert "clipped" in after(vigil, loud)[1]
    assert "clipped" in after(vigil, calm)[1]
    assert after(vigil, calm)[1] == ""


def test_loud_speech_with_pauses_is_not_complained_of() -> None:
    words = [part for _ in range(6) for part in (noise(0.6, level=60_000), noise(0.2, level=500))]
    assert after(Vigil(), *words) == ("", "")


def test_a_gap_forgets() -> None:
    vigil = Vigil()
    assert after(vigil, constant(2.5, 0))[0]
    vigil.reset()
    assert after(vigil, constant(1.9, 0)) == ("", "")
    assert vigil.unchanged_seconds < 2
