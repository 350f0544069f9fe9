"""Fixtures of real, small runs, each made once per session by `edgekws adapt` and `export`."""

import shutil
from pathlib import Path
from typing import Final

import numpy as np
import pytest
import soundfile

from edgekws.events import Pcm
from edgekws.runtime.tree import BACKGROUND
from edgekws.specs import UNKNOWN
from tests.once import made_once
from tests.speech import Clip, Speech, write_folder, write_wav
from tests.training import RATE, adapt, export, recipe_text, write_recipe

COMMANDS: Final = ("yes", "stop")  # of the base
OTHERS: Final = ("bird", "cat", "happy", "left")
NEW_COMMANDS: Final = ("on", "yes")  # of the adapted run: the base knows one of them
LIGHT: Final = """[augment]
reverb_probability = 0.0
speed_probability = 0.3
lead_frames = [0, 16]
snr_db = [5.0, 35.0]
time_masks = 1
frequency_masks = 1"""
FORMATS: Final = (  # suffix, subtype, rate, channels
    ("wav", "PCM_16", 8_000, 1),
    ("wav", "PCM_24", 48_000, 2),
    ("wav", "FLOAT", 44_100, 1),
    ("flac", "PCM_16", 48_000, 1),
    ("ogg", "VORBIS", 44_100, 2),
    ("mp3", "MPEG_LAYER_III", 16_000, 1),
)


@pytest.fixture(scope="session")
def training_data(speech: Speech) -> Path:
    """One folder per command with speakers in the names, `_unknown_`, and background noise."""

    def make(root: Path) -> None:
        write_folder(root, speech.words(COMMANDS, clips=40))
        others = speech.words(OTHERS, clips=6)
        write_folder(root, {UNKNOWN: [clip for own in others.values() for clip in own]})
        write_noise(root, speech)

    return made_once("training", lambda folder: make(folder / "data")) / "data"


@pytest.fixture(scope="session")
def mixed_data(speech: Speech) -> Path:
    """Recordings without speakers in their names, each label in many formats and rates."""

    def make(root: Path) -> None:
        for label, clips in speech.words(NEW_COMMANDS, clips=2 * len(FORMATS)).items():
            (root / label).mkdir(parents=True)
            for number, clip in enumerate(clips):
                write_as(root / label / f"take{number}", clip, FORMATS[number % len(FORMATS)])
        write_folder(root, {UNKNOWN: speech.words(["happy"], clips=8)["happy"]})
        write_noise(root, speech)

    return made_once("mixed", lambda folder: make(folder / "data")) / "data"


@pytest.fixture(scope="session")
def base_run(training_data: Path) -> Path:
    """A run from scratch over `COMMANDS` that hears them well enough for the tests."""

    def make(root: Path) -> None:
        text = recipe_text(
            labels=COMMANDS, phases=((6, 0.02, 0.02),), examples=960, patience=5, extra=LIGHT
        )
        done = adapt(write_recipe(root / "base.toml", text), training_data, root / "base")
        assert done.code == 0, done.stderr

    return made_once("base", make) / "base"


@pytest.fixture(scope="session")
def adapting(tmp_path_factory: pytest.TempPathFactory, base_run: Path) -> Path:
    """The recipe of `adapted_run`: the base's head first, then all of it."""
    text = recipe_text(
        base=base_run,
        labels=NEW_COMMANDS,
        phases=((1, 0.01, 0.0), (3, 0.01, 0.005)),
        examples=256,
        extra=LIGHT,
    )
    return write_recipe(tmp_path_factory.mktemp("adapting") / "adapting.toml", text)


@pytest.fixture(scope="session")
def adapted_run(adapting: Path, mixed_data: Path) -> Path:
    """A run from the base over `NEW_COMMANDS`."""

    def make(root: Path) -> None:
        done = adapt(adapting, mixed_data, root / "adapted")
        assert done.code == 0, done.stderr

    return made_once("adapted", make) / "adapted"


@pytest.fixture(scope="session")
def exported(base_run: Path) -> Path:
    """The bundle of the base for x86."""

    def make(root: Path) -> None:
        done = export(base_run, "--target", "x86", "--out", root)
        assert done.code == 0, done.stderr

    return made_once("exported", make) / "small-x86"


def copy_run(run: Path, place: Path, *, calibration_clips: int = 12) -> Path:
    """Copy a run with less calibration audio: exporting it takes a third of the time."""
    shutil.copytree(run, place)
    with np.load(run / "calibration.npz") as held:
        np.savez(place / "calibration.npz", pcm=held["pcm"][:calibration_clips])
    return place


def write_noise(root: Path, speech: Speech) -> Path:
    for number, part in enumerate(np.split(speech.noise(16 * RATE), 4)):
        write_wav(root / BACKGROUND / f"room{number}.wav", part)
    return root


def write_as(stem: Path, clip: Clip, form: tuple[str, str, int, int]) -> None:
    """Write a clip at another rate, in another format, in so many channels."""
    suffix, subtype, rate, channels = form
    frames = np.stack([resampled(clip.pcm, rate)] * channels, axis=1)
    soundfile.write(stem.with_suffix(f".{suffix}"), frames, rate, subtype=subtype)


def resampled(pcm: Pcm, rate: int) -> np.ndarray:
    count = len(pcm) * rate // RATE
    return np.interp(np.arange(count) * RATE / rate, np.arange(len(pcm)), pcm / 32768)
