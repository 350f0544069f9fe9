"""The TFLite engine steps as its model says, keeps its states, and refuses other models."""

import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np
import pytest

from edgekws.engines import Engine, open_engine
from edgekws.errors import BundleError, MissingExtraError
from edgekws.specs import GraphSpec, StateSpec
from tests.delay_net import delay_graph, tensor
from tests.tflite_models import Operator, delay_model

ROOT: Final = Path(__file__).parents[2]
LOAD_CPU_SECONDS: Final = 0.4  # 0.15 measured: import of numpy and LiteRT, and the model
LOAD_RSS_MB: Final = 60.0  # 41 measured


@pytest.fixture
def engine() -> Engine:
    return open_engine("tflite", delay_model("float32"), delay_graph("float32"))


def steps(count: int = 5) -> np.ndarray:
    return np.random.default_rng(0).standard_normal((count, 4, 3)).astype(np.float32)


@pytest.mark.parametrize("steps_before", [1, 2, 7])
def test_reset_is_the_start_of_a_stream(engine: Engine, steps_before: int) -> None:
    first = [engine.step(step) for step in steps()]
    engine.reset()
    for step in steps(steps_before):
        engine.step(step)
    engine.reset()
    np.testing.assert_array_equal([engine.step(step) for step in steps()], first)


def test_states_that_swallowed_nan_are_clean_after_reset(engine: Engine) -> None:
    first = [engine.step(step) for step in steps()]
    engine.reset()
    engine.step(np.full((4, 3), np.nan, np.float32))
    assert np.isnan(engine.step(steps()[0])).all()
    engine.reset()
    np.testing.assert_array_equal([engine.step(step) for step in steps()], first)


def test_scores_given_out_stay_as_they_are(engine: Engine) -> None:
    engine.step(steps()[0])
    scores = engine.step(steps()[1])
    kept = scores.copy()
    engine.step(steps()[2])
    np.testing.assert_array_equal(scores, kept)


def test_features_given_in_are_not_kept_nor_changed(engine: Engine) -> None:
    step, untouched = steps()[0], steps()[0]
    engine.step(step)
    np.testing.assert_array_equal(step, untouched)
    step.fill(np.nan)
    np.testing.assert_array_equal(engine.step(steps()[1]), untouched[2:] + 1)


def test_two_engines_of_one_model_are_strangers() -> None:
    data = delay_model("float32")
    one, other = (open_engine("tflite", data, delay_graph("float32")) for _ in range(2))
    together = [(one.step(step), other.step(-step)) for step in steps()]
    other.reset()
    np.testing.assert_array_equal([other.step(step) for step in steps()], [a for a, _ in together])


@pytest.mark.parametrize(
    "model",
    [b"", b"not a model" * 99, delay_model("float32")[:-200], delay_model("float32", operator=250)],
    ids=["empty", "text", "cut off", "unknown operator"],
)
def test_model_that_does_not_load_is_refused_in_one_line(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], model: bytes
) -> None:
    path = tmp_path / "model.tflite"
    path.write_bytes(model)
    wanted = r"model\.tflite: ai_edge_litert cannot load the model: ..+; export"
    with pytest.raises(BundleError, match=wanted) as caught:
        open_engine("tflite", path, delay_graph("float32"))
    assert "\n" not in str(caught.value)
    assert capfd.readouterr() == ("", "")


def test_model_whose_operators_do_not_fit_its_tensors_is_refused() -> None:
    with pytest.raises(BundleError, match=r"a model of \d+ bytes: .* cannot load the model"):
        open_engine("tflite", delay_model("float32", operator=Operator.CONV_2D),
                    delay_graph("float32"))  # fmt: skip


def test_model_file_that_is_missing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="cannot load the model"):
        open_engine("tflite", tmp_path / "model.tflite", delay_graph("float32"))


def other_signatures() -> dict[str, GraphSpec]:
    graph = delay_graph("int8")
    first, second = graph.states
    swap = msgspec.structs.replace
    return {
        "features": swap(graph, features=tensor("features", (1, 8, 3), "int8")),
        "scores": swap(graph, scores=swap(graph.scores, scale=0.5)),
        "posteriors": swap(graph, scores=swap(graph.scores, name="posteriors")),
        "state_0": swap(graph, states=(swap(first, input=tensor("state_0", (1, 2, 3))), second)),
        "state_0_out": swap(graph, states=(swap(first, output=swap(first.output, zero_point=0)),
                                           second)),
        "state_1": swap(graph, states=(first,)),
        "state_2": swap(graph, states=(first, second,
                                       StateSpec(input=tensor("state_2", (1,)),
                                                 output=tensor("state_2_out", (1,))))),
    }  # fmt: skip


@pytest.mark.parametrize("name", other_signatures())
def test_model_of_another_signature_is_refused_by_the_tensors_name(name: str) -> None:
    with pytest.raises(BundleError, match=rf"not those of the manifest: .*\b{name}: has"):
        open_engine("tflite", delay_model("int8"), other_signatures()[name])


def forget(monkeypatch: pytest.MonkeyPatch, *missing: str) -> None:
    """Make these packages look as if they were not installed."""
    for package in missing:
        monkeypatch.setitem(sys.modules, f"{package}.interpreter", None)
    for name in ("tflite_engine", "tflite_interpreter"):
        monkeypatch.delitem(sys.modules, f"edgekws.engines.{name}", raising=False)


def test_missing_runtime_is_an_error_that_prints_the_pip_line(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    forget(monkeypatch, "ai_edge_litert", "tflite_runtime")
    with pytest.raises(MissingExtraError, match=r"ai_edge_litert.*pip install 'edgekws\[tflite\]'"):
        open_engine("tflite", b"", delay_graph("float32"))


def test_tflite_runtime_beside_numpy_2_is_an_error_that_says_so(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "tflite_runtime").mkdir()
    (tmp_path / "tflite_runtime" / "interpreter.py").write_text(
        "Interpreter = OpResolverType = None\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(np, "__version__", "2.0.0")
    forget(monkeypatch, "ai_edge_litert")
    wanted = r"numpy 2.*pip install --force-reinstall 'edgekws\[tflite\]'"
    with pytest.raises(MissingExtraError, match=wanted):
        open_engine("tflite", b"", delay_graph("float32"))


# VmHWM, for ru_maxrss keeps what the parent weighed when it forked.
COLD_START = """
import json, os, re, sys, time
from pathlib import Path
import msgspec, numpy
from edgekws.engines import open_engine
from edgekws.specs import GraphSpec

graph = msgspec.json.decode(Path(sys.argv[2]).read_bytes(), type=GraphSpec)
engine = open_engine("tflite", Path(sys.argv[1]), graph)
engine.step(numpy.zeros((4, 3), numpy.float32))
print(json.dumps({
    "cpu_seconds": time.process_time(),
    "rss_mb": int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) / 1024,
    "threads": len(os.listdir("/proc/self/task")),
    "heavy": sorted({"torch", "flatbuffers", "scipy", "ai_edge_litert.compiled_model", "rich"}
                    & sys.modules.keys()),
}))
"""


def test_opening_is_cheap_silent_and_starts_no_thread(tmp_path: Path) -> None:
    model, graph = tmp_path / "model.tflite", tmp_path / "graph.json"
    model.write_bytes(delay_model("float32"))
    graph.write_bytes(msgspec.json.encode(delay_graph("float32")))
    command = [sys.executable, "-c", COLD_START, str(model), str(graph)]
    environment = {"OPENBLAS_NUM_THREADS": "1"}  # numpy's own threads are no matter of the engine
    done = subprocess.run(
        command, capture_output=True, text=True, check=True, cwd=ROOT, timeout=60, env=environment
    )
    assert done.stderr == ""
    figures: dict[str, Any] = msgspec.json.decode(done.stdout)
    assert figures["heavy"] == []
    assert figures["threads"] == 1
    assert figures["cpu_seconds"] < LOAD_CPU_SECONDS
    assert figures["rss_mb"] < LOAD_RSS_MB
