"""The converter: channels averaged, rate converted, in any portions, nothing ever poisoned."""

from typing import Final

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgekws.audio.convert import Converter, to_floats
from edgekws.events import Floats, Pcm

RATE: Final = 16_000
ROUNDING: Final = 1  # int16 steps
EDGE: Final = 800  # samples at either end where the filter has only half its length


def converter(rate: int) -> Converter:
    return Converter(rate, RATE, purpose="the test")


def stereo(frames: int) -> Floats:
    return np.random.default_rng(3).uniform(-1, 1, (frames, 2)).astype(np.float32)


def whole(rate: int, frames: Floats) -> Pcm:
    one = converter(rate)
    return np.concatenate((one.push(frames), one.flush()))


@given(st.lists(st.integers(0, 700), max_size=12), st.sampled_from([8_000, 16_000, 44_100, 48_000]))
def test_any_chunking_gives_the_same_samples(sizes: list[int], rate: int) -> None:
    frames = stereo(sum(sizes))
    one = converter(rate)
    parts = [one.push(part) for part in np.split(frames, np.cumsum(sizes))]
    np.testing.assert_array_equal(np.concatenate((*parts, one.flush())), whole(rate, frames))


@pytest.mark.parametrize("rate", [8_000, 22_050, 44_100, 48_000])
def test_the_resamplers_delay_is_made_up_for(rate: int) -> None:
    def tone(at: int) -> Floats:
        return (0.5 * np.sin(2 * np.pi * 440 * np.arange(at) / at)).astype(np.float32)

    pcm = whole(rate, tone(rate)[:, None])
    inner = slice(EDGE, RATE - EDGE)
    np.testing.assert_allclose(pcm[inner], tone(RATE)[inner] * 32768, atol=2 * ROUNDING)


def test_after_a_flush_a_new_stream_begins() -> None:
    one = converter(48_000)
    first = np.concatenate((one.push(stereo(4_800)), one.flush()))
    second = np.concatenate((one.push(stereo(4_800)), one.flush()))
    np.testing.assert_array_equal(first, second)


def test_int16_in_is_int16_out_where_nothing_is_to_convert() -> None:
    pcm = np.arange(-32768, 32768, dtype=np.int16)
    np.testing.assert_array_equal(converter(RATE).push(to_floats(pcm[:, None])), pcm)


def test_a_wild_float_does_not_poison_what_follows() -> None:
    one = converter(48_000)
    one.push(np.full((480, 2), 3e38, np.float32))
    after = one.push(np.zeros((9_600, 2), np.float32))
    assert not after[-1_000:].any()
