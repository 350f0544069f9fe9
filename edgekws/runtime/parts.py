"""What a reload replaces as a whole: the model that hears, and what is done about a label."""

from collections.abc import Callable

import msgspec

from edgekws.audio.recent import Recent
from edgekws.dispatch.commands import CommandTable
from edgekws.runtime.decide import Decider, anything
from edgekws.runtime.detector import Detector
from edgekws.runtime.voice import Voice


class Parts(msgspec.Struct, frozen=True):
    """A detector, what is decided about what it hears, and the sinks for that.

    `bundle` is its name and version; `voice` holds back what nobody said. Sinks that the parts
    before have too go on as they are.
    """

    bundle: str
    detector: Detector
    table: CommandTable
    decider: Decider = msgspec.field(default_factory=anything)
    voice: Voice | None = None


Rebuild = Callable[[Parts], Parts]
"""Builds new parts beside the old ones, on a thread of its own; raises EdgekwsError."""


def succeed(new: Detector, old: Detector, recent: Recent) -> None:
    """Have a new detector hear the audio held and take over: it begins with its window full.

    What it detects in there the old one was asked about, so it is not told again. The audio is
    cut such that the steps of a live source end with its blocks, as `audio.live` has them.
    """
    features = new.model.features
    step = new.model.step_frames * features.hop
    lead = features.window - features.hop
    block = recent.last(lead + max(0, recent.held - lead) // step * step)
    if block is not None:
        new.push(block)
    new.succeed(old)
