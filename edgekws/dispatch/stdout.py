"""The sink that only says "done": `listen` has printed the detection itself, see `journal`."""

from typing import Self

from edgekws.events import Detection, Dispatch
from edgekws.specs import Spec


class StdoutSettings(Spec, frozen=True):
    """The stdout sink takes no settings."""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read "stdout:", after whose colon nothing may follow."""
        if text.strip():
            raise ValueError("stdout takes no settings; write stdout:")
        return cls()

    def open(self) -> "StdoutSink":
        """Return the sink."""
        return StdoutSink()


class StdoutSink:
    """Answers every detection with "done"."""

    name = "stdout"

    def send(self, detection: Detection) -> Dispatch:
        """Return the result; the line of the detection is the journal's."""
        return Dispatch(detection.id, detection.label, self.name, "done", "printed")

    def close(self) -> None:
        """Do nothing: nothing is held."""
