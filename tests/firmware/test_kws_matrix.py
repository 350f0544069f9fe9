"""The parity matrix: every front end and every engine, on the golden audio of one bundle.

The emulated boards' row is in test_kws_qemu.py; test_kws_trained.py has the rows of a net in torch.
"""

from collections.abc import Callable

import numpy as np
import pytest
import torch

from edgekws.events import Block, Floats, Pcm
from edgekws.export.mcu_reference import ReferenceEngine
from edgekws.features import FeatureStream
from edgekws.runtime.detector import Detector
from edgekws.runtime.wiring import open_device
from edgekws.train.frontend import TorchFrontend
from tests.kws_firmware import CKws, Firmware, Place, c_mfcc, same_places
from tests.parity.tolerances import FIXED_POINT_MFCC, FRONTEND_VS_TWIN


def torch_mfcc(firmware: Firmware, pcm: Pcm) -> Floats:
    audio = torch.from_numpy(pcm.astype(np.float32))[None]
    features: Floats = TorchFrontend(firmware.model.spec.features)(audio)[0].numpy()
    return features


def fixed_mfcc(firmware: Firmware, pcm: Pcm) -> Floats:
    return c_mfcc(firmware, pcm, kind="fixed")


def float_mfcc(firmware: Firmware, pcm: Pcm) -> Floats:
    return c_mfcc(firmware, pcm, kind="float")


@pytest.mark.parametrize(
    ("front_end", "atol"),
    [
        pytest.param(torch_mfcc, FRONTEND_VS_TWIN, id="torch"),
        pytest.param(float_mfcc, FRONTEND_VS_TWIN, id="C float"),
        pytest.param(fixed_mfcc, FIXED_POINT_MFCC, id="C fixed point"),
    ],
)
def test_every_front_end_has_the_features_of_numpy(
    firmware: Firmware, front_end: Callable[[Firmware, Pcm], Floats], atol: float
) -> None:
    pcm = firmware.bundle.golden().pcm
    wanted = FeatureStream(firmware.model.spec.features).push(pcm)
    np.testing.assert_allclose(front_end(firmware, pcm), wanted, rtol=0, atol=atol)


def by_bundle(key: str) -> Callable[[Firmware], list[Place]]:
    def hear(firmware: Firmware) -> list[Place]:
        device = open_device(firmware.bundle, key=key)
        return heard(firmware, device.detector)

    return hear


def by_reference_kernels(firmware: Firmware) -> list[Place]:
    model = firmware.model
    engine = ReferenceEngine(model.data, model.file.graph)
    return heard(firmware, Detector(model.spec, engine, model.manifest.triggers))


def by_c(kind: str) -> Callable[[Firmware], list[Place]]:
    return lambda firmware: CKws(firmware, kind=kind).push(firmware.bundle.golden().pcm).places()


def heard(firmware: Firmware, detector: Detector) -> list[Place]:
    found = detector.push(Block(firmware.bundle.golden().pcm, 0))
    return [(d.label, d.sample) for d in found]


@pytest.mark.parametrize(
    "hear",
    [
        pytest.param(by_bundle("onnx-int8"), id="numpy, ONNX int8"),
        pytest.param(by_reference_kernels, id="numpy, TFLite reference kernels"),
        pytest.param(by_c("fixed"), id="C on the host, fixed point"),
        pytest.param(by_c("float"), id="C on the host, float"),
    ],
)
def test_golden_audio_has_the_detections_of_tflite_int8(
    firmware: Firmware, hear: Callable[[Firmware], list[Place]]
) -> None:
    wanted = by_bundle("tflite-int8")(firmware)
    assert same_places(hear(firmware), wanted, slack=firmware.model.spec.samples_per_score)
