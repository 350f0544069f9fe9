"""Puts a device together: finds the bundle, opens the best engine there is, checks it, builds."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import edgekws
from edgekws.bundle import Bundle, ModelFile, bundles_in, newest_bundle, open_bundle
from edgekws.engines.engine import Engine
from edgekws.engines.registry import open_engine
from edgekws.errors import BundleError, MissingExtraError, UsageError
from edgekws.runtime.detector import Detector
from edgekws.runtime.selfcheck import self_check
from edgekws.runtime.tally import Warn
from edgekws.specs import TriggerSpec

log = logging.getLogger(__name__)

PACKAGE: Final = Path(edgekws.__file__).parent
DEFAULT_BUNDLE: Final = "commands-12"


@dataclass(frozen=True, slots=True)
class Device:
    """A bundle, the model file chosen from it, its engine and the detector on top."""

    bundle: Bundle
    model_file: ModelFile
    engine: Engine
    detector: Detector


def find_shipped() -> Path:
    """Return the bundle that ships with edgekws, in a wheel or a clone; BundleError without one."""
    places = [
        root / DEFAULT_BUNDLE
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
    triggers: Mapping[str, TriggerSpec] | None = None,
    warn: Warn = log.warning,
) -> Device:
    """Build the detector of a bundle after its self-check.

    `key` names a model file in place of the best one that runs here, `triggers` stand in for the
    manifest's. Raises UsageError for a key that the bundle has not, MissingExtraError where no
    engine for any of the model files in question is installed, SkewError where the check fails.
    """
    candidates = bundle.manifest.models if key is None else (find_model(bundle, key),)
    model_file, engine = _best_engine(bundle, candidates)
    self_check(bundle, model_file, engine)
    manifest = bundle.manifest
    log.info("bundle path=%s model=%s: self-check passed", bundle.path, model_file.key)
    detector = Detector(
        manifest.model, engine, manifest.triggers if triggers is None else triggers, warn=warn
    )
    return Device(bundle, model_file, engine, detector)


def _best_engine(bundle: Bundle, candidates: Sequence[ModelFile]) -> tuple[ModelFile, Engine]:
    """Open the first model file, best first, whose engine is installed."""
    missing: list[MissingExtraError] = []
    for model_file in candidates:
        path = bundle.model_path(model_file)
        try:
            engine = open_engine(model_file.format, path, model_file.graph)
        except MissingExtraError as error:
            missing.append(error)
            continue
        if missing:
            log.warning("second choice model=%s, because %s", model_file.key, missing[0])
        return model_file, engine
    raise missing[0]
