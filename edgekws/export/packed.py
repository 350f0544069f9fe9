"""One model out of a bundle on its way into another: as it is, or with the front end inside."""

from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from edgekws.bundle import Bundle, Golden, ModelFile, file_entry
from edgekws.engines.registry import open_engine
from edgekws.errors import ParityError
from edgekws.events import Floats
from edgekws.export.fusing import fuse
from edgekws.export.scores import clip_steps, score_steps
from edgekws.runtime.selfcheck import SCORE_ATOL, self_check
from edgekws.specs import FUSED


@dataclass(frozen=True, slots=True)
class Packed:
    """A model's entry in the manifest, its files by name, and its golden scores."""

    entry: ModelFile
    files: dict[str, bytes]
    scores: Floats


def held_model(bundle: Bundle, entry: ModelFile, golden: Golden) -> Packed:
    """Return a model of a bundle; SkewError where it gives other scores here."""
    path = bundle.model_path(entry)
    self_check(bundle, entry, open_engine(entry.format, path, entry.graph))
    files = {file.path: bundle.read(file) for file in entry.files()}
    return Packed(entry, files, golden.scores[entry.key])


def fused_model(bundle: Bundle, plain: ModelFile, golden: Golden) -> Packed:
    """Return a model of a bundle with the front end inside.

    Raises MissingExtraError where what writes the format is not installed, SkewError where the
    plain model gives other scores here, ParityError where the fused one does.
    """
    source, model = held_model(bundle, plain, golden), bundle.manifest.model
    by_suffix = {Path(name).suffix: data for name, data in source.files.items()}
    made, graph = fuse(plain.format, by_suffix, plain.graph, model)
    stem = Path(plain.file.path).stem + FUSED
    files = {f"{stem}{suffix}": data for suffix, data in made.items()}
    with TemporaryDirectory(prefix="edgekws-") as aside:
        for name, data in files.items():
            (Path(aside) / name).write_bytes(data)
        engine = open_engine(plain.format, Path(aside) / next(iter(files)), graph)
    scores = score_steps(model, engine, clip_steps(model, golden.pcm, graph=graph))
    first, *more = (file_entry(*named) for named in files.items())
    weights = more[0] if more else None
    entry = ModelFile(
        format=plain.format, precision=plain.precision, file=first, weights=weights, graph=graph
    )
    _require_parity(entry, scores, source.scores, where=bundle.path)
    return Packed(entry, files, scores)


def _require_parity(entry: ModelFile, scores: Floats, plain: Floats, *, where: Path) -> None:
    """Raise ParityError where the front end inside gives other scores than the one outside."""
    largest, limit = float(np.abs(scores - plain).max()), SCORE_ATOL[entry.precision]
    if not largest <= limit:  # written so that NaN fails
        raise ParityError(
            f"{where}: {entry.key} differs from the golden scores without the front end inside by "
            f"{largest:.3g} > {limit:g}; use the other one, or report this as a bug"
        )
