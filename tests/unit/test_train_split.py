"""Splits: the official rule where speakers are many, and always somebody to check with."""

import random
from collections import Counter
from pathlib import Path
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgekws.train.recipe_data import DataRecipe
from edgekws.train.split import Recording, speaker_of, split_commands, split_of

OFFICIAL: Final = DataRecipe(validation_percent=10, test_percent=10)


def recordings(names: dict[str, list[str]]) -> list[Recording]:
    return [Recording(Path(f"{k}/{n}.wav"), k, k) for k, own in names.items() for n in own]


def spoken_by(speakers: int, *, labels: int = 3, takes: int = 2) -> list[Recording]:
    names = [f"s{s}_nohash_{t}" for s in range(speakers) for t in range(takes)]
    return recordings({f"word{n}": names for n in range(labels)})


@pytest.mark.parametrize(
    ("path", "speaker"),
    [
        ("yes/0a2b400e_nohash_3.wav", "0a2b400e"),
        ("yes/my_voice_nohash_0.flac", "my_voice"),
        ("yes/_nohash_0.wav", None),
        ("yes/take1.wav", None),
    ],
)
def test_a_speaker_is_what_stands_before_nohash(path: str, speaker: str | None) -> None:
    assert speaker_of(Path(path)) == speaker


def which_set(speaker: str) -> str:
    """Return the split by the formula of the Speech Commands paper's own code."""
    import hashlib

    most = 2**27 - 1
    digest = int(hashlib.sha1(speaker.encode()).hexdigest(), 16)
    percent = (digest % (most + 1)) * (100.0 / most)
    return "validation" if percent < 10 else "testing" if percent < 20 else "training"


@given(number=st.integers(0, 2**32 - 1))
def test_the_rule_is_that_of_speech_commands(number: int) -> None:
    speaker = f"{number:08x}"
    assert split_of(speaker, OFFICIAL) == which_set(speaker)


def test_many_speakers_are_split_by_the_stable_rule() -> None:
    own = spoken_by(300)
    splits, disjoint = split_commands(own, OFFICIAL)
    assert disjoint
    assert splits == [split_of(speaker_of(r.path) or "", OFFICIAL) for r in own]
    shares = Counter(splits)
    assert 0.05 < shares["validation"] / len(own) < 0.15
    assert 0.05 < shares["testing"] / len(own) < 0.15


@given(speakers=st.integers(2, 12), percent=st.sampled_from([5.0, 20.0, 50.0, 95.0]))
def test_no_speaker_is_on_two_sides_and_both_sides_have_every_label(
    speakers: int, percent: float
) -> None:
    own = spoken_by(speakers)
    splits, disjoint = split_commands(own, DataRecipe(validation_percent=percent))
    assert disjoint
    assert_both_sides(own, splits)
    sides = {(speaker_of(r.path), split) for r, split in zip(own, splits, strict=True)}
    assert len(sides) == speakers


@given(clips=st.integers(2, 9), percent=st.sampled_from([5.0, 50.0, 99.0]), seed=st.integers(0, 99))
def test_clips_without_speakers_are_split_by_clip_in_any_order(
    clips: int, percent: float, seed: int
) -> None:
    own = recordings({label: [f"take{n}" for n in range(clips)] for label in ("on", "off")})
    recipe = DataRecipe(validation_percent=percent)
    splits, disjoint = split_commands(own, recipe)
    assert not disjoint
    assert_both_sides(own, splits)
    shuffled = random.Random(seed).sample(own, len(own))
    again, _ = split_commands(shuffled, recipe)
    assert dict(zip(shuffled, again, strict=True)) == dict(zip(own, splits, strict=True))


def test_one_speaker_alone_is_split_by_clip() -> None:
    own = spoken_by(1, takes=4)
    splits, disjoint = split_commands(own, DataRecipe())
    assert not disjoint
    assert_both_sides(own, splits)


def test_speakers_who_say_only_one_word_each_are_split_by_clip() -> None:
    own = recordings({"on": ["ann_nohash_0", "ann_nohash_1"], "off": ["bob_nohash_0"] * 2})
    splits, disjoint = split_commands(own, DataRecipe())
    assert not disjoint
    assert len(splits) == 4


def test_equal_names_in_subfolders_are_told_apart() -> None:
    own = [Recording(Path(f"on/{day}/take.wav"), "on", "on") for day in ("mon", "tue", "wed")]
    splits, _ = split_commands(own, DataRecipe(validation_percent=34))
    assert sorted(splits) == ["training", "training", "validation"]
    assert splits.index("validation") == 0  # ties in the order of paths, in every process


def assert_both_sides(own: list[Recording], splits: list[str]) -> None:
    for label in {r.label for r in own}:
        sides = {split for r, split in zip(own, splits, strict=True) if r.label == label}
        assert {"training", "validation"} <= sides
