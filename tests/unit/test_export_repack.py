"""A bundle for another target out of one that exists."""

import json
from pathlib import Path
from typing import Final

import msgspec
import numpy as np
import pytest

from edgekws.bundle import Golden, encode_golden, file_entry, open_bundle, write_bundle
from edgekws.errors import BundleError, SkewError, UsageError
from edgekws.export.pipeline import export_run
from edgekws.export.repack import repack
from edgekws.runtime.wiring import open_device
from edgekws.specs import ModelKey
from tests.parity.tolerances import FUSED_FP32_POSTERIORS
from tests.runs import write_run

SHIPPED: Final = [
    ModelKey("onnx", "int8"),
    ModelKey("tflite", "int8"),
    ModelKey("onnx", "fp32"),
]


def quiet(_: str) -> None:
    """Say nothing."""


@pytest.fixture(scope="module")
def shipped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shipped")
    return export_run(write_run(folder / "run"), folder, "x86", say=quiet, models=SHIPPED)


@pytest.mark.parametrize(
    ("target", "keys"),
    [
        ("rpi", ["tflite-int8-fused", "tflite-int8", "onnx-int8"]),
        ("rpi-zero2", ["tflite-int8-fused"]),
        ("mcu", ["tflite-int8"]),
    ],
)
def test_a_repacked_bundle_holds_the_models_of_its_target(
    shipped: Path, tmp_path: Path, target: str, keys: list[str]
) -> None:
    place = repack(shipped, tmp_path, target, say=quiet)
    assert place == tmp_path / f"tones-{target}"
    device = open_device(open_bundle(place))
    assert [model.key for model in device.bundle.manifest.models] == keys
    assert device.bundle.manifest.target == target
    assert device.bundle.manifest.triggers == open_bundle(shipped).manifest.triggers


def test_a_bundle_can_be_repacked_onto_itself(shipped: Path, tmp_path: Path) -> None:
    first = repack(shipped, tmp_path, "rpi", say=quiet)
    before = {path.name: path.read_bytes() for path in first.iterdir()}
    assert repack(first, tmp_path, "rpi", say=quiet) == first
    assert {path.name: path.read_bytes() for path in first.iterdir()} == before


def test_an_unknown_target_and_a_damaged_bundle_are_refused(shipped: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        repack(shipped, tmp_path, "esp32", say=quiet)
    copy = repack(shipped, tmp_path, "jetson", say=quiet)
    manifest = json.loads((copy / "manifest.json").read_text())
    model = copy / manifest["models"][0]["file"]["path"]
    model.write_bytes(model.read_bytes()[:-1] + b"!")
    with pytest.raises(BundleError, match="sha256"):
        repack(copy, tmp_path, "rpi", say=quiet)
    assert not (tmp_path / "tones-rpi").exists()


def test_an_unknown_model_is_refused_with_those_there_are(shipped: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no model 'onnx-int4'; there is onnx-int8, onnx-fp32, "):
        repack(shipped, tmp_path, "rpi", say=quiet, models=["onnx-int8", "onnx-int4"])


def test_a_bundle_without_the_targets_models_is_refused(shipped: Path, tmp_path: Path) -> None:
    bundle = open_bundle(shipped)
    manifest, golden, fp32 = bundle.manifest, bundle.golden(), bundle.manifest.models[-1]
    kept = Golden(golden.pcm, golden.features, {fp32.key: golden.scores[fp32.key]})
    names = (manifest.card.path, fp32.file.path)
    files = {name: (shipped / name).read_bytes() for name in names}
    files[manifest.golden.path] = encode_golden(kept)
    entry = file_entry(manifest.golden.path, files[manifest.golden.path])
    alone = msgspec.structs.replace(manifest, models=(fp32,), golden=entry)
    write_bundle(tmp_path / "alone", alone, files)
    with pytest.raises(
        BundleError, match="holds onnx-fp32, rpi-zero2 is to have tflite-int8-fused"
    ):
        repack(tmp_path / "alone", tmp_path, "rpi-zero2", say=quiet)


def test_a_model_that_scores_otherwise_is_refused(shipped: Path, tmp_path: Path) -> None:
    bundle = open_bundle(shipped)
    manifest, (int8, _, fp32) = bundle.manifest, bundle.manifest.models
    files = {entry.path: (shipped / entry.path).read_bytes() for entry in manifest.files()}
    files[int8.file.path], files[fp32.file.path] = files[fp32.file.path], files[int8.file.path]
    swapped = tuple(
        msgspec.structs.replace(m, file=file_entry(m.file.path, files[m.file.path]))
        for m in manifest.models
    )
    write_bundle(tmp_path / "swapped", msgspec.structs.replace(manifest, models=swapped), files)
    with pytest.raises(SkewError):
        repack(tmp_path / "swapped", tmp_path, "x86", say=quiet)


def test_models_asked_for_by_name_are_all_there_or_it_is_said(
    shipped: Path, tmp_path: Path
) -> None:
    place = repack(shipped, tmp_path, "rpi", say=quiet, models=["onnx-fp32"])
    assert [model.key for model in open_bundle(place).manifest.models] == ["onnx-fp32"]
    with pytest.raises(BundleError, match="openvino-int8: export a run"):
        repack(shipped, tmp_path, "x86", say=quiet, models=["onnx-fp32", "openvino-int8"])


def test_a_fused_model_is_made_from_the_one_that_is_there(shipped: Path, tmp_path: Path) -> None:
    keys = ["tflite-int8-fused", "onnx-fp32-fused", "onnx-fp32"]
    bundle = open_bundle(repack(shipped, tmp_path, "x86", say=quiet, models=keys))
    assert [model.key for model in bundle.manifest.models] == keys
    golden = bundle.golden()
    np.testing.assert_allclose(
        golden.scores["onnx-fp32-fused"],
        golden.scores["onnx-fp32"],
        rtol=0,
        atol=FUSED_FP32_POSTERIORS,
    )
    for key in keys:
        assert open_device(bundle, key=key).model_file.key == key
    again = repack(bundle.path, tmp_path / "again", "x86", say=quiet, models=keys)
    assert (again / "golden.npz").read_bytes() == (bundle.path / "golden.npz").read_bytes()
