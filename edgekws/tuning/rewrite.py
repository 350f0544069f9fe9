"""A bundle again with other thresholds: the same model, its figures and card told anew."""

from pathlib import Path

import msgspec

from edgekws.bundle import Bundle, file_entry, write_bundle
from edgekws.bundle.manifest import MANIFEST
from edgekws.bundle.writing import check_place
from edgekws.errors import BundleError
from edgekws.tuning.tune import Tuned
from edgekws.tuning.words import card_section, replace_section


def write_tuned(bundle: Bundle, out: Path, tuned: Tuned) -> None:
    """Write a bundle at `out` with the chosen trigger values and their figures.

    `out` may be the bundle's own folder. Interrupted, it stays as it was. Raises BundleError for a
    place that cannot be taken, and for a folder with other files in it, which would be lost.
    """
    require_place(bundle, out)
    manifest, stream = bundle.manifest, tuned.metrics()
    files = {entry.path: bundle.read(entry) for entry in manifest.files()}
    section = card_section(tuned.triggers, [stream], tuned.judged)
    card = replace_section(bundle.card(), section).encode()
    files[manifest.card.path] = card
    changed = msgspec.structs.replace(
        manifest,
        triggers=tuned.triggers,
        stream_metrics=(stream,),
        card=file_entry(manifest.card.path, card),
    )
    write_bundle(out, changed, files)


def require_place(bundle: Bundle, out: Path) -> None:
    """Raise BundleError where `out` can be no bundle, or has more in it, such as an installer."""
    check_place(out)
    own = {MANIFEST, *(entry.path for entry in bundle.manifest.files())}
    others = (
        sorted(path.name for path in out.iterdir() if path.name not in own) if out.is_dir() else []
    )
    if others:
        raise BundleError(
            f"{out}: holds more than the bundle ({', '.join(others[:3])}), which would be lost: "
            "write to a new place with --out"
        )
