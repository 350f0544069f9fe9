"""What a finished training leaves: figures, what the run is made of, and audio for `export`."""

import io
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edgekws.events import Floats, Pcm
from edgekws.runtime.figures import clip_report
from edgekws.train.batches import ExampleStream, Window
from edgekws.train.dataset import Folders
from edgekws.train.evaluate import Normalizer, clip_logits
from edgekws.train.loop import Trainer
from edgekws.train.nets import StreamingNet
from edgekws.train.pretrained import Base
from edgekws.train.recipe import Recipe
from edgekws.train.run import LabelFigures, Report, Run, RunSource, Split, write_aside
from edgekws.train.run_audio import CALIBRATION_FILE, HELDOUT_FILE
from edgekws.train.stream import STREAM_FILE, lay_stream, save_stream
from edgekws.train.validation import Validation

CALIBRATION_CLIPS: Final = 256


def finished_run(
    trainer: Trainer, net: StreamingNet, *, base: Base | None, folders: Folders
) -> Run:
    """Return what is to be known of the net that came out of a training."""
    recipe, corpus, features = trainer.recipe, trainer.corpus, trainer.features
    report = build_report(
        net,
        features,
        trainer.validation,
        corpus.labels,
        split="speaker-disjoint" if corpus.speaker_disjoint else "clip-disjoint",
        language_of=recipe.data.language_of,
    )
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
        recipe_sha256=trainer.recipe_sha256,
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


def build_report(
    net: StreamingNet,
    features: Normalizer,
    validation: Validation,
    labels: tuple[str, ...],
    *,
    split: Split,
    language_of: Callable[[str], str],
) -> Report:
    """Return the figures of the net over the validation clips."""
    decided = clip_logits(net, features, validation.pcm).argmax(axis=1)
    figures = clip_report(
        [labels[i] for i in validation.classes],
        [labels[i] for i in decided],
        labels,
        language_of=language_of,
    )
    return Report(
        accuracy=figures.accuracy,
        macro_f1=figures.macro_f1,
        clips=figures.clips,
        split=split,
        labels=labels,
        per_label={
            label: LabelFigures(precision=f.precision, recall=f.recall, f1=f.f1, clips=f.clips)
            for label, f in figures.per_label.items()
        },
        confusion=tuple(tuple(figures.confusion[a][b] for b in labels) for a in labels),
        per_language=figures.per_language,
    )


def save_audio(trainer: Trainer) -> None:
    """Write what `export` calibrates, proves and tunes with."""
    corpus, recipe, held = trainer.corpus, trainer.recipe, trainer.validation
    spec = trainer.features.frontend.spec
    _save_arrays(trainer.folder / HELDOUT_FILE, pcm=held.pcm, labels=held.classes)
    frames = spec.frames(held.pcm.shape[1])
    stream = ExampleStream(corpus, recipe, Window(frames, spec), epoch=2_000_000)
    clips: list[Floats] = []
    while len(clips) < CALIBRATION_CLIPS:
        for examples in stream:
            clips += list(examples.audio.numpy()[:, -spec.samples(frames) :])
    calibration = np.stack(clips[:CALIBRATION_CLIPS]).astype(np.int16)
    _save_arrays(trainer.folder / CALIBRATION_FILE, pcm=calibration)
    minutes = recipe.stream.minutes
    laid = lay_stream(corpus, minutes=minutes, seed=recipe.seed, sample_rate=spec.sample_rate)
    save_stream(trainer.folder / STREAM_FILE, laid)


def _save_arrays(path: Path, *, pcm: Pcm, labels: NDArray[np.int64] | None = None) -> None:
    content = io.BytesIO()
    if labels is None:
        np.savez(content, pcm=pcm)
    else:
        np.savez(content, pcm=pcm, labels=labels)
    write_aside(path, content.getvalue())


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
