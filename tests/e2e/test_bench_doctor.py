"""`edgekws bench`, `doctor` and `devices` as processes: one JSON object each."""

import shutil
from pathlib import Path

import pytest

from tests.bundles import make_bundle
from tests.commands import edgekws


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_bundle(tmp_path_factory.mktemp("bench") / "tones")


def test_bench_gives_the_figures_of_the_contract(bundle: Path) -> None:
    done = edgekws("bench", "--bundle", bundle)
    assert done.code == 0, done.stderr
    (report,) = done.lines
    for stage in ("features_us", "engine_us", "trigger_us"):
        assert 0 < report[stage]["p50"] <= report[stage]["p99"]
    assert 0 < report["cpu_seconds_per_second"] < 1
    assert report["load_seconds"] > 0
    assert report["peak_rss_mb"] > 10
    assert report["parameters"] == 1800
    assert report["macs_per_second"] == 180_000
    assert report["audio_seconds"] >= 30


def test_doctor_finds_what_is_there(bundle: Path) -> None:
    done = edgekws("doctor", "--bundle", bundle)
    assert done.code == 0, done.stderr
    (report,) = done.lines
    assert report["ok"] is True
    for name in ("python", "numpy", "onnxruntime", "bundle"):
        assert report["checks"][name]["status"] == "ok"
    assert report["checks"]["microphones"]["status"] in {"ok", "missing"}
    assert "self-check passed" in report["checks"]["bundle"]["detail"]


def test_doctor_fails_for_a_bundle_that_was_changed(bundle: Path, tmp_path: Path) -> None:
    damaged = tmp_path / "damaged"
    shutil.copytree(bundle, damaged)
    (damaged / "model.onnx").write_bytes(b"other bytes")
    done = edgekws("doctor", "--bundle", damaged)
    (report,) = done.lines
    assert (done.code, report["ok"]) == (1, False)
    assert report["checks"]["bundle"]["status"] == "failed"
    assert "model.onnx" in report["checks"]["bundle"]["detail"]


def test_doctor_measures_the_engines_and_says_which_to_take(bundle: Path) -> None:
    done = edgekws("doctor", "--bundle", bundle)
    (report,) = done.lines
    auto = report["checks"]["auto"]
    assert auto["status"] == "ok"
    assert auto["detail"].startswith("take onnx-fp32 (of a core: onnx-fp32 0.")
    assert auto["detail"].endswith('%); in listen.toml: model = "onnx-fp32"')


def test_bench_auto_measures_what_it_found_cheapest(bundle: Path) -> None:
    done = edgekws("bench", "--bundle", bundle, "--engine", "auto")
    assert done.code == 0, done.stderr
    (report,) = done.lines
    assert report["model"] == "onnx-fp32"
    assert "take onnx-fp32 (of a core: onnx-fp32 0." in done.stderr


def test_devices_lists_microphones_or_says_what_is_missing() -> None:
    done = edgekws("devices")
    if done.code == 0:
        assert all({"name", "channels", "is_default"} <= set(line) for line in done.lines)
    else:
        assert done.code in {7, 8}
        assert done.error


def test_version_and_help_are_there() -> None:
    assert edgekws("bundle", "show", "nowhere").code == 5
    for command in ("listen", "classify", "eval", "bench", "doctor", "devices"):
        assert "usage" not in edgekws(command, "--nonsense").stderr
