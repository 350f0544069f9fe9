"""A small valid bundle for tests, whose commands are tones: no training, real golden vectors.

The net turns the MFCC back into log mel energies, averages them over a sliding window (its state),
and compares the band around each label's tone with the mean of all bands. So `tone("yes")` is
detected as "yes", noise and other sounds are `_unknown_`, and a quiet room is `_silence_`.
"""

from pathlib import Path
from typing import Any, Final

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from edgekws.bundle import (
    ClipMetrics,
    Golden,
    Manifest,
    ModelFile,
    Provenance,
    Source,
    StreamMetrics,
    encode_golden,
    file_entry,
    write_bundle,
)
from edgekws.events import Floats, Pcm
from edgekws.features import FeatureStream
from edgekws.features.tables import build_tables
from edgekws.specs import (
    MFCC_40,
    SILENCE,
    UNKNOWN,
    GraphSpec,
    ModelSpec,
    StateSpec,
    TensorSpec,
    TriggerSpec,
)

LABELS: Final = (SILENCE, UNKNOWN, "yes", "no", "开灯")
FRAMES_PER_SCORE: Final = 4
SCORES_PER_STEP: Final = 2
WINDOW_FRAMES: Final = 24  # of the sliding mean: 0.24 s
FIRST_BAND: Final = 8  # 530 Hz; below it a band is narrower than the window's main lobe
PROMINENCE: Final = 5.0  # a band this far above the mean of all bands is a tone (natural log)
QUIET: Final = -8.0  # a mean log energy below this is silence; digital silence has -11.5
STEEPNESS: Final = 3.0


def make_bundle(
    path: Path, *, labels: tuple[str, ...] = LABELS, rows: int = SCORES_PER_STEP
) -> Path:
    """Write a bundle of one fp32 ONNX model at `path` and return it; a step gives `rows` scores.

    `labels` needs both reserved labels; each other one is the tone of `tone_hz`.
    """
    model = model_spec(labels, rows=rows)
    data = onnx_model(model)
    golden = golden_vectors(model, data)
    files = {"model.onnx": data, "golden.npz": encode_golden(golden), "card.md": b"# Tones\n"}
    write_bundle(path, manifest(model, files), files)
    return path


def tone_hz(label: str, labels: tuple[str, ...] = LABELS) -> float:
    """Return the frequency of a command's tone: the middle of its mel band."""
    mel = build_tables(MFCC_40).mel[:, _bands(labels)[label]]
    return float(np.argmax(mel)) * MFCC_40.sample_rate / MFCC_40.fft


def tone(label: str, *, labels: tuple[str, ...] = LABELS, seconds: float = 1.0) -> Pcm:
    """Return the sound of a command, (n,) int16."""
    time = np.arange(round(seconds * MFCC_40.sample_rate)) / MFCC_40.sample_rate
    return (8000 * np.sin(2 * np.pi * tone_hz(label, labels) * time)).astype(np.int16)


def noise(*, seconds: float = 1.0, level: float = 300.0, seed: int = 0) -> Pcm:
    """Return white noise, which is no command; at a level of 1 it is silence."""
    count = round(seconds * MFCC_40.sample_rate)
    return (np.random.default_rng(seed).standard_normal(count) * level).astype(np.int16)


def model_spec(labels: tuple[str, ...] = LABELS, *, rows: int = SCORES_PER_STEP) -> ModelSpec:
    """Return the spec of the tone model; its normalization is far from mean 0 and scale 1."""
    index = np.arange(MFCC_40.n_mfcc)
    return ModelSpec(
        features=MFCC_40,
        mean=tuple((0.25 * index - 4.0).tolist()),
        scale=tuple((0.125 + 0.0625 * (index % 4)).tolist()),
        labels=labels,
        step_frames=rows * FRAMES_PER_SCORE,
        scores_per_step=rows,
        window_frames=WINDOW_FRAMES,
        parameters=MFCC_40.n_mels * (MFCC_40.n_mfcc + len(labels)),
        macs_per_second=100 * MFCC_40.n_mels * (MFCC_40.n_mfcc + len(labels)),
    )


def graph_spec(model: ModelSpec) -> GraphSpec:
    """Return the signature of the tone model's graph."""
    past = (1, WINDOW_FRAMES - FRAMES_PER_SCORE, model.features.n_mels)
    return GraphSpec(
        features=_tensor("features", (1, model.step_frames, model.features.n_mfcc)),
        scores=_tensor("scores", (1, model.scores_per_step, len(model.labels))),
        states=(StateSpec(input=_tensor("state_0", past), output=_tensor("state_0_out", past)),),
    )


def onnx_model(model: ModelSpec) -> bytes:
    """Return the tone model as ONNX bytes."""
    graph = graph_spec(model)
    stride = model.step_frames // model.scores_per_step
    nodes = [
        _node("MatMul", ["features", "to_log_mel"], "unshifted"),
        _node("Add", ["unshifted", "shift"], "log_mel"),  # (1, 8, 40)
        _node("Concat", ["state_0", "log_mel"], "long", axis=1),  # (1, 28, 40)
        _node("Slice", ["long", "starts", "ends", "axes"], "state_0_out"),
        _node("Transpose", ["long"], "bands", perm=[0, 2, 1]),
        _node("AveragePool", ["bands"], "means", kernel_shape=[WINDOW_FRAMES], strides=[stride]),
        _node("Transpose", ["means"], "rows", perm=[0, 2, 1]),  # (1, 2, 40)
        _node("MatMul", ["rows", "weights"], "unbiased"),
        _node("Add", ["unbiased", "bias"], "logits"),
        _node("Softmax", ["logits"], "scores", axis=-1),
    ]
    inputs = [_value(graph.features), *(_value(state.input) for state in graph.states)]
    outputs = [_value(graph.scores), *(_value(state.output) for state in graph.states)]
    weights = [numpy_helper.from_array(a, n) for n, a in _weights(model, graph).items()]
    built = helper.make_model(
        helper.make_graph(nodes, "tones", inputs, outputs, weights),
        opset_imports=[helper.make_opsetid("", 17)],
        ir_version=9,
    )
    onnx.checker.check_model(built)
    return bytes(built.SerializeToString())


def golden_vectors(model: ModelSpec, data: bytes) -> Golden:
    """Return tones between noise with the features and the reference evaluator's scores."""
    frames = model.features.frames(0x7FFF) // model.step_frames * model.step_frames
    heard = [tone(label, labels=model.labels, seconds=0.5) for label in model.commands]
    sound = np.concatenate([noise(seconds=0.5), *heard, noise(seconds=2.0)])
    pcm = sound[: model.features.samples(frames)]
    features = FeatureStream(model.features).push(pcm)
    return Golden(pcm, features, {"onnx-fp32": reference_scores(model, data, features)})


def reference_scores(model: ModelSpec, data: bytes, features: Floats) -> Floats:
    """Return the scores (rows, n_labels) of raw MFCC rows by ONNX Runtime without any engine."""
    import onnxruntime

    session = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])
    normal = (features - np.float32(model.mean)) * np.float32(model.scale)
    state = np.zeros(graph_spec(model).states[0].input.shape, np.float32)
    rows = []
    for start in range(0, len(normal) - model.step_frames + 1, model.step_frames):
        step = normal[None, start : start + model.step_frames]
        scores, state = session.run(None, {"features": step, "state_0": state})
        rows.append(scores[0])
    return np.concatenate(rows)


def manifest(model: ModelSpec, files: dict[str, bytes]) -> Manifest:
    """Return the manifest of the tone bundle with these files."""
    entries = {name: file_entry(name, data) for name, data in files.items()}
    origin = Source(name="tones", licence="Apache-2.0", url="")
    return Manifest(
        schema=1,
        name="tones",
        version="1",
        target="x86",
        model=model,
        feature_digest=model.features.digest(),
        triggers=dict.fromkeys(model.commands, trigger_spec()),
        models=(
            ModelFile(
                format="onnx",
                precision="fp32",
                file=entries["model.onnx"],
                weights=None,
                graph=graph_spec(model),
            ),
        ),
        golden=entries["golden.npz"],
        card=entries["card.md"],
        clip_metrics=(
            ClipMetrics(data="tones", split="none", clips=4, accuracy=1.0, macro_f1=1.0),
        ),
        stream_metrics=(
            StreamMetrics(
                data="tones",
                hours=0.1,
                false_accepts_per_hour_budget=1.0,
                false_accepts_per_hour=0.0,
                miss_rate=dict.fromkeys(model.commands, 0.0),
            ),
        ),
        provenance=Provenance(
            recipe_sha256="0" * 64, base=origin, data=(origin,), edgekws_version="0"
        ),
    )


def trigger_spec() -> TriggerSpec:
    """Return trigger values under which a tone of 0.5 s is one detection."""
    return TriggerSpec(on=0.7, off=0.4, mean_samples=1920, consecutive=2, refractory_samples=8000)


def _bands(labels: tuple[str, ...]) -> dict[str, int]:
    """Return the mel band of each command's tone, spread over the upper bands."""
    commands = [label for label in labels if label not in (SILENCE, UNKNOWN)]
    bands = np.linspace(FIRST_BAND, MFCC_40.n_mels - 3, len(commands)).round().astype(int)
    assert len(set(bands.tolist())) == len(commands), "too many labels for 40 bands"
    return dict(zip(commands, bands.tolist(), strict=True))


def _weights(model: ModelSpec, graph: GraphSpec) -> dict[str, NDArray[Any]]:
    dct = build_tables(model.features).dct.T.astype(np.float64)  # (n_mfcc, n_mels), its own inverse
    past = graph.states[0].input.shape[1]
    weights = np.zeros((model.features.n_mels, len(model.labels)))
    bias = np.zeros(len(model.labels))
    for column, label in enumerate(model.labels):
        if label == SILENCE:
            weights[:, column] = -STEEPNESS / model.features.n_mels
            bias[column] = STEEPNESS * QUIET
        elif label != UNKNOWN:
            weights[:, column] = -STEEPNESS / model.features.n_mels
            weights[_bands(model.labels)[label], column] += STEEPNESS
            bias[column] = -STEEPNESS * PROMINENCE
    return {
        "to_log_mel": (dct / np.array(model.scale)[:, None]).astype(np.float32),
        "shift": (np.array(model.mean) @ dct).astype(np.float32),
        "weights": weights.astype(np.float32),
        "bias": bias.astype(np.float32),
        "starts": np.array([-past]),
        "ends": np.array([np.iinfo(np.int64).max]),
        "axes": np.array([1]),
    }


def _tensor(name: str, shape: tuple[int, ...]) -> TensorSpec:
    return TensorSpec(name=name, shape=shape, dtype="float32", scale=1.0, zero_point=0)


def _value(tensor: TensorSpec) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(tensor.name, TensorProto.FLOAT, tensor.shape)


def _node(kind: str, inputs: list[str], output: str, **attributes: Any) -> onnx.NodeProto:
    return helper.make_node(kind, inputs, [output], **attributes)
