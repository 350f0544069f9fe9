"""Noise and other words made on the spot, for when a person has recorded only the commands."""

import tomllib
from importlib import resources
from typing import Final

import numpy as np
from numpy.random import Generator

from edgekws.events import Pcm
from edgekws.specs import SILENCE, UNKNOWN
from edgekws.train.dataset import Clip
from edgekws.train.recipe import Recipe
from edgekws.train.split import split_of
from edgekws.train.synth import open_synthesizer, synthesize_words

NOISE_SECONDS: Final = 12
COLOURS: Final = {"white": 0.0, "pink": 0.5, "brown": 1.0, "hiss": -0.3}
HUMS_HERTZ: Final = (50.0, 60.0, 100.0, 120.0, 175.0)


def make_noise(recordings: int, *, seed: int, sample_rate: int) -> list[Clip]:
    """Return noises of many colours, some with hum, clicks or slow swells, as clips of silence."""
    rng = np.random.default_rng([seed, 1])
    clips = []
    for number in range(recordings):
        colour = list(COLOURS)[number % len(COLOURS)]
        pcm = _noise(COLOURS[colour], rng, sample_rate=sample_rate)
        clips.append(Clip(pcm, SILENCE, colour, "validation" if number % 5 == 4 else "training"))
    return clips


def make_other_words(commands: tuple[str, ...], recipe: Recipe, *, takes: int) -> list[Clip]:
    """Return everyday words of several languages, synthesized, none of them a command.

    Raises MissingExtraError where there is no speech synthesis.
    """
    synthesizer, clips = open_synthesizer(), []
    taken = {command.casefold() for command in commands}
    for language, words in everyday_words().items():
        others = [word for word in words if word.casefold() not in taken]
        spoken = synthesize_words(
            others, language, takes=takes, seed=recipe.seed, synthesizer=synthesizer
        )
        for speaker, pcm in spoken:
            split = split_of(speaker, recipe.data)
            clips.append(Clip(pcm, UNKNOWN, f"synthesized_{language}", split))
    return clips


def everyday_words() -> dict[str, list[str]]:
    """Return words by eSpeak NG language code, from the package's own list."""
    text = resources.files("edgekws").joinpath("share/words.toml").read_text("utf-8")
    return {language: list(words) for language, words in tomllib.loads(text).items()}


def _noise(slope: float, rng: Generator, *, sample_rate: int) -> Pcm:
    count = NOISE_SECONDS * sample_rate
    spectrum = np.fft.rfft(rng.standard_normal(count))
    spectrum /= np.maximum(np.arange(len(spectrum)), 20) ** slope
    noise = np.fft.irfft(spectrum, count)
    noise /= noise.std()
    seconds = np.arange(count) / sample_rate
    kind = rng.integers(4)
    if kind == 1:
        for hertz in rng.choice(HUMS_HERTZ, 2, replace=False):
            noise += rng.uniform(0.3, 1.5) * np.sin(2 * np.pi * hertz * seconds)
    elif kind == 2:
        clicks = rng.random(count) < 3.0 / sample_rate
        decay = np.exp(-np.arange(400) / 60.0) * rng.standard_normal(400)
        noise += 12.0 * np.convolve(clicks * rng.standard_normal(count), decay)[:count]
    elif kind == 3:
        noise *= 1.0 + 0.9 * np.sin(2 * np.pi * seconds * rng.uniform(0.1, 1.0))
    level = 10.0 ** (rng.uniform(-45.0, -15.0) / 20.0)
    pcm = np.clip(noise / noise.std() * level * 32768.0, -32768, 32767)
    return np.asarray(pcm, np.int16)
