"""Which sinks a label goes to: commands as written, and the table of opened sinks."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from edgekws.dispatch.sink import Sink, SinkSettings
from edgekws.dispatch.stdout import StdoutSettings
from edgekws.errors import SinkError


@dataclass(frozen=True, slots=True)
class Command:
    """What to do about one label."""

    label: str
    sink: SinkSettings


@dataclass(frozen=True, slots=True)
class CommandTable:
    """The opened sinks by label; a label that is not in the table goes nowhere."""

    routes: Mapping[str, tuple[Sink, ...]]

    @property
    def sinks(self) -> tuple[Sink, ...]:
        """Every sink, each once."""
        return tuple({id(sink): sink for row in self.routes.values() for sink in row}.values())

    def sinks_for(self, label: str) -> tuple[Sink, ...]:
        """Return where a detection of the label goes."""
        return self.routes.get(label, ())


def complete_commands(labels: Sequence[str], given: Sequence[Command]) -> tuple[Command, ...]:
    """Return the given commands, and stdout for each label that has none."""
    named = {command.label for command in given}
    return (*given, *(Command(each, StdoutSettings()) for each in labels if each not in named))


def same_commands(labels: Sequence[str], sinks: Sequence[SinkSettings]) -> tuple[Command, ...]:
    """Return commands that send every label to every sink."""
    return tuple(Command(label, sink) for label in labels for sink in sinks)


def open_table(commands: Iterable[Command]) -> CommandTable:
    """Open the sinks: one for each set of settings, which commands with equal settings share.

    Raises:
        SinkError: a sink cannot be built; those opened before it are closed again.
    """
    opened: list[tuple[SinkSettings, Sink]] = []
    routes: dict[str, tuple[Sink, ...]] = {}
    with ExitStack() as undo:
        for command in commands:
            sink = next((sink for settings, sink in opened if settings == command.sink), None)
            if sink is None:
                sink = _open(command)
                undo.callback(sink.close)
                opened.append((command.sink, sink))
            routes[command.label] = (*routes.get(command.label, ()), sink)
        undo.pop_all()
    return CommandTable(routes)


def _open(command: Command) -> Sink:
    try:
        return command.sink.open()
    except SinkError as error:
        raise SinkError(f'command "{command.label}": {error}') from error
