"""`edgekws adapt` in several processes, its own or torchrun's: real ones, over loopback."""

import json
import os
import signal
import subprocess
from pathlib import Path
from typing import Final

import pytest

from edgekws.cli.app import main
from edgekws.train.run import load_run
from tests.commands import PATIENCE_SECONDS, environment, error_line
from tests.small_runs import COMMANDS, LIGHT
from tests.training import (
    TRAINING_SECONDS,
    Running,
    adapt,
    adapt_argv,
    recipe_text,
    write_recipe,
)

LEARNED: Final = 0.6
"""Least accuracy over four labels, as of one process: chance is 0.25, 0.84 is measured on real
speech."""
SHORT: Final = recipe_text(labels=COMMANDS, phases=((1, 0.02, 0.02),), examples=64)
ENDED: Final = "interrupted; the same command goes on from the last epoch in {}"


def epochs_of(run: Path) -> list[int]:
    return [json.loads(line)["epoch"] for line in (run / "training.jsonl").read_text().splitlines()]


def ranks_of(process: int) -> list[int]:
    """Return the processes that one has started, first one first."""
    text = Path(f"/proc/{process}/task/{process}/children").read_text()
    return sorted(int(number) for number in text.split())


def last_words(running: Running) -> str:
    """Return what stderr holds when nobody has it open any more: no process was left behind."""
    _, rest = running.process.communicate(timeout=PATIENCE_SECONDS)
    return running.said + rest.decode()


def test_interrupted_and_killed_it_goes_on_with_other_numbers_and_learns(
    training_data: Path, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    text = recipe_text(labels=COMMANDS, phases=((8, 0.02, 0.02),), examples=800, extra=LIGHT)
    recipe = write_recipe(tmp_path / "shared.toml", text)

    with Running(adapt_argv(recipe, training_data, out, "--processes", 2)) as running:
        running.wait_for("epoch 1/8")
        code = running.end(signal.SIGINT)
    assert code == 130
    assert running.said.splitlines()[-1] == ENDED.format(out)
    assert "Traceback" not in running.said
    done = len(epochs_of(out))
    assert 1 <= done < 8

    with Running(adapt_argv(recipe, training_data, out, "--processes", 3)) as running:
        running.wait_for(f"epoch {done + 1}/8")
        ranks = ranks_of(running.process.pid)
        assert len(ranks) == 3
        os.kill(ranks[1], signal.SIGKILL)
        said = last_words(running)
    assert running.process.returncode == 11
    assert f"going on after epoch {done}" in said
    line = error_line(said)
    assert line.startswith("edgekws: error: process 1 of 3 was ended by SIGKILL; the same command")
    done = len(epochs_of(out))
    assert 2 <= done < 8

    whole = adapt(recipe, training_data, out, "--processes", 2)
    assert whole.code == 0, whole.stderr
    assert f"going on after epoch {done}" in whole.stderr
    assert epochs_of(out) == list(range(1, 9))
    assert [whole.stderr.count(x) for x in ("clips to learn", "epoch 8/8", "macro F1")] == [1] * 3
    report = load_run(out).report
    assert report.accuracy > LEARNED
    assert [line["accuracy"] for line in whole.lines] == [report.accuracy]
    assert not (out / "checkpoint.safetensors").exists()


def test_torchrun_starts_it_too(training_data: Path, tmp_path: Path) -> None:
    out, recipe = tmp_path / "run", write_recipe(tmp_path / "short.toml", SHORT)
    program, module, name, *args = adapt_argv(recipe, training_data, out)
    torchrun = [program, module, "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    done = subprocess.run(
        [*torchrun, module, name, *args],
        env=environment(),
        capture_output=True,
        timeout=TRAINING_SECONDS,
        check=False,
    )
    said = done.stderr.decode()
    assert done.returncode == 0, said
    (line,) = done.stdout.decode().splitlines()
    assert json.loads(line)["run"] == str(out)
    assert said.count("clips to learn") == said.count("epoch 1/1") == 1
    assert load_run(out).report.accuracy == json.loads(line)["accuracy"]


TORCHRUN: Final = {
    "RANK": "0",
    "WORLD_SIZE": "2",
    "LOCAL_RANK": "0",
    "MASTER_ADDR": "127.0.0.1",
    "MASTER_PORT": "29500",
}


@pytest.mark.parametrize(
    ("flags", "environ", "words"),
    [
        (["--processes", "0"], {}, "argument --processes: '0' is no count of 1 or more"),
        (["--processes", "33"], {}, "--processes 33: a batch of recipe 'small' has 32 examples"),
        ([], {**TORCHRUN, "WORLD_SIZE": "33"}, "WORLD_SIZE 33: a batch of recipe 'small' has 32"),
        ([], {"RANK": "0", "WORLD_SIZE": "2"}, "no LOCAL_RANK, MASTER_ADDR, MASTER_PORT"),
        (
            [],
            {**TORCHRUN, "RANK": "2"},
            "RANK='2' in the environment: must be a number from 0 to 1",
        ),
        ([], {**TORCHRUN, "MASTER_PORT": "0"}, "MASTER_PORT='0' in the environment"),
        ([], {**TORCHRUN, "WORLD_SIZE": "two"}, "WORLD_SIZE='two' in the environment"),
        (["--processes", "2"], TORCHRUN, "--processes: torchrun has started all there are"),
        (["--sweep"], TORCHRUN, "--sweep: trials do not go over torchrun"),
    ],
)
def test_senseless_numbers_of_processes_are_one_line(
    flags: list[str],
    environ: dict[str, str],
    words: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("GLOO_SOCKET_IFNAME", raising=False)
    recipe = write_recipe(tmp_path / "short.toml", SHORT)
    _, _, _, *args = adapt_argv(recipe, tmp_path / "gone", tmp_path / "run", *flags)
    assert main(args) == 2
    assert words in error_line(capsys.readouterr().err)
    assert not (tmp_path / "run").exists()
