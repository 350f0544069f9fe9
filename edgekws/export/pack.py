"""Puts models, golden vectors, card and manifest together and writes them as one bundle."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from edgekws import __version__
from edgekws.bundle import (
    ClipMetrics,
    Golden,
    Manifest,
    ModelFile,
    Provenance,
    encode_golden,
    file_entry,
    write_bundle,
)
from edgekws.engines.engine import Engine
from edgekws.events import Floats, Pcm
from edgekws.export.card import write_card
from edgekws.export.formats import Converted
from edgekws.export.kernels import golden_scores
from edgekws.export.parity import Figures
from edgekws.export.scores import clip_steps, score_steps
from edgekws.export.targets import Target
from edgekws.export.thresholds import Thresholds
from edgekws.features import FeatureStream
from edgekws.specs import ModelKey, ModelSpec
from edgekws.train.run import Run
from edgekws.tuning.words import card_section

GOLDEN_FILE: Final = "golden.npz"
CARD_FILE: Final = "card.md"


@dataclass(frozen=True, slots=True)
class BuiltModel:
    """One model that passed parity, in the engine that will run it on the device."""

    model: Converted
    engine: Engine
    figures: Figures

    def file(self) -> ModelFile:
        """Return its entry in the manifest."""
        first, *more = (file_entry(*named) for named in self.model.named_files().items())
        return ModelFile(
            format=self.model.format,
            precision=self.model.precision,
            file=first,
            weights=more[0] if more else None,
            graph=self.model.graph,
        )

    def golden_scores(self, model: ModelSpec, pcm: Pcm) -> Floats:
        """Return what every device has to find in a recording; ParityError where kernels differ."""
        made = self.model
        steps = clip_steps(model, pcm, graph=made.graph)
        return golden_scores(
            model,
            pcm,
            key=ModelKey(made.format, made.precision, fused=made.graph.fused),
            file=next(iter(made.files.values())),
            graph=made.graph,
            found=score_steps(model, self.engine, steps),
        )


def pack(
    out: Path,
    run: Run,
    model: ModelSpec,
    target: Target,
    *,
    models: Sequence[BuiltModel],
    thresholds: Thresholds,
    golden_pcm: Pcm,
) -> Manifest:
    """Write the bundle `out`, models best first; interrupted, `out` stays as it was."""
    golden = encode_golden(make_golden(model, models, golden_pcm))
    card = write_card(
        run,
        model,
        figures=[built.figures for built in models],
        thresholds=card_section(
            {label: thresholds.triggers[label] for label in model.commands},
            thresholds.streams,
            thresholds.judged,
        ),
    ).encode()
    manifest = Manifest(
        schema=1,
        name=run.name,
        version=run.version,
        target=target.name,
        model=model,
        feature_digest=model.features.digest(),
        triggers=thresholds.triggers,
        models=tuple(built.file() for built in models),
        golden=file_entry(GOLDEN_FILE, golden),
        card=file_entry(CARD_FILE, card),
        clip_metrics=tuple(_clip_metrics(run, built.figures) for built in models),
        stream_metrics=thresholds.streams,
        provenance=Provenance(
            recipe_sha256=run.recipe_sha256,
            base=run.base,
            data=run.data,
            edgekws_version=__version__,
        ),
    )
    files = {GOLDEN_FILE: golden, CARD_FILE: card}
    for built in models:
        files |= built.model.named_files()
    write_bundle(out, manifest, files)
    return manifest


def make_golden(model: ModelSpec, models: Sequence[BuiltModel], pcm: Pcm) -> Golden:
    """Return what the front end and each model find in the audio, on every device."""
    scores = {built.figures.key: built.golden_scores(model, pcm) for built in models}
    return Golden(pcm, FeatureStream(model.features).push(pcm), scores)


def _clip_metrics(run: Run, figures: Figures) -> ClipMetrics:
    return ClipMetrics(
        data=f"held-out clips through {figures.key}",
        split=run.split,
        clips=figures.clips,
        accuracy=figures.accuracy,
        macro_f1=figures.macro_f1,
    )
