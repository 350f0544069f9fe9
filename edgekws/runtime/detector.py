"""The detector: blocks of audio in, detections out; no clock, no thread, no I/O."""

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Final

import msgspec
import numpy as np
from msgspec.structs import astuple

from edgekws.engines.engine import Engine
from edgekws.errors import BundleError
from edgekws.events import Block, Detection, Floats, Pcm
from edgekws.runtime.intake import Intake
from edgekws.runtime.steps import Steps, StepStream
from edgekws.runtime.tally import Tally, Warn, unheard
from edgekws.runtime.trigger import Trigger
from edgekws.specs import ModelSpec, TriggerSpec

Observe = Callable[[Floats | None, int], None]
"""Takes the scores of one step, (scores_per_step, n_labels), and the absolute index just after its
last sample; None where the scores are no numbers. The array is lent: copy what is kept. Called on
the main loop: return within microseconds, and never raise."""


class Counters(msgspec.Struct, frozen=True):
    """What a detector has seen so far; `gaps` are jumps of the sample index in any direction."""

    samples: int
    steps: int
    gaps: int
    repaired: int
    refused: int
    non_finite_scores: int
    detections: int

    def plus(self, other: "Counters") -> "Counters":
        """Return the sums."""
        pairs = zip(astuple(self), astuple(other), strict=True)
        return Counters(*(a + b for a, b in pairs))

    def minus(self, other: "Counters") -> "Counters":
        """Return the differences."""
        pairs = zip(astuple(self), astuple(other), strict=True)
        return Counters(*(a - b for a, b in pairs))


NOTHING: Final = Counters(0, 0, 0, 0, 0, 0, 0)


class Detector:
    """Hears commands in a stream of blocks; any chunking of the stream gives the same detections.

    Scores come in rows; a row's place is the index just after the last sample of its last frame.
    Rows whose window the stream has not filled yet are not shown to the trigger.
    """

    def __init__(
        self,
        model: ModelSpec,
        engine: Engine,
        triggers: Mapping[str, TriggerSpec],
        *,
        steps: Steps | None = None,
        warn: Warn = unheard,
    ) -> None:
        """Hear with an engine that takes features, or whatever `steps` gives in their place."""
        self.model, self.triggers = model, triggers
        self._engine = engine
        self._intake = Intake(model.features.sample_rate, warn=warn)
        self._steps = steps or StepStream(model)
        self._trigger = Trigger(model, triggers)
        self._gaps, self._non_finite = Tally(warn), Tally(warn)
        self._samples = self._steps_done = self._detections = 0
        self._earlier = NOTHING
        self.observe: Observe | None = None
        """Is shown every step; None costs nothing."""
        self.reset()

    def reset(self) -> None:
        """Forget the stream: the next block may start anywhere. Counters and ids go on."""
        self._next: int | None = None  # where the next block has to start
        self._restart(0)

    def push(self, block: Block) -> list[Detection]:
        """Take a block and return the detections it completes.

        A block that does not start where the last one ended is a gap: features, states and trigger
        start anew with it. Blocks that make no sense are repaired or refused, never raised upon.
        """
        accepted = self._intake.accept(block)
        if accepted is None:
            return []
        if accepted.start != self._next:
            self._jump(int(accepted.start))
        self._next = int(accepted.end)
        self._samples += len(accepted.pcm)
        detections: list[Detection] = []
        for scores, end in self._rows(accepted.pcm):
            detections += self._judge(scores, end)
        self._detections += len(detections)
        return detections

    def scores(self, pcm: Pcm) -> Floats:
        """Return the posteriors of a whole recording from a fresh start, (rows, n_labels).

        Raises BundleError where the model gives NaN or infinity.
        """
        self.reset()
        rows = [scores for scores, _ in self._rows(pcm)]
        self.reset()
        scores = np.concatenate(rows or [np.zeros((0, len(self.model.labels)), np.float32)])
        if not np.isfinite(scores).all():
            raise BundleError("the model gives NaN or infinity as scores; use another bundle")
        return scores

    def succeed(self, other: "Detector") -> None:
        """Go on where another detector ends: in its ids, its counters, and who observes it."""
        self._trigger.number_from(other._trigger.next_id)
        self._earlier = other.counters.minus(self._own_counters())
        self.observe = other.observe

    @property
    def position(self) -> int:
        """The sample index after the last block that was accepted, 0 before the first."""
        return self._next or 0

    @property
    def steps(self) -> int:
        """How many steps were made, by the detectors that went before too."""
        return self._earlier.steps + self._steps_done

    @property
    def counters(self) -> Counters:
        """What was seen so far, by the detectors that went before too."""
        return self._earlier.plus(self._own_counters())

    def _own_counters(self) -> Counters:
        return Counters(
            samples=self._samples,
            steps=self._steps_done,
            gaps=self._gaps.total(),
            repaired=self._intake.repaired,
            refused=self._intake.refused,
            non_finite_scores=self._non_finite.total(),
            detections=self._detections,
        )

    def _jump(self, start: int) -> None:
        """Begin anew at a sample index; all but the first time this is a gap."""
        if self._next is not None:
            jump = f"{start - self._next} samples at sample {self._next}"
            self._gaps.note("gap", f"the audio jumps by {jump}: the detector starts anew")
        self._restart(start)

    def _restart(self, origin: int) -> None:
        self._steps.reset()
        self._origin, self._frames = origin, 0
        self._start_states()

    def _start_states(self) -> None:
        self._engine.reset()
        self._trigger.reset()
        self._unfilled = rows_to_fill(self.model) - 1  # rows to come whose window is not full

    def _rows(self, pcm: Pcm) -> Iterator[tuple[Floats, int]]:
        """Give the scores of each step, and the sample index just after the step."""
        features = self.model.features
        for step in self._steps.push(pcm):
            self._frames += self.model.step_frames
            self._steps_done += 1
            yield self._engine.step(step), self._origin + features.samples(self._frames)

    def _judge(self, scores: Floats, end: int) -> list[Detection]:
        """Show the rows of one step, (scores_per_step, n_labels), to the trigger."""
        finite = math.isfinite(scores.sum())
        if self.observe is not None:
            self.observe(scores if finite else None, end)
        if not finite:
            self._non_finite.note("scores", "the model gave NaN or infinity: its states start anew")
            self._start_states()
            return []
        apart, count = self.model.samples_per_score, len(scores)
        skip = min(self._unfilled, count)
        self._unfilled -= skip
        ends = [end - (count - 1 - row) * apart for row in range(skip, count)]
        return self._trigger.push(scores[skip:], ends)


def rows_to_fill(model: ModelSpec) -> int:
    """Return how many rows of scores it takes until a window is full."""
    return max(1, -(-model.window_frames // model.frames_per_score))
