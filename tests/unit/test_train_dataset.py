"""Folders become a corpus: classes, splits, noise, and a refusal for what cannot be used."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from edgekws.errors import DataError
from edgekws.events import Pcm
from edgekws.runtime.tree import BACKGROUND
from edgekws.specs import SILENCE, UNKNOWN
from edgekws.train.dataset import HARD_NEGATIVES, Corpus, Folders, list_audio, load_corpus
from edgekws.train.gather import gather
from edgekws.train.recipe_data import DataRecipe
from tests.speech import Speech, write_folder, write_wav
from tests.training import RATE, quiet, recipe_of, recipe_text

SHIFTED = {"rate": 0.02, "level": 0.05}
"""How far a second of another format may be off: a resampler's edges, a lossy codec's loudness."""


def beep(*, rate: int = RATE, seconds: float = 1.0) -> Pcm:
    return (8000 * np.sin(np.arange(int(rate * seconds)) * 2 * np.pi * 440 / rate)).astype(np.int16)


def make_tree(root: Path, tree: dict[str, list[str]]) -> Path:
    for folder, names in tree.items():
        (root / folder).mkdir(parents=True, exist_ok=True)
        for name in names:
            write_wav(root / folder / f"{name}.wav", beep())
    return root


def corpus_of(
    data: Path,
    *,
    commands: tuple[str, ...] = (),
    unknown: tuple[Path, ...] = (),
    noise: tuple[Path, ...] = (),
    hard_negatives: tuple[Path, ...] = (),
) -> Corpus:
    return load_corpus(
        Folders(data, unknown, noise, hard_negatives),
        commands=commands,
        recipe=DataRecipe(validation_percent=30),
        sample_rate=RATE,
        progress=lambda done, total: None,
    )


def test_every_folder_is_a_command_and_reserved_labels_come_first(tmp_path: Path) -> None:
    tree = {"关灯": ["a", "b"], "开灯": ["a", "b"], UNKNOWN: ["c"], BACKGROUND: ["room"]}
    corpus = corpus_of(make_tree(tmp_path, {**tree, ".hidden": ["x"]}))
    assert corpus.labels == (SILENCE, UNKNOWN, "关灯", "开灯")
    assert [clip.label for clip in corpus.clips].count(UNKNOWN) == 1
    assert [clip.label for clip in corpus.noise] == [SILENCE]
    assert not corpus.speaker_disjoint


def test_a_recipes_labels_keep_their_order_and_others_are_unknown(tmp_path: Path) -> None:
    make_tree(tmp_path, {"on": ["a", "b"], "off": ["a", "b"], "cat": ["c"], SILENCE: ["hum"]})
    corpus = corpus_of(tmp_path, commands=("on", "off"))
    assert corpus.labels == (SILENCE, UNKNOWN, "on", "off")
    assert [(c.label, c.group) for c in corpus.clips if c.group == "cat"] == [(UNKNOWN, "cat")]
    assert len(corpus.noise) == 1


def test_more_folders_of_words_and_noise_are_added(tmp_path: Path) -> None:
    data = make_tree(tmp_path / "data", {"on": ["a", "b"]})
    more = make_tree(tmp_path / "more", {"words/x": ["c"], "words/y": ["d"], "rooms": ["e", "f"]})
    corpus = corpus_of(data, unknown=(more / "words",), noise=(more / "rooms",))
    assert sorted(c.group for c in corpus.clips if c.label == UNKNOWN) == ["x", "y"]
    assert len(corpus.noise) == 2


def test_hard_negatives_are_other_words_to_learn_from_alone(tmp_path: Path) -> None:
    data = make_tree(tmp_path / "data", {"on": ["a", "b"]})
    names = [f"take {number}" for number in range(20)]
    hard = make_tree(tmp_path / "hard", {"nearly": names})
    corpus = corpus_of(data, hard_negatives=(hard,))
    found = [c for c in corpus.clips if c.group == HARD_NEGATIVES]
    assert {(c.label, c.split) for c in found} == {(UNKNOWN, "training")}
    assert len(found) == len(names)


def test_other_words_of_a_speaker_stay_on_the_speakers_side(tmp_path: Path) -> None:
    names = [f"s{n}_nohash_0" for n in range(6)]
    corpus = corpus_of(make_tree(tmp_path, {"on": names, UNKNOWN: names}))
    assert corpus.speaker_disjoint
    sides = {
        label: [c.split for c in corpus.clips if c.label == label] for label in ("on", UNKNOWN)
    }
    assert sides["on"] == sides[UNKNOWN]
    assert set(sides["on"]) == {"training", "validation"}


@pytest.mark.parametrize("rate", [8_000, 48_000])
@pytest.mark.parametrize(
    ("suffix", "subtype", "channels"),
    [
        ("wav", "PCM_16", 2),
        ("wav", "FLOAT", 1),
        ("flac", "PCM_24", 1),
        ("ogg", "VORBIS", 2),
        ("mp3", "MPEG_LAYER_III", 1),
    ],
)
def test_any_format_rate_and_channel_count_gives_the_same_second(
    tmp_path: Path, rate: int, suffix: str, subtype: str, channels: int
) -> None:
    make_tree(tmp_path, {"on": ["plain"]})
    frames = np.stack([beep(rate=rate) / 32768] * channels, axis=1)
    soundfile.write(tmp_path / "on" / f"other.{suffix}", frames, rate, subtype=subtype)
    other, plain = corpus_of(tmp_path).clips
    assert other.pcm.dtype == plain.pcm.dtype == np.int16
    assert len(other.pcm) == pytest.approx(len(plain.pcm), rel=SHIFTED["rate"], abs=2400)
    middle = other.pcm[RATE // 4 : RATE * 3 // 4].astype(float)
    assert middle.std() == pytest.approx(beep().std(), rel=SHIFTED["level"])


def test_one_split_without_noise_takes_all_noise(tmp_path: Path) -> None:
    corpus = corpus_of(make_tree(tmp_path, {"on": ["a", "b"], BACKGROUND: ["only"]}))
    assert len(corpus.noise_of("training")) == len(corpus.noise_of("validation")) == 1


def test_reading_reports_every_recording(tmp_path: Path) -> None:
    make_tree(tmp_path, {"on": ["a", "b"], BACKGROUND: ["room"]})
    seen: list[tuple[int, int]] = []
    load_corpus(
        Folders(tmp_path),
        commands=(),
        recipe=DataRecipe(),
        sample_rate=RATE,
        progress=lambda done, total: seen.append((done, total)),
    )
    assert seen == [(1, 3), (2, 3), (3, 3)]


@pytest.mark.parametrize(
    ("tree", "commands", "said"),
    [
        ({}, (), "holds no label folders"),
        ({UNKNOWN: ["a"]}, (), "only reserved folders"),
        ({"on": []}, (), r"on: 0 recording\(s\)"),
        ({"on": ["a"]}, (), r"on: 1 recording\(s\); a command needs two or more"),
        ({"on": ["a", "b"]}, ("on", "off"), "no folder for off; it holds on"),
    ],
)
def test_folders_that_cannot_be_learned_from_are_refused(
    tmp_path: Path, tree: dict[str, list[str]], commands: tuple[str, ...], said: str
) -> None:
    with pytest.raises(DataError, match=said) as caught:
        corpus_of(make_tree(tmp_path, tree), commands=commands)
    assert str(tmp_path) in str(caught.value)


@pytest.mark.parametrize("what", ["data", "unknown", "noise"])
def test_a_folder_that_is_not_there_is_named(tmp_path: Path, what: str) -> None:
    make_tree(tmp_path / "data", {"on": ["a", "b"]})
    gone = tmp_path / "gone"
    with pytest.raises(DataError, match="gone: no such folder"):
        corpus_of(
            gone if what == "data" else tmp_path / "data",
            unknown=(gone,) if what == "unknown" else (),
            noise=(gone,) if what == "noise" else (),
        )


def test_files_that_are_not_audio_by_their_name_are_left_out(tmp_path: Path) -> None:
    make_tree(tmp_path, {"on": ["a", "b"]})
    (tmp_path / "on" / "notes.txt").write_text("take two was better")
    (tmp_path / "on" / "LOUD.WAV").write_bytes((tmp_path / "on" / "a.wav").read_bytes())
    assert [path.name for path in list_audio(tmp_path)] == ["LOUD.WAV", "a.wav", "b.wav"]


def test_noise_is_made_where_none_is_given_and_it_is_said(tmp_path: Path) -> None:
    make_tree(tmp_path, {"on": ["a", "b"]})
    write_wav(tmp_path / UNKNOWN / "c.wav", beep(seconds=0.5))
    reporter = quiet()
    corpus = gather(Folders(tmp_path), recipe_of(recipe_text()), reporter, sample_rate=RATE)
    assert {clip.split for clip in corpus.noise} == {"training", "validation"}
    assert "making noise" in reporter.out.getvalue()  # type: ignore[attr-defined]


def told(data: Path) -> str:
    """Return what gathering a corpus says."""
    reporter = quiet()
    gather(Folders(data), recipe_of(recipe_text()), reporter, sample_rate=RATE)
    said: str = reporter.out.getvalue()  # type: ignore[attr-defined]
    return said


def test_three_recordings_are_enough_and_it_is_said_what_they_mean(
    tmp_path: Path, speech: Speech
) -> None:
    words = speech.words(["yes", "stop", "left"], clips=12)
    words["yes"], words[UNKNOWN] = words["yes"][:3], words.pop("left")
    said = told(write_folder(tmp_path, words))
    assert "label 'yes': 3 recordings, " in said
    assert "expect misses by other voices" in said
    assert "label 'stop'" not in said


def test_recordings_without_speech_are_named(tmp_path: Path, speech: Speech) -> None:
    words = speech.words(["yes", "stop", "left"], clips=10)
    words[UNKNOWN] = words.pop("left")
    data = write_folder(tmp_path, words)
    write_wav(data / "yes" / "hum_nohash_0.wav", beep())
    write_wav(data / "yes" / "mute_nohash_0.wav", np.zeros(RATE, np.int16))
    assert "2 of 12 recordings hold no speech" in (said := told(data))
    assert "yes/hum_nohash_0.wav" in said
    assert "yes/mute_nohash_0.wav" in said


def test_labels_that_share_a_few_recordings_are_warned_of(tmp_path: Path, speech: Speech) -> None:
    words = speech.words(["yes", "stop", "left"], clips=10)
    words["stop"] = [*words["stop"], words["yes"][0]]
    words[UNKNOWN] = words.pop("left")
    data = write_folder(tmp_path, words)
    assert "labels 'stop' and 'yes' hold the same recordings (1 of 10)" in told(data)


def test_a_set_that_is_split_by_folders_stays_split(tmp_path: Path) -> None:
    tree = {
        "train/on": ["s1_nohash_0", "s2_nohash_0"],
        "val/on": ["s3_nohash_0"],
        "test/on": ["s4_nohash_0"],
        f"train/{UNKNOWN}": ["s1_nohash_0"],
        f"val/{BACKGROUND}": ["room"],
    }
    corpus = corpus_of(make_tree(tmp_path, tree))
    assert corpus.labels == (SILENCE, UNKNOWN, "on")
    assert corpus.speaker_disjoint
    found = {(c.path.parent.parent.name, c.split) for c in corpus.clips if c.path}
    assert found == {("train", "training"), ("val", "validation"), ("test", "testing")}
    assert [clip.split for clip in corpus.noise] == ["validation"]
    make_tree(tmp_path, {"val/on": ["s1_nohash_1"]})
    assert not corpus_of(tmp_path).speaker_disjoint


@pytest.mark.parametrize(
    ("tree", "said"),
    [
        ({"train/on": ["a", "b"], "test/on": ["c"]}, "needs training and validation"),
        (
            {"train/on": ["a", "b"], "train/off": ["a", "b"], "val/on": ["c"]},
            "'off' for validation",
        ),
    ],
)
def test_a_split_that_lacks_a_part_is_refused(
    tmp_path: Path, tree: dict[str, list[str]], said: str
) -> None:
    with pytest.raises(DataError, match=said):
        corpus_of(make_tree(tmp_path, tree))
