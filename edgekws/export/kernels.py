"""Golden scores: those of reference kernels, with which all others that there are have to agree.

A device has the kernels that its runtime was built with. Where two sets of them give other scores
for one model, that model would be refused there, or heard with what nobody has measured.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple

from edgekws.engines.registry import EngineFactory, load_factory
from edgekws.errors import ParityError
from edgekws.events import Floats, Pcm
from edgekws.export.scores import clip_steps, score_steps
from edgekws.runtime.agreement import score_fault
from edgekws.specs import Format, GraphSpec, ModelKey, ModelSpec


class KernelSets(NamedTuple):
    """The "module:function" of the kernels that define what is right, and of others."""

    reference: str
    other: str


SETS: Final[Mapping[Format, KernelSets]] = {
    "tflite": KernelSets(
        "edgekws.engines.tflite_engine:open_reference",
        "edgekws.engines.tflite_engine:open_builtin",
    ),
}
"""Formats whose runtime has more kernels for integers than those that a device here takes."""


def golden_scores(
    model: ModelSpec, pcm: Pcm, *, key: ModelKey, file: bytes, graph: GraphSpec, found: Floats
) -> Floats:
    """Return the posteriors of a recording, (rows, n_labels), by the format's reference kernels.

    They are those `found` by the device's engine where the format has none, and for floats. Raises
    ParityError where any kernels here differ from them by more than a device puts up with.
    """
    if key.format not in SETS or not key.precision.startswith("int"):
        return found
    steps = clip_steps(model, pcm, graph=graph)
    golden, others = (
        score_steps(model, _factory(kernels, key)(file, graph), steps)
        for kernels in SETS[key.format]
    )
    for name, scores in (("device's", found), ("built-in", others)):
        if fault := score_fault(scores, golden, precision=key.precision):
            raise ParityError(
                f"{key}: scores of the {name} kernels {fault}: rounding alone spoils this model, "
                "and some devices would refuse it. No bundle was written: export int16x8 or fp32"
            )
    return golden


def _factory(kernels: str, key: ModelKey) -> EngineFactory:
    return load_factory(kernels, name=key.format, extra=key.format)
