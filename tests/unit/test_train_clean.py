"""Cleaning as a recipe asks for it: what goes, what changes, and what stays as it was recorded."""

from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np
import pytest

from edgekws.errors import ConfigError, DataError
from edgekws.events import Pcm
from edgekws.specs import SILENCE, UNKNOWN
from edgekws.train.clean import MARGIN, clean
from edgekws.train.dataset import Clip, Corpus
from edgekws.train.denoise import denoise
from edgekws.train.recipe_data import CleanRecipe
from edgekws.train.split import SplitName
from tests.speech import Speech, pink_noise
from tests.training import RATE, quiet

WORDS: Final = ("yes", "stop")
HELD: Final[tuple[str, SplitName]] = ("stop", "validation")
LOWERED_DB: Final = 5.0
"""Least fall of noise that was asked to fall by 12 dB: its random peaks pass the gate."""


@pytest.fixture(scope="module")
def corpus(speech: Speech) -> Corpus:
    """Eight recordings of each word; the last two of each are for validation."""
    clips = [
        Clip(clip.pcm, label, label, _side(n), Path(label) / f"{clip.speaker}_nohash_{n}.wav")
        for label, own in speech.words(WORDS, clips=8).items()
        for n, clip in enumerate(own)
    ]
    return Corpus((SILENCE, UNKNOWN, *WORDS), tuple(clips), (), speaker_disjoint=True)


def _side(number: int) -> SplitName:
    return "validation" if number >= 6 else "training"


def named(name: str, pcm: Pcm, *, label: str = "yes", split: SplitName = "training") -> Clip:
    return Clip(pcm, label, label, split, Path(label) / f"{name}_nohash_0.wav")


def cleaned(corpus: Corpus, recipe: CleanRecipe, *more: Clip) -> tuple[Corpus, str]:
    """Return the cleaned corpus, and what was said."""
    reporter = quiet()
    whole = replace(corpus, clips=(*corpus.clips, *more))
    done = clean(whole, recipe, reporter, base="")
    return done, reporter.out.getvalue()  # type: ignore[attr-defined]


def speakers(corpus: Corpus) -> set[str]:
    return {clip.path.stem.partition("_nohash_")[0] for clip in corpus.clips if clip.path}


def test_by_default_nothing_is_touched(corpus: Corpus) -> None:
    assert clean(corpus, CleanRecipe(), quiet(), base="") is corpus


def test_what_is_asked_to_go_goes_and_is_said(corpus: Corpus) -> None:
    mute = named("mute", np.zeros(RATE, np.int16), split="validation")
    copy = named("copy", np.pad(corpus.clips[0].pcm // 2, (500, 0)))
    loud = np.clip(corpus.clips[0].pcm * np.float32(60), -32768, 32767).astype(np.int16)
    held, learned = named("held", loud, split="validation"), named("learned", loud[::-1].copy())
    everyone = speakers(corpus)
    done, said = cleaned(corpus, CleanRecipe(drop_no_speech=True), mute, copy)
    assert speakers(done) == everyone | {"copy"}
    assert "drops 1 recordings (1 without speech): yes/mute_nohash_0.wav" in said
    assert speakers(cleaned(corpus, CleanRecipe(drop_copies=True), copy)[0]) == everyone
    done, _ = cleaned(corpus, CleanRecipe(drop_clipped=True), held, learned)
    assert "learned" not in speakers(done)
    assert "held" in speakers(done)


def test_copies_under_two_labels_both_go(corpus: Corpus) -> None:
    twin = named("twin", corpus.clips[0].pcm, label="stop")
    done, _ = cleaned(corpus, CleanRecipe(drop_copies=True), twin)
    assert len(done.clips) == len(corpus.clips) - 1
    assert corpus.clips[0].path not in {clip.path for clip in done.clips}


def test_offsets_and_silence_around_the_sound_go_from_what_is_learned_from(corpus: Corpus) -> None:
    word = corpus.clips[0].pcm // 2
    off = named("off", np.pad(word, RATE) + np.int16(2000))
    held = replace(off, split="validation")
    done, _ = cleaned(corpus, CleanRecipe(remove_offset=True, trim=True), off, held)
    changed, kept = done.clips[-2:]
    assert np.array_equal(kept.pcm, held.pcm)
    assert abs(changed.pcm.mean()) < 200
    assert len(changed.pcm) <= RATE + 2 * MARGIN
    assert np.abs(changed.pcm.astype(int)).max() > 0.9 * np.abs(word.astype(int)).max()


def test_a_label_that_nothing_is_left_of_is_refused(corpus: Corpus) -> None:
    rest = tuple(clip for clip in corpus.clips if (clip.label, clip.split) != HELD)
    silent = [named("mute", np.zeros(RATE, np.int16), label=HELD[0], split=HELD[1])]
    with pytest.raises(DataError, match="'stop': cleaning leaves no recording to check with"):
        cleaned(replace(corpus, clips=rest), CleanRecipe(drop_no_speech=True), *silent)


def test_suspects_need_a_base(corpus: Corpus) -> None:
    with pytest.raises(ConfigError, match="drop_suspects: needs a base"):
        cleaned(corpus, CleanRecipe(drop_suspects=True))


def test_suspects_go_from_what_is_learned_from(speech: Speech) -> None:
    words = {label: speech.words([label], clips=16)[label] for label in WORDS}
    clips = [
        Clip(c.pcm, label, label, _side(n % 8), Path(label) / f"{c.speaker}_nohash_{n}.wav")
        for label, own in words.items()
        for n, c in enumerate(own[:15])
    ]
    wrong = named("wrong", words["stop"][15].pcm, label="yes")
    corpus = Corpus((SILENCE, UNKNOWN, *WORDS), (*clips, wrong), (), speaker_disjoint=True)
    done = clean(corpus, CleanRecipe(drop_suspects=True), quiet(), base="base-en")
    assert "wrong" not in speakers(done)
    assert len(done.clips) >= len(clips) - 2


def test_denoising_lowers_noise_and_keeps_the_word(corpus: Corpus) -> None:
    word = corpus.clips[0].pcm
    noise = pink_noise(RATE, rms=float(word.astype(float).std()) / 5, seed=2)
    done = denoise(noise, 12.0)
    fall = 20 * np.log10(noise.astype(float).std() / done.astype(float).std())
    assert LOWERED_DB < fall < 13
    before = noise.astype(float)
    after = denoise(word // 2 + noise, 12.0) - (word // 2).astype(float)
    assert after.std() < before.std()


@pytest.mark.parametrize("samples", [1, 100, 5000])
def test_denoising_by_nothing_changes_nothing_at_any_length(samples: int) -> None:
    pcm = pink_noise(5000, rms=1000, seed=1)[:samples]
    np.testing.assert_allclose(denoise(pcm, 0.0), pcm, atol=1)
    assert not denoise(np.zeros(samples, np.int16), 20.0).any()
