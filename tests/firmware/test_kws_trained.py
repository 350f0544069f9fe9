"""The parity matrix from the trained net in torch down to the emulated board.

The torch weights of the shipped bundles are not part of the project, so a small net is trained,
exported as `edgekws export` does it, and heard in every arithmetic: torch, ONNX int8, TFLite int8
and its reference kernels, C on the host, C on an emulated Cortex-M4.
"""

from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
import pytest
import torch

from edgekws.cli.app import main
from edgekws.events import Block, Floats, Pcm
from edgekws.export.mcu_reference import ReferenceEngine
from edgekws.export.scores import clip_steps, score_steps
from edgekws.runtime.detector import Detector
from edgekws.runtime.wiring import open_device
from edgekws.train.frontend import TorchFrontend
from edgekws.train.nets import StreamingNet
from tests.kws_board import places_of, run_on_board
from tests.kws_firmware import CKws, Firmware, Place, build_firmware, c_mfcc, same_places
from tests.parity.tolerances import FIXED_POINT_MFCC, FRONTEND_VS_TWIN
from tests.runs import RATE, trained, write_run

INT8_POSTERIORS: Final = 0.1
"""Torch in float against int8: 0.035 measured on the stream; a wrong scale costs 0.5."""

STREAM_SECONDS: Final = 12  # of the run's own stream: two rising tones, three falling ones


class TorchEngine:
    """The trained net itself, step by step."""

    def __init__(self, net: StreamingNet) -> None:
        self._net = net
        self.reset()

    def reset(self) -> None:
        self._states = self._net.zero_states()

    def step(self, features: Floats) -> Floats:
        """Take (step_frames, n_mfcc), return (rows, n_labels) posteriors."""
        with torch.inference_mode():
            logits, self._states = self._net(torch.from_numpy(features.copy())[None], self._states)
            scores: Floats = torch.softmax(logits, -1)[0].numpy()
        return scores


class Matrix(NamedTuple):
    """The trained net, and the firmware of the bundle that was exported of it."""

    net: StreamingNet
    stream: Pcm
    firmware: Firmware


@pytest.fixture(scope="module")
def matrix(tmp_path_factory: pytest.TempPathFactory) -> Matrix:
    folder, made = tmp_path_factory.mktemp("trained"), trained()
    models = ["--model", "onnx-int8", "--model", "tflite-int8"]
    run = write_run(folder / "run")
    assert main(["export", str(run), "--target", "x86", "--out", str(folder), *models]) == 0
    firmware = build_firmware(folder / "firmware", bundle=folder / "tones-x86")
    return Matrix(made.net, made.stream.pcm[: STREAM_SECONDS * RATE], firmware)


def detector(matrix: Matrix, kind: str) -> Detector:
    bundle, model = matrix.firmware.bundle, matrix.firmware.model
    if kind in ("onnx-int8", "tflite-int8"):
        return open_device(bundle, key=kind).detector
    reference = ReferenceEngine(model.data, model.file.graph)
    engine = TorchEngine(matrix.net) if kind == "torch" else reference
    return Detector(model.spec, engine, model.manifest.triggers)


def heard(matrix: Matrix, kind: str, pcm: Pcm) -> list[Place]:
    if kind.startswith("C "):
        return CKws(matrix.firmware, kind=kind.removeprefix("C ")).push(pcm, portion=333).places()
    return [(d.label, d.sample) for d in detector(matrix, kind).push(Block(pcm, 0))]


@pytest.mark.parametrize(
    "kind", ["onnx-int8", "tflite-int8", "reference kernels", "C fixed", "C float"]
)
def test_every_engine_hears_what_the_trained_net_hears(matrix: Matrix, kind: str) -> None:
    slack = matrix.firmware.model.spec.samples_per_score
    for pcm, least in ((matrix.firmware.bundle.golden().pcm, 2), (matrix.stream, 5)):
        wanted = heard(matrix, "torch", pcm)
        assert len(wanted) >= least
        assert same_places(heard(matrix, kind, pcm), wanted, slack=slack)


def test_the_emulated_board_hears_what_the_trained_net_hears(
    matrix: Matrix, tmp_path: Path
) -> None:
    lines = run_on_board(matrix.firmware, "m4", tmp_path, front_end="fixed")
    wanted = heard(matrix, "torch", matrix.firmware.bundle.golden().pcm)
    slack = matrix.firmware.model.spec.samples_per_score
    assert same_places(places_of(lines), wanted, slack=slack)
    assert [line.split()[1] for line in lines if line.startswith("pass ")] == ["fixed", "float"]


def test_posteriors_of_the_integer_arithmetic_are_those_of_torch(matrix: Matrix) -> None:
    """The bits of C are those of the reference kernels: test_kws_net.py."""
    model = matrix.firmware.model
    integers = ReferenceEngine(model.data, model.file.graph)
    steps = clip_steps(model.spec, matrix.stream)
    wanted = score_steps(model.spec, TorchEngine(matrix.net), steps)
    found = score_steps(model.spec, integers, steps)
    np.testing.assert_allclose(found, wanted, rtol=0, atol=INT8_POSTERIORS)


@pytest.mark.parametrize(
    ("kind", "atol"), [("fixed", FIXED_POINT_MFCC), ("float", FRONTEND_VS_TWIN)]
)
def test_features_in_c_are_those_that_the_net_was_trained_on(
    matrix: Matrix, kind: str, atol: float
) -> None:
    audio = torch.from_numpy(matrix.stream.astype(np.float32))[None]
    wanted = TorchFrontend(matrix.firmware.model.spec.features)(audio)[0].numpy()
    found = c_mfcc(matrix.firmware, matrix.stream, kind=kind)
    np.testing.assert_allclose(found, wanted, rtol=0, atol=atol)
