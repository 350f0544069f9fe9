"""What a tuning tells: the object that `edgekws tune` prints, and the page of its report."""

from pathlib import Path

from edgekws.bundle import Manifest
from edgekws.specs import Spec, TriggerSpec
from edgekws.tuning.curves import CurvePoint
from edgekws.tuning.page import Page
from edgekws.tuning.report import Figures, Judged, Pictured, promise
from edgekws.tuning.tune import Tuned
from edgekws.tuning.words import trigger_tables


class Outcome(Spec, frozen=True):
    """What `edgekws tune` prints; `before` is what the old thresholds do on the same audio.

    `bundle` and `html` are the paths of what was written; `listen_toml` holds the tables that give
    a listen.toml the new thresholds.
    """

    bundle: str | None
    html: str | None
    measured_on_other_audio: bool
    how: str
    promise: str
    budget_per_hour: float
    thresholds: dict[str, TriggerSpec]
    kept: tuple[str, ...]
    judged: Judged
    before: Figures
    curves: dict[str, tuple[CurvePoint, ...]]
    listen_toml: str


def outcome(tuned: Tuned, pictured: Pictured, *, bundle: Path | None, html: Path | None) -> Outcome:
    """Return what there is to print."""
    return Outcome(
        bundle=None if bundle is None else str(bundle),
        html=None if html is None else str(html),
        measured_on_other_audio=tuned.apart,
        how=tuned.how(),
        promise=promise(tuned.judged, tuned.budget_per_hour),
        budget_per_hour=tuned.budget_per_hour,
        thresholds=tuned.triggers,
        kept=tuned.kept,
        judged=tuned.judged,
        before=tuned.before.together,
        curves=pictured.by_label,
        listen_toml=trigger_tables(tuned.triggers, tuned.old),
    )


def tuned_page(manifest: Manifest, tuned: Tuned, pictured: Pictured) -> Page:
    """Return the page of a tuning."""
    kept = ", ".join(tuned.kept)
    return Page(
        title=f"{manifest.name} {manifest.version}: thresholds on own recordings",
        facts=(
            ("recordings", str(len(tuned.measured))),
            ("thresholds", tuned.how()),
            ("before", _short(tuned.before.together)),
            ("now", _short(tuned.judged.together)),
            *((("not said, thresholds kept", kept),) if kept else ()),
        ),
        triggers=tuned.triggers,
        judged=tuned.judged,
        pictured=pictured,
        budget_per_hour=tuned.budget_per_hour,
        clips=None,
    )


def _short(figures: Figures) -> str:
    return (
        f"{figures.missed} of {figures.commands} commands missed, {figures.false_accepts} false "
        "accepts"
    )
