"""The intake repairs what it can, refuses the rest, and says each kind once."""

from typing import Any

import numpy as np
import pytest

from edgekws.events import Block
from edgekws.runtime.intake import Intake

RATE = 16_000
RAMP = np.arange(-500, 500, dtype=np.int16)


def accept(pcm: Any, *, start: Any = 0, rate: int = RATE) -> tuple[Block | None, Intake, list[str]]:
    warnings: list[str] = []
    intake = Intake(RATE, warn=warnings.append)
    return intake.accept(Block(pcm, start, rate)), intake, warnings


def repaired(pcm: Any) -> np.ndarray:
    block, intake, warnings = accept(pcm)
    assert block is not None
    assert intake.repaired > 0
    assert intake.refused == 0
    assert warnings
    assert block.pcm.dtype == np.int16
    assert block.pcm.ndim == 1
    return block.pcm


def test_a_good_block_passes_as_it_is() -> None:
    block, intake, warnings = accept(RAMP)
    assert block is not None
    assert block.pcm is RAMP
    assert (intake.repaired, intake.refused, warnings) == (0, 0, [])


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_floats_are_taken_as_full_scale_one(dtype: Any) -> None:
    assert repaired(np.array([0.5, -1.0, 1.0, 3.0], dtype)).tolist() == [
        16384,
        -32768,
        32767,
        32767,
    ]


def test_nan_and_infinity_become_silence() -> None:
    pcm = np.array([np.nan, 0.5, np.inf, -np.inf], np.float32)
    assert repaired(pcm).tolist() == [0, 16384, 0, 0]


def test_stereo_is_averaged_along_either_axis() -> None:
    left, right = np.full(320, 1000, np.int16), np.full(320, 3000, np.int16)
    assert (repaired(np.stack((left, right))) == 2000).all()
    assert (repaired(np.stack((left, right), axis=1)) == 2000).all()
    assert len(repaired(np.stack((left, right), axis=1))) == 320


def test_stereo_floats_with_nan_are_repaired_in_both_ways() -> None:
    assert repaired(np.full((320, 2), [np.nan, 0.5], np.float32)).tolist() == [8192] * 320


def test_other_byte_orders_and_widths_are_converted() -> None:
    block, _, _ = accept(RAMP.astype(">i2"))
    assert block is not None
    assert (block.pcm == RAMP).all()
    assert (repaired(RAMP.astype(np.int32) << 16) == RAMP).all()


@pytest.mark.parametrize(
    "pcm",
    [
        np.zeros(0, np.int16),
        np.zeros((3, 0), np.int16),
        np.zeros((100, 100), np.int16),
        np.zeros((4, 4, 4), np.int16),
        np.int16(5),
        np.array(5, np.int16),
        np.array([None, 1]),
        np.array(["a"]),
        np.zeros(321, np.uint8),
        np.zeros(10, np.complex64),
        np.zeros(10, np.bool_),
        b"\x00\x01\x02",
        None,
        [1, 2, 3],
    ],
    ids=repr,
)
def test_what_means_nothing_is_refused(pcm: Any) -> None:
    block, intake, warnings = accept(pcm)
    assert block is None
    assert (intake.refused, intake.repaired, len(warnings)) == (1, 0, 1)


@pytest.mark.parametrize("start", [-1, 1.5, None, 2**62])
def test_a_senseless_start_is_refused(start: Any) -> None:
    assert accept(RAMP, start=start)[0] is None


def test_a_wrong_rate_is_refused_by_name() -> None:
    block, _, warnings = accept(RAMP, rate=48_000)
    assert block is None
    assert "48000 Hz" in warnings[0]
    assert "16000 Hz" in warnings[0]


def test_each_kind_warns_once_and_counts_on() -> None:
    warnings: list[str] = []
    intake = Intake(RATE, warn=warnings.append)
    for _ in range(5):
        intake.accept(Block(RAMP, 0, 8000))
        intake.accept(Block(np.zeros(0, np.int16), 0, RATE))
        assert intake.accept(Block(RAMP, 0, RATE)) is not None
    assert (intake.refused, len(warnings)) == (10, 2)
