"""`edgekws adapt` in several processes, its own or torchrun's: real ones, over loopback."""

import json
import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Final

import pytest

from edgekws.cli.app import main
from edgekws.train.run import load_net, load_run
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


def family_of(parent: int) -> dict[int, list[int]]:
    """Return every running process of a session with its children, by what /proc says."""
    children: dict[int, list[int]] = {}
    for place in Path("/proc").glob("[0-9]*"):
        try:
            fields = (place / "stat").read_text().rpartition(")")[2].split()
        except OSError:  # it ended in between
            continue
        if int(fields[3]) == parent and fields[0] != "Z":
            children.setdefault(int(fields[1]), []).append(int(place.name))
    return children


def wait_for_nobody(session: int) -> None:
    """Return when no process of a session runs; torch's workers look for their parent every 5 s."""
    until = time.monotonic() + PATIENCE_SECONDS
    while left := family_of(session):
        assert time.monotonic() < until, f"still running: {left}"
        os.sched_yield()


def test_two_processes_learn_what_one_learns(training_data: Path, tmp_path: Path) -> None:
    text = recipe_text(labels=COMMANDS, phases=((6, 0.02, 0.02),), examples=960, extra=LIGHT)
    out = tmp_path / "run"
    recipe = write_recipe(tmp_path / "two.toml", text)
    done = adapt(recipe, training_data, out, "--processes", 2)
    assert done.code == 0, done.stderr
    run = load_run(out)
    assert run.report.accuracy > LEARNED
    assert [line["accuracy"] for line in done.lines] == [run.report.accuracy]
    assert epochs_of(out) == [1, 2, 3, 4, 5, 6]
    assert done.stderr.count("epoch 6/6") == 1
    assert done.stderr.count("clips to learn") == 1
    assert not (out / "checkpoint.safetensors").exists()


def test_interrupted_and_killed_it_goes_on_with_another_number(
    training_data: Path, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    text = recipe_text(labels=COMMANDS, phases=((12, 0.02, 0.02),), examples=64)
    recipe = write_recipe(tmp_path / "long.toml", text)

    with Running(adapt_argv(recipe, training_data, out, "--processes", 2)) as running:
        running.wait_for("epoch 1/12")
        code = running.end(signal.SIGINT)
    assert code == 130
    assert running.said.splitlines()[-1] == ENDED.format(out)
    assert "Traceback" not in running.said
    wait_for_nobody(running.process.pid)
    done = len(epochs_of(out))
    assert 1 <= done < 12

    with Running(adapt_argv(recipe, training_data, out, "--processes", 3)) as running:
        running.wait_for(f"epoch {done + 1}/12")
        ranks = family_of(running.process.pid)[running.process.pid]
        assert len(ranks) == 3
        os.kill(sorted(ranks)[1], signal.SIGKILL)
        running.wait_for("edgekws: error: ")
        code = running.process.wait(TRAINING_SECONDS)
    assert code == 11
    assert f"going on after epoch {done}" in running.said
    line = error_line(running.said)
    assert line.startswith("edgekws: error: process 1 of 3 was ended by SIGKILL; the same command")
    wait_for_nobody(running.process.pid)
    last = len(epochs_of(out))
    assert done < last < 12

    whole = adapt(recipe, training_data, out)
    assert whole.code == 0, whole.stderr
    assert f"going on after epoch {last}" in whole.stderr
    assert epochs_of(out) == list(range(1, 13))
    load_net(out, load_run(out))


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
