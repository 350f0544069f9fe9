"""Google's speech_embedding as a base, as a person takes it: adapted, exported, and it hears."""

from pathlib import Path
from typing import Final

import numpy as np
import pytest

from edgekws.bundle import open_bundle
from edgekws.errors import ConfigError, ExportError
from edgekws.specs import LOGMEL_32
from edgekws.train.pretrained import find_published, load_base
from edgekws.train.run import load_net, load_run
from tests.commands import edgekws
from tests.needs import lacking
from tests.small_runs import NEW_COMMANDS, copy_run
from tests.training import adapt, export, recipe_text, write_recipe

LIGHT: Final = """[augment]
reverb_probability = 0.0
lead_frames = [0]"""
HEARD: Final = 0.7
"""Least share of the clips it learned from: 1.0 was measured on real speech, chance is 0.25."""


@pytest.fixture(scope="module")
def published() -> Path:
    try:
        return find_published("speech-embedding", key="base")
    except ConfigError as missing:
        lacking(str(missing))


@pytest.fixture(scope="module")
def run(published: Path, mixed_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("embedding")
    text = recipe_text(
        base="base-en", labels=NEW_COMMANDS, phases=((3, 0.01, 0.0),), examples=256, extra=LIGHT
    )
    recipe = write_recipe(root / "r.toml", f"window_seconds = 1.2\n{text}")
    done = adapt(recipe, mixed_data, root / "run", "--base", published)
    assert done.code == 0, done.stderr
    return root / "run"


@pytest.fixture(scope="module")
def bundle(run: Path) -> Path:
    copy = copy_run(run, run.parent / "copy", calibration_clips=6)
    done = export(copy, "--target", "x86", "--out", run.parent)
    assert done.code == 0, done.stderr
    return run.parent / "small-x86"


def test_the_run_says_what_it_started_from_and_under_which_licence(run: Path) -> None:
    made = load_run(run)
    assert made.features == LOGMEL_32
    assert "speech-embedding" in made.base.name
    (source,) = [source for source in made.data if "Google" in source.name]
    assert source.licence == "Apache-2.0"


def test_only_what_lies_above_the_published_net_has_learned(run: Path, published: Path) -> None:
    before, after = load_base(str(published)).net.state_dict(), load_net(run, load_run(run))
    for name, tensor in after.state_dict().items():
        if name.startswith("body."):
            assert (tensor == before[name]).all(), name
        elif name.startswith("norm.running"):
            assert (tensor != before[name]).all(), name


def test_no_model_of_its_bundle_has_the_front_end_inside(bundle: Path, run: Path) -> None:
    assert [model.key for model in open_bundle(bundle).manifest.models] == [
        "onnx-int8",
        "onnx-fp32",
    ]
    asked = export(run, "--target", "x86", "--out", run.parent, "--model", "onnx-fp32-fused")
    assert asked.code == ExportError.exit_code
    assert "logmel-1" in asked.error


def test_clips_are_classified_by_a_device(bundle: Path, mixed_data: Path) -> None:
    files = [path for label in NEW_COMMANDS for path in sorted((mixed_data / label).iterdir())]
    done = edgekws("classify", "--bundle", bundle, *files)
    assert done.code == 0, done.stderr
    right = [line["label"] == Path(line["path"]).parent.name for line in done.lines]
    assert np.mean(right) > HEARD


def test_a_device_listens_with_it(bundle: Path, mixed_data: Path) -> None:
    noise = sorted((mixed_data / "_background_noise_").iterdir())[0]
    done = edgekws("listen", "--bundle", bundle, "--source", f"wav:{noise}")
    assert done.code == 0, done.stderr


def test_a_recipe_with_a_net_takes_no_base(tmp_path: Path, mixed_data: Path) -> None:
    recipe = write_recipe(tmp_path / "r.toml", recipe_text(labels=NEW_COMMANDS))
    done = adapt(recipe, mixed_data, tmp_path / "run", "--base", "base-en")
    assert done.code == ConfigError.exit_code
    assert "--base" in done.error
