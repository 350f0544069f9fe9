"""`edgekws classify`: one line per file, with the posterior of every label."""

import argparse
import sys

from edgekws.cli.setup import begin, print_line
from edgekws.errors import DataError


def run(args: argparse.Namespace) -> int:
    """Classify each file; for one that cannot be read say so, and end with its exit code."""
    begin(verbose=args.verbose)
    from edgekws.audio.decode import read_audio
    from edgekws.runtime.evaluate import classify_clip
    from edgekws.runtime.wiring import find_bundle, open_device

    detector = open_device(find_bundle(args.bundle)).detector
    rate, code = detector.model.features.sample_rate, 0
    for path in args.files:
        try:
            answer = classify_clip(detector, read_audio(path, sample_rate=rate))
        except DataError as error:
            print(f"edgekws: error: {error}", file=sys.stderr)
            code = error.exit_code
            continue
        print_line(
            {
                "path": str(path),
                "label": answer.label,
                "score": answer.score,
                "scores": answer.scores,
            }
        )
    return code
