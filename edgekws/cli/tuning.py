"""`edgekws tune`: thresholds for a person's own recordings, as a bundle or for listen.toml."""

import argparse
import math
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from edgekws.cli.setup import begin, print_line
from edgekws.errors import DataError, UsageError

if TYPE_CHECKING:
    from edgekws.events import Pcm
    from edgekws.runtime.detector import Detector
    from edgekws.runtime.evaluate import Truth
    from edgekws.tuning.heard import Heard
    from edgekws.tuning.tune import Tuned


def above_zero(text: str) -> float:
    """Return a finite number above 0; argparse's error for anything else."""
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not (math.isfinite(number) and number > 0):
        raise argparse.ArgumentTypeError(f"{text!r} is no number above 0")
    return number


def run(args: argparse.Namespace) -> int:
    """Choose thresholds, print what they do, and write what was asked for."""
    _check(args)
    begin(verbose=args.verbose)
    from edgekws.runtime.wiring import find_bundle, open_device
    from edgekws.tuning.outcome import outcome, tuned_page
    from edgekws.tuning.page import render
    from edgekws.tuning.report import picture
    from edgekws.tuning.rewrite import require_place, write_tuned
    from edgekws.tuning.tune import tune

    bundle, out = find_bundle(args.bundle), args.bundle if args.write else args.out
    if out is not None:
        require_place(bundle, out)  # before the work
    heard = tuple(_recordings(open_device(bundle).detector, args))
    tuned = tune(heard, bundle.manifest.triggers, budget_per_hour=args.budget)
    pictured = picture(tuned.measured, tuned.triggers)
    if args.html is not None:
        _write(args.html, render(tuned_page(bundle.manifest, tuned, pictured)))
    if out is not None:
        write_tuned(bundle, out, tuned)
    _tell(tuned, out)
    print_line(outcome(tuned, pictured, bundle=out, html=args.html))
    return 0


def _check(args: argparse.Namespace) -> None:
    """Raise UsageError for flags that do not go together."""
    if len(args.stream) != len(args.truth):
        raise UsageError(
            f"tune: {len(args.stream)} recordings in --stream and {len(args.truth)} tables in "
            "--truth: give one table for each recording, in the same order"
        )
    if args.write and args.bundle is None:
        raise UsageError("tune: --write replaces the bundle named by --bundle: name it")
    if args.html is not None and (args.html.is_dir() or not args.html.absolute().parent.is_dir()):
        raise UsageError(f"tune: --html {args.html}: name a file in a folder that there is")


def _recordings(detector: "Detector", args: argparse.Namespace) -> "Iterator[Heard]":
    """Let the detector hear every recording, one after the other."""
    from edgekws.audio.decode import read_audio
    from edgekws.runtime.tree import find_audio, read_truth

    model = detector.model
    rate = model.features.sample_rate
    for path, truth in zip(args.stream, args.truth, strict=True):
        pcm = read_audio(path, sample_rate=rate)
        truths = read_truth(truth, commands=model.commands, sample_rate=rate, samples=len(pcm))
        yield _hear(detector, path, pcm, truths)
    for path in (path for place in args.negatives for path in find_audio(place)):
        yield _hear(detector, path, read_audio(path, sample_rate=rate), ())


def _hear(detector: "Detector", path: Path, pcm: "Pcm", truths: "Sequence[Truth]") -> "Heard":
    from edgekws.tuning.heard import hear

    heard = hear(detector, pcm, truths)
    if not len(heard.places):
        raise DataError(
            f"{path}: {len(pcm)} samples are less than what the model looks at: leave it out"
        )
    return heard


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{path}: cannot be written: {error.strerror}") from error


def _tell(tuned: "Tuned", out: Path | None) -> None:
    """Say to a person, on stderr, what the figures are and what to do with the thresholds."""
    from edgekws.tuning.report import promise
    from edgekws.tuning.words import figure_lines, trigger_tables

    lines = [
        f"thresholds {tuned.how()}",
        *figure_lines(tuned.judged, tuned.triggers),
        f"before: {tuned.before.together.missed} missed, "
        f"{tuned.before.together.false_accepts} false accepts on the same audio",
        promise(tuned.judged, tuned.budget_per_hour),
    ]
    if tuned.kept:
        lines.append(f"not said, thresholds kept: {', '.join(tuned.kept)}")
    tables = trigger_tables(tuned.triggers, tuned.old)
    if out is not None:
        lines.append(f"next: edgekws listen --bundle {out}")
    elif tables:
        lines += ["for listen.toml (or --out DIR writes a bundle):", "", tables]
    else:
        lines.append("the bundle has these thresholds already")
    print("\n".join(lines), file=sys.stderr, flush=True)
