"""All that runs a bundle here is measured, and the cheapest is named with the lines to write."""

import time
from pathlib import Path
from typing import Final

import pytest

from edgekws.bundle import Bundle, open_bundle
from edgekws.engines import Engine, open_engine
from edgekws.engines.accelerators import Accelerator
from edgekws.errors import BundleError
from edgekws.events import Floats
from edgekws.runtime.auto import advice, measure_all, open_all
from edgekws.runtime.config import decode_config
from edgekws.specs import GraphSpec
from tests.bundles import make_bundle

SOME_CPU_SECONDS: Final = 0.05  # that a test takes for each
WASTED_SECONDS: Final = 0.002  # per step, where the tone model takes 0.0001


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return open_bundle(make_bundle(tmp_path_factory.mktemp("auto") / "tones"))


class Wasteful:
    """An engine that is right, and burns time at every step."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def step(self, features: Floats) -> Floats:
        end = time.process_time() + WASTED_SECONDS
        while time.process_time() < end:
            pass
        return self._engine.step(features)

    def reset(self) -> None:
        self._engine.reset()


def wasteful(model: bytes | Path, graph: GraphSpec) -> Engine:
    return Wasteful(open_engine("onnx", model, graph))


def test_the_cheapest_comes_first(bundle: Bundle) -> None:
    devices, refused = open_all(bundle, [Accelerator("wasteful", "onnx", wasteful)])
    assert refused == []
    assert [device.accelerator for device in devices] == [None, "wasteful"]
    cheap, dear = measure_all(devices[::-1], cpu_seconds=SOME_CPU_SECONDS)
    assert (cheap.device.accelerator, dear.device.accelerator) == (None, "wasteful")
    assert 0 < cheap.core_share < dear.core_share < 1


def test_each_is_measured_for_the_time_asked_for(bundle: Bundle) -> None:
    devices, _ = open_all(bundle)
    measure_all(devices, cpu_seconds=0.001)
    before = time.process_time()
    measure_all(devices * 2, cpu_seconds=SOME_CPU_SECONDS)
    assert time.process_time() - before >= 2 * SOME_CPU_SECONDS


def test_the_advice_is_what_a_listen_toml_takes(bundle: Bundle) -> None:
    devices, _ = open_all(bundle, [Accelerator("cuda", "onnx", wasteful)])
    measured = measure_all(devices[1:], cpu_seconds=SOME_CPU_SECONDS)
    text = advice(measured)
    assert text.startswith("take onnx-fp32 on cuda (of a core: onnx-fp32 on cuda ")
    lines = text.partition("in listen.toml: ")[2].replace(" and ", "\n")
    config = decode_config(lines, where=Path("listen.toml"))
    assert (config.model, config.accelerators) == ("onnx-fp32", ("cuda",))


def test_a_model_that_fails_its_check_is_left_out_with_the_reason(tmp_path: Path) -> None:
    path = make_bundle(tmp_path / "tones")
    bundle = open_bundle(path)
    (path / "model.onnx").write_bytes(b"damaged since")
    devices, (refusal,) = open_all(bundle)
    assert devices == []
    assert refusal.key == "onnx-fp32"
    assert isinstance(refusal.reason, BundleError)
