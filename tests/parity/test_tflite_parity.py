"""TFLite models, in either runtime that a device may have, are the trained net, or ParityError."""

import dataclasses
import subprocess
import sys
import tomllib
from functools import cache
from pathlib import Path
from typing import Final

import msgspec
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from edgekws.bundle import open_bundle
from edgekws.engines import Engine, open_engine
from edgekws.engines.tflite_engine import open_reference
from edgekws.errors import ParityError
from edgekws.events import Floats
from edgekws.export.formats import Converted, Job
from edgekws.export.fusing import fuse
from edgekws.export.parity import Figures, Reference, compare, reference, require_parity
from edgekws.export.scores import clip_steps, decide, score_steps
from edgekws.export.to_tflite import convert
from edgekws.specs import Precision
from tests.needs import lacking
from tests.parity.tolerances import FP32_POSTERIORS, FUSED_FP32_POSTERIORS
from tests.runs import SMALL_NET, shaken_net, trained
from tests.tflite_exports import converted, small_job

ROOT: Final = Path(__file__).parents[2]
INT8_POSTERIORS: Final = 0.1  # 0.04 measured on clips whose label is sure; a wrong range costs 0.5
INT16_POSTERIORS: Final = 0.02  # 16-bit activations leave the rounding of weights: 0.008 measured
OTHER_KERNELS: Final = (
    0.1  # XNNPACK and the built-in int8 kernels round differently: 0.023 measured
)

OTHER_FEATURES: Final = 0.5
"""Rows that may differ: the kernels give the same bits everywhere, and the last bit of a feature,
which another BLAS sums otherwise, sends it to the next integer now and then."""
SHIPPED: Final = ("commands-12", "commands-12-small", "commands-12-tiny")

# Runs each model over the steps of each clip, as an engine of the device does.
LEGACY: Final = """
import json, sys
from pathlib import Path
import msgspec, numpy
from edgekws.engines import open_engine
from edgekws.engines.tflite_interpreter import Interpreter
from edgekws.specs import GraphSpec

folder = Path(sys.argv[1])
for path in folder.glob("*.tflite"):
    graph = msgspec.json.decode(path.with_suffix(".json").read_bytes(), type=GraphSpec)
    engine, scores = open_engine("tflite", path, graph), []
    for clip in numpy.load(folder / f"{graph.features.name}.npy"):
        engine.reset()
        scores.append(numpy.concatenate([engine.step(step) for step in clip]))
    numpy.save(path.with_suffix(".npy"), numpy.stack(scores))
print(json.dumps([Interpreter.__module__, numpy.__version__]))
"""


@cache
def held_out() -> Reference:
    made = trained()
    return reference(made.net, small_job().model, made.heldout, made.truths)


def engine_of(made: Converted) -> Engine:
    return open_engine("tflite", made.files[".tflite"], made.graph)


@cache
def figures_of(precision: Precision) -> Figures:
    made = converted()[precision]
    return compare(small_job().model, engine_of(made), held_out(), key=made.key, size=made.size)


@cache
def shaken() -> Converted:
    """Return a net of random weights: its posteriors are nowhere near 0 or 1."""
    job = small_job()
    net = shaken_net(SMALL_NET, n_labels=4)
    (made,) = convert(Job(net, job.model, (), job.say), ["fp32"])
    return made


@settings(max_examples=15)
@given(steps=st.integers(1, 20), seed=st.integers(0, 99))
def test_fp32_engine_gives_the_posteriors_of_torch(steps: int, seed: int) -> None:
    x = np.random.default_rng(seed).standard_normal((1, steps * 8, 40)).astype(np.float32)
    ours = score_steps(small_job().model, engine_of(shaken()), list(x.reshape(steps, 8, 40)))
    net = shaken_net(SMALL_NET, n_labels=4)
    with torch.inference_mode():
        logits, _ = net(torch.from_numpy(x), net.zero_states())
        expected = torch.softmax(logits, -1)[0].numpy()
    np.testing.assert_allclose(ours, expected, rtol=0, atol=FP32_POSTERIORS)


@pytest.mark.parametrize(
    ("precision", "tolerance"),
    [
        ("fp32", FP32_POSTERIORS),
        ("int16x8", INT16_POSTERIORS),
        ("int8-dynamic", INT8_POSTERIORS),
        ("int8", INT8_POSTERIORS),
    ],
)
def test_every_precision_passes(precision: Precision, tolerance: float) -> None:
    figures = figures_of(precision)
    require_parity(figures, precision=precision)
    assert figures.largest_difference < tolerance
    assert figures.agreement >= 0.98


def test_int8_stays_right_over_a_long_stream() -> None:
    model, pcm = small_job().model, trained().stream.pcm
    exact, rounded = (
        score_steps(model, engine_of(converted()[precision]), clip_steps(model, pcm))
        for precision in ("fp32", "int8")
    )
    assert np.abs(exact - rounded).mean() < 0.02
    agreeing = exact.argmax(1) == rounded.argmax(1)
    assert agreeing[len(agreeing) * 3 // 4 :].mean() > 0.95  # errors do not pile up in the states


def test_calibration_on_another_voice_is_no_parity() -> None:
    """Ranges of audio a thousand times too quiet: nearly every value saturates."""
    job = small_job()
    quiet = tuple(tuple(step / np.float32(1000) for step in clip) for clip in job.clips)
    (made,) = convert(dataclasses.replace(job, clips=quiet), ["int8"])
    figures = compare(job.model, engine_of(made), held_out(), key=made.key, size=made.size)
    with pytest.raises(ParityError, match=r"tflite-int8 disagrees.*80 held-out clips"):
        require_parity(figures, precision="int8")


@pytest.fixture(scope="module")
def legacy_python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Python with what the extra `tflite-legacy` brings, and nothing else."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = [*project["dependencies"], *project["optional-dependencies"]["tflite-legacy"]]
    home = tmp_path_factory.mktemp("legacy") / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(home)], check=True)
    python = home / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet"]
    done = subprocess.run(
        [*pip, "--only-binary=:all:", *wanted], capture_output=True, text=True, check=False
    )
    if done.returncode:
        lacking(f"tflite-runtime cannot be installed here: {done.stderr}")
    return python


@pytest.mark.slow
@pytest.mark.skipif(sys.version_info >= (3, 12), reason="tflite-runtime ends at Python 3.11")
def test_tflite_runtime_decides_as_litert_does(legacy_python: Path, tmp_path: Path) -> None:
    plain, model = converted(), small_job().model
    models = [*plain.values(), fused(plain["int8"]), fused(plain["fp32"])]
    for made in models:
        np.save(tmp_path / f"{made.graph.features.name}.npy", np.stack(steps_of(made)))
        (tmp_path / f"{made.key}.tflite").write_bytes(made.files[".tflite"])
        (tmp_path / f"{made.key}.json").write_bytes(msgspec.json.encode(made.graph))
    done = subprocess.run(
        [str(legacy_python), "-W", "error", "-c", LEGACY, str(tmp_path)],
        capture_output=True, text=True, timeout=120, check=False,
        cwd=ROOT, env={"PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    runtime, numpy_version = msgspec.json.decode(done.stdout)
    assert (runtime, numpy_version[:2]) == ("tflite_runtime.interpreter", "1.")
    for made in models:
        theirs, ours = np.load(tmp_path / f"{made.key}.npy"), in_litert(made)
        exact = FUSED_FP32_POSTERIORS if made.graph.fused else FP32_POSTERIORS
        tolerance = OTHER_KERNELS if made.precision.startswith("int8") else exact
        np.testing.assert_allclose(theirs, ours, rtol=0, atol=tolerance)
        decisions = [[decide(model, rows) for rows in scores] for scores in (theirs, ours)]
        assert np.mean(np.equal(*decisions)) >= 0.98


@pytest.mark.slow
@pytest.mark.skipif(sys.version_info >= (3, 12), reason="tflite-runtime ends at Python 3.11")
@pytest.mark.parametrize("name", SHIPPED)
def test_tflite_runtime_passes_the_self_check_of_a_shipped_bundle(
    legacy_python: Path, name: str
) -> None:
    bundle = ROOT / "models" / "bundles" / name
    done = subprocess.run(
        [str(legacy_python), "-m", "edgekws", "bench", "--probe",
         "--bundle", str(bundle), "--engine", "tflite-int8"],
        capture_output=True, text=True, timeout=120, check=False,
        cwd=ROOT, env={"PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", SHIPPED)
def test_golden_scores_of_a_shipped_bundle_are_those_of_the_reference_kernels(name: str) -> None:
    bundle = open_bundle(ROOT / "models" / "bundles" / name)
    (entry,) = (each for each in bundle.manifest.models if each.format == "tflite")
    golden = bundle.golden()
    steps = clip_steps(bundle.manifest.model, golden.pcm, graph=entry.graph)
    engine = open_reference(bundle.model_path(entry), entry.graph)
    found = score_steps(bundle.manifest.model, engine, steps)
    differing = np.abs(found - golden.scores[entry.key]).max(axis=1) > 0
    assert differing.mean() <= OTHER_FEATURES


def in_litert(made: Converted) -> Floats:
    engine = engine_of(made)
    return np.stack([score_steps(small_job().model, engine, clip) for clip in steps_of(made)])


def steps_of(made: Converted) -> list[list[Floats]]:
    """Return the held-out clips as a model takes them."""
    return [clip_steps(small_job().model, pcm, graph=made.graph) for pcm in held_out().pcm]


def fused(made: Converted) -> Converted:
    files, graph = fuse("tflite", made.files, made.graph, small_job().model)
    return Converted("tflite", made.precision, files, graph)
