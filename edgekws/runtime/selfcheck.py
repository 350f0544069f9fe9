"""Proves, before the first sample, that this machine computes what the exporting one did."""

from typing import Final

import numpy as np

from edgekws.bundle import Bundle, ModelFile
from edgekws.engines.engine import Engine
from edgekws.errors import SkewError
from edgekws.events import Floats, Pcm
from edgekws.features import FeatureStream
from edgekws.runtime.agreement import score_fault
from edgekws.runtime.steps import Steps, steps_for
from edgekws.specs import ModelSpec

FEATURE_ATOL: Final = 1e-3
"""MFCC before normalization: float32 in other BLAS and FFT kernels moves them by about 1e-5, a
wrong window, mel scale or log floor by 0.1 and more."""

_ADVICE: Final = "; nothing is heard with it: install another engine version or export it again"


def self_check(bundle: Bundle, model_file: ModelFile, engine: Engine) -> None:
    """Replay the golden audio through features and engine; the engine is reset afterwards.

    The features of a fused model never leave its graph: its scores stand for them. Raises
    SkewError where either differs by more than its tolerance.
    """
    golden, model = bundle.golden(), bundle.manifest.model
    where = f"{bundle.path}: {model_file.file.path}"
    if not model_file.graph.fused:
        features = FeatureStream(model.features).push(golden.pcm)
        _compare_features(features, golden.features, where=where)
    expected = golden.scores[model_file.key]
    steps = steps_for(model, model_file.graph)
    scores = _scores(model, engine, steps, golden.pcm)
    if fault := score_fault(scores, expected, precision=model_file.precision):
        raise SkewError(f"{where}: scores {fault}{_ADVICE}")


def _scores(model: ModelSpec, engine: Engine, steps: Steps, pcm: Pcm) -> Floats:
    """Return the posteriors from the start of a stream, (rows, n_labels)."""
    engine.reset()
    rows = [engine.step(step).copy() for step in steps.push(pcm)]
    engine.reset()
    return np.concatenate(rows or [np.zeros((0, len(model.labels)), np.float32)])


def _compare_features(found: Floats, golden: Floats, *, where: str) -> None:
    if found.shape != golden.shape:
        fault = f"of shape {found.shape}, golden ones {golden.shape}"
        raise SkewError(f"{where}: features {fault}{_ADVICE}")
    largest = float(np.abs(found - golden).max(initial=0.0))
    if not largest <= FEATURE_ATOL:  # written so that NaN fails
        fault = f"differ from golden ones by {largest:.3g} > {FEATURE_ATOL:g}"
        raise SkewError(f"{where}: features {fault}{_ADVICE}")
