"""`edgekws bundle show` and `edgekws bundle verify`: what a bundle says, and whether it holds."""

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgekws.errors import MissingExtraError

if TYPE_CHECKING:
    from edgekws.bundle import Bundle


def add_parsers(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `bundle` with its two verbs to the command line."""
    parser = subparsers.add_parser("bundle", help="look at a bundle, or check every byte of it")
    verbs = parser.add_subparsers(required=True, metavar="show|verify")
    show = verbs.add_parser("show", help="print what the manifest says, as one JSON object")
    show.set_defaults(run=run_show)
    verify = verbs.add_parser(
        "verify", help="check manifest, sizes, hashes, golden vectors and that each model loads"
    )
    verify.set_defaults(run=run_verify)
    for verb in (show, verify):
        verb.add_argument("path", type=Path, metavar="PATH", help="the bundle's folder")


def run_show(args: argparse.Namespace) -> int:
    """Print a bundle's description; BundleError where its files are not as it says."""
    from edgekws.bundle import open_bundle

    _print_line(_description(open_bundle(args.path)))
    return 0


def run_verify(args: argparse.Namespace) -> int:
    """Check all of a bundle; BundleError, and so exit code 5, for the first fault."""
    from edgekws.bundle import open_bundle

    bundle = open_bundle(args.path)
    golden = bundle.golden()
    files = bundle.manifest.files()
    _print_line(
        {
            "path": str(args.path),
            "ok": True,
            "name": bundle.manifest.name,
            "version": bundle.manifest.version,
            "target": bundle.manifest.target,
            "files": len(files),
            "bytes": sum(entry.size for entry in files),
            "golden_frames": len(golden.features),
            "models": _try_models(bundle),
        }
    )
    return 0


def _try_models(bundle: "Bundle") -> dict[str, str]:
    """Load every model whose engine is installed here; return what came of each."""
    from edgekws.engines import open_engine

    outcome = {}
    for model in bundle.manifest.models:
        try:
            open_engine(model.format, bundle.model_path(model), model.graph)
            outcome[model.key] = "loads"
        except MissingExtraError as error:
            outcome[model.key] = f"not tried: {error}"
    return outcome


def _description(bundle: "Bundle") -> dict[str, Any]:
    """Return the manifest with what a person looks for first on top, tensors left out."""
    import msgspec

    manifest = bundle.manifest
    return {
        "path": str(bundle.path),
        "name": manifest.name,
        "version": manifest.version,
        "target": manifest.target,
        "labels": manifest.model.labels,
        "features": msgspec.to_builtins(manifest.model.features),
        "feature_digest": manifest.feature_digest,
        "step_frames": manifest.model.step_frames,
        "parameters": manifest.model.parameters,
        "macs_per_second": manifest.model.macs_per_second,
        "models": [model.key for model in manifest.models],
        "files": {entry.path: entry.size for entry in manifest.files()},
        "metrics": {
            "clips": msgspec.to_builtins(manifest.clip_metrics),
            "streams": msgspec.to_builtins(manifest.stream_metrics),
        },
        "thresholds": msgspec.to_builtins(manifest.triggers),
        "provenance": msgspec.to_builtins(manifest.provenance),
    }


def _print_line(value: dict[str, Any]) -> None:
    print(json.dumps(value, ensure_ascii=False), flush=True)
