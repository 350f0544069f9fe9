"""A search for a better recipe: trials of `adapt` on one corpus, judged on its validation clips.

OUT/sweep/study.sqlite   every trial; an interrupted sweep goes on from it
OUT/sweep/<hash>/        the run of the best trial so far, and of the one in training
"""

import hashlib
import json
import shutil
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import msgspec

from edgekws.audio.extras import load_extra
from edgekws.errors import ConfigError
from edgekws.specs import MFCC_40
from edgekws.train.adapt import Adaptation, adapt
from edgekws.train.dataset import Corpus
from edgekws.train.gather import gather
from edgekws.train.loop import LOG_FILE
from edgekws.train.place import clear_place, require_place
from edgekws.train.pretrained import load_base
from edgekws.train.progress import Reporter
from edgekws.train.recipe import load_recipe
from edgekws.train.run import (
    RECIPE_FILE,
    RUN_FILE,
    Run,
    Split,
    load_net,
    load_run,
    save_run,
    write_aside,
)
from edgekws.train.sweep_score import score_run
from edgekws.train.sweep_space import Point, Space
from edgekws.train.sweep_study import Memory, open_memory

SWEEP_FOLDER: Final = "sweep"
MOST_FAILURES: Final = 10
TUNED: Final[dict[Split, Split]] = {
    "speaker-disjoint": "speaker-disjoint, tuned on",
    "clip-disjoint": "clip-disjoint, tuned on",
}


@dataclass(frozen=True, slots=True)
class Limits:
    """When a sweep begins no further trial; `trials` 0 leaves it to the time."""

    budget_seconds: float
    trials: int = 0


def sweep(task: Adaptation, limits: Limits, reporter: Reporter) -> Run:
    """Train trials within the limits and leave the best one as a finished run in `task.out`.

    The recipe itself is the first trial. Interrupted at any moment, the same call goes on: a trial
    from its last whole epoch. The run says that its validation clips were tuned on. Raises what
    `adapt` does, and MissingExtraError without Optuna.
    """
    recipe, sha256 = load_recipe(task.recipe, base=task.base)
    space = Space(recipe)
    for module in ("optuna", "tomli_w"):
        load_extra(module, extra="sweep", purpose="a sweep")  # before any work
    require_place(task.out, overwrite=task.overwrite)
    spec = load_base(recipe.base).run.features if recipe.base else MFCC_40
    corpus = gather(task.folders, recipe, reporter, sample_rate=spec.sample_rate)
    place = task.out / SWEEP_FOLDER
    if (task.out / RUN_FILE).exists():  # a finished one, to be replaced
        shutil.rmtree(place, ignore_errors=True)
        clear_place(task.out)
    memory = open_memory(place, _fingerprint(sha256, corpus), space)
    if memory.seconds():
        reporter.say(f"going on after trial {len(memory.seconds())}")
    trials = Trials(task, place, memory, corpus, reporter)
    while trials.may_begin(limits):
        trials.train_next()
    return trials.leave_best()


@dataclass(frozen=True, slots=True)
class Trials:
    """The trials of a sweep, in folders named for their recipes."""

    task: Adaptation
    place: Path
    memory: Memory
    corpus: Corpus
    reporter: Reporter

    def may_begin(self, limits: Limits) -> bool:
        """Return whether one more trial, as long as the longest so far, is within the limits."""
        seconds = self.memory.seconds()
        if self.memory.failures() >= MOST_FAILURES:
            return False
        in_time = sum(seconds) + max(seconds, default=0.0) <= limits.budget_seconds
        return not seconds or (in_time and (not limits.trials or len(seconds) < limits.trials))

    def train_next(self) -> None:
        """Train one trial and keep its result; only its run and the best one's stay."""
        trial, point = self.memory.next()
        number = len(self.memory.seconds()) + 1
        folder = self._folder(point)
        best = self.memory.best()
        self._remove_all_but(folder, self._folder(best[0] if best else point))
        began = time.monotonic() - _logged_seconds(folder)
        try:
            run = self._train(folder, point)
        except ConfigError as fault:
            if number == 1:  # the recipe itself
                raise
            self.memory.finish(trial, None, seconds=time.monotonic() - began)
            self.reporter.say(f"trial {number}: {fault}")
            return
        loss = score_run(folder, run)
        self.memory.finish(trial, loss, seconds=time.monotonic() - began)
        self.reporter.say(self._line(number, point, run, loss))

    def leave_best(self) -> Run:
        """Copy the best trial's run to where the person wants it, run.json last."""
        best = self.memory.best()
        assert best is not None  # the first trial raises, or it is one
        folder, out = self._folder(best[0]), self.task.out
        run = load_run(folder)
        for path in sorted(folder.iterdir()):
            if path.name != RUN_FILE:
                shutil.copyfile(path, out / path.name)
        split = TUNED.get(run.split, run.split)
        report = msgspec.structs.replace(run.report, split=split)
        tuned = msgspec.structs.replace(run, split=split, report=report)
        save_run(out, tuned, load_net(folder, run))
        self._remove_all_but()
        return tuned

    def _remove_all_but(self, *kept: Path) -> None:
        for path in self.place.iterdir():
            if path.is_dir() and path not in kept:
                shutil.rmtree(path)

    def _train(self, folder: Path, point: Point) -> Run:
        if (folder / RUN_FILE).exists():  # interrupted between its end and its result
            return load_run(folder)
        folder.mkdir(exist_ok=True)
        write_aside(folder / RECIPE_FILE, self._recipe(point))
        task = replace(self.task, recipe=folder / RECIPE_FILE, out=folder, overwrite=False)
        return adapt(task, self.reporter, self.corpus)

    def _folder(self, point: Point) -> Path:
        return self.place / hashlib.sha256(self._recipe(point)).hexdigest()[:12]

    def _recipe(self, point: Point) -> bytes:
        """Return the recipe of a point as TOML."""
        tomli_w = load_extra("tomli_w", extra="sweep", purpose="a sweep")
        values = _without_empty(msgspec.to_builtins(self.memory.space.recipe_at(point)))
        text = f"# Found by a sweep from {self.task.recipe.name}.\n{tomli_w.dumps(values)}"
        return text.encode()

    def _line(self, number: int, point: Point, run: Run, loss: float) -> str:
        best = self.memory.best()
        mark = " *" if best and best[1] == loss else ""
        values = msgspec.to_builtins(point)
        searched = (f"{name} {values[name]:.3g}" for name in self.memory.space.distributions())
        return (
            f"trial {number}: calibrated loss {loss:.4f}, accuracy {run.report.accuracy:.2%} "
            f"({', '.join(searched)}){mark}"
        )


def _fingerprint(recipe_sha256: str, corpus: Corpus) -> str:
    """Return a name for what trials have in common: the recipe, and how much there is to hear."""
    clips = [(clip.label, clip.split, len(clip.pcm)) for clip in (*corpus.clips, *corpus.noise)]
    return hashlib.sha256(f"{recipe_sha256} {corpus.labels} {clips}".encode()).hexdigest()[:16]


def _logged_seconds(folder: Path) -> float:
    """Return how long the epochs took that an interrupted trial has already been through."""
    path = folder / LOG_FILE
    lines = path.read_text().splitlines() if path.exists() else []
    return float(sum(json.loads(line)["seconds"] for line in lines))


def _without_empty(values: Any) -> Any:
    """Return built-in values without keys that hold nothing: TOML has no None."""
    if not isinstance(values, dict):
        return values
    return {k: _without_empty(v) for k, v in values.items() if v not in (None, "", [], (), {})}
