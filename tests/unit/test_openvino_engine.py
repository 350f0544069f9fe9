"""The OpenVINO engine steps as the reference does, keeps its states, refuses others, tells nobody.

Models are built with OpenVINO's own operators here, or read from ONNX: no converter of ours.
"""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec
import numpy as np
import pytest

from edgekws.engines import Engine, open_engine
from edgekws.engines.openvino_runtime import core
from edgekws.errors import BundleError, MissingExtraError
from edgekws.events import Floats
from tests.bundles import golden_vectors, graph_spec, model_spec, onnx_model
from tests.commands import environment
from tests.delay_net import delay_graph, other_signatures, run
from tests.openvino_models import delay_net, write

OTHER_KERNELS: Final = 2e-5  # posteriors, ONNX Runtime against OpenVINO: 4e-6 measured
LOAD_CPU_SECONDS: Final = 0.7  # 0.3 measured: import of numpy and OpenVINO, and the model
LOAD_RSS_MB: Final = 130.0  # 86 measured
OTHER_THREADS_SHARE: Final = 0.2  # of the CPU time of steps; 0.0 measured


SIGNAL_AFTER_TWO: Final = """
import os, signal, sys
from pathlib import Path
from edgekws.engines import open_engine
from tests.bundles import graph_spec, model_spec

engines = [open_engine("openvino", Path(sys.argv[1]), graph_spec(model_spec())) for _ in "ab"]
del engines[0]
del engines[0]
heard = []
signal.signal(signal.SIGUSR1, lambda *_: heard.append(True))
os.kill(os.getpid(), signal.SIGUSR1)
sys.exit(not heard)
"""


@pytest.fixture(scope="module")
def tones(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tone model as IR."""
    net = core().read_model(onnx_model(model_spec()))
    return write(net, tmp_path_factory.mktemp("tones") / "model.xml")


@pytest.fixture
def engine(tones: Path) -> Engine:
    return open_engine("openvino", tones, graph_spec(model_spec()))


@pytest.fixture(scope="module")
def golden() -> tuple[Floats, Floats]:
    """Normalized features, and the scores of the reference run."""
    model = model_spec()
    vectors = golden_vectors(model, onnx_model(model))
    normal = (vectors.features - np.float32(model.mean)) * np.float32(model.scale)
    return np.asarray(normal), vectors.scores["onnx-fp32"]


def test_scores_are_those_of_the_reference_run(
    engine: Engine, golden: tuple[Floats, Floats]
) -> None:
    features, expected = golden
    scores = run(engine, features)
    np.testing.assert_allclose(scores, expected, rtol=0, atol=OTHER_KERNELS)
    assert scores.dtype == np.float32


def test_the_files_may_go_once_the_model_is_open(tmp_path: Path) -> None:
    path = write(delay_net("float32"), tmp_path / "delay.xml")
    engine = open_engine("openvino", path, delay_graph("float32"))
    for file in (path, path.with_suffix(".bin")):
        file.write_bytes(b"")
    assert np.isfinite(engine.step(np.zeros((4, 3), np.float32))).all()


@pytest.mark.parametrize(
    "damage",
    [lambda d: b"", lambda d: b"not a model" * 99, lambda d: d[: len(d) // 2],
     lambda d: d.replace(b'"SoftMax"', b'"HardMix"'), lambda d: onnx_model(model_spec()),
     lambda d: d.replace(b'version="11"', b'version="99"'), lambda d: b"\0" * 999],
    ids=["empty", "text", "cut off", "unknown operator", "onnx", "version", "zeros"],
)  # fmt: skip
def test_model_that_does_not_load_is_refused_in_one_line(
    tones: Path,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    damage: Callable[[bytes], bytes],
) -> None:
    path = tmp_path / "model.xml"
    path.write_bytes(damage(tones.read_bytes()))
    path.with_suffix(".bin").write_bytes(tones.with_suffix(".bin").read_bytes())
    with pytest.raises(BundleError, match=r"model\.xml: .* cannot load the model") as caught:
        open_engine("openvino", path, graph_spec(model_spec()))
    assert "\n" not in str(caught.value)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("missing", [1, 1000, None], ids=["1 byte", "1000 bytes", "all"])
def test_weights_that_are_too_short_are_refused(
    tones: Path, tmp_path: Path, missing: int | None
) -> None:
    path, weights = tmp_path / "model.xml", tones.with_suffix(".bin").read_bytes()
    path.write_bytes(tones.read_bytes())
    path.with_suffix(".bin").write_bytes(weights[: -missing if missing else 0])
    with pytest.raises(BundleError, match=r"cannot load the model: .*eights"):
        open_engine("openvino", path, graph_spec(model_spec()))


@pytest.mark.parametrize("suffix", [".xml", ".bin"])
def test_file_that_is_missing_is_refused_by_its_name(
    tones: Path, tmp_path: Path, suffix: str
) -> None:
    path = tmp_path / "model.xml"
    for present in {".xml", ".bin"} - {suffix}:
        path.with_suffix(present).write_bytes(tones.with_suffix(present).read_bytes())
    with pytest.raises(BundleError, match=rf"cannot load the model: .*model\{suffix}"):
        open_engine("openvino", path, graph_spec(model_spec()))


def test_bytes_are_refused_for_they_are_half_a_model(tones: Path) -> None:
    with pytest.raises(BundleError, match=r"two files: give the path of its \.xml"):
        open_engine("openvino", tones.read_bytes(), graph_spec(model_spec()))


@pytest.mark.parametrize("name", other_signatures())
def test_model_of_another_signature_is_refused_by_the_tensors_name(
    tmp_path: Path, name: str
) -> None:
    path = write(delay_net("float32"), tmp_path / "delay.xml")
    with pytest.raises(BundleError, match=rf"not those of the manifest: .*\b{name}: has"):
        open_engine("openvino", path, other_signatures()[name])


def test_model_of_open_shape_is_refused(tmp_path: Path) -> None:
    path = write(delay_net("float32", frames=-1), tmp_path / "delay.xml")
    with pytest.raises(BundleError, match=r"features: has f32\[1,\?,3\], needs f32\[1,4,3\]"):
        open_engine("openvino", path, delay_graph("float32"))


def test_missing_runtime_is_an_error_that_prints_the_pip_line(
    monkeypatch: pytest.MonkeyPatch, tones: Path
) -> None:
    monkeypatch.setitem(sys.modules, "openvino", None)
    for module in ("openvino_engine", "openvino_runtime"):
        monkeypatch.delitem(sys.modules, f"edgekws.engines.{module}", raising=False)
    with pytest.raises(MissingExtraError, match=r"needs openvino,.*'edgekws\[openvino\]'"):
        open_engine("openvino", tones, delay_graph("float32"))


# VmHWM, for ru_maxrss keeps what the parent weighed when it forked.
COLD_START = """
import json, re, sys, time
from pathlib import Path
import msgspec, numpy
from edgekws.engines import open_engine
from edgekws.specs import GraphSpec

graph = msgspec.json.decode(sys.argv[2], type=GraphSpec)
engine = open_engine("openvino", Path(sys.argv[1]), graph)
step = numpy.zeros((8, 40), numpy.float32)
engine.step(step)
load = time.process_time()
whole, own = time.process_time(), time.thread_time()
for _ in range(2000):
    engine.step(step)
whole, own = time.process_time() - whole, time.thread_time() - own
print(json.dumps({
    "cpu_seconds": load,
    "rss_mb": int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) / 1024,
    "other_threads": 1 - own / whole,
    "heavy": sorted({"torch", "onnx", "scipy", "librosa", "rich"} & sys.modules.keys()),
    "telling": sorted(name for name in sys.modules if "telemetry" in name or ".ovc" in name),
}))
"""


def test_opening_is_cheap_tells_nobody_and_steps_take_one_thread(
    tones: Path, tmp_path: Path
) -> None:
    graph = msgspec.json.encode(graph_spec(model_spec())).decode()
    done = subprocess.run(
        [sys.executable, "-c", COLD_START, str(tones), graph],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[2],
        env={"HOME": str(tmp_path)},
        timeout=60,
    )
    assert done.stderr == ""
    figures = msgspec.json.decode(done.stdout)
    assert figures["heavy"] == figures["telling"] == []
    assert list(tmp_path.iterdir()) == []
    assert figures["cpu_seconds"] < LOAD_CPU_SECONDS
    assert figures["rss_mb"] < LOAD_RSS_MB
    assert figures["other_threads"] < OTHER_THREADS_SHARE


def test_signals_arrive_after_engines_have_gone(tones: Path) -> None:
    """Each core of OpenVINO swaps the signal stack; see `core`."""
    done = subprocess.run(
        [sys.executable, "-c", SIGNAL_AFTER_TWO, str(tones)],
        env=environment(),
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
