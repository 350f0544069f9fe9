"""`edgekws export` as a person runs it: of a run, of the newest, of what ships, and refused."""

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from edgekws.bundle import open_bundle
from edgekws.cli.app import main
from edgekws.train.run import load_run
from edgekws.train.run_audio import load_calibration
from tests.bundles import make_bundle
from tests.commands import ROOT, argv, edgekws
from tests.small_runs import COMMANDS, NEW_COMMANDS, copy_run
from tests.training import Running, export

SHIPPED = ROOT / "models" / "bundles" / "commands-12"


def refusal(capsys: pytest.CaptureFixture[str], *args: object) -> tuple[int, str]:
    """Run the command line here; return its exit code and the one line of its error."""
    capsys.readouterr()
    code = main(["export", *map(str, args)])
    said = capsys.readouterr()
    (line,) = [x for x in said.err.splitlines() if x.startswith("edgekws: error: ")]
    assert said.out == ""
    return code, line


def named(name: str, *, report: bool) -> dict[str, str | None]:
    """Return what export prints when it has made `name` for the Raspberry Pi in dist/."""
    return {
        "bundle": f"dist/{name}",
        "archive": f"dist/{name}.tar.gz",
        "report": f"dist/{name}.html" if report else None,
        "target": "rpi",
    }


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_run_becomes_a_bundle_that_verifies_and_tells_what_it_is(
    exported: Path, base_run: Path
) -> None:
    manifest, run = open_bundle(exported).manifest, load_run(base_run)
    assert (manifest.name, manifest.target) == ("small", "x86")
    assert manifest.model.labels == run.labels
    assert manifest.model.commands == COMMANDS
    assert [m.key for m in manifest.models] == ["onnx-int8-fused", "onnx-int8", "onnx-fp32"]
    assert set(manifest.triggers) == set(COMMANDS)
    (stream,) = manifest.stream_metrics
    assert stream.hours == pytest.approx(1 / 60)
    assert set(stream.miss_rate) <= set(COMMANDS)
    assert manifest.clip_metrics[2].accuracy == pytest.approx(run.report.accuracy)
    assert manifest.provenance.recipe_sha256 == run.recipe_sha256
    shown = edgekws("bundle", "verify", exported)
    assert (shown.code, shown.lines[0]["ok"]) == (0, True)


def test_without_a_run_the_newest_is_taken_and_it_is_said(
    base_run: Path, adapted_run: Path, tmp_path: Path
) -> None:
    older = copy_run(base_run, tmp_path / "runs" / "older")
    os.utime(older / "run.json", (1, 1))
    copy_run(adapted_run, tmp_path / "runs" / "newer")
    (tmp_path / "runs" / "unfinished").mkdir()
    done = export("--target", "rpi", cwd=tmp_path)
    assert done.code == 0, done.stderr
    assert "taking the newest one, runs/newer" in done.stderr
    assert done.lines == [named("small-rpi", report=True)]
    assert "next: edgekws listen --bundle dist/small-rpi" in done.stderr
    assert 'id="clip-confusion"' in (tmp_path / "dist" / "small-rpi.html").read_text("utf-8")
    manifest = open_bundle(tmp_path / "dist" / "small-rpi").manifest
    assert (manifest.target, manifest.model.commands) == ("rpi", NEW_COMMANDS)


def test_in_a_clone_without_runs_the_shipped_bundle_is_exported(tmp_path: Path) -> None:
    assert SHIPPED.is_dir(), "models/bundles/commands-12 is not in this clone"
    (tmp_path / "dist").mkdir()
    (tmp_path / "dist" / "commands-12-rpi.html").write_text("of an older export")
    done = export("--target", "rpi", cwd=tmp_path)
    assert done.code == 0, done.stderr
    assert not (tmp_path / "dist" / "commands-12-rpi.html").exists()
    assert "no run in runs/: taking the shipped bundle commands-12" in done.stderr
    assert done.lines == [named("commands-12-rpi", report=False)]
    ours, theirs = open_bundle(tmp_path / "dist" / "commands-12-rpi"), open_bundle(SHIPPED)
    assert ours.manifest.target == "rpi"
    assert ours.manifest.triggers == theirs.manifest.triggers
    assert len(ours.manifest.model.commands) == 10


def test_an_unknown_target_is_a_usage_error_that_lists_them(
    base_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, line = refusal(capsys, base_run, "--target", "toaster", "--out", tmp_path / "dist")
    assert code == 2
    assert "no target 'toaster'; there is rpi" in line
    assert not (tmp_path / "dist").exists()


@pytest.mark.parametrize("moment", ["quantizing, calibrated", "choosing thresholds"])
def test_an_interrupted_export_changes_nothing(base_run: Path, tmp_path: Path, moment: str) -> None:
    run = copy_run(base_run, tmp_path / "run", calibration_clips=32)
    old = make_bundle(tmp_path / "dist" / "small-x86")
    before = contents(old)
    command = argv(("export", run, "--target", "x86", "--out", tmp_path / "dist"))
    with Running(command) as running:
        running.wait_for(moment)
        code = running.end(signal.SIGINT)
    assert code == 130, running.said
    assert running.said.splitlines()[-1] == "interrupted; no bundle was changed"
    assert "Traceback" not in running.said
    assert contents(old) == before
    assert [path.name for path in (tmp_path / "dist").iterdir()] == ["small-x86"]


def without_heldout(run: Path) -> None:
    (run / "heldout.npz").unlink()


def cut_heldout(run: Path) -> None:
    data = (run / "heldout.npz").read_bytes()
    (run / "heldout.npz").write_bytes(data[: len(data) // 2])


def cut_weights(run: Path) -> None:
    data = (run / "weights.safetensors").read_bytes()
    (run / "weights.safetensors").write_bytes(data[:-100])


def without_weights(run: Path) -> None:
    (run / "weights.safetensors").unlink()


def foreign_weights(run: Path) -> None:
    """Weights of a net of another size."""
    text = json.loads((run / "run.json").read_text())
    text["net"]["embedding"] //= 2
    (run / "run.json").write_text(json.dumps(text))


def cut_stream(run: Path) -> None:
    data = (run / "stream.npz").read_bytes()
    (run / "stream.npz").write_bytes(data[: len(data) // 2])


def unknown_field(run: Path) -> None:
    text = json.loads((run / "run.json").read_text())
    (run / "run.json").write_text(json.dumps({**text, "mood": "good"}))


def unfinished(run: Path) -> None:
    (run / "run.json").unlink()


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (without_heldout, "heldout.npz"),
        (cut_heldout, "heldout.npz"),
        (cut_weights, "weights.safetensors"),
        (without_weights, "weights.safetensors"),
        (foreign_weights, "weights do not fit run.json"),
        (cut_stream, "stream.npz: not a usable stream"),
        (unknown_field, "unknown field `mood`"),
        (unfinished, "run.json: cannot be read"),
    ],
)
def test_a_damaged_run_is_refused(
    damage: Callable[[Path], None],
    words: str,
    base_run: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    run = copy_run(base_run, tmp_path / "run", calibration_clips=2)
    damage(run)
    code, line = refusal(capsys, run, "--target", "x86", "--out", tmp_path / "dist")
    assert code == 11
    assert words in line
    assert not (tmp_path / "dist").exists()


def test_a_model_that_disagrees_is_never_packed(
    base_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Calibrated on single clicks, eight bits cannot represent speech."""
    run = copy_run(base_run, tmp_path / "run", calibration_clips=2)
    clicks = np.zeros_like(load_calibration(run))
    clicks[:, 0] = 1
    np.savez(run / "calibration.npz", pcm=clicks)
    code, line = refusal(capsys, run, "--target", "x86", "--out", tmp_path / "dist")
    assert code == 10
    assert "onnx-int8-fused disagrees" in line
    assert "%" in line
    assert not (tmp_path / "dist").exists()


def test_a_place_that_cannot_be_written_is_refused(
    base_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = copy_run(base_run, tmp_path / "run", calibration_clips=2)
    (tmp_path / "dist").write_text("a file in the way")
    code, line = refusal(capsys, run, "--target", "x86", "--out", tmp_path / "dist")
    assert code == 5
    assert str(tmp_path / "dist") in line
