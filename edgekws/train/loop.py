"""The training loop: phases of epochs, averaged weights, validation, checkpoints that survive."""

import copy
import json
import math
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import msgspec
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from edgekws.errors import ConfigError, RunError
from edgekws.train.augment import mask_spectrum
from edgekws.train.batches import Examples, ExampleStream, Window, load
from edgekws.train.checkpoint import (
    Checkpoint,
    Progress,
    cut_log,
    load_checkpoint,
    optimizer_tensors,
    restore_optimizer,
    save_checkpoint,
    state_copy,
)
from edgekws.train.dataset import Corpus
from edgekws.train.distillation import Distillation
from edgekws.train.evaluate import Normalizer, clip_logits, standard_error
from edgekws.train.nets import StreamingNet
from edgekws.train.progress import Reporter
from edgekws.train.quantization import rounded
from edgekws.train.recipe import Recipe
from edgekws.train.recipe_training import PhaseRecipe
from edgekws.train.schedule import build_optimizer, set_rate

CHECKPOINT_FILE: Final = "checkpoint.safetensors"
LOG_FILE: Final = "training.jsonl"
SCORED_FRAMES: Final = 8  # rows in the last so many frames of an example still hold its clip


@dataclass(frozen=True, slots=True)
class Validation:
    """Clips of one length and their classes: (clips, samples) int16 and (clips,) int64."""

    pcm: NDArray[np.int16]
    classes: NDArray[np.int64]


@dataclass(slots=True)
class EpochFigures:
    """One line of the training log."""

    epoch: int
    phase: int
    training_loss: float
    validation_loss: float
    validation_accuracy: float
    learning_rate: float
    seconds: float


@dataclass
class Trainer:
    """Everything one run carries from epoch to epoch."""

    net: StreamingNet
    features: Normalizer
    corpus: Corpus
    validation: Validation
    recipe: Recipe
    recipe_sha256: str
    folder: Path
    reporter: Reporter
    distillation: Distillation | None = None
    workers: int = 1
    progress: Progress = field(init=False)
    average: StreamingNet = field(init=False)
    best: dict[str, Tensor] = field(init=False)
    steps: int = 0

    def __post_init__(self) -> None:
        self.progress = Progress(self.recipe_sha256, 0, 0, 0, math.inf, self.corpus.labels)
        self.average = copy.deepcopy(self.net).eval()
        self.best = state_copy(self.average)

    def run(self) -> StreamingNet:
        """Train all phases, from the checkpoint if there is one; return the best averaged net."""
        held = self._resume()
        cut_log(self.folder / LOG_FILE, epochs=self.progress.epochs_done)
        first = 0
        for number, phase in enumerate(self.recipe.phases):
            if number >= self.progress.phase and self.progress.epochs_done < first + phase.epochs:
                self._run_phase(number, phase, first, held)
                held = None
            first += phase.epochs
        self.average.load_state_dict(self.best)
        return self.average.eval()

    def _resume(self) -> Checkpoint | None:
        """Restore the checkpoint of this run, if there is one; another run's is not touched yet."""
        path = self.folder / CHECKPOINT_FILE
        held = load_checkpoint(path)
        if held is None:
            return None
        same_labels = held.progress.labels in ((), self.corpus.labels)
        if held.progress.recipe_sha256 != self.recipe_sha256 or not same_labels:
            self.reporter.say(f"{path} is of another recipe or other labels: starting over")
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

    def _run_phase(
        self, number: int, phase: PhaseRecipe, first: int, held: Checkpoint | None
    ) -> None:
        beside = (self.distillation,) if self.distillation else ()
        optimizer = build_optimizer(self.net, phase, self.recipe, beside=beside)
        if held is not None and held.progress.phase == number:
            restore_optimizer(optimizer, held.part("optimizer"))
        elif number:
            self.net.load_state_dict(self.best)
            self.average.load_state_dict(self.best)
            if phase.quantization_aware:  # epochs before were not judged as the int8 model hears
                self.progress = msgspec.structs.replace(
                    self.progress, best_loss=math.inf, best_accuracy=0.0
                )
        for epoch in range(max(first, self.progress.epochs_done), first + phase.epochs):
            if self._out_of_patience(epoch, first):  # also when going on: it had stopped here
                break
            figures = self._run_epoch(epoch, number, first, optimizer)
            self._keep(figures, optimizer)
            self.reporter.epoch(figures, self.progress.best_epoch)
        self.progress = msgspec.structs.replace(
            self.progress, epochs_done=first + phase.epochs, phase=number + 1
        )

    def _out_of_patience(self, epochs_done: int, first: int) -> bool:
        patience = self.recipe.optimizer.patience
        return patience > 0 and epochs_done - max(self.progress.best_epoch, first) >= patience

    def _run_epoch(
        self, epoch: int, number: int, first: int, optimizer: torch.optim.Optimizer
    ) -> EpochFigures:
        began, phase = time.monotonic(), self.recipe.phases[number]
        stream = ExampleStream(
            self.corpus,
            self.recipe,
            Window(self._frames(), self.features.frontend.spec),
            epoch=epoch,
        )
        batches = stream.batches()
        generator = torch.Generator().manual_seed(self.recipe.seed * 100_003 + epoch)
        torch.manual_seed(self.recipe.seed * 100_003 + epoch)
        training_mode(self.net, phase)
        self.steps = epoch * batches
        total, rate = 0.0, 0.0
        for step, examples in enumerate(load(stream, workers=self.workers)):
            rate = set_rate(optimizer, phase, (epoch - first) * batches + step, batches)
            with computing_as(self.net, phase):
                total += self._loss(examples, optimizer, generator)
            self._step(optimizer)
            self.reporter.batch(epoch, step + 1, batches, total / (step + 1))
        with computing_as(self.average, phase):
            loss, accuracy = validate(self.average, self.features, self.validation)
        if not math.isfinite(total + loss):
            raise ConfigError(
                f"recipe {self.recipe.name!r}: the loss is no number any more in epoch {epoch + 1};"
                f" lower the rates of phase {number + 1}"
            )
        seconds = round(time.monotonic() - began, 1)
        return EpochFigures(epoch + 1, number + 1, total / batches, loss, accuracy, rate, seconds)

    def _frames(self) -> int:
        return self.net.config.window_frames

    def _loss(
        self,
        examples: Examples,
        optimizer: torch.optim.Optimizer,
        generator: torch.Generator,
    ) -> float:
        recipe, net = self.recipe, self.net
        with torch.no_grad():
            log_mel = self.features.frontend.log_mel(examples.audio)
            masked = mask_spectrum(log_mel, recipe.augment, generator)
            x = self.features.normalized(self.features.frontend.cepstra(masked))
        per_row = net.config.frames_per_score
        x = x[:, x.shape[1] % per_row :]  # the clip is at the end
        embeddings = net.last_embeddings(x, max(1, SCORED_FRAMES // per_row))
        logits = net.head(net.dropout(embeddings))  # (batch, rows, labels)
        loss = nn.functional.cross_entropy(
            logits.flatten(0, 1),
            examples.classes.repeat_interleave(logits.shape[1]),
            label_smoothing=recipe.optimizer.label_smoothing,
        )
        if self.distillation is not None:
            loss = loss + self.distillation(embeddings, examples.clips)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        return float(loss.detach())

    def _step(self, optimizer: torch.optim.Optimizer) -> None:
        settings = self.recipe.optimizer
        nn.utils.clip_grad_norm_(self.net.parameters(), settings.gradient_norm)
        optimizer.step()
        self.steps += 1
        warm = (1 + self.steps) / (10 + self.steps)  # the first weights are soon forgotten
        update_average(self.average, self.net, min(settings.average_decay, warm))

    def _keep(self, figures: EpochFigures, optimizer: torch.optim.Optimizer) -> None:
        clips, held = len(self.validation.classes), self.progress
        gain = figures.validation_accuracy - held.best_accuracy
        slack = standard_error(held.best_accuracy, clips)  # by chance alone: there the loss decides
        better = gain > slack or (gain >= -slack and figures.validation_loss < held.best_loss)
        if better:
            self.best = state_copy(self.average)
        self.progress = msgspec.structs.replace(
            self.progress,
            epochs_done=figures.epoch,
            phase=figures.phase - 1,
            best_epoch=figures.epoch if better else self.progress.best_epoch,
            best_loss=figures.validation_loss if better else self.progress.best_loss,
            best_accuracy=max(figures.validation_accuracy, held.best_accuracy),
        )
        with (self.folder / LOG_FILE).open("a") as log:
            log.write(json.dumps({f: getattr(figures, f) for f in figures.__slots__}) + "\n")
        save_checkpoint(
            self.folder / CHECKPOINT_FILE,
            Checkpoint(self.progress, dict(self._tensors(optimizer))),
        )

    def _tensors(self, optimizer: torch.optim.Optimizer) -> Iterator[tuple[str, Tensor]]:
        parts = {
            "net": state_copy(self.net),
            "average": state_copy(self.average),
            "best": self.best,
            "optimizer": optimizer_tensors(optimizer),
            "distillation": state_copy(self.distillation) if self.distillation else {},
        }
        for part, tensors in parts.items():
            yield from ((f"{part}.{name}", tensor) for name, tensor in tensors.items())

    def _restore(self, held: Checkpoint) -> None:
        self.net.load_state_dict(held.part("net"))
        self.average.load_state_dict(held.part("average"))
        self.best = held.part("best")
        if self.distillation is not None:
            self.distillation.load_state_dict(held.part("distillation"))
        self.progress = msgspec.structs.replace(held.progress, labels=self.corpus.labels)


def computing_as(net: nn.Module, phase: PhaseRecipe) -> AbstractContextManager[None]:
    """Return the arithmetic of a phase: float, or rounded as the int8 model's."""
    return rounded(net) if phase.quantization_aware else nullcontext()


def training_mode(net: StreamingNet, phase: PhaseRecipe) -> None:
    """Switch to training; a frozen backbone keeps its batch statistics."""
    net.train()
    if phase.backbone_rate == 0:
        for module in net.backbone():
            module.eval()


@torch.no_grad()
def update_average(average: nn.Module, net: nn.Module, decay: float) -> None:
    """Move the averaged weights and statistics a little towards the trained ones."""
    new = net.state_dict()
    for name, held in average.state_dict().items():
        if held.is_floating_point():
            held.lerp_(new[name], 1.0 - decay)
        else:
            held.copy_(new[name])


def validate(
    net: StreamingNet, features: Normalizer, validation: Validation
) -> tuple[float, float]:
    """Return the mean cross-entropy and the accuracy over the validation clips."""
    logits = torch.from_numpy(clip_logits(net, features, validation.pcm))
    classes = torch.from_numpy(validation.classes)
    loss = nn.functional.cross_entropy(logits, classes)
    return float(loss), float((logits.argmax(1) == classes).float().mean())
