"""`edgekws bench`: what bundles cost on this machine, one JSON object for each model file."""

import argparse
import sys
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from edgekws.cli.setup import begin, print_line
from edgekws.errors import MissingExtraError, UsageError

if TYPE_CHECKING:
    from edgekws.runtime.bench import BenchReport
    from edgekws.runtime.wiring import Device

HEADER = (
    f"{'model':<22} {'step ms':>7} {'% core':>7} {'ratio':>6} {'features':>8} {'engine':>7}"
    f" {'trigger':>7} {'load s':>6} {'RSS MB':>6} {'bytes':>9}"
)


def run(args: argparse.Namespace) -> int:
    """Measure the detector here, and import and load in fresh processes."""
    if len(args.bundle) > 1 and not args.compare:
        raise UsageError("bench: several bundles are for --compare")
    begin(verbose=args.verbose)
    if args.probe:
        return _probe(args)
    from edgekws.runtime.bench import bench

    reports = bench(_all_devices(args) if args.compare else [_device(args)])
    for report in reports:
        print_line(report)
    if args.compare:
        _print_table(reports)
    return 0


def _probe(args: argparse.Namespace) -> int:
    """Print what it took to load, before anything else is imported, and memory after hearing."""
    device = _device(args)
    load_seconds = time.process_time()
    from edgekws.runtime.probe import probe

    print_line(probe(device, load_seconds=load_seconds))
    return 0


def _device(args: argparse.Namespace) -> "Device":
    """Open the model file that was asked for, or the best one."""
    from edgekws.runtime.wiring import find_bundle, open_device

    return open_device(find_bundle(next(iter(args.bundle), None)), key=args.engine)


def _all_devices(args: argparse.Namespace) -> "list[Device]":
    """Open every model file whose engine is installed; say which ones are left out."""
    from edgekws.runtime.wiring import find_bundle, open_device

    bundles = [find_bundle(path) for path in args.bundle or [None]]
    devices, missing = [], []
    for bundle, model_file in ((b, m) for b in bundles for m in b.manifest.models):
        try:
            devices.append(open_device(bundle, key=model_file.key))
        except MissingExtraError as error:
            missing.append(error)
            print(f"edgekws: left out {model_file.key}: {error}", file=sys.stderr)
    if not devices:
        raise missing[0]
    return devices


def _print_table(reports: "Sequence[BenchReport]") -> None:
    """Print the rows for a person; features, engine and trigger are microseconds per step."""
    print(HEADER, file=sys.stderr)
    for row in reports:
        print(
            f"{row.model:<22} {row.step_milliseconds:7.0f} {100 * row.cpu_seconds_per_second:7.3f}"
            f" {row.ratio:6.2f} {row.features_us.p50:8.0f} {row.engine_us.p50:7.0f}"
            f" {row.trigger_us.p50:7.0f} {row.load_seconds:6.2f} {row.peak_rss_mb:6.1f}"
            f" {row.model_bytes:9d}",
            file=sys.stderr,
        )
    best = min(reports, key=lambda row: row.ratio)
    print(f"least CPU here: {best.model} of {best.bundle}", file=sys.stderr)
