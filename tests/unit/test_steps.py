"""Steps are the whole-clip features, normalized, or samples, whatever the portions they come in."""

import numpy as np
import pytest

from edgekws.features import FeatureStream
from edgekws.runtime.steps import PORTION_SAMPLES, SampleStream, StepStream
from tests.bundles import model_spec, noise

FEATURE_ATOL = 1e-4  # other BLAS kernels for other portions of rows
MODEL = model_spec()


@pytest.mark.parametrize("portion", [1, 479, 1280, 16_001, PORTION_SAMPLES + 1, 10**9])
def test_steps_are_the_normalized_features_of_the_whole(portion: int) -> None:
    pcm = noise(seconds=0.3 if portion == 1 else 9.7)
    stream = StepStream(MODEL)
    steps = [
        step.copy()
        for start in range(0, len(pcm), portion)
        for step in stream.push(pcm[start : start + portion])
    ]
    features = FeatureStream(MODEL.features).push(pcm)
    expected = (features - np.float32(MODEL.mean)) * np.float32(MODEL.scale)
    whole = len(expected) // MODEL.step_frames
    assert [step.shape for step in steps] == [(MODEL.step_frames, MODEL.features.n_mfcc)] * whole
    np.testing.assert_allclose(
        np.concatenate(steps), expected[: whole * MODEL.step_frames], atol=FEATURE_ATOL
    )


def test_reset_forgets_what_is_held() -> None:
    stream, fresh = StepStream(MODEL), StepStream(MODEL)
    assert list(stream.push(noise(seconds=0.05))) == []
    stream.reset()
    pcm = noise(seconds=1.0, seed=1)
    np.testing.assert_array_equal(list(stream.push(pcm)), list(fresh.push(pcm)))


@pytest.mark.parametrize("portion", [1, 479, 1280, 16_001, PORTION_SAMPLES + 1, 10**9])
def test_steps_of_samples_are_what_steps_of_features_cover(portion: int) -> None:
    pcm = noise(seconds=0.3 if portion == 1 else 9.7)
    stream = SampleStream(MODEL)
    steps = [
        step.copy()
        for start in range(0, len(pcm), portion)
        for step in stream.push(pcm[start : start + portion])
    ]
    assert len(steps) == len(list(StepStream(MODEL).push(pcm)))
    for number, step in enumerate(steps):
        first = number * MODEL.step_frames * MODEL.features.hop
        np.testing.assert_array_equal(step, pcm[first : first + MODEL.samples_per_step])


def test_reset_forgets_the_samples_held() -> None:
    stream, pcm = SampleStream(MODEL), noise(seconds=1.0, seed=1)
    assert list(stream.push(noise(seconds=0.05))) == []
    stream.reset()
    np.testing.assert_array_equal(list(stream.push(pcm)), list(SampleStream(MODEL).push(pcm)))
