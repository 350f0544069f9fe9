"""`edgekws eval`: figures over a folder of clips, degraded ones too, or over one long recording."""

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from edgekws.cli.setup import begin, print_line
from edgekws.errors import UsageError

if TYPE_CHECKING:
    from edgekws.runtime.detector import Detector
    from edgekws.runtime.evaluate import StreamReport
    from edgekws.runtime.figures import ClipReport


def seed(text: str) -> int:
    """Return a whole number from 0 on; argparse's error for anything else."""
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number from 0 on")
    return int(text)


def run(args: argparse.Namespace) -> int:
    """Print one JSON object of figures; with --robustness, one for each condition."""
    if (args.stream is None) != (args.truth is None):
        raise UsageError("eval: --stream and --truth go together; --data stands alone")
    if args.robustness != bool(args.noise) or (args.robustness and args.data is None):
        raise UsageError("eval: --robustness goes with --data and with --noise, which it needs")
    if args.languages is not None and (args.data is None or args.robustness):
        raise UsageError("eval: --languages goes with --data alone")
    begin(verbose=args.verbose)
    from edgekws.runtime.wiring import find_bundle, open_device

    detector = open_device(find_bundle(args.bundle)).detector
    if args.robustness:
        _robustness(detector, args)
    elif args.data is not None:
        print_line(_over_clips(detector, args.data, args.languages))
    else:
        print_line(_over_stream(detector, args.stream, args.truth))
    return 0


def _over_clips(detector: "Detector", data: Path, recipe: Path | None) -> "ClipReport":
    from edgekws.runtime.evaluate import evaluate_clips
    from edgekws.runtime.tree import find_clips, read_clips

    language_of = _languages_of(detector.model.commands, recipe) if recipe else None
    found = find_clips(data)
    clips = read_clips(_progress(found), sample_rate=detector.model.features.sample_rate)
    return evaluate_clips(detector, clips, language_of=language_of)


def _languages_of(commands: Sequence[str], path: Path) -> Callable[[str], str]:
    """Return what tells the language of a command, by a recipe of the same commands."""
    from edgekws.audio.extras import load_extra

    load_extra("torch", extra="train", purpose="eval --languages")
    from edgekws.train.recipe import load_recipe, require_commands

    data = load_recipe(path)[0].data
    require_commands("data.languages", tuple(data.languages), commands)
    return data.language_of


def _robustness(detector: "Detector", args: argparse.Namespace) -> None:
    """Print a row of figures for each condition, and the table on stderr."""
    from edgekws.audio.decode import read_audio
    from edgekws.audio.extras import load_extra
    from edgekws.runtime.tree import find_audio, find_clips, read_clips

    load_extra("torch", extra="train", purpose="eval --robustness")
    from edgekws.train.robustness import markdown, robustness

    rate = detector.model.features.sample_rate
    noise = [
        read_audio(path, sample_rate=rate) for place in args.noise for path in find_audio(place)
    ]
    clips = list(read_clips(_progress(find_clips(args.data)), sample_rate=rate))
    rows = []
    for row in robustness(detector, clips, noise, seed=args.seed, draws=args.draws):
        print_line(row)
        rows.append(row)
    print("\n".join(markdown(rows)), file=sys.stderr)


def _over_stream(detector: "Detector", stream: Path, truth: Path) -> "StreamReport":
    from edgekws.audio.decode import read_audio
    from edgekws.runtime.evaluate import evaluate_stream
    from edgekws.runtime.tree import read_truth

    model = detector.model
    pcm = read_audio(stream, sample_rate=model.features.sample_rate)
    truths = read_truth(
        truth,
        commands=model.commands,
        sample_rate=model.features.sample_rate,
        samples=len(pcm),
    )
    return evaluate_stream(detector, pcm, truths)


def _progress(found: Sequence[tuple[str, Path]]) -> Iterator[tuple[str, Path]]:
    """Give the files one by one, and count them on stderr where a person looks at it."""
    shown = sys.stderr.isatty()
    for number, item in enumerate(found, start=1):
        if shown and (number % 50 == 0 or number == len(found)):
            end = "\n" if number == len(found) else ""
            print(f"\r{number} of {len(found)} files", end=end, file=sys.stderr, flush=True)
        yield item
