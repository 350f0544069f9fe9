"""One named model file of a bundle, in place of the best one that runs here."""

from edgekws.bundle import Bundle, ModelFile
from edgekws.engines.registry import open_engine
from edgekws.errors import UsageError
from edgekws.runtime.detector import Detector
from edgekws.runtime.selfcheck import self_check
from edgekws.runtime.wiring import Device


def pick_model(bundle: Bundle, key: str) -> ModelFile:
    """Return the model file of a key such as "onnx-int8"; UsageError where there is none."""
    by_key = {model_file.key: model_file for model_file in bundle.manifest.models}
    if key not in by_key:
        raise UsageError(f"{bundle.path}: no model file {key!r}; there is {', '.join(by_key)}")
    return by_key[key]


def open_picked(bundle: Bundle, model_file: ModelFile) -> Device:
    """Build the detector on one model file after its self-check, with the manifest's triggers.

    Raises MissingExtraError where its engine is not installed, SkewError where the check fails.
    """
    engine = open_engine(model_file.format, bundle.model_path(model_file), model_file.graph)
    self_check(bundle, model_file, engine)
    manifest = bundle.manifest
    return Device(bundle, model_file, engine, Detector(manifest.model, engine, manifest.triggers))
