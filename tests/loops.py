"""Small trainings in this process: tones, a small net, and a person who loses patience."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from msgspec.structs import replace

from edgekws.specs import MFCC_40
from edgekws.train.dataset import Corpus
from edgekws.train.evaluate import Normalizer
from edgekws.train.frontend import TorchFrontend
from edgekws.train.loop import LOG_FILE, Trainer
from edgekws.train.losses import Teacher
from edgekws.train.nets import StreamingTcn
from edgekws.train.progress import Reporter
from edgekws.train.recipe import Recipe
from edgekws.train.validation import Validation
from tests.runs import CLIP, LABELS, SMALL_NET, trained
from tests.training import quiet, recipe_of, recipe_text, tone_corpus

SAME: Final = 1e-6
"""Weights of an interrupted and an uninterrupted run: the same arithmetic in the same order on one
thread; measured 0."""
SHA: Final = "0" * 64
Options = Mapping[str, float | str]
Phases = tuple[tuple[int, float, float], ...]


class StoppedError(Exception):
    """What Ctrl-C is to the loop, at a chosen moment."""


class StopsAt(Reporter):
    """A reporter in which the person loses patience, at a batch of an epoch or after an epoch."""

    def __init__(self, *, epoch: int, batch: int | None) -> None:
        super().__init__(1, quiet().out)
        self.stop_epoch, self.stop_batch = epoch, batch

    def batch(self, epoch: int, done: int, total: int, loss: float) -> None:
        if (epoch + 1, done) == (self.stop_epoch, self.stop_batch):
            raise StoppedError

    def epoch(self, figures: Any, best_epoch: int) -> None:
        if figures.epoch == self.stop_epoch and self.stop_batch is None:
            raise StoppedError


def recipe(phases: Phases, *, patience: int = 0, examples: int = 128) -> Recipe:
    return recipe_of(recipe_text(phases=phases, patience=patience, examples=examples))


def with_options(
    chosen: Recipe, *, phase: Options | None = None, optimizer: Options | None = None
) -> Recipe:
    """Return a recipe with other keys in all its phases and in its optimizer."""
    phases = tuple(replace(one, **(phase or {})) for one in chosen.phases)
    return replace(chosen, phases=phases, optimizer=replace(chosen.optimizer, **(optimizer or {})))


def net() -> StreamingTcn:
    torch.manual_seed(3)
    return StreamingTcn(SMALL_NET, len(LABELS))


def trainer(
    folder: Path,
    chosen: Recipe,
    *,
    start: StreamingTcn | None = None,
    reporter: Reporter | None = None,
    corpus: Corpus | None = None,
    sha256: str = SHA,
    teacher: Teacher | None = None,
) -> Trainer:
    torch.set_num_threads(1)
    tones, run = corpus or tone_corpus(), trained().run
    held = tones.of("validation")
    pcm = np.stack([clip.pcm[:CLIP] for clip in held])
    classes = np.array([tones.labels.index(clip.label) for clip in held], np.int64)
    features = Normalizer(TorchFrontend(MFCC_40), torch.tensor(run.mean), torch.tensor(run.scale))
    validation = Validation(pcm, classes)
    folder.mkdir(exist_ok=True)
    return Trainer(
        start or net(),
        features,
        tones,
        validation,
        chosen,
        sha256,
        folder,
        reporter or quiet(),
        workers=0,
        teacher=teacher,
    )


def log_of(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / LOG_FILE).read_text().splitlines()]


def largest_difference(a: StreamingTcn, b: StreamingTcn) -> float:
    pairs = zip(a.state_dict().values(), b.state_dict().values(), strict=True)
    return max(float((x.double() - y.double()).abs().max()) for x, y in pairs)
