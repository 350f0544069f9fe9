"""`edgekws bench`: what a bundle costs on this machine, as one JSON object."""

import argparse

from edgekws.cli.setup import begin, print_line


def run(args: argparse.Namespace) -> int:
    """Measure the detector here, and import and load in a fresh process."""
    begin(verbose=args.verbose)
    if args.probe:
        return _probe(args)
    from edgekws.runtime.bench import bench, probe_fresh
    from edgekws.runtime.wiring import find_bundle, open_device

    bundle = find_bundle(args.bundle)
    print_line(bench(open_device(bundle), probe_fresh(bundle.path)))
    return 0


def _probe(args: argparse.Namespace) -> int:
    """Print what it took to come here and to load, before anything else is imported."""
    from edgekws.runtime.probe import probe
    from edgekws.runtime.wiring import find_bundle, open_device

    print_line(probe(open_device(find_bundle(args.bundle))))
    return 0
