"""The training loop: phases of epochs, averaged weights, validation, checkpoints that survive."""

import copy
import json
import math
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import msgspec
import torch
from torch import Tensor, nn

from edgekws.errors import ConfigError, RunError
from edgekws.train.adjustment import adjust_head
from edgekws.train.averaging import held_share, update_average
from edgekws.train.batches import ExampleStream, Window, label_shares, load
from edgekws.train.checkpoint import (
    Checkpoint,
    Progress,
    cut_log,
    load_checkpoint,
    mark_diverged,
    optimizer_tensors,
    restore_optimizer,
    save_checkpoint,
    state_copy,
    told_checkpoint,
)
from edgekws.train.dataset import Corpus
from edgekws.train.evaluate import Normalizer
from edgekws.train.losses import Teacher
from edgekws.train.nets import StreamingNet
from edgekws.train.optimizers import build_optimizer, training_mode
from edgekws.train.patience import (
    EpochFigures,
    continues,
    dropped,
    entering,
    judged,
    out_of_patience,
)
from edgekws.train.progress import Reporter
from edgekws.train.ranks import ALONE, Ranks
from edgekws.train.recipe import Recipe, plan_digest
from edgekws.train.recipe_training import PhaseRecipe
from edgekws.train.schedule import Moment, set_rate
from edgekws.train.step import NoNumberError, Step, computing_as
from edgekws.train.validation import Validation, validate

CHECKPOINT_FILE: Final = "checkpoint.safetensors"
LOG_FILE: Final = "training.jsonl"


@dataclass(frozen=True, slots=True)
class RunningPhase:
    """A phase of the recipe while it runs; `first` epochs came before it."""

    number: int
    settings: PhaseRecipe
    first: int
    optimizer: torch.optim.Optimizer


@dataclass
class Trainer:
    """Everything one run carries from epoch to epoch; what is `beside` the net is thrown away."""

    net: StreamingNet
    features: Normalizer
    corpus: Corpus
    validation: Validation
    recipe: Recipe
    recipe_sha256: str
    folder: Path
    reporter: Reporter
    beside: nn.ModuleDict = field(default_factory=nn.ModuleDict)
    teacher: Teacher | None = None
    workers: int = 1
    ranks: Ranks = ALONE
    progress: Progress = field(init=False)
    average: StreamingNet = field(init=False)
    best: dict[str, Tensor] = field(init=False)

    def __post_init__(self) -> None:
        self.progress = Progress(
            self.recipe_sha256,
            0,
            0,
            0,
            math.inf,
            self.corpus.labels,
            plan_sha256=plan_digest(self.recipe),
        )
        self.average = copy.deepcopy(self.net).eval()
        self.best = state_copy(self.average)

    def run(self) -> StreamingNet:
        """Train all phases, from the checkpoint if there is one; return the best averaged net."""
        held = self._resume()
        if self.ranks.leads:
            cut_log(self.folder / LOG_FILE, epochs=self.progress.epochs_done)
        self.ranks.follow([*self.features.buffers(recurse=False), *self._weights()])
        first = 0
        for number, phase in enumerate(self.recipe.phases):
            if number >= self.progress.phase and self.progress.epochs_done < first + phase.epochs:
                self._run_phase(self._begin(number, phase, first, held))
                held = None
            first += phase.epochs
        return self._finished()

    def result(self) -> StreamingNet:
        """Return the best averaged net of a training that others have brought to its end."""
        held = load_checkpoint(self.folder / CHECKPOINT_FILE)
        assert held is not None  # they leave one after each epoch
        self._restore(held)
        return self._finished()

    def _finished(self) -> StreamingNet:
        self.average.load_state_dict(self.best)
        if self.recipe.optimizer.logit_adjustment:
            adjust_head(self.average.head, label_shares(self.corpus, self.recipe))
        return self.average.eval()

    def _resume(self) -> Checkpoint | None:
        """Restore the checkpoint of this run, if there is one; another run's is not touched yet."""
        path = self.folder / CHECKPOINT_FILE
        held = told_checkpoint(self._own_checkpoint(path) if self.ranks.leads else None, self.ranks)
        if held is None:
            return None
        try:
            self._restore(held)
        except (RuntimeError, ValueError, KeyError) as fault:
            what = " ".join(str(fault).split())[:200]
            raise RunError(
                f"{path}: does not fit this net ({what}); delete it to start over"
            ) from fault
        self.reporter.say(f"going on after epoch {self.progress.epochs_done}")
        return held

    def _own_checkpoint(self, path: Path) -> Checkpoint | None:
        held = load_checkpoint(path)
        if held is None or continues(held.progress, self.progress):
            return held
        self.reporter.say(f"{path} is of another recipe or other labels: starting over")
        return None

    def _begin(
        self, number: int, phase: PhaseRecipe, first: int, held: Checkpoint | None
    ) -> RunningPhase:
        """Return a phase as the checkpoint left it, or new from the best weights before it."""
        beside = tuple(self.beside.values())
        optimizer = build_optimizer(self.net, phase, self.recipe.optimizer, beside=beside)
        if held is not None and held.progress.phase == number:
            restore_optimizer(optimizer, held.part("optimizer"))
        elif number:
            self.net.load_state_dict(self.best)
            self.average.load_state_dict(self.best)
            self.progress = entering(self.progress, phase, first)
        return RunningPhase(number, phase, first, optimizer)

    def _run_phase(self, running: RunningPhase) -> None:
        first, last = running.first, running.first + running.settings.epochs
        patience = self.recipe.optimizer.patience
        for epoch in range(max(first, self.progress.epochs_done), last):
            if out_of_patience(self.progress, patience, first=first):  # also when going on
                break
            figures = self._run_epoch(epoch, running)
            self._keep(figures, running)
            self.reporter.epoch(figures, self.progress.best_epoch)
        self.progress = msgspec.structs.replace(
            self.progress, epochs_done=last, phase=running.number + 1
        )

    def _run_epoch(self, epoch: int, running: RunningPhase) -> EpochFigures:
        began, phase = time.monotonic(), running.settings
        stream = ExampleStream(
            self.corpus, self.recipe, self._window(), epoch=epoch, ranks=self.ranks
        )
        step = Step(
            self.net,
            self.features,
            self.corpus.labels,
            self.recipe,
            self.teacher,
            tuple(self.beside.values()),
            self.ranks,
        )
        seed = self.recipe.seed * 100_003 + epoch + (self.ranks.rank << 40)
        masks = torch.Generator().manual_seed(seed)
        torch.manual_seed(seed)
        batches, total, rate = stream.batches(), 0.0, 0.0
        for count, examples in enumerate(load(stream, workers=self.workers)):
            before = (epoch - running.first) * batches + count
            rate = set_rate(
                running.optimizer, phase, Moment(before, batches, self.progress.rate_drops)
            )
            training_mode(self.net, phase, done=before / (phase.epochs * batches))
            try:
                total += step.take(examples, running.optimizer, phase, masks)
            except NoNumberError as fault:
                raise self._diverged(epoch, count, running) from fault
            self._average(running, before + 1, batches)
            self.reporter.batch(epoch, count + 1, batches, total / (count + 1))
        self.ranks.follow([*self._weights()])  # other CPUs may round in other ways
        loss, accuracy = self._validate(phase)
        if not math.isfinite(loss):
            raise self._diverged(epoch, batches - 1, running)
        seconds = round(time.monotonic() - began, 1)
        number = running.number + 1
        return EpochFigures(epoch + 1, number, total / batches, loss, accuracy, rate, seconds)

    def _validate(self, phase: PhaseRecipe) -> tuple[float, float]:
        """Return loss and accuracy as rank 0 finds them, so that all decide alike."""
        figures = b""
        if self.ranks.leads:
            with computing_as(self.average, phase):
                found = validate(self.average, self.features, self.validation)
            figures = msgspec.msgpack.encode(found)
        return msgspec.msgpack.decode(self.ranks.told(figures), type=tuple[float, float])

    def _weights(self) -> Iterator[Tensor]:
        """Give the tensors that learn, and their averages."""
        for module in (self.net, self.average, *self.beside.values()):
            yield from (x for x in module.state_dict().values() if x.is_floating_point())

    def _window(self) -> Window:
        return Window(self.net.config.window_frames, self.features.frontend.spec)

    def _average(self, running: RunningPhase, steps: int, batches: int) -> None:
        """Take the weights after so many steps of a phase into their mean."""
        settings = self.recipe.optimizer
        window = (running.settings.epochs - settings.average_epochs) * batches
        share = held_share(
            settings, steps=running.first * batches + steps, steps_in_window=steps - max(0, window)
        )
        update_average(self.average, self.net, share)

    def _diverged(self, epoch: int, count: int, running: RunningPhase) -> ConfigError:
        """Return the error of a loss that is no number; the checkpoint then takes other rates."""
        path = self.folder / CHECKPOINT_FILE
        done = mark_diverged(path, self.progress) if self.ranks.leads else 0
        then = f", and training goes on after epoch {done}" if done else ""
        return ConfigError(
            f"recipe {self.recipe.name!r}: the loss is no number any more at step {count + 1} of "
            f"epoch {epoch + 1}; lower the rates of phase {running.number + 1}{then}"
        )

    def _keep(self, figures: EpochFigures, running: RunningPhase) -> None:
        clips = len(self.validation.classes)
        self.progress, better = judged(self.progress, figures, clips)
        if better:
            self.best = state_copy(self.average)
        self.progress = dropped(self.progress, running.settings, first=running.first)
        if self.ranks.leads:
            self._write(figures, running)

    def _write(self, figures: EpochFigures, running: RunningPhase) -> None:
        with (self.folder / LOG_FILE).open("a") as log:
            log.write(json.dumps({f: getattr(figures, f) for f in figures.__slots__}) + "\n")
        tensors = dict(self._tensors(running.optimizer))
        save_checkpoint(self.folder / CHECKPOINT_FILE, Checkpoint(self.progress, tensors))

    def _tensors(self, optimizer: torch.optim.Optimizer) -> Iterator[tuple[str, Tensor]]:
        parts = {
            "net": state_copy(self.net),
            "average": state_copy(self.average),
            "best": self.best,
            "optimizer": optimizer_tensors(optimizer),
            **{name: state_copy(module) for name, module in self.beside.items()},
        }
        for part, tensors in parts.items():
            yield from ((f"{part}.{name}", tensor) for name, tensor in tensors.items())

    def _restore(self, held: Checkpoint) -> None:
        self.net.load_state_dict(held.part("net"))
        self.average.load_state_dict(held.part("average"))
        self.best = held.part("best")
        for name, module in self.beside.items():
            module.load_state_dict(held.part(name))
        own = self.progress
        self.progress = msgspec.structs.replace(
            held.progress,
            recipe_sha256=own.recipe_sha256,
            plan_sha256=own.plan_sha256,
            labels=own.labels,
            diverged=False,
        )
