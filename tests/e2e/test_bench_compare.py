"""`edgekws bench --compare`: a row for each model file, the first one the measure of the others."""

from pathlib import Path
from typing import Final

import msgspec
import pytest

from edgekws.bundle import Golden, encode_golden, file_entry, write_bundle
from edgekws.cli.app import main
from tests.bundles import golden_vectors, make_bundle, manifest, model_spec, onnx_model
from tests.commands import Done, edgekws
from tests.runs import write_run
from tests.training import TRAINING_SECONDS

KEYS: Final = ("onnx-fp32", "onnx-fp16")


@pytest.fixture(scope="module")
def two_models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a bundle with one model twice, under two names."""
    model = model_spec()
    data = onnx_model(model)
    once = golden_vectors(model, data)
    golden = Golden(once.pcm, once.features, dict.fromkeys(KEYS, once.scores[KEYS[0]]))
    files = {"model.onnx": data, "golden.npz": encode_golden(golden), "card.md": b"# Tones\n"}
    first = manifest(model, files)
    files["second.onnx"] = data
    second = msgspec.structs.replace(
        first.models[0], precision="fp16", file=file_entry("second.onnx", data)
    )
    path = tmp_path_factory.mktemp("compare") / "tones"
    write_bundle(path, msgspec.structs.replace(first, models=(*first.models, second)), files)
    return path


@pytest.fixture(scope="module")
def compared(two_models: Path, tmp_path_factory: pytest.TempPathFactory) -> Done:
    """Return a comparison of a bundle of two models with one of a single model."""
    other = make_bundle(tmp_path_factory.mktemp("compare") / "other")
    return edgekws("bench", "--compare", "--bundle", two_models, "--bundle", other)


def test_there_is_a_row_for_each_model_file_of_each_bundle(compared: Done) -> None:
    assert compared.code == 0, compared.stderr
    assert [row["model"] for row in compared.lines] == [*KEYS, KEYS[0]]


def test_each_row_has_the_figures_of_bench_and_a_ratio_to_the_first(compared: Done) -> None:
    assert compared.lines[0]["ratio"] == 1.0
    for row in compared.lines:
        assert row["ratio"] > 0
        assert 0 < row["cpu_seconds_per_second"] < 1
        for stage in ("features_us", "engine_us", "trigger_us"):
            assert 0 < row[stage]["p50"] <= row[stage]["p99"]
        assert row["step_milliseconds"] == 80
        assert row["load_seconds"] > 0
        assert row["peak_rss_mb"] > 10
        assert row["model_bytes"] > 1000


def test_a_table_for_a_person_goes_to_stderr(compared: Done) -> None:
    header, *rows, best = compared.stderr.splitlines()
    assert header.split()[0] == "model"
    assert [row.split()[0] for row in rows] == [*KEYS, KEYS[0]]
    assert best.startswith("least CPU here: onnx-")


def test_engine_picks_the_model_file(two_models: Path) -> None:
    done = edgekws("bench", "--bundle", two_models, "--engine", "onnx-fp16")
    assert done.code == 0, done.stderr
    (report,) = done.lines
    assert (report["model"], report["ratio"]) == ("onnx-fp16", 1.0)


def test_an_engine_that_the_bundle_lacks_is_a_usage_error(two_models: Path) -> None:
    done = edgekws("bench", "--bundle", two_models, "--engine", "tflite-int8")
    assert done.code == 2
    assert "there is onnx-fp32, onnx-fp16" in done.error


def test_step_sizes_stand_side_by_side_with_what_each_takes_longer(tmp_path: Path) -> None:
    bundles = [make_bundle(tmp_path / f"{40 * rows}ms", rows=rows) for rows in (1, 4)]
    done = edgekws("bench", "--compare", "--bundle", bundles[0], "--bundle", bundles[1])
    assert done.code == 0, done.stderr
    short, long = done.lines
    assert (short["step_milliseconds"], long["step_milliseconds"]) == (40, 160)
    assert long["delay_milliseconds"] - short["delay_milliseconds"] == 120
    assert long["cpu_seconds_per_second"] < short["cpu_seconds_per_second"]
    best, sooner = done.stderr.splitlines()[-2:]
    assert best == "least CPU here: onnx-fp32 of 160ms, a step of 160 ms"
    assert sooner.startswith("120 ms sooner for ")
    assert sooner.endswith(" times that: onnx-fp32 of 40ms, a step of 40 ms")


def test_a_run_is_measured_at_each_step_in_one_command(tmp_path: Path) -> None:
    run = write_run(tmp_path)
    steps = ("--step-ms", "40", "--step-ms", "80")
    flags = ("--compare", "--run", run, *steps, "--model", "onnx-fp32")
    done = edgekws("bench", *flags, seconds=TRAINING_SECONDS)
    assert done.code == 0, done.stderr
    found = [(row["model"], row["step_milliseconds"]) for row in done.lines]
    assert found == [("onnx-fp32", 40), ("onnx-fp32", 80)]
    assert "of tones-x86-40ms, a step of 40 ms" in done.stderr
    assert {path.name for path in tmp_path.iterdir()} == {path.name for path in run.iterdir()}


def test_a_step_that_the_net_has_not_is_a_usage_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = ["--compare", "--run", str(write_run(tmp_path)), "--step-ms", "25"]
    assert main(["bench", *flags]) == 2
    assert "no step of 25 ms: this net gives scores every 40 ms" in capsys.readouterr().err


@pytest.mark.parametrize(
    "flags",
    [
        ("--compare", "--engine", "onnx-fp32"),
        ("--bundle", "x", "--bundle", "y"),
        ("--run", "x"),
        ("--compare", "--run", "x", "--bundle", "y"),
        ("--compare", "--step-ms", "40"),
    ],
)
def test_flags_that_exclude_each_other_are_a_usage_error(flags: tuple[str, ...]) -> None:
    assert edgekws("bench", *flags).code == 2
