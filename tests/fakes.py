"""Small stand-ins for tests: a model whose figures are easy to follow, and an engine for it."""

import numpy as np

from edgekws.events import Floats, Pcm
from edgekws.specs import MFCC_40, SILENCE, UNKNOWN, ModelSpec, TriggerSpec

LABELS = (SILENCE, UNKNOWN, "loud", "dull")
RATE = MFCC_40.sample_rate


def small_model(*, scores_per_step: int = 2, window_frames: int = 16) -> ModelSpec:
    """Return a model of four labels whose features are not shifted."""
    return ModelSpec(
        features=MFCC_40,
        mean=(0.0,) * MFCC_40.n_mfcc,
        scale=(1.0,) * MFCC_40.n_mfcc,
        labels=LABELS,
        step_frames=8,
        scores_per_step=scores_per_step,
        window_frames=window_frames,
        parameters=1,
        macs_per_second=1,
    )


def trigger_spec(
    *,
    on: float = 0.6,
    off: float = 0.4,
    mean_samples: int = 2560,
    consecutive: int = 2,
    refractory_samples: int = RATE,
) -> TriggerSpec:
    """Return trigger values that suit `small_model`, two rows of which are 1280 samples."""
    return TriggerSpec(
        on=on,
        off=off,
        mean_samples=mean_samples,
        consecutive=consecutive,
        refractory_samples=refractory_samples,
    )


class LoudnessEngine:
    """Hears "loud" where the first coefficient is high: posteriors follow each row's energy."""

    def __init__(self, scores_per_step: int = 2) -> None:
        self.rows, self.broken = scores_per_step, False

    def step(self, features: Floats) -> Floats:
        energy = features[:, 0].reshape(self.rows, -1).mean(axis=1)  # about -60 silent, 10 loud
        loud = 1 / (1 + np.exp(-(energy + 20) / 4))
        scores = np.stack((1 - loud, 0 * loud, loud, 0 * loud), axis=1).astype(np.float32)
        return scores * np.float32(np.nan) if self.broken else scores

    def reset(self) -> None:
        self.broken = False


def bursts(*starts_seconds: float, seconds: float, length: float = 0.5) -> Pcm:
    """Return near silence with bursts of loud noise at the given times, (n,) int16."""
    noise = np.random.default_rng(7).normal(size=round(seconds * RATE))
    loud = np.zeros(len(noise))
    for start in starts_seconds:
        loud[round(start * RATE) : round((start + length) * RATE)] = 1
    return (noise * np.where(loud, 8000, 1)).clip(-32768, 32767).astype(np.int16)
