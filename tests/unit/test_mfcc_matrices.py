"""The MFCC as matrices: the front end's features for any spec, or an error that says why not."""

from typing import Final

import msgspec
import numpy as np
import pytest

from edgekws.errors import ExportError
from edgekws.events import Floats, Pcm
from edgekws.export.mfcc_matrices import Matrices, mfcc_matrices
from edgekws.runtime.steps import StepStream
from edgekws.specs import ModelSpec
from tests.bundles import model_spec, noise
from tests.parity.tolerances import FRONTEND_AS_MATRICES

PLAIN: Final = model_spec()


def spec_with(changes: dict[str, int]) -> ModelSpec:
    features = msgspec.structs.replace(PLAIN.features, **changes)
    mean, scale = (vector[: features.n_mfcc] for vector in (PLAIN.mean, PLAIN.scale))
    return msgspec.structs.replace(PLAIN, features=features, mean=mean, scale=scale)


def by_products(matrices: Matrices, model: ModelSpec, pcm: Pcm) -> Floats:
    """Return the normalized features of one step by the products that the docstring tells of."""
    spec, rows = model.features, []
    for frame in range(model.step_frames):
        samples = pcm[frame * spec.hop :][: spec.window].astype(np.float32)
        windowed = samples.reshape(matrices.rows, matrices.columns) * matrices.window
        first = np.einsum("gpr,rc->gpc", matrices.first, windowed)
        numbers = np.einsum("gpc,gpck->gk", first, matrices.second)
        mel = np.einsum("gk,gkm->m", numbers * numbers, matrices.mel)
        rows.append(np.log(mel + np.float32(matrices.floor)) @ matrices.dct + matrices.bias)
    return np.stack(rows)


@pytest.mark.parametrize(
    ("changes", "columns"),
    [
        ({}, 16),
        ({"window": 400}, 16),
        ({"window": 512, "hop": 256}, 16),
        ({"window": 400, "hop": 200, "fft": 400, "n_mfcc": 13}, 10),
        ({"window": 399, "hop": 133, "fft": 510}, 1),
        ({"window": 480, "hop": 160, "fft": 496, "n_mels": 23, "n_mfcc": 10}, 8),
    ],
)
def test_the_products_are_the_features_of_the_front_end(
    changes: dict[str, int], columns: int
) -> None:
    model = spec_with(changes)
    matrices = mfcc_matrices(model)
    assert matrices.columns == columns
    pcm = noise(seconds=1.0, level=3000)[: model.samples_per_step]
    (expected,) = StepStream(model).push(pcm)
    found = by_products(matrices, model, pcm)
    np.testing.assert_allclose(found, expected, rtol=0, atol=FRONTEND_AS_MATRICES)


def test_an_odd_number_of_points_is_refused() -> None:
    with pytest.raises(ExportError, match="511 points"):
        mfcc_matrices(spec_with({"fft": 511}))
