"""A long validation stream: noise and other speech, with commands laid in at known places."""

import io
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from edgekws.errors import RunError
from edgekws.events import Floats, Pcm
from edgekws.specs import UNKNOWN
from edgekws.train import augment
from edgekws.train.dataset import Corpus
from edgekws.train.run import write_aside

STREAM_FILE: Final = "stream.npz"
GAP_SECONDS: Final = (1.5, 4.0)  # between what is laid in
COMMAND_SHARE: Final = 0.5  # of what is laid in; the rest is other speech
NOISE_DB: Final = (-60.0, -30.0)  # RMS of a scene, below full scale
SNR_DB: Final = (5.0, 25.0)  # of a clip over the noise it is laid into
LEVEL_DB: Final = (-38.0, -10.0)  # of speech: no louder and no softer, whatever the SNR
SCENE_SECONDS: Final = 20.0  # of one background
OTHER_SECONDS: Final = 8  # at most so much of one recording of other speech at a time


@dataclass(frozen=True, slots=True)
class Stream:
    """`pcm` is (n,) int16; `truth` is (k, 3): start sample, end sample, index of the command label.

    Thresholds are chosen on the samples before `tune_end`, figures come from those after it.
    """

    pcm: Pcm
    truth: NDArray[np.int64]
    tune_end: int


def lay_stream(corpus: Corpus, *, minutes: float, seed: int, sample_rate: int) -> Stream:
    """Lay validation clips into validation noise. The two halves share no command clip.

    The index in `truth` counts over `corpus.labels`. Halves of few clips repeat theirs.
    """
    rng = np.random.default_rng([seed, 2])
    half = int(minutes * 30 * sample_rate)
    audio, truth = [], []
    for part in range(2):
        pieces = _pieces(corpus, part)
        laid, places = _lay_half(pieces, corpus, half, rng, sample_rate=sample_rate)
        audio.append(laid)
        truth += [(start + part * half, end + part * half, label) for start, end, label in places]
    return Stream(np.concatenate(audio), np.array(truth, np.int64).reshape(-1, 3), half)


def save_stream(path: Path, stream: Stream) -> None:
    """Write a stream as one file, atomically."""
    content = io.BytesIO()
    np.savez(content, pcm=stream.pcm, truth=stream.truth, tune_end=np.int64(stream.tune_end))
    write_aside(path, content.getvalue())


def load_stream(path: Path) -> Stream:
    """Read what `save_stream` wrote; RunError where it cannot be read."""
    try:
        # Opened here: numpy leaves the file open when it is no whole archive.
        with path.open("rb") as file, np.load(file, allow_pickle=False) as held:
            stream = Stream(held["pcm"], held["truth"], int(held["tune_end"]))
        _check(stream)
    except (OSError, ValueError, TypeError, KeyError, EOFError, zipfile.BadZipFile) as fault:
        raise RunError(f"{path}: not a usable stream ({fault}); run adapt again") from fault
    return stream


def _check(stream: Stream) -> None:
    pcm, truth = stream.pcm, stream.truth
    if pcm.dtype != np.int16 or pcm.ndim != 1 or not 0 < stream.tune_end < len(pcm):
        raise ValueError(f"pcm is {pcm.dtype} {pcm.shape}, tune_end {stream.tune_end}")
    if truth.dtype != np.int64 or truth.shape != (len(truth), 3):
        raise ValueError(f"truth is {truth.dtype} {truth.shape}")
    if len(truth) and not 0 <= truth.min() <= truth.max() < len(pcm) + 1:
        raise ValueError("truth lies outside of the audio")
    if ((truth[:, 0] < stream.tune_end) & (stream.tune_end < truth[:, 1])).any():
        raise ValueError("a command lies across the border of the two halves")


Piece = tuple[Pcm, int]  # audio and class; -1 for what is no command


def _pieces(corpus: Corpus, part: int) -> tuple[list[list[Piece]], list[Piece]]:
    """Return the command clips of one half, label by label, and its other speech."""
    held = corpus.of("validation")
    commands, others = [], [(clip.pcm, -1) for clip in held if clip.label == UNKNOWN]
    for index, label in enumerate(corpus.labels):
        own = [(clip.pcm, index) for clip in held if clip.label == label and label != UNKNOWN]
        if own:
            commands.append(own[part::2] or own)
    return commands, others[part::2] or others


def _lay_half(
    pieces: tuple[list[list[Piece]], list[Piece]],
    corpus: Corpus,
    length: int,
    rng: Generator,
    *,
    sample_rate: int,
) -> tuple[Pcm, list[tuple[int, int, int]]]:
    commands, others = pieces
    speech, scene = np.zeros(length, np.float32), _background(corpus, length, rng, sample_rate)
    at, places, turn = 2 * sample_rate, [], 0
    while True:
        if not others or rng.random() < COMMAND_SHARE:
            own = commands[turn % len(commands)]
            pcm, label = own[(turn // len(commands)) % len(own)]
            turn += 1
        else:
            pcm, label = others[rng.integers(len(others))]
            pcm = _excerpt(pcm, OTHER_SECONDS * sample_rate, rng)
        end = at + len(pcm)
        if end + 2 * sample_rate > length:
            break
        speech[at:end] = _levelled(pcm, scene[at:end], rng)
        if label >= 0:
            places.append((at, end, label))
        at = end + int(rng.uniform(*GAP_SECONDS) * sample_rate)
    return augment.to_scale(speech + scene).astype(np.int16), places


def _excerpt(pcm: Pcm, longest: int, rng: Generator) -> Pcm:
    """Return a random part of a long recording: whole, it would not fit or fill the stream."""
    if len(pcm) <= longest:
        return pcm
    start = int(rng.integers(0, len(pcm) - longest + 1))
    return pcm[start : start + longest]


def _levelled(pcm: Pcm, noise: Floats, rng: Generator) -> Floats:
    """Return a clip in [-1, 1] at a drawn SNR over the noise it is laid into."""
    audio = pcm.astype(np.float32) / augment.FULL_SCALE
    wanted = min(max(_decibels(noise) + rng.uniform(*SNR_DB), LEVEL_DB[0]), LEVEL_DB[1])
    gain = 10.0 ** ((wanted - _decibels(audio)) / 20.0)
    peak = float(np.abs(audio).max()) + 1e-6
    return audio * np.float32(min(gain, 0.99 / peak))


def _background(corpus: Corpus, length: int, rng: Generator, sample_rate: int) -> Floats:
    """Return one scene after another, each at a level of its own."""
    noise, out = corpus.noise_of("validation"), []
    scene = int(SCENE_SECONDS * sample_rate)
    for _ in range(-(-length // scene)):
        segment = augment.noise_segment(noise, scene, rng)
        gain: float = 10.0 ** ((rng.uniform(*NOISE_DB) - _decibels(segment)) / 20.0)
        out.append(segment * np.float32(min(gain, 30.0)))
    return np.concatenate(out)[:length]


def _decibels(audio: Floats) -> float:
    """Return the RMS in dB of full scale, -120 for digital silence."""
    return float(20.0 * np.log10(np.sqrt(np.mean(audio.astype(np.float64) ** 2)) + 1e-6))
