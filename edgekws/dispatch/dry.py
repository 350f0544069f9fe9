"""What stands in for every sink in a dry run: it says where a detection would have gone."""

from collections.abc import Iterable
from typing import Self

from edgekws.dispatch.commands import Command
from edgekws.dispatch.sink import SINKS, SinkSettings
from edgekws.events import Detection, Dispatch
from edgekws.specs import Spec


class DrySettings(Spec, frozen=True):
    """The sink that is not opened, by its name."""

    sink: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read the name."""
        return cls(sink=text)

    def open(self) -> "DrySink":
        """Return the sink."""
        return DrySink(self.sink)


class DrySink:
    """Drops every detection, and says so."""

    def __init__(self, name: str) -> None:
        self.name = name

    def send(self, detection: Detection) -> Dispatch:
        """Return the result."""
        return Dispatch(detection.id, detection.label, self.name, "dropped", "dry run", attempts=0)

    def close(self) -> None:
        """Do nothing: nothing is held."""


def dry(commands: Iterable[Command]) -> tuple[Command, ...]:
    """Return the commands with sinks that only say that they would have been used."""
    return tuple(Command(each.label, DrySettings(sink=_name(each.sink))) for each in commands)


def _name(settings: SinkSettings) -> str:
    """Return a sink's name in the table; that of a third party's is the name of its settings."""
    kind = type(settings)
    places = {place: name for name, place in SINKS.items()}
    return places.get(f"{kind.__module__}:{kind.__qualname__}", kind.__qualname__)
