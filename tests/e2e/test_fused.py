"""The whole device with the front end inside the graph: the same lines, and both rows in bench."""

from pathlib import Path

import numpy as np
import pytest

from tests.bundles import make_bundle, noise, tone
from tests.commands import edgekws, write_wav
from tests.fused import INSIDE, OUTSIDE, make_fused_bundle


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_fused_bundle(tmp_path_factory.mktemp("fused"))


def test_listen_gives_the_same_detections(bundle: Path, tmp_path: Path) -> None:
    parts = (noise(seconds=2), tone("yes"), noise(seconds=2), tone("开灯"), noise(seconds=1))
    wav = write_wav(tmp_path / "commands.wav", np.concatenate(parts))
    plain = make_bundle(tmp_path / "plain")
    inside, outside = (
        edgekws("listen", "--bundle", path, "--source", f"wav:{wav}") for path in (bundle, plain)
    )
    assert (inside.code, outside.code) == (0, 0), inside.stderr
    found, expected = (
        [(x["label"], x["sample"]) for x in done.lines if x["event"] == "detection"]
        for done in (inside, outside)
    )
    assert [label for label, _ in found] == ["yes", "开灯"]
    assert found == expected


def test_bench_shows_both_and_where_the_time_goes(bundle: Path) -> None:
    done = edgekws("bench", "--compare", "--bundle", bundle)
    assert done.code == 0, done.stderr
    inside, outside = done.lines
    assert (inside["model"], outside["model"]) == (INSIDE, OUTSIDE)
    assert inside["features_us"]["p50"] < outside["features_us"]["p50"] / 2


def test_export_refuses_a_model_that_there_is_not(tmp_path: Path) -> None:
    done = edgekws("export", "--target", "x86", "--model", "onnx-fused", cwd=tmp_path)
    assert done.code != 0
    assert "onnx-fused" in done.error
