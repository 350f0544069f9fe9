"""Which bundle and which of its models a device takes, and that it is checked before use."""

from pathlib import Path

import msgspec
import numpy as np
import pytest

from edgekws.bundle import Golden, encode_golden, open_bundle, write_bundle
from edgekws.engines import open_engine
from edgekws.errors import BundleError, SkewError
from edgekws.events import Block, Floats
from edgekws.runtime.agreement import LARGEST
from edgekws.runtime.selfcheck import self_check
from edgekws.runtime.wiring import find_bundle, open_device
from edgekws.specs import Precision
from tests.bundles import (
    golden_vectors,
    make_bundle,
    manifest,
    model_spec,
    noise,
    onnx_model,
    tone,
    trigger_spec,
)

MODEL = model_spec()
DATA = onnx_model(MODEL)
GOLDEN = golden_vectors(MODEL, DATA)


def bundle_with(path: Path, golden: Golden, *, precision: Precision = "fp32") -> Path:
    """Write the tone bundle with other golden vectors, its model declared as of a precision."""
    scores = {f"onnx-{precision}": golden.scores["onnx-fp32"]}
    packed = encode_golden(Golden(golden.pcm, golden.features, scores))
    files = {"model.onnx": DATA, "golden.npz": packed, "card.md": b"# Tones\n"}
    plain = manifest(MODEL, files)
    models = (msgspec.structs.replace(plain.models[0], precision=precision),)
    write_bundle(path, msgspec.structs.replace(plain, models=models), files)
    return path


def off_by(difference: float) -> Golden:
    scores = {"onnx-fp32": (GOLDEN.scores["onnx-fp32"] + difference).astype(np.float32)}
    return Golden(GOLDEN.pcm, GOLDEN.features, scores)


def test_a_named_bundle_is_taken(tmp_path: Path) -> None:
    path = make_bundle(tmp_path / "tones")
    assert find_bundle(path).path == path


def test_the_newest_of_dist_comes_before_the_shipped_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert find_bundle(None).manifest.name == "commands-12"
    make_bundle(tmp_path / "dist" / ".mine.partial-0a")
    assert find_bundle(None).manifest.name == "commands-12"
    make_bundle(tmp_path / "dist" / "mine")
    assert find_bundle(None).path == Path("dist/mine")


def test_a_folder_without_a_bundle_is_said(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="no such bundle"):
        find_bundle(tmp_path / "none")


def test_an_opened_device_hears_with_the_triggers_given(tmp_path: Path) -> None:
    bundle = open_bundle(make_bundle(tmp_path / "tones"))
    audio = Block(np.concatenate((noise(), tone("yes"))), 0)
    assert [found.label for found in open_device(bundle).detector.push(audio)] == ["yes"]
    never = msgspec.structs.replace(trigger_spec(), consecutive=1000)
    deaf = open_device(bundle, triggers=dict.fromkeys(MODEL.commands, never))
    assert deaf.detector.push(audio) == []


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_scores_are_checked_within_the_tolerance_of_their_precision(
    tmp_path: Path, precision: Precision
) -> None:
    atol = LARGEST[precision]
    near = open_bundle(bundle_with(tmp_path / "near", off_by(0.9 * atol), precision=precision))
    far = open_bundle(bundle_with(tmp_path / "far", off_by(1.1 * atol), precision=precision))
    assert open_device(near).model_file.precision == precision
    with pytest.raises(SkewError, match=r"scores differ from golden ones by"):
        open_device(far)


def test_features_are_checked(tmp_path: Path) -> None:
    other = Golden(GOLDEN.pcm, GOLDEN.features + np.float32(0.01), GOLDEN.scores)
    with pytest.raises(SkewError, match=r"features differ .* 0\.01 > 0\.001"):
        open_device(open_bundle(bundle_with(tmp_path / "skewed", other)))


def test_an_engine_that_gives_nan_fails_the_check(tmp_path: Path) -> None:
    class Broken:
        def step(self, features: Floats) -> Floats:
            return np.full((MODEL.scores_per_step, len(MODEL.labels)), np.nan, np.float32)

        def reset(self) -> None:
            pass

    bundle = open_bundle(make_bundle(tmp_path / "tones"))
    with pytest.raises(SkewError, match="nan"):
        self_check(bundle, bundle.manifest.models[0], Broken())


def test_the_check_leaves_the_engine_at_the_start_of_a_stream(tmp_path: Path) -> None:
    bundle = open_bundle(make_bundle(tmp_path / "tones"))
    model_file = bundle.manifest.models[0]
    step = np.zeros((MODEL.step_frames, MODEL.features.n_mfcc), np.float32)
    engine = open_engine(model_file.format, bundle.model_path(model_file), model_file.graph)
    fresh = engine.step(step)
    self_check(bundle, model_file, engine)
    np.testing.assert_array_equal(engine.step(step), fresh)
