"""Another tempo and another pitch of a recording, each alone, by Signalsmith Stretch."""

from typing import Any, Final

import numpy as np
from numpy.random import Generator

from edgekws.audio.extras import load_extra
from edgekws.events import Pcm
from edgekws.train.recipe_data import AugmentRecipe

_PURPOSE: Final = "tempo_probability and pitch_probability of [augment]"


def vary_voice(pcm: Pcm, recipe: AugmentRecipe, rng: Generator, *, sample_rate: int) -> Pcm:
    """Return (n,) int16 in another tempo and pitch, by the recipe's probabilities.

    Nothing is drawn for what the recipe leaves out. MissingExtraError without python-stretch.
    """
    tempo, semitones = 1.0, 0.0
    if recipe.tempo_probability and rng.random() < recipe.tempo_probability:
        tempo = rng.uniform(*recipe.tempo)
    if recipe.pitch_probability and rng.random() < recipe.pitch_probability:
        semitones = rng.uniform(*recipe.pitch_semitones)
    if (tempo, semitones) == (1.0, 0.0):
        return pcm
    return change_voice(pcm, tempo=tempo, semitones=semitones, sample_rate=sample_rate)


def change_voice(pcm: Pcm, *, tempo: float, semitones: float, sample_rate: int) -> Pcm:
    """Return (n,) int16 spoken `tempo` times as fast and so many semitones higher."""
    library: Any = load_extra("python_stretch", extra="augment", purpose=_PURPOSE)
    stretch = library.Signalsmith.Stretch()
    stretch.preset(1, sample_rate)
    stretch.timeFactor = tempo
    stretch.setTransposeSemitones(semitones)
    changed = stretch.process(pcm.astype(np.float32)[None])[0]  # (1, n) to (m,)
    return np.asarray(np.clip(np.rint(changed), -32768, 32767), np.int16)
