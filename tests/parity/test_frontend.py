"""The one front end against independent arithmetic, against its torch twin, and in any portions."""

import hashlib
import json

import msgspec
import numpy as np
import pytest
import scipy.fft
import scipy.signal
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from edgekws.events import Pcm
from edgekws.features import FeatureStream, mfcc
from edgekws.specs import LOGMEL_32, MFCC_40, FeatureSpec
from edgekws.train.frontend import TorchFrontend
from tests.parity.tolerances import CHUNKING, FRONTEND_VS_REFERENCE, FRONTEND_VS_TWIN

SPECS = pytest.mark.parametrize("spec", [MFCC_40, LOGMEL_32], ids=["mfcc_40", "logmel_32"])
DIGEST = "eadee27d30d5328b62d3155805d8af137ef55a6f48007b85978c40578257bcc4"

OTHER = FeatureSpec(
    algorithm="mfcc-1",
    sample_rate=8_000,
    window=200,
    hop=80,
    fft=256,
    n_mels=24,
    n_mfcc=13,
    low_hz=60,
    high_hz=3_800,
    log_floor_exponent=-6,
)


def speech_like(samples: int, *, level_db: float, rate: int = 16_000) -> Pcm:
    """Return gliding harmonics under a syllable rhythm with some hiss, peak at `level_db`."""
    rng, t = np.random.default_rng(17), np.arange(samples) / rate
    pitch = np.cumsum(120 + 40 * np.sin(2 * np.pi * 0.7 * t)) / rate
    voice = sum(np.sin(2 * np.pi * k * pitch) / k for k in range(1, 25))
    audio = voice * np.maximum(0, np.sin(2 * np.pi * 4 * t)) + 0.01 * rng.standard_normal(samples)
    return (audio / np.abs(audio).max() * 32767 * 10 ** (level_db / 20)).astype(np.int16)


def reference(spec: FeatureSpec, pcm: Pcm) -> NDArray[np.float64]:
    """Return the MFCC by scipy and loops in float64, (frames, n_mfcc)."""
    window = scipy.signal.get_window("hann", spec.window)  # periodic
    edges_mel = np.linspace(
        2595 * np.log10(1 + spec.low_hz / 700), 2595 * np.log10(1 + spec.high_hz / 700),
        spec.n_mels + 2,
    )  # fmt: skip
    edges = 700 * (10 ** (edges_mel / 2595) - 1)
    hertz = scipy.fft.rfftfreq(spec.fft, 1 / spec.sample_rate)
    rows = []
    for start in range(0, len(pcm) - spec.window + 1, spec.hop):
        frame = pcm[start : start + spec.window] / 32768 * window
        power = np.abs(scipy.fft.rfft(frame, spec.fft)) ** 2
        bands = [
            np.interp(hertz, edges[m : m + 3], [0, 1, 0], left=0, right=0) @ power
            for m in range(spec.n_mels)
        ]
        log_mel = np.log(np.array(bands) + 10.0**spec.log_floor_exponent)
        rows.append(scipy.fft.dct(log_mel, type=2, norm="ortho")[: spec.n_mfcc])
    return np.array(rows)


@pytest.mark.parametrize("level_db", [0, -20, -40, -60])
@pytest.mark.parametrize("spec", [MFCC_40, OTHER], ids=["mfcc_40", "other"])
def test_front_end_is_what_the_spec_says(spec: FeatureSpec, level_db: float) -> None:
    pcm = speech_like(spec.sample_rate, level_db=level_db, rate=spec.sample_rate)
    ours = FeatureStream(spec).push(pcm)
    assert ours.dtype == np.float32
    np.testing.assert_allclose(ours, reference(spec, pcm), rtol=0, atol=FRONTEND_VS_REFERENCE)


@pytest.mark.parametrize("value", [0, 32767, -32768])
def test_constant_audio_gives_finite_features(value: int) -> None:
    pcm = np.full(16_000, value, np.int16)
    ours = FeatureStream(MFCC_40).push(pcm)
    np.testing.assert_allclose(ours, reference(MFCC_40, pcm), rtol=0, atol=FRONTEND_VS_REFERENCE)


def logmel_reference(spec: FeatureSpec, pcm: Pcm) -> NDArray[np.float64]:
    """Return the log magnitudes of mel bands by scipy and loops in float64, (frames, n_mels)."""
    window = scipy.signal.get_window("hann", spec.window)
    hertz = scipy.fft.rfftfreq(spec.fft, 1 / spec.sample_rate)
    low, high, mel = (2595 * np.log10(1 + f / 700) for f in (spec.low_hz, spec.high_hz, hertz))
    edges = np.linspace(low, high, spec.n_mels + 2)
    rows = []
    for start in range(0, len(pcm) - spec.window + 1, spec.hop):
        frame = pcm[start : start + spec.window] / 32768 * window
        magnitude = np.abs(scipy.fft.rfft(frame, spec.fft))
        bands = [
            np.interp(mel, edges[m : m + 3], [0, 1, 0], left=0, right=0) @ magnitude
            for m in range(spec.n_mels)
        ]
        rows.append(np.log(np.array(bands) + 10.0**spec.log_floor_exponent))
    return np.array(rows)


@pytest.mark.parametrize("level_db", [0, -20, -40, -60])
def test_logmel_is_what_the_spec_says(level_db: float) -> None:
    pcm = speech_like(16_000, level_db=level_db)
    ours, theirs = FeatureStream(LOGMEL_32).push(pcm), logmel_reference(LOGMEL_32, pcm)
    assert ours.dtype == np.float32
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=FRONTEND_VS_REFERENCE)


def test_logmel_gives_every_band() -> None:
    with pytest.raises(ValueError, match="logmel-1 needs n_mfcc to be n_mels"):
        msgspec.structs.replace(LOGMEL_32, n_mfcc=13)


@SPECS
@pytest.mark.parametrize("level_db", [0, -20, -40, -60])
def test_torch_twin_agrees(spec: FeatureSpec, level_db: float) -> None:
    pcm = speech_like(16_000, level_db=level_db)
    audio = torch.from_numpy(pcm.astype(np.float32))[None]
    twin = TorchFrontend(spec)(audio)[0].numpy()
    ours = FeatureStream(spec).push(pcm)
    np.testing.assert_allclose(twin, ours, rtol=0, atol=FRONTEND_VS_TWIN)


@settings(max_examples=60)
@given(
    samples=st.integers(0, 4000),
    cuts=st.lists(st.integers(0, 4000), max_size=12),
    level_db=st.sampled_from([0, -30, -60]),
)
def test_any_portions_give_the_frames_of_the_whole(
    samples: int, cuts: list[int], level_db: float
) -> None:
    pcm = speech_like(4000, level_db=level_db)[:samples]
    stream = FeatureStream(MFCC_40)
    rows = [stream.push(part) for part in np.split(pcm, sorted(min(c, samples) for c in cuts))]
    rows.append(stream.flush())
    np.testing.assert_allclose(np.concatenate(rows), mfcc(MFCC_40, pcm), rtol=0, atol=CHUNKING)


@settings(max_examples=60)
@given(samples=st.integers(0, 3000))
def test_flush_covers_the_samples_that_no_frame_has(samples: int) -> None:
    stream, pcm = FeatureStream(MFCC_40), speech_like(3000, level_db=-10)[:samples]
    whole = stream.push(pcm)
    tail = stream.flush()
    assert len(whole) == MFCC_40.frames(samples)
    covered = MFCC_40.samples(len(whole))
    assert len(tail) == (1 if samples > covered else 0)
    if len(tail):
        padded = np.pad(pcm, (0, MFCC_40.samples(len(whole) + 1) - samples))
        expected = reference(MFCC_40, padded)[-1:]
        np.testing.assert_allclose(tail, expected, rtol=0, atol=FRONTEND_VS_REFERENCE)


def test_flush_and_reset_start_a_new_stream() -> None:
    pcm, stream = speech_like(5000, level_db=-10), FeatureStream(MFCC_40)
    fresh = FeatureStream(MFCC_40).push(pcm)
    stream.push(pcm[:777])
    stream.flush()
    np.testing.assert_array_equal(stream.push(pcm), fresh)
    stream.reset()
    np.testing.assert_array_equal(stream.push(pcm), fresh)


def test_frames_are_the_callers_to_keep() -> None:
    stream, pcm = FeatureStream(MFCC_40), speech_like(4000, level_db=-10)
    first = stream.push(pcm[:2000])
    kept = first.copy()
    stream.push(pcm[2000:])
    np.testing.assert_array_equal(first, kept)


def test_digest_of_the_shipped_features_never_changes() -> None:
    assert MFCC_40.digest() == DIGEST


def test_digest_is_the_sha256_of_canonical_json() -> None:
    plain = json.dumps(msgspec.to_builtins(MFCC_40), sort_keys=True, separators=(",", ":"))
    assert MFCC_40.digest() == hashlib.sha256(plain.encode()).hexdigest()


@pytest.mark.parametrize("field", ["sample_rate", "window", "hop", "n_mels", "low_hz", "fft"])
def test_digest_depends_on_every_number(field: str) -> None:
    smaller = {"window": 400, "n_mels": 41, "fft": 1024, "low_hz": 40, "hop": 80}
    changed = msgspec.structs.replace(MFCC_40, **{field: smaller.get(field, 16_001)})
    assert changed.digest() != MFCC_40.digest()
