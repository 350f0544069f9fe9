"""Tiny voices for Piper, real ONNX files: every phoneme a tone, every speaker higher by a third."""

import json
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

RATE: Final = 22_050
PHONEME_SAMPLES: Final = 1_500  # at the usual rate


def write_voice(path: Path, *, language: str = "en-us", speakers: int = 1) -> Path:
    """Write a voice and its settings as Piper's trainer does; return the .onnx path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(_model(speakers), path)
    Path(f"{path}.json").write_text(json.dumps(_settings(language, speakers)), encoding="utf-8")
    return path


def _settings(language: str, speakers: int) -> dict[str, Any]:
    letters = "_^$ abdefhijklmnoprstuvwzæðŋɐɑɔəɚɛɜɡɪɹʃʊʌʒˈˌːθ"
    return {
        "audio": {"sample_rate": RATE},
        "espeak": {"voice": language},
        "inference": {"noise_scale": 0.667, "length_scale": 1, "noise_w": 0.8},
        "phoneme_type": "espeak",
        "phoneme_id_map": {letter: [number] for number, letter in enumerate(letters)},
        "num_symbols": len(letters),
        "num_speakers": speakers,
        "speaker_id_map": {},
    }


def _model(speakers: int) -> onnx.ModelProto:
    """Return sin(2 pi t (150 + 8 id) (1 + sid / 3)) per phoneme, with noise by noise_scale."""
    inputs = [
        helper.make_tensor_value_info("input", TensorProto.INT64, [1, "phonemes"]),
        helper.make_tensor_value_info("input_lengths", TensorProto.INT64, [1]),
        helper.make_tensor_value_info("scales", TensorProto.FLOAT, [3]),
    ]
    if speakers > 1:
        inputs.append(helper.make_tensor_value_info("sid", TensorProto.INT64, [1]))
    output = helper.make_tensor_value_info("output", TensorProto.FLOAT, [1, 1, 1, "samples"])
    graph = helper.make_graph(_nodes(speakers), "voice", inputs, [output], list(_constants()))
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 9
    onnx.checker.check_model(model)
    return model


def _nodes(speakers: int) -> list[onnx.NodeProto]:
    node = helper.make_node
    higher = [
        node("Cast", ["sid"], ["speaker"], to=TensorProto.FLOAT),
        node("Mul", ["speaker", "third"], ["thirds"]),
    ]
    return [
        *(higher if speakers > 1 else [node("Identity", ["nothing"], ["thirds"])]),
        node("Add", ["thirds", "one"], ["factor"]),
        node("Split", ["scales"], ["noise_scale", "length_scale", "noise_w"]),
        node("Mul", ["length_scale", "phoneme_samples"], ["stretched"]),
        node("Cast", ["stretched"], ["length"], to=TensorProto.INT64),
        node("Squeeze", ["length"], ["end"]),
        node("Range", ["start", "end", "step"], ["ticks"]),
        node("Cast", ["ticks"], ["tick"], to=TensorProto.FLOAT),  # (samples of a phoneme,)
        node("Cast", ["input"], ["id"], to=TensorProto.FLOAT),
        node("Mul", ["id", "spacing"], ["above"]),
        node("Add", ["above", "lowest"], ["plain"]),
        node("Mul", ["plain", "factor"], ["radians"]),  # (1, phonemes), per sample
        node("Unsqueeze", ["radians", "last"], ["column"]),
        node("Mul", ["column", "tick"], ["phase"]),  # (1, phonemes, samples of a phoneme)
        node("Sin", ["phase"], ["tones"]),
        node("RandomNormalLike", ["tones"], ["random"], scale=0.05),
        node("Mul", ["random", "noise_scale"], ["noise"]),
        node("Add", ["tones", "noise"], ["sound"]),
        node("Reshape", ["sound", "flat"], ["output"]),
    ]


def _constants() -> list[onnx.TensorProto]:
    radians = 2 * np.pi / RATE
    values: dict[str, Any] = {
        "nothing": np.zeros(1, np.float32),
        "one": np.ones(1, np.float32),
        "third": np.full(1, 1 / 3, np.float32),
        "phoneme_samples": np.full(1, PHONEME_SAMPLES, np.float32),
        "start": np.array(0, np.int64),
        "step": np.array(1, np.int64),
        "spacing": np.full(1, 8 * radians, np.float32),
        "lowest": np.full(1, 150 * radians, np.float32),
        "last": np.array([2], np.int64),
        "flat": np.array([1, 1, 1, -1], np.int64),
    }
    return [numpy_helper.from_array(value, name) for name, value in values.items()]
