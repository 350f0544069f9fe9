"""Who looks on while the daemon listens: who sees scores, hears events, keeps sound."""

import time
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from edgekws.audio.recent import Recent
from edgekws.dispatch.journal import Event
from edgekws.events import Block, Detection, NearMiss
from edgekws.runtime.detector import Detector
from edgekws.runtime.outlets import Listener

if TYPE_CHECKING:  # most of what it weighs nobody needs who only listens
    from edgekws.runtime.sight import Sight

Keep = Callable[[NearMiss, Block], None]
"""Takes a near miss and the last seconds of sound; never waits and never raises."""


class Onlookers:
    """Shows each what is theirs; without any of them it does nothing."""

    def __init__(
        self,
        sight: "Sight | None" = None,
        listeners: Sequence[Listener] = (),
        keep: Keep | None = None,
    ) -> None:
        """Show scores to `sight`, events to `listeners`, the sound of near misses to `keep`."""
        self._sight, self._listeners, self._keep = sight, tuple(listeners), keep

    def begin(self, detector: Detector) -> None:
        """Have the first detector seen."""
        if self._sight is not None:
            detector.observe = self._sight.observe

    def follow(self, detector: Detector) -> None:
        """Have the detector seen that took over from the one before."""
        if self._sight is not None:
            self._sight.follow(detector)

    def tell(self, event: Event) -> None:
        """Tell an event, from any thread."""
        now = time.monotonic()
        for listener in self._listeners:
            listener(event, now)

    def near_misses(self, detections: Sequence[Detection], recent: Recent) -> Iterator[NearMiss]:
        """Give the near misses that are over now that a block was heard."""
        for miss in () if self._sight is None else self._sight.settle(detections):
            sound = None if self._keep is None else recent.last(recent.held)
            if self._keep is not None and sound is not None:
                self._keep(miss, sound)
            yield miss
