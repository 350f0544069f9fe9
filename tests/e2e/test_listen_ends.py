"""However `edgekws listen` ends, it ends soon, in order, and with the exit code that says why."""

import signal
import subprocess
import sys
from pathlib import Path
from typing import Final

import msgspec
import numpy as np
import pytest

from edgekws.bundle import Golden, encode_golden, write_bundle
from tests.bundles import (
    golden_vectors,
    make_bundle,
    manifest,
    model_spec,
    noise,
    onnx_model,
    tone,
)
from tests.commands import (
    PATIENCE_SECONDS,
    Listening,
    argv,
    edgekws,
    environment,
    parse,
    write_wav,
)

END_SECONDS: Final = 4.0  # promised are 2; the other half is for a loaded machine
SPEECH: Final = np.concatenate((noise(seconds=1), tone("yes"), noise(seconds=1))).tobytes()


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_bundle(tmp_path_factory.mktemp("ends") / "tones")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_mid_stream_ends_in_order(bundle: Path, number: signal.Signals) -> None:
    with Listening("--bundle", bundle) as listening:
        listening.feed(SPEECH)
        assert listening.event()["event"] == "detection"
        listening.process.send_signal(number)
        done = listening.ends_by_itself(within_seconds=END_SECONDS)
    assert (done.code, len(done.lines)) == (0, 1)
    assert "ended" in done.stderr


def test_a_signal_lets_a_running_program_finish(bundle: Path) -> None:
    with Listening("--bundle", bundle, "--sink", "process:sleep 0.3") as listening:
        listening.feed(SPEECH)
        listening.event()
        listening.process.terminate()
        done = listening.ends_by_itself(within_seconds=END_SECONDS)
    assert done.code == 0
    assert [line["status"] for line in done.lines] == ["done"]


def test_a_signal_ends_a_program_that_hangs(bundle: Path) -> None:
    with Listening("--bundle", bundle, "--sink", "process:sleep 600") as listening:
        listening.feed(SPEECH)
        listening.event()
        listening.process.terminate()
        done = listening.ends_by_itself(within_seconds=END_SECONDS)
    assert done.code == 0
    assert [line["status"] for line in done.lines] == ["failed"]


def test_a_signal_while_the_queue_is_worked_off_ends_it(bundle: Path) -> None:
    with Listening("--bundle", bundle, "--sink", "process:sleep 600") as listening:
        listening.feed(SPEECH)
        assert listening.process.stdin is not None
        listening.process.stdin.close()
        listening.process.stdin = None
        listening.event()
        listening.process.terminate()
        done = listening.ends_by_itself(within_seconds=END_SECONDS)
    assert done.code == 0


def test_a_reader_that_goes_away_ends_it_quietly(bundle: Path) -> None:
    with Listening("--bundle", bundle) as listening:
        assert listening.process.stdout is not None
        listening.process.stdout.close()
        listening.process.stdout = None
        listening.feed(SPEECH)
        done = listening.ends_by_itself(within_seconds=PATIENCE_SECONDS)
    assert done.code == 141
    assert "error" not in done.stderr.lower()
    assert "Traceback" not in done.stderr


def test_a_full_disk_under_stdout_is_said_once(bundle: Path, tmp_path: Path) -> None:
    wav = write_wav(tmp_path / "a.wav", np.frombuffer(SPEECH, np.int16))
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            argv(("listen", "--bundle", bundle, "--source", f"wav:{wav}")),
            env=environment(),
            stdout=full,
            stderr=subprocess.PIPE,
            timeout=PATIENCE_SECONDS,
            check=False,
        )
    assert done.returncode == 9
    assert b"No space left" in done.stderr
    assert b"Traceback" not in done.stderr


def test_a_full_disk_under_the_log_costs_nothing_but_the_log(bundle: Path, tmp_path: Path) -> None:
    wav = write_wav(tmp_path / "a.wav", np.frombuffer(SPEECH, np.int16))
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            argv(("listen", "--bundle", bundle, "--source", f"wav:{wav}")),
            env=environment(),
            stdout=subprocess.PIPE,
            stderr=full,
            timeout=PATIENCE_SECONDS,
            check=False,
        )
    assert done.returncode == 0
    assert [line["event"] for line in parse(done.stdout)] == ["detection", "dispatch"]


@pytest.mark.parametrize(
    ("flags", "code", "words"),
    [
        (["--source", "tape:"], 2, "tape"),
        (["--source", "wav:"], 2, "wav:"),
        (["--sink", "tape:"], 2, "tape"),
        (["--nonsense"], 2, "--nonsense"),
        (["--config", "none.toml"], 3, "none.toml"),
        (["--source", "wav:none.wav"], 4, "none.wav"),
        (["--bundle", "none"], 5, "none"),
        (["--sink", "process:no-such-program-here"], 9, "no-such-program-here"),
    ],
)
def test_each_failure_is_one_line_with_its_exit_code(
    bundle: Path, flags: list[str], code: int, words: str
) -> None:
    base = [] if "--bundle" in flags else ["--bundle", str(bundle)]
    source = [] if "--source" in flags else ["--source", "-"]
    done = edgekws("listen", *base, *source, *flags)
    assert done.code == code
    assert done.lines == []
    assert words in done.error
    assert "Traceback" not in done.stderr


def test_other_scores_than_the_golden_ones_never_listen(tmp_path: Path) -> None:
    model = model_spec()
    data = onnx_model(model)
    golden = golden_vectors(model, data)
    skewed = Golden(golden.pcm, golden.features, {"onnx-fp32": golden.scores["onnx-fp32"] * 0.99})
    files = {"model.onnx": data, "golden.npz": encode_golden(skewed), "card.md": b"# Tones\n"}
    write_bundle(tmp_path / "skewed", manifest(model, files), files)
    done = edgekws("listen", "--bundle", tmp_path / "skewed", "--source", "-", stdin=SPEECH)
    assert (done.code, done.lines) == (6, [])
    assert "scores" in done.error


def test_other_features_than_the_golden_ones_never_listen(tmp_path: Path) -> None:
    spec = model_spec()
    data = onnx_model(spec)
    golden = golden_vectors(spec, data)
    model = msgspec.structs.replace(
        spec, features=msgspec.structs.replace(spec.features, low_hz=80)
    )
    files = {"model.onnx": data, "golden.npz": encode_golden(golden), "card.md": b"# Tones\n"}
    write_bundle(tmp_path / "skewed", manifest(model, files), files)
    done = edgekws("listen", "--bundle", tmp_path / "skewed", "--source", "-", stdin=SPEECH)
    assert (done.code, done.lines) == (6, [])
    assert "features" in done.error


def test_a_missing_engine_is_named_with_the_line_that_installs_it(bundle: Path) -> None:
    script = (
        "import sys; sys.modules['onnxruntime'] = None\n"
        "from edgekws.cli.app import main; sys.exit(main(sys.argv[1:]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, "listen", "--source", "-", "--bundle", str(bundle)],
        env=environment(),
        input=b"",
        capture_output=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )
    assert done.returncode == 7
    assert b"pip install 'edgekws[onnx]'" in done.stderr
