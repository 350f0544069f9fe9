"""What augmentation does to audio: placed, mixed and masked as its docstrings say."""

from typing import Final

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from edgekws.events import Floats, Pcm
from edgekws.train import augment
from edgekws.train.recipe_data import AugmentRecipe

DB: Final = 0.1
"""Decibels: a measured signal-to-noise ratio against the one asked for, sums in float32."""


def ramp(count: int) -> Pcm:
    return np.arange(1, count + 1, dtype=np.int16)


def test_a_clip_is_placed_and_what_falls_outside_is_cut() -> None:
    assert (augment.place(ramp(3), 5, 1) * 32768).tolist() == [0, 1, 2, 3, 0]
    assert (augment.place(ramp(3), 5, -2) * 32768).tolist() == [3, 0, 0, 0, 0]
    assert (augment.place(ramp(9), 5, -2) * 32768).tolist() == [3, 4, 5, 6, 7]


@given(n=st.integers(0, 9), length=st.integers(1, 9), shift=st.integers(-12, 12))
def test_any_placing_gives_the_length(n: int, length: int, shift: int) -> None:
    assert augment.place(ramp(n), length, shift).shape == (length,)


def test_centre_cuts_to_the_loud_part_and_pads_evenly() -> None:
    pcm = np.zeros(1000, np.int16)
    pcm[600:700] = 1000
    assert augment.centre(pcm, 100).tolist() == [1000] * 100
    assert augment.centre(ramp(2), 6).tolist() == [0, 0, 1, 2, 0, 0]
    assert augment.centre(ramp(2), 2).tolist() == [1, 2]


def test_speed_changes_length_and_pitch() -> None:
    pcm = (1000 * np.sin(np.arange(16_000) * 2 * np.pi * 500 / 16_000)).astype(np.int16)
    faster = augment.change_speed(pcm, 1.25)
    assert len(faster) == 12_800
    peak = np.abs(np.fft.rfft(faster)).argmax() * 16_000 / len(faster)
    assert peak == pytest.approx(625, abs=2)
    assert augment.change_speed(ramp(1), 1.14).shape == (0,)


@pytest.mark.parametrize("snr_db", [-5.0, 0.0, 20.0])
def test_mixing_keeps_the_ratio_asked_for(snr_db: float) -> None:
    rng = np.random.default_rng(1)
    speech, noise = (rng.standard_normal(16_000).astype(np.float32) * s for s in (0.1, 0.003))
    power = float(np.mean(speech**2))
    added = augment.mix(speech, noise, snr_db, speech_power=power) - speech
    measured = 10 * np.log10(power / np.mean(added**2))
    assert measured == pytest.approx(snr_db, abs=DB)


def test_digital_silence_mixes_without_blowing_up() -> None:
    nothing = np.zeros(1000, np.float32)
    assert np.isfinite(augment.mix(nothing, nothing, 10.0, speech_power=0.0)).all()


@given(n=st.integers(1, 50), length=st.integers(1, 120))
def test_noise_of_any_length_fills_any_length(n: int, length: int) -> None:
    segment = augment.noise_segment([ramp(n)], length, np.random.default_rng(1))
    assert segment.shape == (length,)
    assert segment.min() > 0


@pytest.mark.parametrize(
    ("speed", "hertz"), [((1.0, 1.0), 500), ((1.6, 1.6), 800), ((0.5, 0.5), 250)]
)
def test_noise_is_played_at_other_speeds(speed: tuple[float, float], hertz: int) -> None:
    hum = (1000 * np.sin(np.arange(4_000) * 2 * np.pi * 500 / 16_000)).astype(np.int16)
    segment = augment.noise_segment([hum], 16_000, np.random.default_rng(1), speed=speed)
    assert segment.shape == (16_000,)
    assert np.abs(np.fft.rfft(segment)).argmax() == hertz


def test_a_room_keeps_the_direct_sound_and_adds_a_tail_that_decays() -> None:
    click: Floats = np.zeros(8000, np.float32)
    click[0] = 1.0
    wet = augment.reverberate(click, 0.4, np.random.default_rng(2), sample_rate=16_000)
    assert wet.shape == click.shape
    assert wet[0] == pytest.approx(1.0, abs=1e-5)
    early, late = (float(np.mean(part**2)) for part in (wet[1:1000], wet[5000:6000]))
    assert 0 < late < early / 1000  # 60 dB in 0.4 s are 37 dB between the two


def test_the_scale_is_that_of_int16() -> None:
    audio = np.array([-2.0, -1.0, 0.5, 1.0, 2.0], np.float32)
    assert augment.to_scale(audio).tolist() == [-32768, -32768, 16384, 32767, 32767]


def test_masks_are_whole_stripes_filled_with_the_mean_and_seeded() -> None:
    log_mel = torch.arange(4 * 50 * 40, dtype=torch.float32).reshape(4, 50, 40)
    recipe = AugmentRecipe(frequency_masks=1, time_masks=1)
    masked, again = (
        augment.mask_spectrum(log_mel, recipe, torch.Generator().manual_seed(3)) for _ in range(2)
    )
    assert torch.equal(masked, again)
    changed = masked != log_mel
    assert changed.any()
    for clip, ours, where in zip(log_mel, masked, changed, strict=True):
        rows, columns = where.all(dim=1), where.all(dim=0)
        assert int(rows.sum()) <= recipe.time_mask_frames
        assert int(columns.sum()) <= recipe.frequency_mask_bands
        assert torch.equal(where, rows[:, None] | columns[None, :])
        assert torch.all(ours[where] == clip.mean())


def test_no_masks_change_nothing() -> None:
    log_mel = torch.randn(2, 30, 40, generator=torch.Generator().manual_seed(1))
    recipe = AugmentRecipe(frequency_masks=0, time_masks=0)
    assert torch.equal(augment.mask_spectrum(log_mel, recipe, torch.Generator()), log_mel)
