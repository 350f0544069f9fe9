"""Small training for tests: folders of speech, recipes of tiny nets, `edgekws adapt` on them."""

import io
import os
import select
import signal
import subprocess
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Self

import msgspec
import numpy as np

from edgekws.specs import SILENCE, UNKNOWN
from edgekws.train.background import make_noise
from edgekws.train.dataset import Clip, Corpus
from edgekws.train.progress import Reporter
from edgekws.train.recipe import Recipe
from edgekws.train.split import SplitName
from tests.commands import Done, argv, environment, parse
from tests.runs import LABELS, tone

RATE: Final = 16_000
TRAINING_SECONDS: Final = 180.0  # for one tiny run; five on an idle machine

NET: Final = """
[net]
kind = "tcn"
n_features = 40
stem_channels = 24
stem_kernel = 5
stem_stride = 2
embedding = 24
pool_rows = 24
dropout = 0.1

[[net.stages]]
channels = 24
kernel = 5
depth = 1
blocks = 2
stride = 1

[[net.stages]]
channels = 24
kernel = 5
depth = 1
blocks = 1
stride = 2
"""
DS_CNN: Final = """
[net]
kind = "ds-cnn"
n_features = 40
mfcc = 10
window_frames = 96
step_frames = 8
stem_kernel = [20, 4]
stem_stride = [4, 2]
channels = 32
blocks = 2
dropout = 0.1
"""


def recipe_text(
    *,
    base: Path | str | None = None,
    labels: Sequence[str] = (),
    phases: Sequence[tuple[int, float, float]] = ((1, 0.01, 0.01),),
    examples: int = 256,
    patience: int = 0,
    budget: float = 3600.0,
    extra: str = "",
    net: str = NET,
) -> str:
    """Return a recipe; phases are (epochs, head rate, backbone rate), no base is `net`."""
    head = [f'name = "small"\nversion = "1"\nlabels = {list(labels)}']
    head += [f'base = "{base}"'] if base else []
    tables = [
        extra,
        f"[data]\nvalidation_percent = 25\nunknown_fraction = 0.3\nexamples_per_epoch = {examples}",
        f"[optimizer]\nbatch = 32\npatience = {patience}\naverage_decay = 0.9",
        f"[stream]\nfalse_accepts_per_hour = {budget}\nminutes = 2",
        *(
            f"[[phases]]\nepochs = {epochs}\nhead_rate = {head_rate}\nbackbone_rate = {rate}"
            for epochs, head_rate, rate in phases
        ),
    ]
    return "\n\n".join([*head, *tables, "" if base else net]) + "\n"


def write_recipe(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def adapt_argv(recipe: Path, data: Path, out: Path, *more: object) -> list[str]:
    return argv(["adapt", "--recipe", recipe, "--data", data, "--out", out, "--threads", 1, *more])


def adapt(recipe: Path, data: Path, out: Path, *more: object) -> Done:
    """Run `edgekws adapt` to its end."""
    done = subprocess.run(
        adapt_argv(recipe, data, out, *more),
        env=environment(),
        capture_output=True,
        timeout=TRAINING_SECONDS,
        check=False,
    )
    return Done(done.returncode, parse(done.stdout), done.stderr.decode())


def export(*args: object, cwd: Path | None = None) -> Done:
    """Run `edgekws export` to its end."""
    done = subprocess.run(
        argv(("export", *args)),
        cwd=cwd,
        env=environment(),
        capture_output=True,
        timeout=TRAINING_SECONDS,
        check=False,
    )
    return Done(done.returncode, parse(done.stdout), done.stderr.decode())


class Running:
    """A running command; signals go to all its processes, as Ctrl-C of a terminal does."""

    def __init__(self, command: Sequence[str], *, cwd: Path | None = None) -> None:
        self.process = subprocess.Popen(
            command,
            cwd=cwd,
            env=environment(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            bufsize=0,
            start_new_session=True,
        )
        self._said = b""

    @property
    def said(self) -> str:
        """What it wrote on stderr so far."""
        return self._said.decode()

    def wait_for(self, words: str) -> None:
        """Read stderr until a whole line with the words came, or fail after a bounded time."""
        assert self.process.stderr is not None
        while b"\n" not in self._said.partition(words.encode())[2]:
            ready, _, _ = select.select([self.process.stderr], [], [], TRAINING_SECONDS)
            portion = os.read(self.process.stderr.fileno(), 4096) if ready else b""
            assert portion, f"{words!r} did not come:\n{self.said}"
            self._said += portion

    def end(self, number: signal.Signals) -> int:
        """Send a signal and return the exit code."""
        os.killpg(self.process.pid, number)
        _, rest = self.process.communicate(timeout=TRAINING_SECONDS)
        self._said += rest
        return self.process.returncode

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *fault: object) -> None:
        self.process.kill()
        self.process.communicate(timeout=TRAINING_SECONDS)


def recipe_of(text: str) -> Recipe:
    return msgspec.convert(tomllib.loads(text), Recipe)


def quiet() -> Reporter:
    """Return a reporter that writes into memory, `reporter.out`."""
    return Reporter(1, io.StringIO())


def tone_corpus(*, clips: int = 24) -> Corpus:
    """Return so many short tones of each label of `tests.runs`, every fourth for validation."""
    rng = np.random.default_rng(1)
    spoken = [
        Clip(tone(label, rng), LABELS[label], LABELS[label], _side(n))
        for label in range(1, len(LABELS))
        for n in range(clips)
    ]
    assert LABELS[:2] == (SILENCE, UNKNOWN)
    noise = make_noise(5, seed=1, sample_rate=RATE)
    return Corpus(LABELS, tuple(spoken), tuple(noise), speaker_disjoint=True)


def _side(number: int) -> SplitName:
    return "validation" if number % 4 == 3 else "training"
