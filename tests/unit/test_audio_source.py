"""Naming a source, and the file source."""

import sys
from importlib.metadata import EntryPoint, EntryPoints
from itertools import pairwise
from pathlib import Path
from typing import Final

import numpy as np
import pytest

from edgekws.audio import source
from edgekws.audio.child import ChildSource
from edgekws.audio.microphone import Microphone
from edgekws.audio.satellite import Satellite
from edgekws.audio.source import open_source
from edgekws.audio.stdin import StdinSource
from edgekws.audio.wav import WavSource
from edgekws.errors import DataError, UsageError
from tests.virtual_microphone import write_wav

RATE: Final = 16_000
BLOCK: Final = 1280
PCM: Final = np.random.default_rng(2).integers(-32768, 32768, 5_000).astype(np.int16)


def opened(text: str) -> source.AudioSource:
    return open_source(text, sample_rate=RATE, block_samples=BLOCK)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("mic:", Microphone),
        ("mic", Microphone),
        ("mic:USB*", Microphone),
        ("wav:a.wav", WavSource),
        ("-", StdinSource),
        ("exec:arecord -t raw", ChildSource),
        ("tcp://:10700", Satellite),
    ],
)
def test_a_name_gives_its_source_and_opens_nothing(text: str, kind: type) -> None:
    assert isinstance(opened(text), kind)


@pytest.mark.parametrize("text", ["", "tape:", "kitchen.wav", "MIC:"])
def test_an_unknown_source_is_refused_with_a_list_of_those_there_are(text: str) -> None:
    with pytest.raises(UsageError, match=r"mic:, mic:NAME, wav:PATH, - \(raw s16le on stdin\)"):
        opened(text)


@pytest.mark.parametrize("text", ["wav:", "-:x"])
def test_a_senseless_argument_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        opened(text)


def plug_in(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    def installed(*, group: str) -> EntryPoints:
        return EntryPoints([EntryPoint(name="tape", value=value, group=group)])

    monkeypatch.setattr("importlib.metadata.entry_points", installed)


def test_a_plug_in_is_found_by_its_entry_point(monkeypatch: pytest.MonkeyPatch) -> None:
    plug_in(monkeypatch, "edgekws.audio.wav:WavSource")
    assert opened("tape:a.wav").name == "wav:a.wav"


def test_a_plug_in_that_does_not_load_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    plug_in(monkeypatch, "no_such_module:Tape")
    with pytest.raises(UsageError, match="'tape' cannot be loaded from no_such_module:Tape"):
        opened("tape:a.wav")


def test_naming_a_microphone_does_not_import_pyaudio(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyaudio", None)
    assert opened("mic:").name == "mic:"


def test_a_file_comes_in_blocks_without_a_gap(tmp_path: Path) -> None:
    path = write_wav(tmp_path / "a.wav", PCM)
    with opened(f"wav:{path}") as wav:
        blocks = list(wav)
    assert [len(block.pcm) for block in blocks] == [BLOCK, BLOCK, BLOCK, 5_000 - 3 * BLOCK]
    assert blocks[0].start == 0
    assert all(a.end == b.start for a, b in pairwise(blocks))
    np.testing.assert_array_equal(np.concatenate([block.pcm for block in blocks]), PCM)


def test_a_file_stops_before_the_next_block(tmp_path: Path) -> None:
    path = write_wav(tmp_path / "a.wav", PCM)
    with opened(f"wav:{path}") as wav:
        blocks = iter(wav)
        next(blocks)
        wav.stop()
        assert list(blocks) == []


def test_a_missing_file_is_refused_on_entering(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such file"), opened(f"wav:{tmp_path}/absent.wav"):
        pass
