"""A device whose model has the front end inside hears what one with the front end outside hears."""

import itertools
from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgekws.bundle import Bundle, Golden, encode_golden, file_entry, open_bundle, write_bundle
from edgekws.errors import SkewError
from edgekws.events import Block, Detection, Pcm
from edgekws.runtime.agreement import LARGEST
from edgekws.runtime.wiring import Device, open_device
from tests.bundles import noise, tone
from tests.fused import INSIDE, OUTSIDE, make_fused_bundle

RATE = 16_000
AUDIO = np.concatenate(
    [part for label in ("yes", "no", "yes") for part in (noise(seconds=1.3), tone(label))]
)
SCORE_ATOL = 1e-4  # the front ends differ by the order of their sums


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return open_bundle(make_fused_bundle(tmp_path_factory.mktemp("fused")))


@pytest.fixture(scope="module")
def inside(bundle: Bundle) -> Device:
    return open_device(bundle)


@pytest.fixture(scope="module")
def outside(bundle: Bundle) -> Device:
    return open_device(bundle, key=OUTSIDE)


def hear(device: Device, pcm: Pcm, *, at: int = 0, cuts: tuple[int, ...] = ()) -> list[Detection]:
    """Return the detections of audio that is cut at those places, from a fresh start."""
    device.detector.reset()
    return _push(device, pcm, at=at, cuts=cuts)


def _push(device: Device, pcm: Pcm, *, at: int, cuts: tuple[int, ...] = ()) -> list[Detection]:
    ends = sorted({0, *(cut for cut in cuts if cut < len(pcm)), len(pcm)})
    blocks = [Block(pcm[a:b], at + a, RATE) for a, b in itertools.pairwise(ends)]
    return [found for block in blocks for found in device.detector.push(block)]


def places(detections: list[Detection]) -> list[tuple[str, int]]:
    return [(found.label, found.sample) for found in detections]


def test_the_best_model_of_the_bundle_is_the_fused_one(inside: Device) -> None:
    assert inside.model_file.key == INSIDE


@settings(max_examples=20)
@given(st.lists(st.integers(1, len(AUDIO)), max_size=30))
def test_any_chunking_gives_the_detections_of_the_plain_model(
    inside: Device, outside: Device, cuts: list[int]
) -> None:
    found, expected = hear(inside, AUDIO, cuts=tuple(cuts)), hear(outside, AUDIO)
    assert [detection.label for detection in expected] == ["yes", "no", "yes"]
    assert places(found) == places(expected)
    np.testing.assert_allclose(
        [detection.score for detection in found],
        [detection.score for detection in expected],
        atol=SCORE_ATOL,
    )


def test_a_stream_may_start_anywhere(inside: Device, outside: Device) -> None:
    assert places(hear(inside, AUDIO, at=777)) == places(hear(outside, AUDIO, at=777))


@pytest.mark.parametrize("jump", [1, 40_000, -20_000])
def test_after_a_gap_it_starts_anew(inside: Device, outside: Device, jump: int) -> None:
    gaps = inside.detector.counters.gaps
    hear(inside, AUDIO[: 2 * RATE + 77])
    at = 2 * RATE + 77 + jump
    assert places(_push(inside, AUDIO, at=at)) == places(hear(outside, AUDIO, at=at))
    assert inside.detector.counters.gaps == gaps + 1


def test_scores_of_a_clip_have_the_same_rows(inside: Device, outside: Device) -> None:
    found, expected = inside.detector.scores(AUDIO), outside.detector.scores(AUDIO)
    np.testing.assert_allclose(found, expected, rtol=0, atol=SCORE_ATOL)


def test_other_scores_than_the_golden_ones_are_refused(bundle: Bundle, tmp_path: Path) -> None:
    golden, manifest = bundle.golden(), bundle.manifest
    scores = {**golden.scores, INSIDE: golden.scores[INSIDE] + np.float32(2 * LARGEST["fp32"])}
    files = {entry.path: (bundle.path / entry.path).read_bytes() for entry in manifest.files()}
    files["golden.npz"] = encode_golden(Golden(golden.pcm, golden.features, scores))
    entry = file_entry("golden.npz", files["golden.npz"])
    write_bundle(tmp_path / "skewed", msgspec.structs.replace(manifest, golden=entry), files)
    skewed = open_bundle(tmp_path / "skewed")
    with pytest.raises(SkewError, match="fused"):
        open_device(skewed)
    assert open_device(skewed, key=OUTSIDE).model_file.key == OUTSIDE
