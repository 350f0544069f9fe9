"""The story of a training run: recipe, recordings, net, training, run folder."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

import torch

from edgekws.digest import sha256_hex
from edgekws.specs import MFCC_40, FeatureSpec
from edgekws.train.auxiliary import build_beside
from edgekws.train.batches import ExampleStream, Window
from edgekws.train.dataset import Corpus, Folders
from edgekws.train.evaluate import Normalizer
from edgekws.train.frontend import TorchFrontend
from edgekws.train.gather import gather
from edgekws.train.initialization import initialize
from edgekws.train.loop import CHECKPOINT_FILE, Trainer
from edgekws.train.nets import StreamingNet, build_net
from edgekws.train.outcome import finished_run, save_audio
from edgekws.train.place import clear_place, require_place
from edgekws.train.pretrained import Base, load_base, new_head
from edgekws.train.processes import run_in_processes
from edgekws.train.progress import Reporter, unheard
from edgekws.train.ranks import ALONE, Ranks, agreed
from edgekws.train.recipe import Recipe, load_recipe
from edgekws.train.run import RECIPE_FILE, Run, save_run, write_aside
from edgekws.train.soft_targets import load_soft_teacher
from edgekws.train.validation import Validation, validation_clips

NORMALIZATION_BATCHES: Final = 24


@dataclass(frozen=True, slots=True)
class Adaptation:
    """What the command line asks for; `base` takes the place of the recipe's, if there is one."""

    recipe: Path
    folders: Folders
    out: Path
    overwrite: bool = False
    threads: int = 2
    base: str = ""
    processes: int = 1


@dataclass(frozen=True, slots=True)
class Prepared:
    """All that a training needs, read and checked; nothing of the run folder was touched yet."""

    trainer: Trainer
    base: Base | None
    recipe_text: bytes


def adapt(task: Adaptation, reporter: Reporter, corpus: Corpus | None = None) -> Run:
    """Train by a recipe and leave a finished run in `task.out`; a sweep has its corpus already.

    Interrupted at any moment, the same call goes on from the last whole epoch, with another number
    of processes too. Raises ConfigError, DataError, MissingExtraError, and RunError where `out`
    holds a finished run already, or one of several processes dies.
    """
    torch.set_num_threads(task.threads if task.processes == 1 else 1)
    prepared = _prepare(task, reporter, corpus)
    trainer = prepared.trainer
    clear_place(task.out)  # not before: what is asked for can be done
    if task.processes == 1:
        return _leave(task, prepared, trainer.run())
    threads = max(1, task.threads // task.processes)
    run_in_processes(partial(_run_as, trainer), task.processes, threads=threads)
    return _leave(task, prepared, trainer.result())


def adapt_as(ranks: Ranks, task: Adaptation, reporter: Reporter) -> Run | None:
    """Train as one of the ranks that were started elsewhere; rank 0 leaves and returns the run.

    Raises what `adapt` does on every rank if on any.
    """
    torch.set_num_threads(task.threads)
    prepared = agreed(ranks, lambda: _prepare(task, reporter, ranks=ranks), _fingerprint)
    if ranks.leads:
        clear_place(task.out)
    best = prepared.trainer.run()
    return _leave(task, prepared, best) if ranks.leads else None


def _run_as(trainer: Trainer, ranks: Ranks) -> StreamingNet:
    trainer.ranks = ranks
    if not ranks.leads:
        trainer.reporter = unheard()
    return trainer.run()


def _prepare(
    task: Adaptation, reporter: Reporter, corpus: Corpus | None = None, *, ranks: Ranks = ALONE
) -> Prepared:
    recipe, sha256 = load_recipe(task.recipe, base=task.base)
    recipe_text = task.recipe.read_bytes()
    if ranks.leads:
        require_place(task.out, overwrite=task.overwrite)
    torch.manual_seed(recipe.seed)
    base = load_base(recipe.base) if recipe.base else None
    spec = base.run.features if base else MFCC_40
    is_new = corpus is None
    corpus = corpus or gather(task.folders, recipe, reporter, sample_rate=spec.sample_rate)
    net, features = _net(recipe, base, corpus, spec)
    teacher = load_soft_teacher(recipe.distillation, corpus.labels, spec)
    validation = validation_clips(corpus, recipe, net, spec)
    if is_new:
        reporter.say(_summary(corpus, validation))
    beside = build_beside(recipe, net, corpus, folder=task.out.parent, reporter=reporter)
    trainer = Trainer(
        net,
        features,
        corpus,
        validation,
        recipe,
        sha256,
        task.out,
        reporter,
        beside=beside,
        teacher=teacher,
        ranks=ranks,
    )
    return Prepared(trainer, base, recipe_text)


def _leave(task: Adaptation, prepared: Prepared, best: StreamingNet) -> Run:
    """Write the run of the best net, whose file says that it is finished, last."""
    trainer = prepared.trainer
    save_audio(trainer)
    run = finished_run(trainer, best, base=prepared.base, folders=task.folders)
    write_aside(task.out / RECIPE_FILE, prepared.recipe_text)
    save_run(task.out, run, best)
    (task.out / CHECKPOINT_FILE).unlink(missing_ok=True)
    return run


def _fingerprint(prepared: Prepared) -> str:
    """Return a name for what all ranks have to train alike: the recipe, and whose clips they are.

    Synthesized speech may have other samples on other machines.
    """
    trainer = prepared.trainer
    clips = [(clip.label, clip.split) for clip in trainer.corpus.clips]
    return sha256_hex(f"{trainer.recipe_sha256} {trainer.corpus.labels} {clips}".encode())


def _net(
    recipe: Recipe, base: Base | None, corpus: Corpus, spec: FeatureSpec
) -> tuple[StreamingNet, Normalizer]:
    """Return the net to train and what feeds it; a base brings its normalization along."""
    frontend = TorchFrontend(spec)
    if base is not None:
        mean, scale = torch.tensor(base.run.mean), torch.tensor(base.run.scale)
        seconds, order = recipe.window_seconds, recipe.order
        net = new_head(base, corpus.labels, window_seconds=seconds, order=order)
        return net, Normalizer(frontend, mean, scale)
    assert recipe.net is not None  # the recipe has one or the other
    net = build_net(recipe.net, len(corpus.labels))
    initialize(net, recipe.initialization)
    mean, scale = _measure(frontend, corpus, recipe, net)
    return net, Normalizer(frontend, mean, scale)


def _measure(
    frontend: TorchFrontend, corpus: Corpus, recipe: Recipe, net: StreamingNet
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the mean and 1 / deviation of every coefficient over augmented training audio."""
    stream = ExampleStream(corpus, recipe, _window(net, frontend.spec), epoch=1_000_000)
    rows = [
        frontend(examples.audio).flatten(0, 1)
        for _, examples in zip(range(NORMALIZATION_BATCHES), stream, strict=False)
    ]
    together = torch.cat(rows)  # (frames, n_mfcc)
    return together.mean(0), 1.0 / together.std(0)


def _window(net: StreamingNet, spec: FeatureSpec) -> Window:
    return Window(net.config.window_frames, spec)


def _summary(corpus: Corpus, validation: Validation) -> str:
    how = "speaker-disjoint" if corpus.speaker_disjoint else "clip-disjoint (no speaker names)"
    return (
        f"{len(corpus.of('training'))} clips to learn {len(corpus.labels)} labels from, "
        f"{len(validation.classes)} to check with; the split is {how}"
    )
