"""What an engine is, and where each one lives: nothing heavy is imported until asked for."""

from typing import Protocol

from edgekws.events import Floats


class Engine(Protocol):
    """Runs one model file step by step and keeps its states."""

    def step(self, features: Floats) -> Floats:
        """Return posteriors (scores_per_step, n_labels) of one step.

        `features` is normalized, (step_frames, n_mfcc); of a fused model it is the step's samples.
        """
        ...

    def reset(self) -> None:
        """Put every state back to the start of a stream."""
        ...
