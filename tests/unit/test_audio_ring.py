"""The ring: what comes out is what went in, and a drop shows in the index."""

from itertools import pairwise
from typing import Final

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgekws.audio.ring import Portion, Ring

SLOTS: Final = 3
SLOT_FRAMES: Final = 8
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("write"), st.integers(0, 3 * SLOT_FRAMES)),
        st.tuples(st.just("skip"), st.integers(1, 20)),
        st.tuples(st.just("read"), st.integers(1, SLOTS + 1)),
    ),
    max_size=60,
)


def numbered(start: int, *, frames: int, channels: int) -> bytes:
    """Return frames whose every sample is the frame's absolute index."""
    return np.repeat(np.arange(start, start + frames, dtype=np.int16), channels).tobytes()


def drain(ring: Ring) -> list[Portion]:
    return list(iter(ring.read, None))


@given(STEPS, st.integers(1, 3))
def test_every_frame_comes_out_in_its_place_or_is_counted(
    steps: list[tuple[str, int]], channels: int
) -> None:
    ring = Ring(slots=SLOTS, slot_frames=SLOT_FRAMES, channels=channels)
    position = 0
    portions: list[Portion] = []
    for step, count in steps:
        if step == "write":
            ring.write(numbered(position, frames=count, channels=channels))
            position += count
        elif step == "skip":
            ring.skip(count)
            position += count
        else:
            portions += [p for p in (ring.read() for _ in range(count)) if p is not None]
    portions += drain(ring)
    for portion in portions:
        places = np.arange(portion.start, portion.start + len(portion.frames))
        np.testing.assert_array_equal(portion.frames, np.repeat(places[:, None], channels, axis=1))
    assert all(a.start + len(a.frames) <= b.start for a, b in pairwise(portions))
    assert sum(len(p.frames) for p in portions) + ring.dropped == position


def test_an_empty_ring_gives_nothing() -> None:
    assert Ring(slots=1, slot_frames=4, channels=1).read() is None


def test_a_full_ring_drops_what_comes_and_goes_on_behind_a_gap() -> None:
    ring = Ring(slots=2, slot_frames=4, channels=1)
    for start in (0, 4, 8):
        ring.write(numbered(start, frames=4, channels=1))
    assert ring.dropped == 4
    assert [p.start for p in drain(ring)] == [0, 4]
    ring.write(numbered(12, frames=4, channels=1))
    assert [p.start for p in drain(ring)] == [12]


@pytest.mark.parametrize("again", range(2 * SLOTS))
def test_a_portion_stays_as_it_is_when_its_slot_is_written_again(again: int) -> None:
    ring = Ring(slots=SLOTS, slot_frames=4, channels=1)
    for start in range(0, 4 * again, 4):  # turn the ring so that every slot is tried
        ring.write(numbered(start, frames=4, channels=1))
        assert ring.read() is not None
    ring.write(numbered(1000, frames=4, channels=1))
    portion = ring.read()
    for start in range(2000, 2000 + 4 * SLOTS, 4):
        ring.write(numbered(start, frames=4, channels=1))
    assert portion is not None
    assert portion.frames[:, 0].tolist() == [1000, 1001, 1002, 1003]
