"""Words spoken by machines: who can speak, how something is said, and takes in many voices.

A synthesizer is imported only when it is asked for, and never on the device.
"""

import math
import wave
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Final, Protocol, cast

import numpy as np

from edgekws.audio.extras import load_extra
from edgekws.errors import DataError, UsageError
from edgekws.events import Floats, Pcm
from edgekws.train.interrupts import interrupts_kept_back

SAMPLE_RATE: Final = 16_000
SYNTHESIZERS: Final = {
    "espeak": "edgekws.train.synth_espeak:EspeakSynthesizer",
    "flite": "edgekws.train.synth_flite:FliteSynthesizer",
    "piper": "edgekws.train.synth_piper:PiperSynthesizer",
}
"""Name to "module:Class"; the class is built from the voices a person named, () for all of them."""

USUAL_RATE_WPM: Final = 175
_AUDIBLE: Final = 1 / 256  # -48 dB: Flite answers a text it cannot read with faint noise


@dataclass(frozen=True, slots=True)
class Delivery:
    """How something is said, as far as a synthesizer can; the defaults are eSpeak NG's own."""

    rate_wpm: int = USUAL_RATE_WPM
    """Words per minute, 80 to 450."""
    pitch: int = 50
    """0 to 99."""
    pitch_range: int = 50
    """Intonation: 0 (monotone) to 99."""
    tract: float = 1.0
    """All frequencies times this: above 1 a shorter vocal tract, and faster speech."""
    peak_db: float = -6.0
    """The loudest sample, in dB of full scale."""


PLAIN: Final = Delivery()


class Synthesizer(Protocol):
    """Says texts; the same calls in the same order of a new one give the same samples."""

    def voices(self, language: str) -> tuple[str, ...]:
        """Return its voices of a language, "language+name"; DataError where it has none."""
        ...

    def say(self, text: str, *, voice: str, delivery: Delivery = PLAIN) -> Pcm:
        """Return (n,) int16 at 16 kHz; DataError for an unknown voice or an unspeakable text."""
        ...


def open_synthesizer(name: str = "espeak", *, voices: Sequence[str] = ()) -> Synthesizer:
    """Build the synthesizer of a name; `voices` keeps it to those, or names its files.

    Raises UsageError for a name that there is not, MissingExtraError where it is not installed.
    """
    if name not in SYNTHESIZERS:
        raise UsageError(f"no synthesizer {name!r}; there is {', '.join(SYNTHESIZERS)}")
    module, _, attribute = SYNTHESIZERS[name].partition(":")
    build = cast(
        Callable[[tuple[str, ...]], Synthesizer], getattr(import_module(module), attribute)
    )
    return build(tuple(voices))


def synthesize_words(
    texts: Iterable[str],
    language: str,
    *,
    takes: int,
    seed: int,
    variants: Sequence[str] = (),
    synthesizer: Synthesizer | None = None,
) -> Iterator[tuple[str, Pcm]]:
    """Yield (speaker, pcm) for each text in each of so many takes, every take in another voice.

    The speaker is named for the voice, e.g. "cmn-f3", so that a split by speaker is possible; with
    more takes than voices a voice speaks again in another delivery. `variants` keeps to the voices
    of these names. Reproducible by its seed.
    """
    synthesizer = synthesizer or open_synthesizer()
    rng = np.random.default_rng(seed)
    voices = synthesizer.voices(language)
    chosen = [v for v in voices if not variants or v.partition("+")[2] in variants]
    if not chosen:
        raise DataError(f"no voice of {language!r} is one of {', '.join(variants)}; name others")
    texts = list(texts)
    order = rng.permutation(len(chosen))
    for take in range(takes):
        voice = chosen[order[take % len(order)]]
        for text in texts:
            yield voice.replace("+", "-"), synthesizer.say(text, voice=voice, delivery=_draw(rng))


def finish(x: Floats, rate: float, text: str, *, voice: str, delivery: Delivery) -> Pcm:
    """Bring (n,) samples of a voice to 16 kHz, its vocal tract and its level, int16.

    Raises DataError where nothing is to be heard, MissingExtraError without soxr.
    """
    if not len(x) or float(np.abs(x).max()) < _AUDIBLE:
        raise DataError(f"voice {voice} says nothing for {text!r}; give it words")
    soxr = load_extra("soxr", extra="synth", purpose="speech synthesis")
    resampled: Floats = soxr.resample(x, rate * delivery.tract, SAMPLE_RATE)
    gain = 10 ** (delivery.peak_db / 20) / float(np.abs(resampled).max())
    pcm: Pcm = np.round(resampled * (gain * 32767)).astype(np.int16)
    return pcm


def write_takes(folder: Path, takes: Iterable[tuple[str, Pcm]]) -> int:
    """Write folder/<speaker>_nohash_<n>.wav for every take, as `adapt` reads them; return how many.

    n counts on from the takes of that speaker that are there already.
    """
    folder.mkdir(parents=True, exist_ok=True)
    before = len(list(folder.glob("*_nohash_*.wav")))
    for speaker, pcm in takes:
        n = len(list(folder.glob(f"{speaker}_nohash_*.wav")))
        write_wav(folder / f"{speaker}_nohash_{n}.wav", pcm)
    return len(list(folder.glob("*_nohash_*.wav"))) - before


def write_wav(path: Path, pcm: Pcm) -> None:
    """Write (n,) int16 as a 16 kHz mono WAV file."""
    # interrupted while it opens a file, a Wave_write leaves a traceback behind
    with interrupts_kept_back(), wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE)
        file.writeframes(pcm.astype("<i2").tobytes())


def _draw(rng: np.random.Generator) -> Delivery:
    return Delivery(
        rate_wpm=int(rng.integers(130, 215)),
        pitch=int(rng.integers(25, 80)),
        pitch_range=int(rng.integers(20, 80)),
        tract=math.exp(rng.normal(0.0, 0.04)),
        peak_db=float(rng.uniform(-15.0, -1.0)),
    )
