"""What degrades a recording does what its name says, by figures that can be worked out."""

from typing import Final

import numpy as np
import pytest

from edgekws.events import Pcm
from edgekws.train.degrade import Condition, conditions, telephone
from edgekws.train.rooms import Room, draw_room, impulse_response
from tests.speech import RATE, pink_noise

TONE: Final = (3000 * np.sin(2 * np.pi * 1000 * np.arange(RATE) / RATE)).astype(np.int16)
NOISE: Final = [pink_noise(5 * RATE, rms=500.0, seed=3)]
TABLE: Final = {each.name: each for each in conditions(NOISE, sample_rate=RATE)}


def degraded(condition: Condition, *clips: Pcm, seed: int = 1) -> list[Pcm]:
    return condition.apply(clips, np.random.default_rng(seed)).clips


def power(pcm: Pcm) -> float:
    return float(np.mean(pcm.astype(np.float64) ** 2))


def level_at(pcm: Pcm, hertz: float) -> float:
    """Return the share of the power within 50 Hz of a frequency."""
    spectrum = np.abs(np.fft.rfft(pcm.astype(np.float64))) ** 2
    near = np.abs(np.fft.rfftfreq(len(pcm), 1 / RATE) - hertz) < 50
    return float(spectrum[near].sum() / spectrum.sum())


def test_the_table_has_the_rows_of_a_card_in_order() -> None:
    names = list(TABLE)
    assert names[:6] == ["clean", *(f"noise, {snr} dB" for snr in (20, 10, 5, 0)), "far field"]
    assert {"telephone, 8 kHz", "Opus, 16 kbit/s", "speed 0.9", "speed 1.1"} < set(names)
    assert {"gain -30 dB", "gain +20 dB"} < set(names)


def test_clean_is_as_it_was() -> None:
    np.testing.assert_array_equal(degraded(TABLE["clean"], TONE)[0], TONE)


@pytest.mark.parametrize("snr", [20, 10, 5, 0])
def test_noise_stands_so_far_below_the_clip(snr: int) -> None:
    added = degraded(TABLE[f"noise, {snr} dB"], TONE)[0].astype(np.int32) - TONE
    reached = 10 * np.log10(power(TONE) / power(added.astype(np.int16)))
    assert reached == pytest.approx(snr, abs=0.1)  # rounding to int16


@pytest.mark.parametrize("name", sorted(TABLE))
def test_equal_seeds_give_equal_audio_of_whole_clips(name: str) -> None:
    clips = (TONE, TONE[: RATE // 2], pink_noise(RATE, rms=1000.0, seed=4))
    first, again = degraded(TABLE[name], *clips), degraded(TABLE[name], *clips)
    assert len(first) == len(clips)
    for one, other in zip(first, again, strict=True):
        assert one.dtype == np.int16
        np.testing.assert_array_equal(one, other)
    if not name.startswith("speed"):
        assert [len(clip) for clip in first] == [len(clip) for clip in clips]


@pytest.mark.parametrize("name", ["noise, 10 dB", "far field"])
def test_another_seed_gives_other_audio(name: str) -> None:
    clip = pink_noise(RATE, rms=1000.0, seed=4)
    one, other = (degraded(TABLE[name], clip, seed=seed)[0] for seed in (1, 2))
    assert not np.array_equal(one, other)


def test_a_telephone_passes_its_band_and_no_more() -> None:
    time = np.arange(RATE) / RATE
    inside, below, above = (
        (6000 * np.sin(2 * np.pi * hertz * time)).astype(np.int16) for hertz in (1000, 120, 5000)
    )
    assert power(telephone(inside, sample_rate=RATE)) > 0.9 * power(inside)
    assert power(telephone(below, sample_rate=RATE)) < 0.01 * power(below)
    assert power(telephone(above, sample_rate=RATE)) < 0.01 * power(above)


@pytest.mark.parametrize("factor", [0.9, 1.1])
def test_speed_moves_pitch_and_length_together(factor: float) -> None:
    (changed,) = degraded(TABLE[f"speed {factor:g}"], TONE)
    assert len(changed) == pytest.approx(RATE / factor, abs=1)
    assert level_at(changed, 1000 * factor) > 0.95


def test_gain_scales_and_cuts_off_at_full_scale() -> None:
    (quiet,) = degraded(TABLE["gain -20 dB"], TONE)
    assert power(quiet) == pytest.approx(power(TONE) / 100, rel=0.01)  # rounding to int16
    (loud,) = degraded(TABLE["gain +20 dB"], TONE * 3)
    assert (loud.min(), loud.max()) == (-32768, 32767)
    assert np.mean(np.abs(loud.astype(int)) >= 32767) > 0.5


def test_opus_says_what_bitrate_it_reached() -> None:
    clips = [pink_noise(RATE, rms=1000.0, seed=n) for n in range(20)]
    made = TABLE["Opus, 16 kbit/s"].apply(clips, np.random.default_rng(1))
    reached = float(made.note.split()[0])
    assert 12 < reached < 20  # the rate is variable, and the container costs some
    assert level_at(degraded(TABLE["Opus, 16 kbit/s"], *[TONE] * 20)[10], 1000) > 0.9


def test_a_far_clip_is_as_loud_as_before_but_smeared() -> None:
    click = np.zeros(RATE, np.int16)
    click[1000] = 20_000
    (heard,) = degraded(TABLE["far field"], click)
    assert power(heard) == pytest.approx(power(click), rel=0.05)  # rounding of the quiet tail
    assert np.count_nonzero(heard) > 500
    assert not heard[:990].any()


def test_a_rooms_response_starts_with_the_direct_sound_and_dies_in_its_time() -> None:
    room = Room(np.array([5, 4, 2.5]), np.array([1, 1, 1.5]), np.array([4, 3, 1.2]), 0.4)
    response = impulse_response(room, sample_rate=RATE)
    assert response[0] == pytest.approx(1.0)
    direct = float(np.linalg.norm(room.source - room.microphone))
    floor = float(np.linalg.norm((3, 2, 2.7)))  # the source mirrored at the floor
    place = round((floor - direct) / 343.0 * RATE)
    assert response[place - 1 : place + 2].max() > 0.3
    energy = np.cumsum(response[::-1].astype(np.float64) ** 2)[::-1]
    decay = 10 * np.log10(energy / energy[0] + 1e-12)
    thirty = float(np.argmax(decay < -30)) / RATE
    assert 0.1 < thirty < 0.3  # half of the 60 dB of 0.4 s, give or take the direct sound


def test_drawn_rooms_hold_speaker_and_microphone_apart() -> None:
    rng = np.random.default_rng(5)
    for _ in range(20):
        room = draw_room(rng, least_metres=2.5)
        assert np.linalg.norm(room.source - room.microphone) >= 2.5
        for place in (room.source, room.microphone):
            assert ((place > 0) & (place < room.size)).all()
