"""Puts a device together: finds the bundle, has its engine chosen, builds."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec

import edgekws
from edgekws.bundle import Bundle, ModelFile, bundles_in, newest_bundle, open_bundle
from edgekws.engines.accelerators import Accelerator
from edgekws.engines.engine import Engine
from edgekws.errors import BundleError, UsageError
from edgekws.runtime.choice import choose_engine
from edgekws.runtime.detector import Detector
from edgekws.runtime.steps import steps_for
from edgekws.runtime.tally import Warn
from edgekws.specs import TriggerSpec

log = logging.getLogger(__name__)

PACKAGE: Final = Path(edgekws.__file__).parent
DEFAULT_BUNDLE: Final = "commands-12"


class Device(msgspec.Struct, frozen=True):
    """A bundle, the model file chosen from it, its engine and the detector on top.

    `accelerator` is None on the CPU.
    """

    bundle: Bundle
    model_file: ModelFile
    engine: Engine
    detector: Detector
    accelerator: str | None


def find_shipped(name: str = DEFAULT_BUNDLE) -> Path:
    """Return a bundle that ships with edgekws, in a wheel or a clone; BundleError without it."""
    places = [
        root / name
        for root in (PACKAGE / "share" / "bundles", PACKAGE.parent / "models" / "bundles")
    ]
    for place in places:
        if place.is_dir():
            return place
    raise BundleError(
        f"no bundle in dist, {places[0]} or {places[1]}: `make export` makes one, or name it by "
        "--bundle"
    )


def find_bundle(path: Path | None) -> Bundle:
    """Open the bundle at a path, or the newest in ./dist, or else the one that ships.

    Raises BundleError where there is none, or where it is damaged.
    """
    if path is not None:
        return open_bundle(path)
    own = Path("dist")
    return open_bundle(newest_bundle([own]) if bundles_in(own) else find_shipped())


def find_model(bundle: Bundle, key: str) -> ModelFile:
    """Return the model file of a key such as "onnx-int8"; UsageError where there is none."""
    by_key = {model_file.key: model_file for model_file in bundle.manifest.models}
    if key not in by_key:
        raise UsageError(f"{bundle.path}: no model file {key!r}; there is {', '.join(by_key)}")
    return by_key[key]


def open_device(
    bundle: Bundle,
    *,
    key: str | None = None,
    accelerators: Sequence[Accelerator] = (),
    triggers: Mapping[str, TriggerSpec] | None = None,
    warn: Warn = log.warning,
) -> Device:
    """Build the detector of a bundle after its self-check.

    `key` names a model file in place of the best one that runs here, `accelerators` are tried
    before the CPU, `triggers` stand in for the manifest's. Raises UsageError for a key that the
    bundle has not, MissingExtraError where no engine for any of the model files in question is
    installed, SkewError where the check fails.
    """
    candidates = bundle.manifest.models if key is None else (find_model(bundle, key),)
    chosen = choose_engine(bundle, candidates, accelerators)
    manifest, place = bundle.manifest, chosen.accelerator or "cpu"
    key = chosen.model_file.key
    log.info("bundle path=%s model=%s on=%s: self-check passed", bundle.path, key, place)
    detector = Detector(
        manifest.model,
        chosen.engine,
        manifest.triggers if triggers is None else triggers,
        steps=steps_for(manifest.model, chosen.model_file.graph),
        warn=warn,
    )
    return Device(bundle, chosen.model_file, chosen.engine, detector, chosen.accelerator)
