"""The front end in C against the one in numpy: float and fixed, on speech and at the edges."""

from pathlib import Path
from typing import Final

import msgspec
import numpy as np
import pytest

from edgekws.events import Pcm
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
    shipped = firmware.model.spec
    model = msgspec.structs.replace(
        shipped, features=spec, mean=shipped.mean[:13], scale=shipped.scale[:13]
    )
    library = build_front_end(tmp_path, model, firmware.model.file.graph.features)
    pcm = speech.sentences(32_000)
    wanted = FeatureStream(spec).push(pcm)
    for kind, atol in (("float", FLOAT_ATOL), ("fixed", FIXED_ATOL)):
        found = library_mfcc(library, spec, pcm, kind=kind)
        np.testing.assert_allclose(found, wanted, rtol=0, atol=atol)


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
