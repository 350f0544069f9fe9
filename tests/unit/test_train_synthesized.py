"""Synthesized takes of the commands: to learn from only, each in its language, beside real ones."""

from collections import Counter
from pathlib import Path
from typing import Final

import numpy as np
import pytest

from edgekws.errors import ConfigError, DataError
from edgekws.specs import UNKNOWN
from edgekws.train.batches import class_weights
from edgekws.train.dataset import BACKGROUND, Clip, Corpus, Folders
from edgekws.train.gather import gather
from tests.speech import pink_noise, write_wav
from tests.training import RATE, quiet, recipe_of, recipe_text

COMMANDS: Final = ("lights_on", "开灯")
TWO_LANGUAGES: Final = '[data.languages]\n"开灯" = "cmn"\n'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Four recordings of each command by four people, other words, and noise."""
    noise = pink_noise(RATE, rms=300.0, seed=1)
    for label in (*COMMANDS, UNKNOWN):
        for person in range(4):
            write_wav(tmp_path / label / f"p{person}_nohash_0.wav", noise)
    write_wav(tmp_path / BACKGROUND / "room.wav", noise)
    return tmp_path


def gathered(folder: Path, tables: str) -> tuple[Corpus, str]:
    """Return the corpus of a recipe with these tables, and what was said."""
    reporter = quiet()
    recipe = recipe_of(recipe_text(extra=tables))
    corpus = gather(Folders(folder), recipe, reporter, sample_rate=RATE)
    return corpus, reporter.out.getvalue()  # type: ignore[attr-defined]


def synthesized(corpus: Corpus) -> list[Clip]:
    return [clip for clip in corpus.clips if clip.group.endswith("synthesized")]


def test_takes_of_every_command_are_to_learn_from_only(folder: Path) -> None:
    plain, _ = gathered(folder, "")
    corpus, said = gathered(folder, "[[synthesis]]\ntakes = 5\n" + TWO_LANGUAGES)
    takes = synthesized(corpus)
    assert Counter(clip.label for clip in takes) == dict.fromkeys(COMMANDS, 5)
    assert {clip.split for clip in takes} == {"training"}
    assert len({clip.pcm.tobytes() for clip in takes}) == len(takes)
    assert len(corpus.of("validation")) == len(plain.of("validation"))
    assert corpus.labels == plain.labels
    assert corpus.speaker_disjoint
    assert "espeak speaks 5 takes of each of 2 command(s)" in said


def test_a_command_is_said_in_its_language_as_it_is_written(folder: Path) -> None:
    in_mandarin, _ = gathered(folder, "[[synthesis]]\ntakes = 4\n" + TWO_LANGUAGES)
    in_english, _ = gathered(folder, "[[synthesis]]\ntakes = 4\n")
    (mandarin, english) = (
        np.mean([len(c.pcm) for c in synthesized(corpus) if c.label == "开灯"])
        for corpus in (in_mandarin, in_english)
    )
    assert english > 1.3 * mandarin  # an English voice says the names of foreign letters
    spoken = [c.pcm for c in synthesized(in_mandarin) if c.label == "lights_on"]
    assert max(len(pcm) for pcm in spoken) < 1.2 * RATE  # and none says "underscore"


def test_each_synthesis_speaks_its_own_labels(folder: Path) -> None:
    first = '[[synthesis]]\ntakes = 2\nlabels = ["开灯"]\n'
    second = '[[synthesis]]\ntakes = 3\nvoices = ["f3"]\n'
    corpus, _ = gathered(folder, first + second + TWO_LANGUAGES)
    assert Counter(clip.label for clip in synthesized(corpus)) == {"开灯": 5, "lights_on": 3}


def test_many_takes_leave_real_recordings_their_share(folder: Path) -> None:
    corpus, _ = gathered(folder, "[[synthesis]]\ntakes = 27\n" + TWO_LANGUAGES)
    clips = [clip for clip in corpus.of("training") if clip.label != UNKNOWN]
    recipe = recipe_of(recipe_text())
    weights = class_weights(clips, recipe)
    real = sum(w for clip, w in zip(clips, weights, strict=True) if clip.group in COMMANDS)
    by_count = sum(clip.group in COMMANDS for clip in clips) / len(clips)
    assert by_count < 0.12
    assert real > 2 * by_count


@pytest.mark.parametrize(
    ("tables", "error", "said"),
    [
        ('[data.languages]\n"关灯" = "cmn"\n', ConfigError, "data.languages: '关灯' is no command"),
        ('[[synthesis]]\ntakes = 1\nlabels = ["off"]\n', ConfigError, "synthesis.labels: 'off'"),
        ('[[synthesis]]\ntakes = 1\n[data.languages]\nlights_on = "xx"\n', DataError, "'xx'"),
        ('[[synthesis]]\ntakes = 1\nvoices = ["nobody"]\n', DataError, "no variant 'nobody'"),
    ],
)
def test_what_cannot_be_spoken_is_one_error(
    folder: Path, tables: str, error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=said):
        gathered(folder, tables)


def test_few_recordings_are_warned_of_with_what_it_means(folder: Path) -> None:
    _, said = gathered(folder, "")
    for label in ("lights_on", "开灯"):
        assert f"warning: label '{label}': 4 recordings, 3 to learn from" in said
    assert "expect misses by other voices" in said
    noise = pink_noise(RATE, rms=300.0, seed=2)
    for number in range(6):
        write_wav(folder / "lights_on" / f"p{number}_nohash_1.wav", noise)
    _, said = gathered(folder, "")
    assert "label '开灯': 4 recordings" in said
    assert "label 'lights_on': 10 recordings" not in said
