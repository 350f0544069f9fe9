"""The story of a training run: recipe, recordings, net, training, report, run folder."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

from edgekws.errors import RunError
from edgekws.events import Floats, Pcm
from edgekws.runtime.figures import clip_report
from edgekws.specs import MFCC_40, FeatureSpec
from edgekws.train.auxiliary import build_beside
from edgekws.train.batches import ExampleStream, Window
from edgekws.train.dataset import Corpus, Folders
from edgekws.train.evaluate import Normalizer, clip_logits
from edgekws.train.frontend import TorchFrontend
from edgekws.train.gather import gather
from edgekws.train.initialization import initialize
from edgekws.train.loop import CHECKPOINT_FILE, Trainer
from edgekws.train.nets import StreamingNet, build_net
from edgekws.train.pretrained import Base, load_base, new_head
from edgekws.train.progress import Reporter
from edgekws.train.recipe import Recipe, load_recipe
from edgekws.train.recipe_data import DataRecipe
from edgekws.train.run import (
    RUN_FILE,
    LabelFigures,
    Report,
    Run,
    RunSource,
    save_run,
    write_aside,
)
from edgekws.train.soft_targets import load_soft_teacher
from edgekws.train.stream import lay_stream, save_stream
from edgekws.train.validation import Validation, validation_clips

RECIPE_FILE: Final = "recipe.toml"
CALIBRATION_CLIPS: Final = 256
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


def adapt(task: Adaptation, reporter: Reporter, corpus: Corpus | None = None) -> Run:
    """Train by a recipe and leave a finished run in `task.out`; a sweep has its corpus already.

    Interrupted at any moment, the same call goes on from the last whole epoch. Raises ConfigError,
    DataError, MissingExtraError, and RunError where `out` holds a finished run already.
    """
    recipe, sha256 = load_recipe(task.recipe, base=task.base)
    recipe_text = task.recipe.read_bytes()
    require_place(task)
    torch.set_num_threads(task.threads)
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
    clear_place(task.out)  # not before: what is asked for can be done
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
    )
    best = trainer.run()
    report = build_report(best, features, corpus, validation, recipe.data)
    _save_audio(task.out, corpus, recipe, features, validation)
    run = _run(recipe, sha256, base, features, best, report, corpus, task.folders)
    write_aside(task.out / RECIPE_FILE, recipe_text)
    save_run(task.out, run, best)
    (task.out / CHECKPOINT_FILE).unlink(missing_ok=True)
    return run


def build_report(
    net: StreamingNet,
    features: Normalizer,
    corpus: Corpus,
    validation: Validation,
    recipe: DataRecipe,
) -> Report:
    """Return the figures of the net over the validation clips."""
    decided = clip_logits(net, features, validation.pcm).argmax(axis=1)
    names = corpus.labels
    figures = clip_report(
        [names[i] for i in validation.classes],
        [names[i] for i in decided],
        names,
        language_of=recipe.language_of,
    )
    return Report(
        accuracy=figures.accuracy,
        macro_f1=figures.macro_f1,
        clips=figures.clips,
        split="speaker-disjoint" if corpus.speaker_disjoint else "clip-disjoint",
        labels=names,
        per_label={
            label: LabelFigures(precision=f.precision, recall=f.recall, f1=f.f1, clips=f.clips)
            for label, f in figures.per_label.items()
        },
        confusion=tuple(tuple(figures.confusion[a][b] for b in names) for a in names),
        per_language=figures.per_language,
    )


def require_place(task: Adaptation) -> None:
    """Make the run folder; RunError where it cannot be, or holds what is not to be replaced."""
    if (task.out / RUN_FILE).exists() and not task.overwrite:
        raise RunError(f"{task.out}: holds a finished run; name another --out, or add --overwrite")
    try:
        task.out.mkdir(parents=True, exist_ok=True)
    except OSError as fault:
        raise RunError(
            f"{task.out}: cannot be made a folder ({fault.strerror}); name another --out"
        ) from fault


def clear_place(out: Path) -> None:
    """Take the mark of a finished run away; a checkpoint left beside it was already used up."""
    if (out / RUN_FILE).exists():
        (out / CHECKPOINT_FILE).unlink(missing_ok=True)
        (out / RUN_FILE).unlink()


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


def _save_audio(
    out: Path, corpus: Corpus, recipe: Recipe, features: Normalizer, validation: Validation
) -> None:
    """Write what `export` calibrates, proves and tunes with."""
    spec = features.frontend.spec
    length = validation.pcm.shape[1]
    _save_arrays(out / "heldout.npz", pcm=validation.pcm, labels=validation.classes)
    frames = spec.frames(length)
    stream = ExampleStream(corpus, recipe, Window(frames, spec), epoch=2_000_000)
    clips: list[Floats] = []
    while len(clips) < CALIBRATION_CLIPS:
        for examples in stream:
            clips += list(examples.audio.numpy()[:, -spec.samples(frames) :])
    _save_arrays(out / "calibration.npz", pcm=np.stack(clips[:CALIBRATION_CLIPS]).astype(np.int16))
    minutes = recipe.stream.minutes
    laid = lay_stream(corpus, minutes=minutes, seed=recipe.seed, sample_rate=spec.sample_rate)
    save_stream(out / "stream.npz", laid)


def _save_arrays(path: Path, *, pcm: Pcm, labels: NDArray[np.int64] | None = None) -> None:
    content = io.BytesIO()
    if labels is None:
        np.savez(content, pcm=pcm)
    else:
        np.savez(content, pcm=pcm, labels=labels)
    write_aside(path, content.getvalue())


def _run(
    recipe: Recipe,
    sha256: str,
    base: Base | None,
    features: Normalizer,
    net: StreamingNet,
    report: Report,
    corpus: Corpus,
    folders: Folders,
) -> Run:
    origin = base.run if base else None
    return Run(
        schema=1,
        name=recipe.name,
        version=recipe.version,
        labels=corpus.labels,
        features=features.frontend.spec,
        mean=tuple(features.mean.tolist()),
        scale=tuple(features.scale.tolist()),
        net=net.config,
        recipe_sha256=sha256,
        base=RunSource(
            name=f"{origin.name} {origin.version}" if origin else "none: trained from scratch",
            licence="Apache-2.0",
            url="",
        ),
        data=tuple(dict.fromkeys((*_sources(recipe, folders), *(origin.data if origin else ())))),
        split=report.split,
        report=report,
        false_accepts_per_hour_budget=recipe.stream.false_accepts_per_hour,
        triggers={},
        stream_metrics=(),
    )


def _sources(recipe: Recipe, folders: Folders) -> Sequence[RunSource]:
    stated = [RunSource(name=s.name, licence=s.licence, url=s.url) for s in recipe.sources]
    own = RunSource(
        name=f"recordings in {folders.data.resolve().name}", licence="not stated", url=""
    )
    spoken = [
        RunSource(
            name=f"{part.takes} takes of a command synthesized by {part.engine}",
            licence="see docs/synthesis.md",
            url="",
        )
        for part in recipe.synthesis
    ]
    return stated or [own, *spoken]


def _summary(corpus: Corpus, validation: Validation) -> str:
    how = "speaker-disjoint" if corpus.speaker_disjoint else "clip-disjoint (no speaker names)"
    return (
        f"{len(corpus.of('training'))} clips to learn {len(corpus.labels)} labels from, "
        f"{len(validation.classes)} to check with; the split is {how}"
    )
