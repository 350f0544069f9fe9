"""The table of formats: names, order, and what is said where a converter is missing."""

import subprocess
import sys
from pathlib import Path

import pytest

from edgekws.bundle import open_bundle
from edgekws.errors import UsageError
from edgekws.export.keys import PRECISIONS, parse_key
from edgekws.export.pipeline import export_run
from tests.commands import environment
from tests.runs import write_run

WITHOUT = """
import sys
sys.modules[sys.argv[1]] = None
from edgekws.cli.app import main
sys.exit(main(sys.argv[2:]))
"""


def export_without(
    package: str, *args: object, cwd: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """Run `edgekws export` where a package is not installed."""
    return subprocess.run(
        [sys.executable, "-c", WITHOUT, package, "export", *map(str, args)],
        env=environment(),
        cwd=cwd,
        capture_output=True,
        encoding="utf-8",
        timeout=120,
        check=False,
    )


@pytest.mark.parametrize("front_end", ["", "-fused"])
@pytest.mark.parametrize(
    "text", [f"{format}-{precision}" for format in PRECISIONS for precision in PRECISIONS[format]]
)
def test_every_model_has_a_name_that_can_be_typed(text: str, front_end: str) -> None:
    assert str(parse_key(text + front_end)) == text + front_end


@pytest.mark.parametrize(
    "text", ["", "onnx", "onnx-int4", "caffe-int8", "tflite-fp16", "onnx-fused", "fp32-fused"]
)
def test_other_names_are_refused_with_the_list(text: str) -> None:
    with pytest.raises(UsageError, match="openvino-fp16"):
        parse_key(text)


def test_models_come_in_the_order_asked_for(tmp_path: Path) -> None:
    names = ["onnx-fp32", "onnx-int8-fused", "onnx-int8"]
    run = write_run(tmp_path / "tones")
    place = export_run(
        run, tmp_path / "dist", "x86", say=lambda _: None, models=list(map(parse_key, names))
    )
    assert [model.key for model in open_bundle(place).manifest.models] == names


def test_a_missing_converter_is_one_line_with_the_pip_line(tmp_path: Path) -> None:
    run, out = write_run(tmp_path / "tones"), tmp_path / "dist"
    done = export_without(
        "openvino", run, "--target", "x86", "--out", out, "--model", "openvino-int8"
    )
    assert done.returncode == 7
    assert "pip install 'edgekws[export-openvino]'" in done.stderr.splitlines()[-1]
    assert not out.exists()


def test_where_nothing_can_be_fused_the_shipped_models_go_as_they_are(tmp_path: Path) -> None:
    done = export_without("onnx", "--target", "x86", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "left out onnx-int8-fused: exporting to onnx needs onnx" in done.stderr
    manifest = open_bundle(tmp_path / "dist" / "commands-12-x86").manifest
    assert [model.key for model in manifest.models] == ["onnx-int8", "onnx-fp32"]


def test_a_fused_model_asked_for_by_name_is_there_or_it_is_said_why_not(tmp_path: Path) -> None:
    wanted = ("--model", "onnx-fp32-fused")
    done = export_without("onnx", "--target", "x86", *wanted, cwd=tmp_path)
    assert done.returncode == 7
    assert "pip install 'edgekws[export]'" in done.stderr.splitlines()[-1]
    assert not (tmp_path / "dist").exists()
