"""One model out of a bundle on its way into another: as it is, or with the front end inside."""

from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from edgekws.bundle import Bundle, Golden, ModelFile, file_entry
from edgekws.engines.registry import open_engine
from edgekws.errors import ParityError
from edgekws.events import Floats, Pcm
from edgekws.export.fusing import fuse
from edgekws.export.kernels import golden_scores
from edgekws.export.keys import parse_key
from edgekws.export.scores import clip_steps, score_steps
from edgekws.runtime.agreement import score_fault
from edgekws.runtime.selfcheck import self_check
from edgekws.specs import FUSED


@dataclass(frozen=True, slots=True)
class Packed:
    """A model's entry in the manifest, its files by name, and its golden scores."""

    entry: ModelFile
    files: dict[str, bytes]
    scores: Floats


def held_model(bundle: Bundle, entry: ModelFile, golden: Golden) -> Packed:
    """Return a model of a bundle, its golden scores anew where reference kernels give them.

    Raises SkewError where it gives other scores here, ParityError where kernels disagree on it.
    """
    self_check(bundle, entry, open_engine(entry.format, bundle.model_path(entry), entry.graph))
    files = {file.path: bundle.read(file) for file in entry.files()}
    return _packed(bundle, entry, files, golden.pcm, found=golden.scores[entry.key])


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
    first, *more = (file_entry(*named) for named in files.items())
    weights = more[0] if more else None
    entry = ModelFile(
        format=plain.format, precision=plain.precision, file=first, weights=weights, graph=graph
    )
    found = score_steps(model, engine, clip_steps(model, golden.pcm, graph=graph))
    packed = _packed(bundle, entry, files, golden.pcm, found=found)
    if fault := score_fault(packed.scores, source.scores, precision=entry.precision):
        raise ParityError(
            f"{bundle.path}: {entry.key}: scores {fault}, which are those without the front end "
            "inside; use the other one, or report this as a bug"
        )
    return packed


def _packed(
    bundle: Bundle, entry: ModelFile, files: dict[str, bytes], pcm: Pcm, *, found: Floats
) -> Packed:
    """Return a model with its golden scores, which are those found where no others define them."""
    scores = golden_scores(
        bundle.manifest.model,
        pcm,
        key=parse_key(entry.key),
        file=files[entry.file.path],
        graph=entry.graph,
        found=found,
    )
    return Packed(entry, files, scores)
