"""`edgekws listen` as a process: audio in, JSON lines out."""

from pathlib import Path
from typing import Any, Final

import numpy as np
import pytest
import soundfile
import soxr

from edgekws.events import Pcm
from tests.bundles import make_bundle, noise, tone
from tests.commands import RATE, Listening, edgekws, write_wav

DETECTION_KEYS: Final = ["event", "id", "label", "score", "sample", "time_seconds"]
DISPATCH_KEYS: Final = [
    "event",
    "id",
    "label",
    "sink",
    "status",
    "detail",
    "exit_code",
    "attempts",
]


def recording() -> Pcm:
    """Return "yes" at 2 s and "开灯" at 5 s between noise, (n,) int16."""
    return np.concatenate(
        (noise(seconds=2), tone("yes"), noise(seconds=2), tone("开灯"), noise(seconds=2))
    )


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_bundle(tmp_path_factory.mktemp("listen") / "tones")


@pytest.fixture(scope="module")
def wav(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_wav(tmp_path_factory.mktemp("audio") / "commands.wav", recording())


def test_a_recording_becomes_detections_and_their_dispatches(bundle: Path, wav: Path) -> None:
    done = edgekws("listen", "--bundle", bundle, "--source", f"wav:{wav}")
    assert done.code == 0, done.stderr
    detections = [line for line in done.lines if line["event"] == "detection"]
    assert [line["label"] for line in detections] == ["yes", "开灯"]
    by_event = {line["event"]: list(line) for line in done.lines}
    assert by_event == {"detection": DETECTION_KEYS, "dispatch": DISPATCH_KEYS}
    for line in detections:
        assert line["time_seconds"] == line["sample"] / 16_000
    for start, line in zip((2.0, 5.0), detections, strict=True):
        assert start < line["time_seconds"] < start + 1.0


@pytest.mark.parametrize(("rate", "channels"), [(44_100, 2), (48_000, 1), (22_050, 2)])
def test_a_recording_of_another_rate_and_channel_count_is_heard_as_well(
    bundle: Path, tmp_path: Path, rate: int, channels: int
) -> None:
    path = tmp_path / "foreign.wav"
    sound = soxr.resample(recording().astype(np.float32) / 32_768, RATE, rate)
    soundfile.write(path, np.stack([sound] * channels, axis=1), rate, "PCM_16")
    done = edgekws("listen", "--bundle", bundle, "--source", f"wav:{path}")
    assert done.code == 0, done.stderr
    found = [line for line in done.lines if line["event"] == "detection"]
    assert [line["label"] for line in found] == ["yes", "开灯"]
    for start, line in zip((2.0, 5.0), found, strict=True):
        assert start < line["time_seconds"] < start + 1.0
    assert f"samples={len(recording())} " in done.stderr


def test_each_detection_is_followed_by_a_result_of_its_id(bundle: Path, wav: Path) -> None:
    sinks = ("--sink", "stdout:", "--sink", "process:sh -c 'exit 3'")
    lines = edgekws("listen", "--bundle", bundle, "--source", f"wav:{wav}", *sinks).lines
    for number in (1, 2):
        mine = [line for line in lines if line["id"] == number]
        assert mine[0]["event"] == "detection"
        results = {line["sink"]: (line["status"], line["exit_code"]) for line in mine[1:]}
        assert results == {"stdout": ("done", None), "process": ("failed", 3)}


def test_stdin_in_odd_portions_gives_the_same_detections(bundle: Path, wav: Path) -> None:
    by_file = edgekws("listen", "--bundle", bundle, "--source", f"wav:{wav}").lines
    with Listening("--bundle", bundle) as listening:
        listening.feed(recording().tobytes(), portion=4_099)
        done = listening.end()
    assert done.code == 0, done.stderr
    key = [(line["label"], line["sample"]) for line in done.lines if line["event"] == "detection"]
    assert key == [(x["label"], x["sample"]) for x in by_file if x["event"] == "detection"]


def test_stdin_that_ends_mid_sample_is_heard_to_its_end(bundle: Path) -> None:
    data = recording().tobytes() + b"\x01"
    done = edgekws("listen", "--bundle", bundle, "--source", "-", stdin=data)
    assert done.code == 0
    assert len(done.lines) == 4
    assert "middle of a sample" in done.stderr


def test_an_empty_stdin_ends_at_once(bundle: Path) -> None:
    done = edgekws("listen", "--bundle", bundle, "--source", "-")
    assert (done.code, done.lines) == (0, [])


def test_detections_come_while_the_stream_goes_on(bundle: Path) -> None:
    with Listening("--bundle", bundle) as listening:
        for _ in range(2):
            listening.feed(recording().tobytes())
            events = [listening.event() for _ in range(4)]
            assert sorted(e["label"] for e in events) == ["yes", "yes", "开灯", "开灯"]


def test_without_flags_the_newest_bundle_of_dist_is_taken(tmp_path: Path, wav: Path) -> None:
    make_bundle(tmp_path / "models" / "bundles" / "shipped")
    make_bundle(tmp_path / "dist" / "mine")
    done = edgekws("listen", "--source", f"wav:{wav}", cwd=tmp_path)
    assert done.code == 0
    assert "dist/mine" in done.stderr


def test_a_config_names_source_commands_and_thresholds(
    tmp_path: Path, bundle: Path, wav: Path
) -> None:
    config = tmp_path / "listen.toml"
    config.write_text(
        f'bundle = "{bundle}"\n[source]\ntext = "wav:{wav}"\n'
        f'[[commands]]\nlabel = "开灯"\nsink = "process"\n'
        f'argv = ["sh", "-c", "echo $EDGEKWS_LABEL > {tmp_path}/lamp"]\n'
        '[triggers."yes"]\nconsecutive = 1000\n',
        encoding="utf-8",
    )
    done = edgekws("listen", "--config", config)
    assert done.code == 0, done.stderr
    assert [line["label"] for line in done.lines] == ["开灯", "开灯"]
    assert (tmp_path / "lamp").read_text("utf-8") == "开灯\n"


def test_an_accelerator_that_is_not_there_is_told_and_the_cpu_listens(
    bundle: Path, wav: Path
) -> None:
    plain = edgekws("listen", "--bundle", bundle, "--source", f"wav:{wav}")
    flags = ("--engine", "onnx-fp32", "--accelerator", "cuda")
    done = edgekws("listen", "--bundle", bundle, "--source", f"wav:{wav}", *flags)
    assert done.code == 0, done.stderr
    assert "WARNING: not on cuda, because ONNX Runtime" in done.stderr
    assert in_order(done.lines) == in_order(plain.lines)


def in_order(lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return detections, then results: these are written by threads of the sinks, at any time."""
    return sorted(lines, key=lambda line: (line["event"], line["id"]))


def test_a_model_that_the_bundle_lacks_is_refused(bundle: Path, tmp_path: Path) -> None:
    flags = ("listen", "--bundle", bundle, "--source", "-")
    assert edgekws(*flags, "--engine", "tflite-int8").code == 2
    config = tmp_path / "listen.toml"
    config.write_text('model = "tflite-int8"\n')
    done = edgekws(*flags, "--config", config)
    assert done.code == 3
    assert 'model: the bundle has no "tflite-int8"; it has: onnx-fp32' in done.error
