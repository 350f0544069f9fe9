"""Batches: reproducible draws in the shares that the recipe states, laid where the net looks."""

from dataclasses import replace

import msgspec
import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from edgekws.specs import MFCC_40, SILENCE, UNKNOWN
from edgekws.train.batches import Examples, ExampleStream, Window, class_weights, label_shares, load
from edgekws.train.dataset import HARD_NEGATIVES, Clip, Corpus
from edgekws.train.recipe import Recipe
from edgekws.train.recipe_data import AugmentRecipe
from edgekws.train.recipe_training import DistillationRecipe
from tests.orphans import assert_none_is_left
from tests.training import recipe_of, recipe_text, tone_corpus

WINDOW = Window(24, MFCC_40)
SHARE = 0.03
"""How far a share over 4,000 draws may be from its probability: four standard deviations."""
PLAIN = AugmentRecipe(
    shift_samples=0,
    lead_frames=(0,),
    noise_probability=0.0,
    gain_db=(0.0, 0.0),
    speed_probability=0.0,
    reverb_probability=0.0,
)


def recipe(*, examples: int = 64, augment: AugmentRecipe | None = None) -> Recipe:
    whole = recipe_of(recipe_text(examples=examples))
    return msgspec.structs.replace(whole, augment=augment or whole.augment)


def classes_of(stream: ExampleStream) -> NDArray[np.int64]:
    return np.concatenate([batch.classes.numpy() for batch in stream])


def assert_equal(batch: Examples, other: Examples) -> None:
    for tensor, same in zip(batch, other, strict=True):
        assert tensor is same is None or torch.equal(tensor, same)


def test_an_epoch_is_the_same_again_and_another_epoch_is_another() -> None:
    corpus = tone_corpus()
    first, again, other = (
        list(ExampleStream(corpus, recipe(), WINDOW, epoch=epoch)) for epoch in (3, 3, 4)
    )
    assert len(first) == 2
    for batch, same in zip(first, again, strict=True):
        assert_equal(batch, same)
    assert first[0][0].shape != other[0][0].shape or not torch.equal(first[0][0], other[0][0])


def test_one_worker_gives_the_draws_of_none() -> None:
    stream = ExampleStream(tone_corpus(), recipe(), WINDOW, epoch=1)
    for batch, same in zip(load(stream, workers=0), load(stream, workers=3), strict=True):
        assert_equal(batch, same)


def test_a_worker_whose_parent_is_killed_before_it_began_ends_too() -> None:
    assert_none_is_left("""
from edgekws.train.batches import ExampleStream, load
from tests.training import tone_corpus
from tests.unit.test_train_batches import WINDOW, recipe

load(ExampleStream(tone_corpus(), recipe(), WINDOW, epoch=0), workers=1)
""")


def test_audio_is_whole_frames_on_the_int16_scale() -> None:
    stream = ExampleStream(tone_corpus(), recipe(examples=320), WINDOW, epoch=0)
    leads = {WINDOW.samples(lead) for lead in recipe().augment.lead_frames}
    for audio, *_ in stream:
        assert audio.shape[1] in leads
        assert audio.dtype == torch.float32
        assert torch.equal(audio, audio.round())
        assert audio.abs().max() <= 32768


def test_silence_and_other_words_take_their_shares() -> None:
    chosen = recipe(examples=4000)
    stream = ExampleStream(tone_corpus(), chosen, WINDOW, epoch=0)
    shares = np.bincount(classes_of(stream), minlength=4) / (stream.batches() * 32)
    silence, unknown = stream.classes[SILENCE], stream.classes[UNKNOWN]
    spoken = 1 - chosen.data.silence_fraction
    assert shares[silence] == pytest.approx(chosen.data.silence_fraction, abs=SHARE)
    assert shares[unknown] == pytest.approx(spoken * chosen.data.unknown_fraction, abs=SHARE)
    assert shares[2] == pytest.approx(shares[3], abs=SHARE)
    stated = label_shares(stream.corpus, chosen)
    assert stated == pytest.approx(shares, abs=SHARE)
    assert sum(stated) == pytest.approx(1.0)


@pytest.mark.parametrize("probability", [0.0, 0.5, 1.0])
def test_so_many_examples_of_other_words_are_joined_and_have_no_one_clip(
    probability: float,
) -> None:
    augment = msgspec.structs.replace(AugmentRecipe(), joined_probability=probability)
    stream = ExampleStream(tone_corpus(), recipe(examples=4000, augment=augment), WINDOW, epoch=0)
    batches = list(stream)
    classes = np.concatenate([batch.classes.numpy() for batch in batches])
    without = np.concatenate([batch.clips.numpy() for batch in batches]) < 0
    other = classes == stream.classes[UNKNOWN]
    assert without[other].mean() == pytest.approx(probability, abs=SHARE)
    assert without[classes == stream.classes[SILENCE]].all()
    assert not without[~other & (classes != stream.classes[SILENCE])].any()


def test_context_comes_before_the_window_and_leaves_it_alone() -> None:
    length, lead = WINDOW.samples(0), 100
    pcm = np.full(length, 9_000, np.int16)
    corpus = Corpus(
        (SILENCE, "on"), (Clip(pcm, "on", "on", "training"),), tone_corpus().noise, False
    )
    no_silence = msgspec.structs.replace(recipe().data, silence_fraction=0.0)
    for probability, heard in ((0.0, False), (1.0, True)):
        plain = msgspec.structs.replace(PLAIN, lead_frames=(lead,), context_probability=probability)
        chosen = msgspec.structs.replace(recipe(augment=plain), data=no_silence)
        first, *_ = ExampleStream(corpus, chosen, WINDOW, epoch=0)
        before, window = first.audio[:, :-length].numpy(), first.audio[:, -length:].numpy()
        assert (window == 9_000).all()
        assert bool((np.abs(before) > 0).any(axis=1).all()) is heard


def test_validation_clips_are_never_drawn() -> None:
    corpus = tone_corpus()
    marked = tuple(
        replace(clip, label="rising" if clip.split == "validation" else UNKNOWN)
        for clip in corpus.clips
    )
    stream = ExampleStream(replace(corpus, clips=marked), recipe(examples=640), WINDOW, epoch=0)
    assert stream.classes["rising"] not in classes_of(stream)


def test_without_augmentation_the_clip_ends_where_the_example_ends() -> None:
    length = WINDOW.samples(0)
    pcm = np.arange(1, length + 1).astype(np.int16)
    corpus = Corpus(
        (SILENCE, "on"), (Clip(pcm, "on", "on", "training"),), tone_corpus().noise, False
    )
    no_silence = msgspec.structs.replace(recipe().data, silence_fraction=0.0)
    chosen = msgspec.structs.replace(recipe(augment=PLAIN), data=no_silence)
    (audio, *_), *_ = ExampleStream(corpus, chosen, WINDOW, epoch=0)
    np.testing.assert_array_equal(audio[0].numpy(), pcm)


def test_balance_goes_from_all_groups_alike_to_as_they_are() -> None:
    clip = Clip(np.zeros(16_000, np.int16), "on", "on", "training")
    clips = [clip] * 9 + [replace(clip, label="off", group="off")]
    shares = []
    for balance in (0.0, 0.5, 1.0):
        data = msgspec.structs.replace(recipe().data, balance=balance)
        weights = class_weights(clips, msgspec.structs.replace(recipe(), data=data))
        assert weights.sum() == pytest.approx(1)
        shares.append(weights[:9].sum())
    assert shares == pytest.approx([0.5, 0.75, 0.9])


def test_a_few_hard_negatives_are_not_lost_among_other_words() -> None:
    """Ten near misses and 990 other words: a tenth of them by the square root, not a hundredth."""
    word = Clip(np.zeros(16_000, np.int16), UNKNOWN, UNKNOWN, "training")
    command = replace(word, label="on", group="on")
    hard = replace(word, group=HARD_NEGATIVES)
    weights = class_weights([command, *[word] * 990, *[hard] * 10], recipe())
    assert recipe().data.balance == 0.5
    share = weights[-10:].sum() / weights[1:].sum()
    assert share == pytest.approx(10**0.5 / (10**0.5 + 990**0.5))


@pytest.mark.parametrize(("group", "whole"), [("talk", False), (HARD_NEGATIVES, True)])
def test_of_a_hard_negative_the_part_that_was_taken_for_a_command_is_learned(
    group: str, whole: bool
) -> None:
    """As a capture has it: 2.25 s, of which the loudest part rose above the threshold."""
    length = WINDOW.samples(0)
    pcm = np.zeros(36_000, np.int16)
    pcm[20_000 - length : 20_000] = 9_000
    clips = (Clip(pcm, UNKNOWN, group, "training"), Clip(pcm, "on", "on", "training"))
    data = msgspec.structs.replace(recipe().data, silence_fraction=0.0)
    joined = msgspec.structs.replace(PLAIN, joined_probability=1.0 if whole else 0.0)
    chosen = msgspec.structs.replace(recipe(augment=joined), data=data)
    corpus = Corpus((SILENCE, UNKNOWN, "on"), clips, tone_corpus().noise, False)
    stream = ExampleStream(corpus, chosen, WINDOW, epoch=0)
    first = next(iter(stream))
    others = first.audio.numpy()[first.classes.numpy() == stream.classes[UNKNOWN]]
    assert len(others) > 1
    assert bool((others == 9_000).all()) is whole


def test_an_epoch_has_four_examples_per_clip_within_limits() -> None:
    corpus = tone_corpus()
    assert ExampleStream(corpus, recipe(examples=0), WINDOW, epoch=0).batches() == 1000 // 32
    assert ExampleStream(corpus, recipe(examples=20), WINDOW, epoch=0).batches() == 1


def test_every_distortion_at_once_is_reproducible_and_within_the_scale() -> None:
    every = AugmentRecipe(
        room_probability=0.5,
        telephone_probability=0.5,
        codec_probability=0.5,
        overdrive_probability=0.5,
    )
    first, again = (
        next(iter(ExampleStream(tone_corpus(), recipe(augment=every), WINDOW, epoch=2)))
        for _ in range(2)
    )
    assert torch.equal(first.audio, again.audio)
    assert first.audio.abs().max() <= 32768
    assert torch.equal(first.audio, first.audio.round())


def taught(augment: AugmentRecipe) -> Recipe:
    distillation = DistillationRecipe(teacher="big", undisturbed=True)
    return msgspec.structs.replace(recipe(augment=augment), distillation=distillation)


def test_what_a_teacher_hears_undisturbed_is_what_the_noise_was_added_to() -> None:
    noisy = msgspec.structs.replace(PLAIN, noise_probability=1.0, snr_db=(6.0, 6.0))
    stream = ExampleStream(tone_corpus(), taught(noisy), WINDOW, epoch=0)
    batch = next(iter(stream))
    assert batch.undisturbed is not None
    spoken = batch.classes != stream.classes[SILENCE]
    speech, noise = batch.undisturbed[spoken], (batch.audio - batch.undisturbed)[spoken]
    snr_db = 10 * torch.log10(speech.square().mean(1) / noise.square().mean(1))
    assert snr_db.numpy() == pytest.approx(6.0, abs=0.5)  # but for what was clipped
    assert torch.equal(batch.audio[~spoken], batch.undisturbed[~spoken])


def test_a_teacher_hears_no_room_and_no_codec_but_the_same_voice_as_loud() -> None:
    far = msgspec.structs.replace(
        AugmentRecipe(), noise_probability=0.0, reverb_probability=1.0, telephone_probability=1.0
    )
    near = msgspec.structs.replace(far, reverb_probability=0.0, telephone_probability=0.0)
    batch, bare = (
        next(iter(ExampleStream(tone_corpus(), taught(a), WINDOW, epoch=0))) for a in (far, near)
    )
    assert not torch.equal(batch.audio, batch.undisturbed)
    assert torch.equal(bare.audio, bare.undisturbed)


def test_without_such_a_teacher_nothing_is_kept_for_it() -> None:
    assert next(iter(ExampleStream(tone_corpus(), recipe(), WINDOW, epoch=0))).undisturbed is None
