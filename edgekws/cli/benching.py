"""`edgekws bench`: what bundles cost on this machine, one JSON object for each model file."""

import argparse
import sys
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from edgekws.cli.setup import begin, print_line
from edgekws.errors import UsageError

if TYPE_CHECKING:
    from edgekws.runtime.bench import BenchReport
    from edgekws.runtime.wiring import Device

AUTO = "auto"
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

    reports = bench(_devices(args))
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


def _devices(args: argparse.Namespace) -> "list[Device]":
    """Return all that run here with --compare, the cheapest with --engine auto, else the one."""
    if args.compare:
        return _all_devices(args)
    return [_cheapest(args) if args.engine == AUTO else _device(args)]


def _cheapest(args: argparse.Namespace) -> "Device":
    """Measure every model file that runs here, say what that gave, and return the cheapest."""
    from edgekws.runtime.auto import advice, measure_all

    measured = measure_all(_all_devices(args))
    print(f"edgekws: {advice(measured)}", file=sys.stderr)
    return measured[0].device


def _device(args: argparse.Namespace) -> "Device":
    """Open the model file that was asked for, or the best one."""
    from edgekws.runtime.wiring import find_bundle, open_device

    return open_device(find_bundle(next(iter(args.bundle), None)), key=args.engine)


def _all_devices(args: argparse.Namespace) -> "list[Device]":
    """Open every model file that runs here; say which ones are left out."""
    from edgekws.runtime.auto import open_all
    from edgekws.runtime.wiring import find_bundle

    devices: list[Device] = []
    for bundle in [find_bundle(path) for path in args.bundle or [None]]:
        opened, refused = open_all(bundle)
        devices += opened
        for refusal in refused:
            print(f"edgekws: left out {refusal.key}: {refusal.reason}", file=sys.stderr)
    if not devices:
        raise refused[0].reason
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
