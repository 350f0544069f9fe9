"""A bundle for another target out of one that exists: the shipped one needs no run and no torch."""

from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from edgekws.bundle import Bundle, Golden, encode_golden, file_entry, open_bundle, write_bundle
from edgekws.engines.registry import open_engine
from edgekws.errors import BundleError
from edgekws.export.keys import parse_key
from edgekws.export.targets import Target, find_target
from edgekws.runtime.selfcheck import self_check


def repack(
    folder: Path,
    out: Path,
    target: str,
    *,
    say: Callable[[str], None],
    models: Sequence[str] = (),
) -> Path:
    """Make OUT/<name>-<target>/ from a bundle, with the models of the target; return its path.

    `models`, such as "onnx-int8", stand in for those of the target. They have to pass the bundle's
    own golden vectors first. Raises UsageError for the target and for models that there are not,
    BundleError for a bundle that is damaged or lacks the target's models, SkewError for a model
    that gives other scores here.
    """
    board, bundle = find_target(target), open_bundle(folder)
    manifest, golden = bundle.manifest, bundle.golden()
    place = out / f"{manifest.name}-{board.name}"
    keys = _keys(bundle, board, models)
    say(f"packing {manifest.name} {manifest.version} for {board.name}: {board.board}")
    kept_models = [next(m for m in manifest.models if m.key == key) for key in keys]
    for model_file in kept_models:
        path = bundle.model_path(model_file)
        self_check(bundle, model_file, open_engine(model_file.format, path, model_file.graph))
    kept = Golden(golden.pcm, golden.features, {key: golden.scores[key] for key in keys})
    entries = [manifest.card, *(entry for m in kept_models for entry in m.files())]
    files = {entry.path: bundle.read(entry) for entry in entries}
    files[manifest.golden.path] = encode_golden(kept)
    packed = msgspec.structs.replace(
        manifest,
        target=board.name,
        models=tuple(kept_models),
        golden=file_entry(manifest.golden.path, files[manifest.golden.path]),
    )
    write_bundle(place, packed, files)
    return place


def _keys(bundle: Bundle, board: Target, models: Sequence[str]) -> list[str]:
    """Return the models of the target that the bundle has, best for the target first."""
    for model in models:
        parse_key(model)
    held = {model_file.key for model_file in bundle.manifest.models}
    wanted = list(models) or [f"{format}-{precision}" for format, precision in board.models]
    keys = [key for key in wanted if key in held]
    if not keys or (models and len(keys) < len(models)):
        raise BundleError(
            f"{bundle.path}: holds {', '.join(sorted(held))}, {board.name} is to have "
            f"{', '.join(wanted)}: export a run for it"
        )
    return keys
