"""The ONNX engine steps as the reference does, keeps its states, and refuses other models."""

import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from edgekws.bundle import Bundle, open_bundle
from edgekws.engines import Engine, open_engine
from edgekws.errors import BundleError, MissingExtraError, UsageError
from edgekws.events import Floats
from edgekws.specs import GraphSpec, StateSpec, TensorSpec
from tests.bundles import graph_spec, make_bundle, model_spec, onnx_model

SAME_KERNELS: Final = 1e-6  # one runtime, one machine: bound and unbound runs take the same path
LOAD_CPU_SECONDS: Final = 0.5  # 0.2 measured: import of numpy and ONNX Runtime, bundle and model
LOAD_RSS_MB: Final = 90.0  # 62 measured
SCALE: Final = 0.25
ZERO: Final = -10


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


def run(engine: Engine, features: Floats, *, step: int = 8) -> Floats:
    """Return the scores of all whole steps, (rows, n_labels)."""
    whole = range(0, len(features) - step + 1, step)
    return np.concatenate([engine.step(features[start : start + step]) for start in whole])


def tensor(name: str, shape: tuple[int, ...], dtype: Any = "float32") -> TensorSpec:
    scale, zero = (SCALE, ZERO) if dtype == "int8" else (1.0, 0)
    return TensorSpec(name=name, shape=shape, dtype=dtype, scale=scale, zero_point=zero)


def delay_graph(dtype: str) -> GraphSpec:
    """Return the signature of a net whose scores are the last two frames of the step before."""
    return GraphSpec(
        features=tensor("features", (1, 4, 3), dtype),
        scores=tensor("scores", (1, 2, 3), dtype),
        states=(
            StateSpec(
                input=tensor("state_0", (1, 2, 3), dtype),
                output=tensor("state_0_out", (1, 2, 3), dtype),
            ),
            StateSpec(input=tensor("state_1", (1,)), output=tensor("state_1_out", (1,))),
        ),
    )


def delay_model(dtype: str, *, frames: int | str = 4) -> bytes:
    """Return that net; its float form adds state 1, which counts the steps, to the scores."""
    kind = TensorProto.INT8 if dtype == "int8" else TensorProto.FLOAT
    last = {"starts": np.array([2]), "ends": np.array([4]), "axes": np.array([1])}
    one = {"one": np.ones(1, np.float32)}
    scores = (
        helper.make_node("Identity", ["state_0"], ["scores"])
        if dtype == "int8"
        else helper.make_node("Add", ["state_0", "state_1"], ["scores"])
    )
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        [
            scores,
            helper.make_node("Slice", ["features", *last], ["state_0_out"]),
            helper.make_node("Add", ["state_1", "one"], ["state_1_out"]),
        ],
        "delay",
        [
            value("features", kind, [1, frames, 3]),
            value("state_0", kind, [1, 2, 3]),
            value("state_1", TensorProto.FLOAT, [1]),
        ],
        [
            value("scores", kind, [1, 2, 3]),
            value("state_0_out", kind, [1, 2, 3]),
            value("state_1_out", TensorProto.FLOAT, [1]),
        ],
        [numpy_helper.from_array(array, name) for name, array in (last | one).items()],
    )
    opset = [helper.make_opsetid("", 17)]
    return bytes(helper.make_model(graph, opset_imports=opset, ir_version=9).SerializeToString())


def test_scores_are_those_of_the_reference_run(
    engine: Engine, features: Floats, bundle: Bundle
) -> None:
    scores = run(engine, features)
    np.testing.assert_allclose(scores, bundle.golden().scores["onnx-fp32"], atol=SAME_KERNELS)
    assert scores.dtype == np.float32


@pytest.mark.parametrize("steps_before", [1, 2, 7])
def test_reset_is_the_start_of_a_stream(
    engine: Engine, features: Floats, steps_before: int
) -> None:
    first = run(engine, features)
    engine.reset()
    run(engine, features[: 8 * steps_before])
    engine.reset()
    np.testing.assert_array_equal(run(engine, features), first)


def test_states_that_swallowed_nan_are_clean_after_reset(engine: Engine, features: Floats) -> None:
    first = run(engine, features)
    engine.reset()
    assert np.isnan(engine.step(np.full((8, 40), np.nan, np.float32))).all()
    engine.reset()
    np.testing.assert_array_equal(run(engine, features), first)


def test_scores_given_out_stay_as_they_are(engine: Engine, features: Floats) -> None:
    first = engine.step(features[:8])
    kept = first.copy()
    run(engine, features)
    np.testing.assert_array_equal(first, kept)


def test_features_given_in_are_not_kept_nor_changed(engine: Engine, features: Floats) -> None:
    step, untouched = features[:8].copy(), features[:8].copy()
    engine.step(step)
    np.testing.assert_array_equal(step, untouched)
    step.fill(np.nan)
    assert np.isfinite(engine.step(features[8:16])).all()


def test_two_engines_of_one_model_are_strangers(bundle: Bundle, features: Floats) -> None:
    (model,) = bundle.manifest.models
    data = bundle.model_path(model).read_bytes()
    one, other = (open_engine("onnx", data, model.graph) for _ in range(2))
    together = [(one.step(step), other.step(-step)) for step in features.reshape(-1, 8, 40)]
    other.reset()
    np.testing.assert_array_equal(run(other, features), np.concatenate([a for a, _ in together]))


def test_every_state_is_handed_on_to_its_own_input() -> None:
    engine = open_engine("onnx", delay_model("float32"), delay_graph("float32"))
    steps = np.random.default_rng(0).standard_normal((5, 4, 3)).astype(np.float32)
    before = np.zeros((2, 3), np.float32)
    for count, step in enumerate(steps):
        np.testing.assert_allclose(engine.step(step), before + count, atol=SAME_KERNELS)
        before = step[2:]


def test_int8_tensors_are_rounded_saturated_and_start_at_the_zero_point() -> None:
    engine = open_engine("onnx", delay_model("int8"), delay_graph("int8"))
    step = np.zeros((4, 3), np.float32)
    step[2:] = [[0.25, 0.37, 0.38], [-0.38, 1000, -1000]]
    for _ in range(2):
        np.testing.assert_array_equal(engine.step(step), np.zeros((2, 3)))
        top, bottom = (127 - ZERO) * SCALE, (-128 - ZERO) * SCALE
        expected = [[0.25, 0.25, 0.5], [-0.5, top, bottom]]
        np.testing.assert_array_equal(engine.step(step), expected)
        engine.reset()


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


def other_signatures() -> dict[str, GraphSpec]:
    graph = delay_graph("float32")
    first, second = graph.states
    swap = msgspec.structs.replace
    return {
        "features": swap(graph, features=tensor("features", (1, 8, 3))),
        "scores": swap(graph, scores=tensor("scores", (1, 2, 4))),
        "posteriors": swap(graph, scores=tensor("posteriors", (1, 2, 3))),
        "state_0": swap(graph, states=(swap(first, input=tensor("state_0", (1, 2, 3), "int8")),
                                       second)),
        "state_0_out": swap(graph, states=(swap(first, output=tensor("state_0_out", (2, 3))),
                                           second)),
        "state_1": swap(graph, states=(first,)),
        "state_2": swap(graph, states=(first, second,
                                       StateSpec(input=tensor("state_2", (1,)),
                                                 output=tensor("state_2_out", (1,))))),
    }  # fmt: skip


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
    monkeypatch.delitem(sys.modules, "edgekws.engines.onnx_engine", raising=False)
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
