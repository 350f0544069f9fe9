"""An accelerator runs a bundle only after the golden vectors; for any other a warning says why."""

from pathlib import Path
from typing import Final

import numpy as np
import onnxruntime
import pytest

from edgekws.bundle import Bundle, open_bundle
from edgekws.engines import Engine, open_engine
from edgekws.engines.accelerators import ACCELERATORS, Accelerator, find_accelerators
from edgekws.engines.onnx_accelerated import open_on
from edgekws.errors import BundleError, MissingExtraError, UsageError
from edgekws.events import Block, Floats
from edgekws.runtime.agreement import LARGEST
from edgekws.runtime.wiring import Device, open_device
from edgekws.specs import GraphSpec
from tests.bundles import graph_spec, make_bundle, model_spec, noise, onnx_model, tone

NO_GPU: Final = not {"CUDAExecutionProvider"} & set(onnxruntime.get_available_providers())
OTHER: Final = "AzureExecutionProvider"  # the one besides the CPU's that every build has


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return open_bundle(make_bundle(tmp_path_factory.mktemp("choice") / "tones"))


class OffBy:
    """An engine whose first score is wrong by so much."""

    def __init__(self, engine: Engine, difference: float) -> None:
        self._engine, self._difference = engine, difference

    def step(self, features: Floats) -> Floats:
        scores = self._engine.step(features)
        scores[0, 0] += self._difference
        return scores

    def reset(self) -> None:
        self._engine.reset()


def accelerator(name: str, *, off_by: float = 0.0) -> Accelerator:
    """Return one that runs on the CPU, and is wrong by so much."""

    def opened(model: bytes | Path, graph: GraphSpec) -> Engine:
        return OffBy(open_engine("onnx", model, graph), off_by)

    return Accelerator(name, "onnx", opened)


def unable(name: str) -> Accelerator:
    return Accelerator(name, "onnx", lambda model, graph: open_engine("onnx", b"damaged", graph))


def hears(device: Device) -> bool:
    found = device.detector.push(Block(np.concatenate((noise(), tone("yes"))), 0))
    return [detection.label for detection in found] == ["yes"]


def test_one_that_agrees_with_the_golden_vectors_is_taken(
    bundle: Bundle, caplog: pytest.LogCaptureFixture
) -> None:
    near = accelerator("near", off_by=0.5 * LARGEST["fp32"])
    device = open_device(bundle, accelerators=[near])
    assert (device.accelerator, device.model_file.key) == ("near", "onnx-fp32")
    assert caplog.messages == []
    assert hears(device)


def test_one_that_disagrees_is_not_taken_and_the_warning_says_by_how_much(
    bundle: Bundle, caplog: pytest.LogCaptureFixture
) -> None:
    device = open_device(bundle, accelerators=[accelerator("wrong", off_by=0.25)])
    assert device.accelerator is None
    (message,) = caplog.messages
    assert message.startswith("not on wrong, because")
    assert "scores differ from golden ones by 0.25 > 0.001" in message
    assert hears(device)


def test_one_that_does_not_take_the_model_is_not_taken(
    bundle: Bundle, caplog: pytest.LogCaptureFixture
) -> None:
    device = open_device(bundle, accelerators=[unable("unable")])
    assert device.accelerator is None
    assert "not on unable, because a model of 7 bytes: ONNX Runtime" in caplog.messages[0]
    assert hears(device)


def test_the_second_is_tried_where_the_first_is_refused(
    bundle: Bundle, caplog: pytest.LogCaptureFixture
) -> None:
    tried = [accelerator("wrong", off_by=np.nan), unable("unable"), accelerator("right")]
    assert open_device(bundle, accelerators=tried).accelerator == "right"
    assert [message.split()[2] for message in caplog.messages] == ["wrong,", "unable,"]


def test_one_for_another_format_is_not_taken(
    bundle: Bundle, caplog: pytest.LogCaptureFixture
) -> None:
    other = Accelerator("npu", "tflite", unable("npu").open)
    assert open_device(bundle, accelerators=[other]).accelerator is None
    assert caplog.messages == [
        "not on npu, because it runs tflite, and no model in question is of that"
    ]


@pytest.mark.skipif(not NO_GPU, reason="this ONNX Runtime has CUDA")
@pytest.mark.parametrize("name", ACCELERATORS)
def test_without_a_gpu_the_cpu_listens_and_the_warning_says_what_is_missing(
    bundle: Bundle, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    device = open_device(bundle, accelerators=find_accelerators([name]))
    assert device.accelerator is None
    (message,) = caplog.messages
    assert message.startswith(f"not on {name}, because ONNX Runtime {onnxruntime.__version__} here")
    assert "CPUExecutionProvider: install the onnxruntime-gpu that is made for" in message
    assert hears(device)


def test_another_provider_of_the_real_runtime_is_checked_and_taken(bundle: Bundle) -> None:
    def opened(model: bytes | Path, graph: GraphSpec) -> Engine:
        return open_on(model, graph, providers=[(OTHER, {})])

    device = open_device(bundle, accelerators=[Accelerator("azure", "onnx", opened)])
    assert device.accelerator == "azure"
    assert hears(device)


def test_a_model_that_no_provider_loads_is_a_bundle_error() -> None:
    with pytest.raises(BundleError, match="cannot load the model"):
        open_on(b"damaged", graph_spec(model_spec()), providers=[(OTHER, {})])


def test_a_provider_that_is_not_built_in_is_an_error_though_the_runtime_would_go_on() -> None:
    with pytest.raises(MissingExtraError, match="has no NpuExecutionProvider, only"):
        open_on(
            onnx_model(model_spec()),
            graph_spec(model_spec()),
            providers=[("NpuExecutionProvider", {})],
        )


def test_a_name_that_there_is_not_is_refused_with_those_there_are() -> None:
    with pytest.raises(UsageError, match="no accelerator 'gpu'; there is tensorrt, cuda"):
        find_accelerators(["cuda", "gpu"])
