"""`edgekws link generate`: the C headers that firmware shares with a bundle."""

import argparse
from pathlib import Path

from edgekws.cli.setup import begin, print_line


def add_parsers(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `link` with its verb to the command line."""
    parser = subparsers.add_parser("link", help="what a microcontroller's firmware needs to know")
    verbs = parser.add_subparsers(required=True, metavar="generate")
    generate = verbs.add_parser("generate", help="write the C headers of the link for a bundle")
    generate.add_argument(
        "--bundle",
        type=Path,
        metavar="DIR",
        help="whose labels to number (default: as for listen)",
    )
    generate.add_argument(
        "--out", type=Path, required=True, metavar="DIR", help="the folder of the headers"
    )
    generate.set_defaults(run=run_generate)


def run_generate(args: argparse.Namespace) -> int:
    """Write ekws_protocol.h and ekws_labels.h; print their paths as a JSON line each."""
    begin(verbose=args.verbose)
    from edgekws.link.codegen import write_headers
    from edgekws.runtime.wiring import find_bundle

    bundle = find_bundle(args.bundle)
    for path in write_headers(args.out, bundle.manifest.model.labels):
        print_line({"path": str(path), "bundle": str(bundle.path)})
    return 0
