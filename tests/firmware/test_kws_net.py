"""The engine in C computes what TFLite's reference kernels compute, bit for bit."""

from collections.abc import Iterator

import numpy as np
import pytest

from edgekws.cli.app import main
from edgekws.export.mcu_reference import Integers, ReferenceEngine
from edgekws.export.scores import clip_steps
from tests.kws_firmware import TINY, CNet, Firmware, build_firmware
from tests.needs import lacking
from tests.runs import SMALL_ORDERED, write_run
from tests.speech import Speech

SMALL = TINY.parent / "commands-12-small"
NOISE_STEPS = 100


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Firmware:
    return build_firmware(tmp_path_factory.mktemp("small"), bundle=SMALL)


@pytest.fixture(scope="module")
def ordered(tmp_path_factory: pytest.TempPathFactory) -> Firmware:
    """Return the firmware of a net that hears the order of embeddings, some rows apart."""
    folder = tmp_path_factory.mktemp("ordered")
    run = write_run(folder / "run", SMALL_ORDERED)
    words = ["export", str(run), "--target", "x86", "--model", "tflite-int8", "--out", str(folder)]
    assert main(words) == 0
    (bundle,) = folder.glob("*-x86")
    return build_firmware(folder / "firmware", bundle=bundle)


def reference(firmware: Firmware) -> ReferenceEngine:
    return ReferenceEngine(firmware.model.data, firmware.model.file.graph)


def golden_steps(firmware: Firmware) -> Iterator[Integers]:
    """Give the steps of the golden audio, then every value that a feature can have."""
    engine = reference(firmware)
    for step in clip_steps(firmware.model.spec, firmware.bundle.golden().pcm):
        yield engine.quantize(step)
    shape = firmware.model.file.graph.features.shape[1:]
    generator = np.random.default_rng(6)
    for _ in range(NOISE_STEPS):
        yield generator.integers(-128, 128, shape, np.int8)


def test_scores_are_those_of_the_reference_kernels_bit_for_bit(firmware: Firmware) -> None:
    engine, net = reference(firmware), CNet(firmware)
    for at, step in enumerate(golden_steps(firmware)):
        np.testing.assert_array_equal(net.step(step), engine.step_integers(step), f"step {at}")


def test_another_net_of_the_same_kind_is_as_exact(small: Firmware) -> None:
    engine, net = reference(small), CNet(small)
    for at, step in enumerate(golden_steps(small)):
        np.testing.assert_array_equal(net.step(step), engine.step_integers(step), f"step {at}")


def test_a_window_of_rows_that_are_apart_is_as_exact(ordered: Firmware) -> None:
    engine, net = reference(ordered), CNet(ordered)
    for at, step in enumerate(golden_steps(ordered)):
        np.testing.assert_array_equal(net.step(step), engine.step_integers(step), f"step {at}")


def test_speech_gives_the_same_scores_in_tensorflow_lite_micro(
    firmware: Firmware, speech: Speech
) -> None:
    try:
        from tflite_micro import runtime
    except ImportError:
        lacking("needs tflite-micro: pip install 'edgekws[export-mcu]'")
    engine, net, graph = reference(firmware), CNet(firmware), firmware.model.file.graph
    interpreter = runtime.Interpreter.from_bytes(firmware.model.data, arena_size=1 << 18)
    states = [np.full(s.input.shape, s.input.zero_point, np.int8) for s in graph.states]
    for step in clip_steps(firmware.model.spec, speech.sentences(32_000)):
        quantized = engine.quantize(step)
        for index, array in enumerate([quantized[None], *states]):
            interpreter.set_input(array, index)
        interpreter.invoke()
        np.testing.assert_array_equal(net.step(quantized), interpreter.get_output(0)[0])
        states = [interpreter.get_output(1 + n) for n in range(len(states))]


def test_a_reset_forgets_the_stream(firmware: Firmware) -> None:
    net = CNet(firmware)
    steps = list(golden_steps(firmware))[-8:]
    first = [net.step(step) for step in steps]
    again = [net.step(step) for step in steps]
    net.reset()
    anew = [net.step(step) for step in steps]
    np.testing.assert_array_equal(first, anew)
    assert not np.array_equal(first, again)
