"""A source whose samples come at another rate than they are taken for is found out by the clock."""

import numpy as np
import pytest

from edgekws.audio.pace import TOLERANCE, WINDOW_SECONDS, WINDOWS, Pace
from edgekws.events import Block

RATE = 16_000
BLOCK = 1600
PATIENCE_SECONDS = (WINDOWS + 1) * WINDOW_SECONDS


class Stream:
    """Blocks that come at a rate, by a clock of its own."""

    def __init__(self) -> None:
        self.seconds = 50.0
        self.pace = Pace(lambda: self.seconds)

    def come(self, rate: float, *, seconds: float) -> str:
        """Let blocks come for so long; return what is said then."""
        for _ in range(round(seconds * rate / BLOCK)):
            self.seconds += BLOCK / rate
            self.pace.push(Block(np.zeros(BLOCK, np.int16), 0, RATE))
        return self.pace.complaint


@pytest.mark.parametrize("rate", [8_000, 11_025, 22_050, 32_000, 44_100, 48_000])
def test_another_rate_is_told_with_both_figures(rate: int) -> None:
    said = Stream().come(rate, seconds=PATIENCE_SECONDS)
    number, expected = (int(word) for word in said.split() if word.isdecimal())
    assert number == pytest.approx(rate, rel=0.05)  # a window is a few blocks too long
    assert expected == RATE


def test_two_channels_are_twice_the_samples() -> None:
    assert "one channel" in Stream().come(2 * RATE, seconds=PATIENCE_SECONDS)


@pytest.mark.parametrize("rate", [RATE, 0.97 * RATE, 1.03 * RATE])
def test_a_clock_that_is_a_little_off_is_none(rate: float) -> None:
    assert TOLERANCE > 1.03
    assert Stream().come(rate, seconds=10 * PATIENCE_SECONDS) == ""


def test_what_a_stall_held_back_is_none() -> None:
    stream = Stream()
    stream.come(RATE, seconds=4.0)
    for _ in range(5):
        stream.seconds += 8.0
        assert stream.come(1_000 * RATE, seconds=8.0 / 1_000) == ""
        assert stream.come(RATE, seconds=7.0) == ""


def test_what_is_set_right_is_no_longer_said() -> None:
    stream = Stream()
    assert stream.come(48_000, seconds=PATIENCE_SECONDS)
    assert stream.come(RATE, seconds=2 * WINDOW_SECONDS) == ""
    stream.come(48_000, seconds=PATIENCE_SECONDS)
    stream.pace.reset()
    assert stream.pace.complaint == ""
