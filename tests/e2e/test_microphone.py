"""A real PortAudio stream from a real sound server: what is played is what is heard."""

import threading
from itertools import pairwise
from typing import Final

import numpy as np
import pytest

from edgekws.audio import capture, stream_format
from edgekws.audio.microphone import Microphone, list_devices
from edgekws.errors import SourceError
from edgekws.events import Block, Pcm
from tests.virtual_microphone import VirtualMicrophone, probe, require_programs

pytestmark = pytest.mark.microphone

RATE: Final = 16_000
BLOCK: Final = 1280
AFTER: Final = 12  # blocks without sound that end a probe: longer than any latency on the way


@pytest.fixture(autouse=True)
def on_this_process(virtual_microphone: VirtualMicrophone, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in virtual_microphone.environment.items():
        monkeypatch.setenv(name, value)


def microphone(name: str) -> Microphone:
    return Microphone(name, sample_rate=RATE, block_samples=BLOCK)


def record(source: Microphone, *, player: threading.Thread) -> list[Block]:
    """Start the player at the first block; stop when it is quiet again after the sound."""
    blocks: list[Block] = []
    sounding = False
    quiet = 0
    for block in source:
        if not blocks:
            player.start()
        blocks.append(block)
        sounding = sounding or bool(block.pcm.any())
        quiet = 0 if block.pcm.any() else quiet + 1
        if sounding and quiet == AFTER:
            source.stop()
    player.join()
    return blocks


def sound_of(blocks: list[Block]) -> Pcm:
    pcm = np.concatenate([block.pcm for block in blocks])
    (places,) = np.nonzero(pcm)
    return pcm[places[0] : places[-1] + 1]


@pytest.mark.parametrize("name", ["", "kitchen"])
def test_what_is_played_is_heard_bit_exact(
    virtual_microphone: VirtualMicrophone, name: str
) -> None:
    played = probe(seconds=1.0, seed=5)
    player = threading.Thread(
        target=virtual_microphone.play, args=(played,), kwargs={"lead_seconds": 0.5}
    )
    with microphone(name) as source:
        blocks = record(source, player=player)
        assert source.dropped_frames == 0
    assert blocks[0].start == 0
    assert all(a.end == b.start for a, b in pairwise(blocks))
    np.testing.assert_array_equal(sound_of(blocks), played)


def test_a_microphone_that_dies_is_a_source_error(virtual_microphone: VirtualMicrophone) -> None:
    with microphone("") as source:
        blocks = iter(source)
        next(blocks)
        virtual_microphone.end_server()
        with pytest.raises(SourceError, match=r"mic:: no audio for 1.8 s; check"):
            list(blocks)


def test_an_unknown_device_is_refused_quietly_with_a_list(
    capfd: pytest.CaptureFixture[str],
) -> None:
    with (
        pytest.raises(
            SourceError, match=r"no input device matches 'webcam'; name one of .*'kitchen'"
        ),
        microphone("webcam"),
    ):
        pass
    assert capfd.readouterr().err == ""


def test_devices_are_listed_and_one_is_the_default() -> None:
    devices = {device.name: device for device in list_devices()}
    assert devices["kitchen"].channels > 0
    assert devices["kitchen"].host_api == "ALSA"
    assert [name for name, device in devices.items() if device.is_default] == ["default"]


def test_a_microphone_opens_again_and_stops_before_its_first_block() -> None:
    for _ in range(2):
        with microphone("") as source:
            source.stop()
            assert list(source) == []


def test_our_constants_are_portaudios() -> None:
    theirs = pytest.importorskip("pyaudio")
    assert theirs.paContinue == capture.CONTINUE
    assert theirs.paInputOverflow == capture.INPUT_OVERFLOW
    assert theirs.paInt16 == stream_format.INT16


def test_missing_programs_fail_in_ci_and_are_skipped_elsewhere(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setenv("CI", "")
    monkeypatch.setenv("EDGEKWS_REQUIRE_MICROPHONE", "1")
    with pytest.raises(pytest.fail.Exception, match="missing: pulseaudio"):
        require_programs()
    monkeypatch.delenv("EDGEKWS_REQUIRE_MICROPHONE")
    with pytest.raises(pytest.skip.Exception, match="apt install"):
        require_programs()
