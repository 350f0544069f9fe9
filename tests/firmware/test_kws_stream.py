"""Samples in, detections out: the firmware on this machine hears what the Pi's detector hears."""

from typing import Final

import numpy as np
import pytest

from edgekws.events import Block, Pcm
from edgekws.export.mcu_reference import ReferenceEngine
from edgekws.runtime.detector import Detector
from edgekws.runtime.wiring import open_device
from tests.kws_firmware import CKws, Firmware
from tests.speech import Speech

SCORE_STEPS: Final = 16 / 256
"""A detection's score, where the row is the same: kernels differ by an int8 step here and there."""

AGREEING: Final = 0.95
"""Of detections in speech with the reference kernels on both sides: 85 of 86 measured; the one that
differs has a mean within half a step of its threshold."""

OK, TOO_SMALL, MISALIGNED = 0, -1, -2


def golden(firmware: Firmware) -> Pcm:
    return firmware.bundle.golden().pcm


def rows(firmware: Firmware, detector: Detector, pcm: Pcm) -> list[tuple[int, int, int]]:
    found = detector.push(Block(pcm, 0))
    labels = firmware.model.spec.labels
    return [(labels.index(d.label), int(d.score * 65536), d.sample) for d in found]


def places(found: list[tuple[int, int, int]]) -> list[tuple[int, int]]:
    return [(label, sample) for label, _, sample in found]


@pytest.fixture(scope="module")
def speaking(firmware: Firmware, speech: Speech) -> Pcm:
    """Commands of several people, half a second apart, in noise."""
    words = speech.words(firmware.model.spec.commands, clips=4)
    pause = np.zeros(8000, np.int16)
    clips = [piece for clips in zip(*words.values(), strict=True) for piece in clips]
    pcm = np.concatenate([part for clip in clips for part in (clip.pcm, pause)]).astype(np.float64)
    return np.clip(pcm + 0.3 * speech.noise(len(pcm)), -32768, 32767).astype(np.int16)


@pytest.mark.parametrize("kind", ["fixed", "float"])
def test_golden_audio_has_the_detections_of_a_pi(firmware: Firmware, kind: str) -> None:
    device = open_device(firmware.bundle, key="tflite-int8")
    wanted = rows(firmware, device.detector, golden(firmware))
    found = CKws(firmware, kind=kind).push(golden(firmware)).found
    assert places(found) == places(wanted)
    for (_, has, _), (_, needs, _) in zip(found, wanted, strict=True):
        assert abs(has - needs) <= SCORE_STEPS * 65536


@pytest.mark.parametrize("kind", ["fixed", "float"])
def test_speech_is_heard_as_with_the_reference_kernels(
    firmware: Firmware, speaking: Pcm, kind: str
) -> None:
    model = firmware.model
    engine = ReferenceEngine(model.data, model.file.graph)
    wanted = rows(firmware, Detector(model.spec, engine, model.manifest.triggers), speaking)
    found = CKws(firmware, kind=kind).push(speaking, portion=333).found
    same = set(places(found)) & set(places(wanted))
    assert len(wanted) >= 5
    assert len(same) >= AGREEING * max(len(wanted), len(found))


def test_any_portions_give_the_same(firmware: Firmware, speaking: Pcm) -> None:
    whole = CKws(firmware).push(speaking[:80_000]).found
    for portion in (7, 160, 479, 4096):
        assert CKws(firmware).push(speaking[:80_000], portion=portion).found == whole
    assert whole, "speech without a detection shows nothing"


def test_a_reset_begins_anew_at_a_sample(firmware: Firmware, speaking: Pcm) -> None:
    kws, origin = CKws(firmware), 1 << 33  # days into the stream
    first = kws.push(speaking[:80_000]).found
    kws.push(speaking[80_000:90_000])
    kws.found = []
    kws.reset(origin)
    kws.push(speaking[:80_000])
    assert places(kws.found) == [(label, sample + origin) for label, sample in places(first)]


def test_memory_that_is_too_small_or_misaligned_is_refused(firmware: Firmware) -> None:
    kws = CKws(firmware)
    assert kws.bytes == firmware.model.size.working
    assert kws.start(kws.bytes - 1) == TOO_SMALL
    assert kws.start(kws.bytes, offset=4) == MISALIGNED
    assert kws.start(kws.bytes) == OK
