"""A bundle for another target out of one that exists: the shipped one needs no run and no torch."""

from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from edgekws.bundle import Bundle, Golden, encode_golden, file_entry, open_bundle, write_bundle
from edgekws.errors import BundleError, MissingExtraError
from edgekws.export.keys import parse_key
from edgekws.export.packed import Packed, fused_model, held_model
from edgekws.export.targets import Target, find_target

Say = Callable[[str], None]


def repack(folder: Path, out: Path, target: str, *, say: Say, models: Sequence[str] = ()) -> Path:
    """Make OUT/<name>-<target>/ from a bundle, with the models of the target; return its path.

    `models`, such as "onnx-int8", stand in for those of the target. They have to pass the bundle's
    own golden vectors first; a fused model that the bundle lacks is made from the one that it has.
    Raises UsageError for the target and for models that there are not, BundleError for a bundle
    that is damaged or lacks the target's models, SkewError for a model that gives other scores
    here, MissingExtraError for models asked for by name that cannot be fused here.
    """
    board, bundle = find_target(target), open_bundle(folder)
    manifest, golden = bundle.manifest, bundle.golden()
    place = out / f"{manifest.name}-{board.name}"
    say(f"packing {manifest.name} {manifest.version} for {board.name}: {board.board}")
    packed = _models(bundle, golden, board, models, say=say)
    kept = Golden(golden.pcm, golden.features, {p.entry.key: p.scores for p in packed})
    files = {name: data for model in packed for name, data in model.files.items()}
    files[manifest.card.path] = bundle.read(manifest.card)
    files[manifest.golden.path] = encode_golden(kept)
    made = msgspec.structs.replace(
        manifest,
        target=board.name,
        models=tuple(model.entry for model in packed),
        golden=file_entry(manifest.golden.path, files[manifest.golden.path]),
    )
    write_bundle(place, made, files)
    return place


def _models(
    bundle: Bundle, golden: Golden, board: Target, models: Sequence[str], *, say: Say
) -> list[Packed]:
    """Return the models of the target that the bundle has or can be fused from, in its order."""
    held = {model_file.key: model_file for model_file in bundle.manifest.models}
    wanted = [parse_key(text) for text in models] or board.models
    packed = []
    for key in wanted:
        plain = held.get(str(key._replace(fused=False)))
        if str(key) in held:
            packed.append(held_model(bundle, held[str(key)], golden))
        elif plain is not None:
            try:
                packed.append(fused_model(bundle, plain, golden))
            except MissingExtraError as error:
                if models:
                    raise
                say(f"left out {key}: {error}")
    if not packed or (models and len(packed) < len(models)):
        raise BundleError(
            f"{bundle.path}: holds {', '.join(sorted(held))}, {board.name} is to have "
            f"{', '.join(map(str, wanted))}: export a run for it"
        )
    return packed
