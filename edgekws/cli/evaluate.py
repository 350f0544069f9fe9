"""`edgekws eval`: figures over a folder of clips, or over one long recording."""

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from edgekws.cli.setup import begin, print_line
from edgekws.errors import UsageError

if TYPE_CHECKING:
    from edgekws.runtime.detector import Detector
    from edgekws.runtime.evaluate import StreamReport
    from edgekws.runtime.figures import ClipReport


def run(args: argparse.Namespace) -> int:
    """Print one JSON object of figures."""
    if (args.stream is None) != (args.truth is None):
        raise UsageError("eval: --stream and --truth go together; --data stands alone")
    begin(verbose=args.verbose)
    from edgekws.runtime.wiring import find_bundle, open_device

    detector = open_device(find_bundle(args.bundle)).detector
    if args.data is not None:
        print_line(_over_clips(detector, args.data))
    else:
        print_line(_over_stream(detector, args.stream, args.truth))
    return 0


def _over_clips(detector: "Detector", data: Path) -> "ClipReport":
    from edgekws.runtime.evaluate import evaluate_clips
    from edgekws.runtime.tree import find_clips, read_clips

    found = find_clips(data)
    rate = detector.model.features.sample_rate
    return evaluate_clips(detector, read_clips(_progress(found), sample_rate=rate))


def _over_stream(detector: "Detector", stream: Path, truth: Path) -> "StreamReport":
    from edgekws.audio import read_audio
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
