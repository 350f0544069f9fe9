"""The table of formats: names, order, and what is said where a converter is missing."""

import subprocess
import sys
from pathlib import Path

import pytest

from edgekws.errors import UsageError
from edgekws.export.keys import PRECISIONS, parse_key
from edgekws.export.pipeline import export_run
from tests.commands import environment
from tests.runs import write_run

WITHOUT_OPENVINO = """
import sys
sys.modules["openvino"] = None
from edgekws.cli.app import main
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.parametrize(
    "text", [f"{format}-{precision}" for format in PRECISIONS for precision in PRECISIONS[format]]
)
def test_every_model_has_a_name_that_can_be_typed(text: str) -> None:
    assert "-".join(parse_key(text)) == text


@pytest.mark.parametrize("text", ["", "onnx", "onnx-int4", "caffe-int8", "tflite-fp16"])
def test_other_names_are_refused_with_the_list(text: str) -> None:
    with pytest.raises(UsageError, match="openvino-fp16"):
        parse_key(text)


def test_models_come_in_the_order_asked_for(tmp_path: Path) -> None:
    from edgekws.bundle import open_bundle

    wanted = [parse_key("onnx-fp32"), parse_key("onnx-int8")]
    run = write_run(tmp_path / "tones")
    place = export_run(run, tmp_path / "dist", "x86", say=lambda _: None, models=wanted)
    assert [model.key for model in open_bundle(place).manifest.models] == ["onnx-fp32", "onnx-int8"]


def test_a_missing_converter_is_one_line_with_the_pip_line(tmp_path: Path) -> None:
    run, out = write_run(tmp_path / "tones"), tmp_path / "dist"
    command = ["export", run, "--target", "x86", "--out", out, "--model", "openvino-int8"]
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_OPENVINO, *map(str, command)],
        env=environment(),
        capture_output=True,
        encoding="utf-8",
        timeout=120,
        check=False,
    )
    assert done.returncode == 7
    assert "pip install 'edgekws[export-openvino]'" in done.stderr.splitlines()[-1]
    assert not out.exists()
