"""A bundle on disk opens only when every file is as its manifest says."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgekws.bundle import newest_bundle, open_bundle, write_golden
from edgekws.errors import BundleError
from edgekws.features import FeatureStream
from tests.bundles import make_bundle


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_bundle(tmp_path_factory.mktemp("bundles") / "tones-x86")


@pytest.fixture
def folder(original: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(original, tmp_path / "tones-x86"))


def edit_manifest(folder: Path, edit: Callable[[dict[str, Any]], object]) -> None:
    path = folder / "manifest.json"
    tree = json.loads(path.read_bytes())
    edit(tree)
    path.write_text(json.dumps(tree), "utf-8")


def test_good_bundle_opens_with_all_that_it_holds(folder: Path) -> None:
    bundle = open_bundle(folder)
    (model,) = bundle.manifest.models
    assert bundle.path == folder
    assert bundle.model_path(model) == folder / "model.onnx"
    assert bundle.card() == "# Tones\n"
    golden = bundle.golden()
    assert golden.scores.keys() == {model.key} == {"onnx-fp32"}
    features = FeatureStream(bundle.manifest.model.features).push(golden.pcm)
    np.testing.assert_array_equal(features, golden.features)


def test_bundle_folder_itself_may_be_reached_by_a_link(folder: Path) -> None:
    link = folder.parent / "current"
    link.symlink_to(folder.name)
    assert open_bundle(link).manifest.name == "tones"


@pytest.mark.parametrize("name", ["model.onnx", "golden.npz", "card.md", "manifest.json"])
class TestEachFile:
    """The fault is the same for every file, and the message names it."""

    def test_missing_is_refused(self, folder: Path, name: str) -> None:
        (folder / name).unlink()
        with pytest.raises(BundleError, match=f"{name}: the file is missing"):
            open_bundle(folder)

    def test_one_changed_byte_is_refused(self, folder: Path, name: str) -> None:
        data = bytearray((folder / name).read_bytes())
        data[len(data) // 2] ^= 0x80
        (folder / name).write_bytes(data)
        with pytest.raises(BundleError, match=name):
            open_bundle(folder)

    def test_cut_off_is_refused(self, folder: Path, name: str) -> None:
        data = (folder / name).read_bytes()
        (folder / name).write_bytes(data[: len(data) // 2])
        with pytest.raises(BundleError, match=name):
            open_bundle(folder)

    def test_grown_beyond_its_size_is_refused(self, folder: Path, name: str) -> None:
        with (folder / name).open("ab") as file:
            file.write(b"x" * (2 << 20))
        with pytest.raises(BundleError, match=rf"{name}: \d+ bytes, more than"):
            open_bundle(folder)

    def test_link_is_refused_even_to_the_right_bytes(self, folder: Path, name: str) -> None:
        elsewhere = folder.parent / name
        (folder / name).rename(elsewhere)
        (folder / name).symlink_to(elsewhere)
        with pytest.raises(BundleError, match=f"{name}: cannot be read as a plain file"):
            open_bundle(folder)

    def test_pipe_or_folder_is_refused_at_once(self, folder: Path, name: str) -> None:
        (folder / name).unlink()
        os.mkfifo(folder / name)
        with pytest.raises(BundleError, match=f"{name}: needs to be a plain file"):
            open_bundle(folder)
        (folder / name).unlink()
        (folder / name).mkdir()
        with pytest.raises(BundleError, match=f"{name}: needs to be a plain file"):
            open_bundle(folder)


@pytest.mark.parametrize("path", ["../outside", "/etc/hostname", "sub/model.onnx"])
def test_path_that_leaves_the_folder_is_refused(folder: Path, path: str) -> None:
    edit_manifest(folder, lambda tree: tree["card"].update(path=path))
    with pytest.raises(BundleError, match=r"manifest\.json: path .* plain file name"):
        open_bundle(folder)


def test_wrong_feature_digest_is_refused(folder: Path) -> None:
    edit_manifest(folder, lambda tree: tree.update(feature_digest="0" * 64))
    with pytest.raises(BundleError, match=r"manifest\.json: digest"):
        open_bundle(folder)


def test_unknown_manifest_field_is_refused(folder: Path) -> None:
    edit_manifest(folder, lambda tree: tree["model"].update(gain_db=3))
    with pytest.raises(BundleError, match=r"unknown field `gain_db` - at `\$\.model`"):
        open_bundle(folder)


def test_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="no such bundle folder"):
        open_bundle(tmp_path / "nowhere")


def test_golden_vectors_of_another_model_are_refused(folder: Path) -> None:
    golden = open_bundle(folder).golden()
    fewer = type(golden)(golden.pcm, golden.features[:, :39], golden.scores)
    bundle = open_bundle(folder)
    write_golden(folder / "golden.npz", fewer)
    with pytest.raises(BundleError, match="golden vectors of shapes"):
        bundle.golden()


def test_newest_bundle_goes_by_the_manifest_over_all_roots(original: Path, tmp_path: Path) -> None:
    for age, name in enumerate(["dist/a", "models/b", "dist/c"]):
        copy = Path(shutil.copytree(original, tmp_path / name))
        os.utime(copy / "manifest.json", (1_000_000 - age, 1_000_000 - age))
    roots = [tmp_path / "models", tmp_path / "dist", tmp_path / "missing"]
    assert newest_bundle(roots) == tmp_path / "dist/a"
    os.utime(tmp_path / "models/b/manifest.json", (2_000_000, 2_000_000))
    assert newest_bundle(roots) == tmp_path / "models/b"


def test_newest_bundle_ignores_what_is_half_written(original: Path, tmp_path: Path) -> None:
    shutil.copytree(original, tmp_path / ".tones.partial-12345678")
    (tmp_path / "no-manifest").mkdir()
    with pytest.raises(BundleError, match="make export") as caught:
        newest_bundle([tmp_path, tmp_path / "dist"])
    assert f"{tmp_path}, {tmp_path / 'dist'}" in str(caught.value)
