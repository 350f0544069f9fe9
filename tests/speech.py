"""Speech for tests: real clips where a data folder is found, else words synthesized on the spot."""

import csv
import os
import wave
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Final, Protocol

import numpy as np

from edgekws.events import Pcm

RATE: Final = 16_000
ROOT: Final = Path(__file__).resolve().parents[1]
SENTENCES: Final = (
    "the weather will be cloudy with some sunshine later in the week",
    "please remember to water the flowers before you leave the house",
    "an old ship crossed the harbour slowly while the children were watching",
)


@dataclass(frozen=True, slots=True)
class Clip:
    """One utterance: who spoke, and (n,) int16 at 16 kHz."""

    speaker: str
    pcm: Pcm


class Speech(Protocol):
    """Where tests take speech from; English lower-case words, reproducible, clips of one second."""

    real: bool

    def words(self, labels: Iterable[str], *, clips: int) -> dict[str, list[Clip]]:
        """Return so many clips per word, of as many speakers as there are."""
        ...

    def sentences(self, samples: int) -> Pcm:
        """Return so many samples of running speech."""
        ...

    def noise(self, samples: int) -> Pcm:
        """Return so many samples of a room without speech."""
        ...


def data_folder() -> Path | None:
    """Return the folder of real recordings: EDGEKWS_TEST_DATA, or ../shared/data."""
    folder = Path(os.environ.get("EDGEKWS_TEST_DATA") or ROOT.parent / "shared" / "data")
    return folder if (folder / "speech_commands" / "index.csv").is_file() else None


def open_speech() -> Speech:
    """Return real speech where there is some, else synthesized speech."""
    folder = data_folder()
    return SyntheticSpeech() if folder is None else RealSpeech(folder)


class RealSpeech:
    """Recordings of many people, cut from the long files that an index.csv describes."""

    real = True

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def words(self, labels: Iterable[str], *, clips: int) -> dict[str, list[Clip]]:
        """Return clips of the validation speakers, first one of each speaker."""
        return {label: self._word(label, clips) for label in labels}

    def _word(self, label: str, clips: int) -> list[Clip]:
        rows = [r for r in self._index("speech_commands") if r["label"] == label]
        rows.sort(key=lambda r: (r["split"] != "validation", r["clip"].split("_")[2], r["clip"]))
        return [Clip(r["speaker"], _fit(self._read("speech_commands", r))) for r in rows[:clips]]

    def sentences(self, samples: int) -> Pcm:
        """Return read speech."""
        return self._run("read_speech", self._index("read_speech"), samples)

    def noise(self, samples: int) -> Pcm:
        """Return the background recordings, one after another."""
        rows = [r for r in self._index("noise") if r["file"] == "sc_background.flac"]
        return self._run("noise", rows, samples)

    def _run(self, name: str, rows: Sequence[Mapping[str, str]], samples: int) -> Pcm:
        pieces: list[Pcm] = []
        for row in rows:
            pieces.append(self._read(name, row))
            if sum(map(len, pieces)) >= samples:
                break
        return np.resize(np.concatenate(pieces), samples)

    def _index(self, name: str) -> list[dict[str, str]]:
        return _read_index(self._folder / name / "index.csv")

    def _read(self, name: str, row: Mapping[str, str]) -> Pcm:
        import soundfile

        path = self._folder / name / row["file"]
        start, samples = int(row["start"]), int(row["samples"])
        with soundfile.SoundFile(path) as file:
            file.seek(start)
            pcm: Pcm = file.read(samples, dtype="int16")
        return pcm


class SyntheticSpeech:
    """Words from eSpeak NG in many voices, and noise from a seeded generator."""

    real = False

    def words(self, labels: Iterable[str], *, clips: int) -> dict[str, list[Clip]]:
        """Return clips that differ in voice, pitch, rate and loudness."""
        from edgekws.train.synth import synthesize_words

        return {
            label: [
                Clip(speaker, _fit(pcm))
                for speaker, pcm in islice(
                    synthesize_words([label], "en", takes=clips, seed=7), clips
                )
            ]
            for label in labels
        }

    def sentences(self, samples: int) -> Pcm:
        """Return a few sentences, repeated."""
        from edgekws.train.synth import synthesize_words

        pieces = [pcm for _, pcm in synthesize_words(SENTENCES, "en", takes=2, seed=8)]
        return np.resize(np.concatenate(pieces), samples)

    def noise(self, samples: int) -> Pcm:
        """Return pink noise at about -40 dB of full scale."""
        return pink_noise(samples, rms=300.0, seed=9)


def pink_noise(samples: int, *, rms: float, seed: int) -> Pcm:
    """Return (samples,) int16 noise whose power falls by 3 dB per octave."""
    spectrum = np.fft.rfft(np.random.default_rng(seed).standard_normal(samples))
    spectrum /= np.sqrt(np.maximum(np.arange(len(spectrum)), 1))
    x = np.fft.irfft(spectrum, samples)
    return np.clip(x * (rms / x.std()), -32768, 32767).astype(np.int16)


def write_wav(path: Path, pcm: Pcm, *, rate: int = RATE) -> Path:
    """Write (n,) or (n, channels) int16 as a WAV file, making its folder; return the path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1 if pcm.ndim == 1 else pcm.shape[1])
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(pcm.astype("<i2").tobytes())
    return path


def write_folder(root: Path, words: Mapping[str, Sequence[Clip]]) -> Path:
    """Write root/<label>/<speaker>_nohash_<n>.wav for every clip; return the root."""
    for label, clips in words.items():
        for n, clip in enumerate(clips):
            write_wav(root / label / f"{clip.speaker}_nohash_{n}.wav", clip.pcm)
    return root


@cache
def _read_index(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _fit(pcm: Pcm, samples: int = RATE) -> Pcm:
    """Cut or pad evenly with zeros to so many samples."""
    if len(pcm) >= samples:
        start = (len(pcm) - samples) // 2
        return pcm[start : start + samples]
    before = (samples - len(pcm)) // 2
    return np.pad(pcm, (before, samples - len(pcm) - before))
