"""The ONNX engine steps as the reference does, keeps its states, and refuses other models."""

import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np
import onnx
import pytest
from onnx import TensorProto

from edgekws.bundle import Bundle, open_bundle
from edgekws.engines import Engine, open_engine
from edgekws.errors import BundleError, MissingExtraError, UsageError
from edgekws.events import Floats
from tests.bundles import graph_spec, make_bundle, model_spec, onnx_model
from tests.delay_net import delay_graph, other_signatures, run
from tests.onnx_models import delay_model

SAME_KERNELS: Final = 1e-6  # one runtime, one machine: bound and unbound runs take the same path
LOAD_CPU_SECONDS: Final = 0.5  # 0.2 measured: import of numpy and ONNX Runtime, bundle and model
LOAD_RSS_MB: Final = 90.0  # 62 measured


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return open_bundle(make_bundle(tmp_path_factory.mktemp("bundles") / "tones"))


@pytest.fixture
def engine(bundle: Bundle) -> Engine:
    (model,) = bundle.manifest.models
    return open_engine("onnx", bundle.model_path(model), model.graph)


@pytest.fixture
def features(bundle: Bundle) -> Floats:
    model = bundle.manifest.model
    mean, scale = np.float32(model.mean), np.float32(model.scale)
    return np.asarray((bundle.golden().features - mean) * scale)


def test_scores_are_those_of_the_reference_run(
    engine: Engine, features: Floats, bundle: Bundle
) -> None:
    scores = run(engine, features)
    np.testing.assert_allclose(scores, bundle.golden().scores["onnx-fp32"], atol=SAME_KERNELS)
    assert scores.dtype == np.float32


@pytest.mark.parametrize(
    "damage",
    [lambda d: b"", lambda d: b"not a model" * 99, lambda d: d[: len(d) // 2],
     lambda d: d.replace(b"Softmax", b"Hardmix")],
    ids=["empty", "text", "cut off", "unknown operator"],
)  # fmt: skip
def test_model_that_does_not_load_is_refused_in_one_line(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], damage: Any
) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(damage(onnx_model(model_spec())))
    with pytest.raises(BundleError, match=r"model\.onnx: .* cannot load the model") as caught:
        open_engine("onnx", path, graph_spec(model_spec()))
    assert "\n" not in str(caught.value)
    assert capfd.readouterr() == ("", "")


def test_model_file_that_is_missing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="cannot load the model"):
        open_engine("onnx", tmp_path / "model.onnx", graph_spec(model_spec()))


@pytest.mark.parametrize("location", ["weights.bin", "{folder}/weights.bin", "../weights.bin"])
def test_model_that_points_at_weights_in_another_file_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, location: str
) -> None:
    """Such a file stands in no manifest, so nothing would vouch for it."""
    monkeypatch.chdir(tmp_path)
    model = onnx.load_from_string(onnx_model(model_spec()))
    (bias,) = [weight for weight in model.graph.initializer if weight.name == "bias"]
    (tmp_path / "weights.bin").write_bytes(bias.raw_data)
    bias.ClearField("raw_data")
    bias.data_location = TensorProto.EXTERNAL
    bias.external_data.add(key="location", value=location.format(folder=tmp_path))
    (tmp_path / "model.onnx").write_bytes(model.SerializeToString())
    with pytest.raises(BundleError, match="cannot load the model"):
        open_engine("onnx", tmp_path / "model.onnx", graph_spec(model_spec()))


@pytest.mark.parametrize("name", other_signatures())
def test_model_of_another_signature_is_refused_by_the_tensors_name(name: str) -> None:
    with pytest.raises(BundleError, match=rf"not those of the manifest: .*\b{name}: has"):
        open_engine("onnx", delay_model("float32"), other_signatures()[name])


def test_model_of_open_shape_is_refused() -> None:
    with pytest.raises(BundleError, match=r"features: has \(\[1, 'frames', 3\]"):
        open_engine("onnx", delay_model("float32", frames="frames"), delay_graph("float32"))


def test_unknown_format_is_refused_with_what_there_is() -> None:
    with pytest.raises(UsageError, match=r"'pickle'; there is .*onnx"):
        open_engine("pickle", b"", delay_graph("float32"))


def test_missing_runtime_is_an_error_that_prints_the_pip_line(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    for name in ("onnx_engine", "onnx_session"):
        monkeypatch.delitem(sys.modules, f"edgekws.engines.{name}", raising=False)
    with pytest.raises(MissingExtraError, match=r"pip install 'edgekws\[onnx\]'"):
        open_engine("onnx", b"", delay_graph("float32"))


def test_engine_of_another_package_is_found_by_its_entry_point(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "own_engine.py").write_text(
        "def open_own(model, graph):\n    return (model, graph)\n"
    )
    info = tmp_path / "own-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: own\nVersion: 1\n")
    (info / "entry_points.txt").write_text(
        "[edgekws.engines]\nown = own_engine:open_own\nlost = lost_engine:Lost\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    graph = delay_graph("float32")
    assert open_engine("own", b"model", graph) == (b"model", graph)
    with pytest.raises(MissingExtraError, match="lost_engine"):
        open_engine("lost", b"model", graph)


# VmHWM, for ru_maxrss keeps what the parent weighed when it forked.
COLD_START = """
import json, os, re, sys, time
from pathlib import Path
from edgekws.bundle import open_bundle
from edgekws.engines import open_engine
import numpy, onnxruntime  # ONNX Runtime's import starts one thread, which sleeps

bundle, before = open_bundle(Path(sys.argv[1])), len(os.listdir("/proc/self/task"))
model = bundle.manifest.models[0]
engine = open_engine(model.format, bundle.model_path(model), model.graph)
engine.step(numpy.zeros((8, 40), numpy.float32))
print(json.dumps({
    "cpu_seconds": time.process_time(),
    "rss_mb": int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) / 1024,
    "threads": len(os.listdir("/proc/self/task")) - before,
    "heavy": sorted({"torch", "onnx", "scipy", "librosa", "rich"} & sys.modules.keys()),
}))
"""


def test_opening_is_cheap_and_a_session_starts_no_thread(bundle: Bundle) -> None:
    command = [sys.executable, "-c", COLD_START, str(bundle.path)]
    root = Path(__file__).parents[2]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=root, timeout=60)
    assert done.stderr == ""
    figures = msgspec.json.decode(done.stdout)
    assert figures["heavy"] == []
    assert figures["threads"] == 0
    assert figures["cpu_seconds"] < LOAD_CPU_SECONDS
    assert figures["rss_mb"] < LOAD_RSS_MB
