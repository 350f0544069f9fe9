"""`edgekws bench`: what bundles cost on this machine, one JSON object for each model file."""

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from edgekws.cli.setup import begin, print_line
from edgekws.errors import UsageError

if TYPE_CHECKING:
    from edgekws.runtime.wiring import Device

AUTO = "auto"
HERE = "x86"  # what a run is exported for to be measured: models and step are named
STEPS_MS = (40, 80, 160)
COMPARED = ("tflite-int8-fused", "tflite-int8", "onnx-int8-fused", "onnx-int8", "onnx-fp32")


def run(args: argparse.Namespace) -> int:
    """Measure the detector here, and import and load in fresh processes."""
    _require_flags(args)
    begin(verbose=args.verbose)
    if args.probe:
        return _probe(args)
    if args.run_folder is None:
        return _bench(args, args.bundle)
    with tempfile.TemporaryDirectory(prefix="edgekws-") as aside:
        return _bench(args, _exported(args, Path(aside)))


def _require_flags(args: argparse.Namespace) -> None:
    """Raise UsageError for flags that do not go together."""
    if len(args.bundle) > 1 and not args.compare:
        raise UsageError("bench: several bundles are for --compare")
    if args.run_folder is not None and (args.bundle or not args.compare):
        raise UsageError("bench: --run is for --compare, and stands in for --bundle")
    if args.run_folder is None and (args.step_ms or args.model):
        raise UsageError(
            "bench: --step-ms and --model need --run; of bundles, name one of each step, as "
            "`edgekws export RUN --step-ms N` makes them"
        )


def _bench(args: argparse.Namespace, bundles: "Sequence[Path]") -> int:
    """Measure, print a JSON object for each model, and for a person the table and its upshot."""
    from edgekws.runtime.bench import bench

    reports = bench(_devices(args, bundles))
    for report in reports:
        print_line(report)
    if args.compare:
        from edgekws.cli.comparison import table, upshot

        for line in (*table(reports), *upshot(reports)):
            print(line, file=sys.stderr)
    return 0


def _exported(args: argparse.Namespace, aside: Path) -> list[Path]:
    """Export a run aside, once for each step that is wanted; return the bundles."""
    from edgekws.export.keys import parse_key
    from edgekws.export.pipeline import export_run

    def say(text: str) -> None:
        print(f"edgekws: {text}", file=sys.stderr, flush=True)

    models = [parse_key(text) for text in args.model or COMPARED]
    return [
        export_run(args.run_folder, aside, HERE, say=say, models=models, step_ms=step)
        for step in dict.fromkeys(args.step_ms or STEPS_MS)
    ]


def _probe(args: argparse.Namespace) -> int:
    """Print what it took to load, before anything else is imported, and memory after hearing."""
    device = _device(args)
    load_seconds = time.process_time()
    from edgekws.runtime.probe import probe

    print_line(probe(device, load_seconds=load_seconds))
    return 0


def _devices(args: argparse.Namespace, bundles: "Sequence[Path]") -> "list[Device]":
    """Return all that run here with --compare, the cheapest with --engine auto, else the one."""
    if args.compare:
        return _all_devices(bundles)
    return [_cheapest(bundles) if args.engine == AUTO else _device(args)]


def _cheapest(bundles: "Sequence[Path]") -> "Device":
    """Measure every model file that runs here, say what that gave, and return the cheapest."""
    from edgekws.runtime.auto import advice, measure_all

    measured = measure_all(_all_devices(bundles))
    print(f"edgekws: {advice(measured)}", file=sys.stderr)
    return measured[0].device


def _device(args: argparse.Namespace) -> "Device":
    """Open the model file that was asked for, or the best one."""
    from edgekws.runtime.wiring import find_bundle, open_device

    return open_device(find_bundle(next(iter(args.bundle), None)), key=args.engine)


def _all_devices(bundles: "Sequence[Path]") -> "list[Device]":
    """Open every model file that runs here; say which ones are left out."""
    from edgekws.runtime.auto import open_all
    from edgekws.runtime.wiring import find_bundle

    devices: list[Device] = []
    places: Sequence[Path | None] = bundles or [None]
    for bundle in map(find_bundle, places):
        opened, refused = open_all(bundle)
        devices += opened
        for refusal in refused:
            print(f"edgekws: left out {refusal.key}: {refusal.reason}", file=sys.stderr)
    if not devices:
        raise refused[0].reason
    return devices
