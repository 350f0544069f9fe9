"""Choosing an input device and its format, and what a person reads where that fails."""

import os
import sys
from dataclasses import dataclass
from typing import Final, Self

import pytest

from edgekws.audio.devices import InputDevice, choose_device, list_devices, quiet_stderr
from edgekws.audio.microphone import Microphone
from edgekws.audio.stream_format import INT16, StreamFormat, choose_format
from edgekws.errors import MissingExtraError, SourceError

BLOCK: Final = 1280


def device(name: str, *, is_default: bool = False) -> InputDevice:
    return InputDevice(
        name=name, channels=2, default_rate=48_000, host_api="ALSA", is_default=is_default
    )


DEVICES: Final = {
    0: device("HDA Intel PCH: ALC257 Analog (hw:0,0)"),
    3: device("USB PnP Sound Device: Audio (hw:1,0)"),
    4: device("USB PnP Sound Device: Audio (hw:1,1)"),
    7: device("pulse"),
    9: device("pulse monitor"),
    11: device("default", is_default=True),
}


class FakePortAudio:
    """PyAudio's module and its object in one, with devices of these names; the first is default."""

    def __init__(self, *names: str) -> None:
        self.names = names

    def PyAudio(self) -> Self:  # noqa: N802  (theirs)
        return self

    def get_device_count(self) -> int:
        return len(self.names)

    def get_device_info_by_index(self, index: int) -> dict[str, object]:
        name = self.names[index]
        return {
            "index": index,
            "name": name,
            "maxInputChannels": 1,
            "defaultSampleRate": 16e3,
            "hostApi": 0,
        }

    def get_default_input_device_info(self) -> dict[str, object]:
        return self.get_device_info_by_index(0)

    def get_host_api_info_by_index(self, index: int) -> dict[str, str]:
        return {"name": "ALSA"}

    def is_format_supported(self, rate: int, **format: object) -> bool:
        return True

    def open(self, **settings: object) -> Self:
        return self

    def close(self) -> None:
        pass

    terminate = close


def opened(microphone: Microphone, *names: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """Open and close the microphone on a machine with these devices; return which one it took."""
    monkeypatch.setitem(sys.modules, "pyaudio", FakePortAudio(*names))
    with microphone:
        return microphone.device


def test_the_default_device_is_taken_again_and_no_other_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """ALSA may have given it another number meanwhile."""
    one = Microphone("", sample_rate=16_000, block_samples=BLOCK)
    assert opened(one, "USB: Audio (hw:1,0)", monkeypatch=monkeypatch) == "USB: Audio (hw:1,0)"
    with pytest.raises(
        SourceError, match=r"was 'USB: Audio \(hw:1,0\)' and is 'Webcam' now, which"
    ):
        opened(one, "Webcam", "USB: Audio (hw:2,0)", monkeypatch=monkeypatch)
    assert opened(one, "USB: Audio (hw:2,0)", monkeypatch=monkeypatch) == "USB: Audio (hw:2,0)"


def test_another_device_that_a_pattern_suits_is_taken_and_said(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    one = Microphone("usb*", sample_rate=16_000, block_samples=BLOCK)
    opened(one, "Webcam", "USB left", monkeypatch=monkeypatch)
    assert opened(one, "Webcam", "USB right", monkeypatch=monkeypatch) == "USB right"
    assert [r.getMessage() for r in caplog.records if r.levelname == "WARNING"] == [
        "microphone was device='USB left' and is another now: device='USB right'"
    ]
    with pytest.raises(SourceError, match="no input device matches 'usb"):
        opened(one, "Webcam", monkeypatch=monkeypatch)


@dataclass(frozen=True)
class FakeAudio:
    """Offers these (rate, channels) and says no as PyAudio does."""

    offered: frozenset[tuple[int, int]]

    def is_format_supported(
        self, rate: int, *, input_device: int, input_channels: int, input_format: int
    ) -> bool:
        assert (input_device, input_format) == (3, INT16)
        if (rate, input_channels) not in self.offered:
            raise ValueError("Invalid sample rate", -9997)
        return True


def chosen(*offered: tuple[int, int]) -> StreamFormat:
    return choose_format(
        FakeAudio(frozenset(offered)), 3, device=DEVICES[3], sample_rate=16_000, block_samples=BLOCK
    )


@pytest.mark.parametrize(
    ("wanted", "index"),
    [
        ("", 11),
        ("pulse", 7),
        ("PULSE", 7),
        ("pulse mon", 9),
        ("usb pnp", 3),
        ("USB*hw:1,1)", 4),
        ("*analog*", 0),
        ("HDA Intel PCH: ALC257 Analog (hw:0,0)", 0),
    ],
)
def test_a_name_part_or_pattern_chooses_a_device(wanted: str, index: int) -> None:
    assert choose_device(DEVICES, wanted) == index


@pytest.mark.parametrize("wanted", ["webcam", "3", "usb?", "*front*"])
def test_an_unknown_device_is_refused_with_a_list_of_those_there_are(wanted: str) -> None:
    with pytest.raises(SourceError) as caught:
        choose_device({7: DEVICES[7], 11: DEVICES[11]}, wanted)
    assert str(caught.value) == (
        f"no input device matches {wanted!r}; name one of 'pulse', 'default'"
    )


def test_a_machine_without_a_default_device_says_so() -> None:
    with pytest.raises(SourceError, match="there is no default input device; name one of 'pulse'"):
        choose_device({7: DEVICES[7]}, "")
    with pytest.raises(SourceError, match="none is there at all: plug in a microphone"):
        choose_device({}, "")


def test_our_own_rate_in_mono_is_taken_where_it_is_offered() -> None:
    everything = [(rate, channels) for rate in (16_000, 48_000) for channels in (1, 2)]
    assert chosen(*everything) == StreamFormat(rate=16_000, channels=1, block_frames=BLOCK)


def test_our_rate_in_stereo_goes_before_another_rate() -> None:
    assert chosen((48_000, 1), (16_000, 2)) == StreamFormat(16_000, 2, BLOCK)


def test_the_devices_own_format_is_taken_else_with_blocks_as_long_in_time() -> None:
    assert chosen((48_000, 2)) == StreamFormat(rate=48_000, channels=2, block_frames=3 * BLOCK)


def test_a_device_without_int16_is_refused() -> None:
    with pytest.raises(SourceError, match="neither at 16000 Hz nor at 48000 Hz"):
        chosen()


def test_missing_pyaudio_is_named_with_its_apt_and_pip_lines(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "pyaudio", None)
    with pytest.raises(MissingExtraError) as caught:
        list_devices()
    assert "apt install portaudio19-dev" in str(caught.value)
    assert "pip install 'edgekws[mic]'" in str(caught.value)


def test_chatter_of_c_libraries_becomes_debug_lines_and_ours_stays(
    capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    with quiet_stderr():
        os.write(2, b"ALSA lib pcm.c: Unknown PCM\n" * 3)
    os.write(2, b"ours\n")
    assert capfd.readouterr().err == "ours\n"
    assert caplog.messages == ["portaudio ALSA lib pcm.c: Unknown PCM"]
