"""The front end in C against the one in numpy: float and fixed, on speech and at the edges."""

import ctypes
from pathlib import Path
from typing import Final

import msgspec
import numpy as np
import pytest

from edgekws.events import Pcm
from edgekws.export.mcu_range import MOST_ROUNDING
from edgekws.features import FeatureStream
from edgekws.specs import FeatureSpec
from tests.kws_firmware import Firmware, build_front_end, c_mfcc, library_mfcc
from tests.speech import Speech

FLOAT_ATOL: Final = 1e-4
"""Float C against numpy, whose FFT is in float64: 1.2e-5 measured on speech."""

FIXED_ATOL: Final = 1e-3
"""65 LSB of 1/65536: 18 measured on speech (0.9 on average), from mel weights of 16 bits and a
logarithm of 128 pieces. A step of the shipped nets' features is 0.02 and more."""

TONE_FLOAT_ATOL: Final = 5e-4
"""A full-scale tone beside silence: float32 rounds loud bins, which leaks into quiet ones; 2e-4."""

TONE_FIXED_ATOL: Final = 2e-3
"""The same where powers are moved down for a full-scale frame, 131 LSB: 62 measured."""


def difference(firmware: Firmware, pcm: Pcm, kind: str) -> float:
    wanted = FeatureStream(firmware.model.spec.features).push(pcm)
    return float(np.abs(c_mfcc(firmware, pcm, kind=kind) - wanted).max())


@pytest.mark.parametrize(("kind", "atol"), [("float", FLOAT_ATOL), ("fixed", FIXED_ATOL)])
def test_speech_has_the_coefficients_of_numpy(
    firmware: Firmware, speech: Speech, kind: str, atol: float
) -> None:
    assert difference(firmware, speech.sentences(160_000), kind) < atol
    for level in (1, 16):  # a quiet room, and one quieter than it is recorded
        assert difference(firmware, (speech.noise(32_000) // level).astype(np.int16), kind) < atol


def front_end_of(firmware: Firmware, spec: FeatureSpec, folder: Path) -> ctypes.CDLL:
    """Compile the front end for other features, normalized by vectors of the shipped model."""
    shipped, count = firmware.model.spec, spec.n_mfcc
    vectors = {"mean": shipped.mean[:count], "scale": shipped.scale[:count]}
    model = msgspec.structs.replace(shipped, features=spec, **vectors)
    return build_front_end(folder, model, firmware.model.file.graph.features)


@pytest.mark.parametrize("n_mels", [24, 23])
def test_other_features_have_tables_of_their_own(
    firmware: Firmware, speech: Speech, tmp_path: Path, n_mels: int
) -> None:
    spec = FeatureSpec(
        algorithm="mfcc-1",
        sample_rate=8_000,
        window=201,
        hop=80,
        fft=256,
        n_mels=n_mels,
        n_mfcc=13,
        low_hz=60,
        high_hz=3_800,
        log_floor_exponent=-6,
    )
    library = front_end_of(firmware, spec, tmp_path)
    pcm = speech.sentences(32_000)
    wanted = FeatureStream(spec).push(pcm)
    for kind, atol in (("float", FLOAT_ATOL), ("fixed", FIXED_ATOL)):
        found = library_mfcc(library, spec, pcm, kind=kind)
        np.testing.assert_allclose(found, wanted, rtol=0, atol=atol)


def test_wide_features_hold_full_scale(firmware: Firmware, tmp_path: Path) -> None:
    """A long transform at 48 kHz, near what the export lets pass."""
    spec = FeatureSpec(
        algorithm="mfcc-1",
        sample_rate=48_000,
        window=1_999,
        hop=480,
        fft=2_048,
        n_mels=60,
        n_mfcc=13,
        low_hz=0,
        high_hz=24_000,
        log_floor_exponent=-4,
    )
    library = front_end_of(firmware, spec, tmp_path)
    for pcm in edges().values():
        found = library_mfcc(library, spec, pcm, kind="fixed")
        wanted = FeatureStream(spec).push(pcm)
        np.testing.assert_allclose(found, wanted, rtol=0, atol=MOST_ROUNDING)


def edges() -> dict[str, Pcm]:
    time = np.arange(16_000)
    square = np.where(time // 20 % 2, 32767, -32768)
    return {
        "silence": np.zeros(16_000, np.int16),
        "one": np.ones(16_000, np.int16),
        "constant": np.full(16_000, -32768, np.int16),
        "square": square.astype(np.int16),
        "nyquist": np.where(time % 2, 32767, -32768).astype(np.int16),
        "noise": np.random.default_rng(2).integers(-32768, 32768, 16_000).astype(np.int16),
    } | {
        f"tone {hz}": np.rint(32767 * np.sin(2 * np.pi * hz / 16_000 * time)).astype(np.int16)
        for hz in (62.5, 440, 1000, 3999, 7800)
    }


@pytest.mark.parametrize("name", edges())
def test_full_scale_and_silence_stay_within_a_wider_tolerance(
    firmware: Firmware, name: str
) -> None:
    pcm = edges()[name]
    assert difference(firmware, pcm, "float") < TONE_FLOAT_ATOL
    assert difference(firmware, pcm, "fixed") < TONE_FIXED_ATOL
