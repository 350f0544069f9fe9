"""The exported models, in the device's own engine, are the trained net, or ParityError."""

import dataclasses
import re
from functools import cache
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from edgekws.bundle import open_bundle
from edgekws.engines.engine import Engine
from edgekws.engines.registry import open_engine
from edgekws.errors import ParityError, RunError
from edgekws.events import Floats
from edgekws.export.calibration import calibration_steps
from edgekws.export.parity import Figures, Reference, compare, reference, require_parity
from edgekws.export.pipeline import export_run
from edgekws.export.quantize import to_int8
from edgekws.export.scores import clip_steps, decide, score_steps
from edgekws.export.to_onnx import graph_spec, to_onnx
from edgekws.runtime.detector import Detector
from edgekws.runtime.evaluate import classify_clip
from edgekws.runtime.figures import clip_report
from edgekws.runtime.wiring import find_bundle, open_device
from edgekws.specs import ModelSpec
from edgekws.train.nets import BcResNetConfig, NetConfig, StreamingNet
from edgekws.train.run import load_net, load_run, model_spec
from tests.commands import ROOT
from tests.fakes import trigger_spec
from tests.parity.tolerances import FP32_POSTERIORS
from tests.runs import SMALL_NET, family, shaken_net, trained, write_run

SHOWN_DIGITS = 0.01  # a message shows three

INT8_POSTERIORS = {BcResNetConfig: 0.4}
"""Largest difference where 0.2 is too little: the first rows of a clip, which nothing was learned
on, lie at borders, and 16 channels average little rounding out: 0.22, with 8 channels 0.36."""


def small_model(config: NetConfig = SMALL_NET) -> ModelSpec:
    return model_spec(trained(config).run)


def figures_of(graph: onnx.ModelProto, config: NetConfig = SMALL_NET) -> Figures:
    data = graph.SerializeToString()
    engine = open_engine("onnx", data, graph_spec(graph))
    return compare(small_model(config), engine, held_out(config), key="onnx-test", size=len(data))


@cache
def held_out(config: NetConfig) -> Reference:
    made = trained(config)
    return reference(made.net, small_model(config), made.heldout, made.truths)


@cache
def fp32(config: NetConfig) -> onnx.ModelProto:
    return to_onnx(trained(config).net, small_model(config))


@cache
def int8(config: NetConfig) -> onnx.ModelProto:
    model = small_model(config)
    return to_int8(fp32(config), calibration_steps(model, trained(config).calibration))


def broken(graph: onnx.ModelProto, *, name: str, factor: float) -> onnx.ModelProto:
    """Return the graph with one constant multiplied."""
    other = onnx.ModelProto()
    other.CopyFrom(graph)
    tensor = next(t for t in other.graph.initializer if t.name == name)
    array = onnx.numpy_helper.to_array(tensor)
    tensor.CopyFrom(onnx.numpy_helper.from_array((array * factor).astype(array.dtype), name))
    return other


@family
def test_the_net_of_these_tests_has_learned(config: NetConfig) -> None:
    assert np.mean(held_out(config).decisions == held_out(config).truths) > 0.9


@family
@settings(max_examples=15)
@given(steps=st.integers(1, 20), seed=st.integers(0, 99))
def test_fp32_engine_gives_the_posteriors_of_torch(
    config: NetConfig, steps: int, seed: int
) -> None:
    net, model = shaken_net(config, n_labels=4), small_model(config)
    graph = to_onnx(net, model)
    engine = open_engine("onnx", graph.SerializeToString(), graph_spec(graph))
    x = np.random.default_rng(seed).standard_normal((1, steps * 8, 40)).astype(np.float32)
    ours = score_steps(model, engine, list(x.reshape(steps, 8, 40)))
    np.testing.assert_allclose(ours, posteriors(net, x), rtol=0, atol=FP32_POSTERIORS)


@torch.inference_mode()
def posteriors(net: StreamingNet, x: Floats) -> Floats:
    logits, _ = net(torch.from_numpy(x), net.zero_states())
    return np.asarray(torch.softmax(logits, -1)[0].numpy())


@family
def test_fp32_passes(config: NetConfig) -> None:
    figures = figures_of(fp32(config), config)
    assert figures.largest_difference < FP32_POSTERIORS
    assert (figures.agreement, figures.accuracy_loss) == (1, 0)
    require_parity(figures, precision="fp32")


@family
def test_int8_passes(config: NetConfig) -> None:
    figures = figures_of(int8(config), config)
    assert figures.agreement >= 0.97
    assert 0 < figures.largest_difference < INT8_POSTERIORS.get(type(config), 0.2)
    require_parity(figures, precision="int8")


@family
def test_int8_stays_right_over_a_long_stream(config: NetConfig) -> None:
    model, pcm = small_model(config), trained(config).stream.pcm
    rows = [
        score_steps(
            model,
            open_engine("onnx", g.SerializeToString(), graph_spec(g)),
            clip_steps(model, pcm),
        )
        for g in (fp32(config), int8(config))
    ]
    assert np.abs(rows[0] - rows[1]).mean() < 0.02
    agreeing = rows[0].argmax(1) == rows[1].argmax(1)
    assert agreeing[len(agreeing) * 3 // 4 :].mean() > 0.95  # errors do not pile up in the states


@pytest.mark.parametrize("factor", [1.01, -1.0, np.inf])
def test_a_changed_weight_is_no_parity_in_fp32(factor: float) -> None:
    graph = broken(fp32(SMALL_NET), name="stem_weight", factor=factor)
    with pytest.raises(ParityError, match=r"onnx-test disagrees.*80 held-out clips"):
        require_parity(figures_of(graph), precision="fp32")


def test_a_refusal_names_the_worst_clips() -> None:
    labels, truths = small_model().labels, held_out(SMALL_NET).truths
    graph = broken(fp32(SMALL_NET), name="stem_weight", factor=-1.0)
    figures = figures_of(graph)
    with pytest.raises(ParityError) as caught:
        require_parity(figures, precision="fp32")
    worst = re.findall(r"(\d+) \((\w+)\) by ([\d.]+), heard as (\w+)", str(caught.value))
    assert len(worst) == 3
    assert float(worst[0][2]) == pytest.approx(figures.largest_difference, rel=SHOWN_DIGITS)
    assert all(labels[truths[int(row)]] == truth for row, truth, _, _ in worst)
    assert "\n" not in str(caught.value)


class SpoiledEngine:
    """Gives what another engine gives, but NaN for one clip, counted by the resets."""

    def __init__(self, engine: Engine, *, clip: int) -> None:
        self._engine, self._clip, self._at = engine, clip, -1

    def step(self, features: Floats) -> Floats:
        scores = self._engine.step(features)
        return np.full_like(scores, np.nan) if self._at == self._clip else scores

    def reset(self) -> None:
        self._engine.reset()
        self._at += 1


def test_a_clip_that_gives_nan_is_the_worst() -> None:
    engine = open_engine("onnx", fp32(SMALL_NET).SerializeToString(), graph_spec(fp32(SMALL_NET)))
    spoiled = SpoiledEngine(engine, clip=7)
    figures = compare(small_model(), spoiled, held_out(SMALL_NET), key="onnx-test", size=1)
    assert figures.worst[0].row == 7
    with pytest.raises(ParityError, match=r"heldout\.npz: 7 .* by nan"):
        require_parity(figures, precision="fp32")


def test_a_wrong_scale_is_no_parity_in_int8() -> None:
    names = [t.name for t in int8(SMALL_NET).graph.initializer if t.name.startswith("embed")]
    scale = next(name for name in names if name.endswith("weight_scale"))
    graph = broken(int8(SMALL_NET), name=scale, factor=-1.0)
    with pytest.raises(ParityError, match=r"agreement \d+\.\d+%, accuracy"):
        require_parity(figures_of(graph), precision="int8")


@pytest.mark.parametrize(
    ("clips", "differing", "passes"),
    [(30, 2, True), (30, 3, False), (500, 15, True), (500, 16, False)],
)
def test_few_clips_at_a_border_are_forgiven(clips: int, differing: int, passes: bool) -> None:
    figures = some_figures(clips=clips, agreement=1 - differing / clips)
    if passes:
        require_parity(figures, precision="int8")
    else:
        with pytest.raises(ParityError):
            require_parity(figures, precision="int8")


def some_figures(*, clips: int, agreement: float) -> Figures:
    return Figures(
        key="onnx-int8",
        size=1,
        report=clip_report(["yes"] * clips, ["yes"] * clips, ("yes",)),
        accuracy_loss=0.0,
        agreement=agreement,
        largest_difference=0.1,
        microseconds_per_step=1.0,
        worst=(),
    )


def test_an_accuracy_lost_is_no_parity() -> None:
    figures = some_figures(clips=1000, agreement=0.985)
    require_parity(figures, precision="int8")
    with pytest.raises(ParityError, match=r"lost 1\.10%"):
        require_parity(dataclasses.replace(figures, accuracy_loss=0.011), precision="int8")


def test_clips_shorter_than_the_window_are_refused() -> None:
    made = trained()
    with pytest.raises(RunError, match="shorter than the model's window"):
        reference(made.net, small_model(), made.heldout[:, :3000], made.truths)


@family
def test_decisions_are_those_of_classify(config: NetConfig) -> None:
    made, model = trained(config), small_model(config)
    engine = open_engine("onnx", int8(config).SerializeToString(), graph_spec(int8(config)))
    detector = Detector(model, engine, dict.fromkeys(model.commands, trigger_spec()))
    rng = np.random.default_rng(6)
    for _ in range(20):
        clip = np.concatenate(made.heldout[rng.integers(0, 80, 3)])  # several full rows
        scores = score_steps(model, engine, clip_steps(model, clip))
        assert model.labels[decide(model, scores)] == classify_clip(detector, clip).label


@family
def test_the_bundle_passes_the_devices_self_check(config: NetConfig, tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", config)
    place = export_run(run, tmp_path / "dist", "x86", say=lambda _: None)
    device = open_device(find_bundle(place))
    assert device.model_file.key == "onnx-int8-fused"
    made = trained(config)
    answers = [classify_clip(device.detector, clip).label for clip in made.heldout]
    right = np.mean([made.run.labels[t] == a for t, a in zip(made.truths, answers, strict=True)])
    assert right == pytest.approx(device.bundle.manifest.clip_metrics[0].accuracy)


def test_the_trained_net_that_ships_is_that_of_the_bundle_beside_it() -> None:
    """`commands-12` as a base or a teacher is what the bundle of that name was made of."""
    folder = ROOT / "models" / "commands-12"
    run, bundle = load_run(folder), open_bundle(ROOT / "models" / "bundles" / folder.name)
    assert (run.name, run.version) == (bundle.manifest.name, bundle.manifest.version)
    assert model_spec(run) == bundle.manifest.model
    golden = bundle.golden()
    nothing = np.zeros(1, np.int64)
    trained_net = reference(load_net(folder, run), model_spec(run), golden.pcm[None], nothing)
    np.testing.assert_allclose(
        trained_net.scores[0], golden.scores["onnx-fp32"], rtol=0, atol=FP32_POSTERIORS
    )
