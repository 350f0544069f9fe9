"""Samples in, detections out: the firmware on this machine hears what the Pi's detector hears."""

from typing import Final

import numpy as np
import pytest

from edgekws.events import Block, Pcm
from edgekws.export.mcu_reference import ReferenceEngine
from edgekws.runtime.detector import Detector
from tests.kws_firmware import CKws, Firmware, Place
from tests.speech import Speech

AGREEING: Final = 0.9
"""Of detections in speech, reference kernels on both sides, within one row of scores: 85 of
86 measured. The other one's mean is within half a step of its threshold, and synthesized speech,
which is never twice the same, has some dozen detections."""

OK, TOO_SMALL, MISALIGNED = 0, -1, -2


def places(detector: Detector, pcm: Pcm) -> list[Place]:
    return [(d.label, d.sample) for d in detector.push(Block(pcm, 0))]


@pytest.fixture(scope="module")
def speaking(firmware: Firmware, speech: Speech) -> Pcm:
    """Commands of several people, half a second apart, in noise."""
    words = speech.words(firmware.model.spec.commands, clips=4)
    pause = np.zeros(8000, np.int16)
    clips = [piece for clips in zip(*words.values(), strict=True) for piece in clips]
    pcm = np.concatenate([part for clip in clips for part in (clip.pcm, pause)]).astype(np.float64)
    return np.clip(pcm + 0.3 * speech.noise(len(pcm)), -32768, 32767).astype(np.int16)


@pytest.mark.parametrize("kind", ["fixed", "float"])
def test_speech_is_heard_as_with_the_reference_kernels(
    firmware: Firmware, speaking: Pcm, kind: str
) -> None:
    model = firmware.model
    engine = ReferenceEngine(model.data, model.file.graph)
    wanted = places(Detector(model.spec, engine, model.manifest.triggers), speaking)
    found = CKws(firmware, kind=kind).push(speaking, portion=333).places()
    row = model.spec.samples_per_score
    same = [
        any(label == needs and abs(sample - at) <= row for needs, at in wanted)
        for label, sample in found
    ]
    assert len(wanted) >= 5
    assert sum(same) >= AGREEING * max(len(wanted), len(found))


def test_any_portions_give_the_same(firmware: Firmware, speaking: Pcm) -> None:
    whole = CKws(firmware).push(speaking[:240_000]).found
    for portion in (7, 160, 479, 4096):
        assert CKws(firmware).push(speaking[:240_000], portion=portion).found == whole
    assert whole, "speech without a detection shows nothing"


def test_a_reset_begins_anew_at_a_sample(firmware: Firmware, speaking: Pcm) -> None:
    kws, origin = CKws(firmware), 1 << 33  # days into the stream
    first = kws.push(speaking[:240_000]).places()
    kws.push(speaking[240_000:250_000])
    kws.found = []
    kws.reset(origin)
    kws.push(speaking[:240_000])
    assert kws.places() == [(label, sample + origin) for label, sample in first]


def test_memory_that_is_too_small_or_misaligned_is_refused(firmware: Firmware) -> None:
    kws = CKws(firmware)
    assert kws.bytes == firmware.model.size.working
    assert kws.start(kws.bytes - 1) == TOO_SMALL
    assert kws.start(kws.bytes, offset=4) == MISALIGNED
    assert kws.start(kws.bytes) == OK
