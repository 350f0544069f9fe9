"""Which engine runs a bundle here: an accelerator that proved itself, or else the CPU's best."""

import logging
from collections.abc import Sequence
from typing import Final

import msgspec

from edgekws.bundle import Bundle, ModelFile
from edgekws.engines.accelerators import Accelerator
from edgekws.engines.engine import Engine
from edgekws.engines.registry import open_engine
from edgekws.errors import BundleError, MissingExtraError, SkewError
from edgekws.runtime.selfcheck import self_check

log = logging.getLogger(__name__)

REFUSALS: Final = (BundleError, MissingExtraError, SkewError)


class Choice(msgspec.Struct, frozen=True):
    """A model file and its engine, checked; `accelerator` is None on the CPU."""

    model_file: ModelFile
    engine: Engine
    accelerator: str | None


def choose_engine(
    bundle: Bundle, candidates: Sequence[ModelFile], accelerators: Sequence[Accelerator]
) -> Choice:
    """Return the first that works, accelerators before the CPU, candidates best first.

    An accelerator is taken only after it computed the golden vectors as the exporting machine did;
    for any other a warning says why it is not. Raises MissingExtraError where no engine for any of
    the candidates is installed, SkewError where the CPU's fails the check.
    """
    for accelerator in accelerators:
        choice = _accelerated(bundle, candidates, accelerator)
        if choice is not None:
            return choice
    model_file, engine = _best_engine(bundle, candidates)
    self_check(bundle, model_file, engine)
    return Choice(model_file, engine, None)


def _accelerated(
    bundle: Bundle, candidates: Sequence[ModelFile], accelerator: Accelerator
) -> Choice | None:
    """Return the first candidate that the accelerator runs rightly, None where it runs none."""
    reasons = []
    for model_file in (each for each in candidates if each.format == accelerator.format):
        try:
            engine = accelerator.open(bundle.model_path(model_file), model_file.graph)
            self_check(bundle, model_file, engine)
        except REFUSALS as error:
            reasons.append(str(error))
        else:
            return Choice(model_file, engine, accelerator.name)
    reasons = reasons or [f"it runs {accelerator.format}, and no model in question is of that"]
    log.warning("not on %s, because %s", accelerator.name, "; and ".join(dict.fromkeys(reasons)))
    return None


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
