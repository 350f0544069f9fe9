"""What lies between a voice and a model: rooms, telephones, codecs, microphones turned too high."""

import io
from functools import lru_cache
from typing import Any, Final

import numpy as np
from numpy.random import Generator

from edgekws.audio.extras import load_extra
from edgekws.events import Floats, Pcm
from edgekws.train.degrade import telephone
from edgekws.train.recipe_data import AugmentRecipe, Codec
from edgekws.train.rooms import draw_room, impulse_response

CODECS: Final[dict[Codec, tuple[str, str]]] = {  # container and encoding, as soundfile names them
    "mp3": ("MP3", "MPEG_LAYER_III"),
    "opus": ("OGG", "OPUS"),
    "vorbis": ("OGG", "VORBIS"),
}
ROOMS: Final = 16  # of a run: each takes a tenth of a second to simulate
LEAST_METRES: Final = 0.5  # from the speaker to the microphone


@lru_cache(maxsize=2)
def simulated_rooms(seed: int, *, sample_rate: int) -> tuple[Floats, ...]:
    """Return `ROOMS` impulse responses, the same for the same seed."""
    rng = np.random.default_rng([seed, 4])
    drawn = [draw_room(rng, least_metres=LEAST_METRES) for _ in range(ROOMS)]
    return tuple(impulse_response(room, sample_rate=sample_rate) for room in drawn)


def distort(pcm: Pcm, recipe: AugmentRecipe, rng: Generator, *, sample_rate: int) -> Pcm:
    """Return (n,) int16 as it comes through a line, by the recipe's probabilities.

    Nothing is drawn for what the recipe leaves out: other draws stay what they are.
    """
    if _drawn(recipe.telephone_probability, rng):
        pcm = fitted(telephone(pcm, sample_rate=sample_rate), len(pcm))
    if _drawn(recipe.codec_probability, rng):
        codec = recipe.codecs[rng.integers(len(recipe.codecs))]
        pcm = through_codec(pcm, codec, rng.uniform(), sample_rate=sample_rate)
    if _drawn(recipe.overdrive_probability, rng):
        pcm = overdrive(pcm, rng.uniform(*recipe.overdrive_db))
    return pcm


def through_codec(pcm: Pcm, codec: Codec, quality: float, *, sample_rate: int) -> Pcm:
    """Return (n,) int16 coded and decoded; `quality` is from 0, the lowest bit rate, to 1."""
    soundfile: Any = load_extra("soundfile", extra="train", purpose="codec_probability")
    container, encoding = CODECS[codec]
    level, file = 0.99 * (1.0 - quality), io.BytesIO()  # some codecs refuse 1
    soundfile.write(
        file, pcm, sample_rate, format=container, subtype=encoding, compression_level=level
    )
    file.seek(0)
    decoded, _ = soundfile.read(file, dtype="int16")
    return fitted(decoded, len(pcm))


def overdrive(pcm: Pcm, excess_db: float) -> Pcm:
    """Return (n,) int16 so loud that its peak is so far above full scale, and cut off there."""
    peak = max(1, int(np.abs(pcm.astype(np.int32)).max()))
    loud = pcm * np.float32(32768.0 / peak * 10.0 ** (excess_db / 20.0))
    return np.asarray(np.clip(np.rint(loud), -32768, 32767), np.int16)


def fitted(pcm: Pcm, length: int) -> Pcm:
    """Return the first `length` samples, with zeros where there are fewer."""
    return np.asarray(np.pad(pcm[:length], (0, max(0, length - len(pcm)))), np.int16)


def _drawn(probability: float, rng: Generator) -> bool:
    return probability > 0 and bool(rng.random() < probability)
