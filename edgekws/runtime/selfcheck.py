"""Proves, before the first sample, that this machine computes what the exporting one did."""

from typing import Final

import numpy as np

from edgekws.bundle import Bundle, ModelFile
from edgekws.engines.engine import Engine
from edgekws.errors import SkewError
from edgekws.events import Floats, Pcm
from edgekws.features import FeatureStream
from edgekws.runtime.steps import Steps, steps_for
from edgekws.specs import ModelSpec, Precision

FEATURE_ATOL: Final = 1e-3
"""MFCC before normalization: float32 in other BLAS and FFT kernels moves them by about 1e-5, a
wrong window, mel scale or log floor by 0.1 and more."""

FP32_SCORE_ATOL: Final = 1e-3
"""Posteriors of a float model: other kernels move them by about 1e-6; float16 paths, which some
boards take unasked, by more than this."""

FP16_SCORE_ATOL: Final = 1e-2
"""Weights in float16 that one machine widens and another multiplies as they are."""

INT8_SCORE_ATOL: Final = 0.05
"""Posteriors of a quantized model: a rounding that falls to the other side moves a few by some
steps of 1/256 of the logits' range; wrong kernels miss by far more. The best label stays the
same wherever it leads by more than twice this."""

SCORE_ATOL: Final[dict[Precision, float]] = {
    "fp32": FP32_SCORE_ATOL,
    "fp16": FP16_SCORE_ATOL,
    "int8": INT8_SCORE_ATOL,
    "int8-dynamic": INT8_SCORE_ATOL,
    "int16x8": INT8_SCORE_ATOL,
}

_ADVICE: Final = "; nothing is heard with it: install another engine version or export it again"


def self_check(bundle: Bundle, model_file: ModelFile, engine: Engine) -> None:
    """Replay the golden audio through features and engine; the engine is reset afterwards.

    The features of a fused model never leave its graph: its scores stand for them. Raises
    SkewError where either differs by more than the tolerances above.
    """
    golden, model = bundle.golden(), bundle.manifest.model
    where = f"{bundle.path}: {model_file.file.path}"
    if not model_file.graph.fused:
        features = FeatureStream(model.features).push(golden.pcm)
        _compare(features, golden.features, atol=FEATURE_ATOL, what=f"{where}: features")
    expected = golden.scores[model_file.key]
    steps = steps_for(model, model_file.graph)
    scores = _scores(model, engine, steps, golden.pcm)
    _compare(scores, expected, atol=SCORE_ATOL[model_file.precision], what=f"{where}: scores")


def _scores(model: ModelSpec, engine: Engine, steps: Steps, pcm: Pcm) -> Floats:
    """Return the posteriors from the start of a stream, (rows, n_labels)."""
    engine.reset()
    rows = [engine.step(step).copy() for step in steps.push(pcm)]
    engine.reset()
    return np.concatenate(rows or [np.zeros((0, len(model.labels)), np.float32)])


def _compare(found: Floats, golden: Floats, *, atol: float, what: str) -> None:
    if found.shape != golden.shape:
        raise SkewError(f"{what} of shape {found.shape}, golden ones {golden.shape}{_ADVICE}")
    largest = float(np.abs(found - golden).max(initial=0.0))
    if not largest <= atol:  # written so that NaN fails
        raise SkewError(f"{what} differ from golden ones by {largest:.3g} > {atol:g}{_ADVICE}")
