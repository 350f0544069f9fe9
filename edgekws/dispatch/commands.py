"""Which sinks a label goes to: commands as written, and the table of opened sinks."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from typing import Final

import msgspec

from edgekws.dispatch.sink import (
    Announcer,
    Claimant,
    Hearer,
    Linked,
    NumberingSettings,
    Sink,
    SinkSettings,
)
from edgekws.dispatch.stdout import StdoutSettings
from edgekws.errors import SinkError
from edgekws.events import LinkHealth

EVERY_LABEL: Final = "*"


class Command(msgspec.Struct, frozen=True):
    """What to do about one label, or about every one where `label` is `EVERY_LABEL`."""

    label: str
    sink: SinkSettings


class CommandTable(msgspec.Struct, frozen=True):
    """The opened sinks by label; a label that is not in the table goes nowhere.

    `opened` is each sink with the settings that it was opened by.
    """

    routes: Mapping[str, tuple[Sink, ...]]
    opened: tuple[tuple[SinkSettings, Sink], ...] = ()

    @property
    def sinks(self) -> tuple[Sink, ...]:
        """Every sink, each once."""
        return tuple({id(sink): sink for row in self.routes.values() for sink in row}.values())

    def links(self) -> tuple[LinkHealth, ...]:
        """Return how the lines are that sinks keep open."""
        return tuple(sink.link_health() for sink in self.sinks if isinstance(sink, Linked))

    @property
    def hearers(self) -> tuple[Hearer, ...]:
        """The sinks that want the audio itself."""
        return tuple(sink for sink in self.sinks if isinstance(sink, Hearer))

    def sinks_for(self, label: str) -> tuple[Sink, ...]:
        """Return where a detection of the label goes."""
        return self.routes.get(label, ())


def complete_commands(labels: Sequence[str], given: Sequence[Command]) -> tuple[Command, ...]:
    """Return the given commands, those for every label once for each, and stdout for the rest."""
    named = {command.label for command in given}
    if EVERY_LABEL in named:
        return tuple(each for command in given for each in _for_each(labels, command))
    return (*given, *(Command(each, StdoutSettings()) for each in labels if each not in named))


def same_commands(labels: Sequence[str], sinks: Sequence[SinkSettings]) -> tuple[Command, ...]:
    """Return commands that send every label to every sink."""
    return tuple(Command(label, sink) for label in labels for sink in sinks)


def number_labels(commands: Iterable[Command], labels: tuple[str, ...]) -> tuple[Command, ...]:
    """Return the commands with a model's labels in those settings that number them."""
    return tuple(
        Command(each.label, each.sink.for_labels(labels))
        if isinstance(each.sink, NumberingSettings)
        else each
        for each in commands
    )


def open_table(commands: Iterable[Command], held: CommandTable | None = None) -> CommandTable:
    """Open the sinks: one for each set of settings, which commands with equal settings share.

    Sinks of a table that is `held` are taken from it where the settings are the same: a line to a
    board, or a pin, cannot be opened twice.

    Raises:
        SinkError: a sink cannot be built, or two claim the same; those opened are closed again.
    """
    there = () if held is None else held.opened
    opened: list[tuple[SinkSettings, Sink]] = []
    routes: dict[str, tuple[Sink, ...]] = {}
    owners: dict[str, str] = {}  # the label whose table claimed something, by what it is
    with ExitStack() as undo:
        for command in commands:
            sink = _find(command.sink, opened)
            if sink is None:
                _check_claim(command, owners)
                sink = _find(command.sink, there)
                if sink is None:
                    sink = _open(command)
                    undo.callback(sink.close)
                opened.append((command.sink, sink))
            routes[command.label] = (*routes.get(command.label, ()), sink)
        _announce(routes, [sink for _, sink in opened])
        undo.pop_all()
    return CommandTable(routes, tuple(opened))


def _find(wanted: SinkSettings, opened: Iterable[tuple[SinkSettings, Sink]]) -> Sink | None:
    return next((sink for settings, sink in opened if settings == wanted), None)


def _for_each(labels: Sequence[str], command: Command) -> tuple[Command, ...]:
    if command.label != EVERY_LABEL:
        return (command,)
    return same_commands(labels, (command.sink,))


def _announce(routes: Mapping[str, tuple[Sink, ...]], sinks: Iterable[Sink]) -> None:
    for sink in sinks:
        if isinstance(sink, Announcer):
            sink.announce([label for label, row in routes.items() if sink in row])


def _check_claim(command: Command, owners: dict[str, str]) -> None:
    """Take note of what a sink has to itself; SinkError where one of other settings has it."""
    claim = command.sink.claim() if isinstance(command.sink, Claimant) else ""
    if claim in owners:
        raise SinkError(
            f'command "{command.label}": the table of "{owners[claim]}" has the {claim} with other '
            'settings; make them equal, or write one table with label = "*"'
        )
    if claim:
        owners[claim] = command.label


def _open(command: Command) -> Sink:
    try:
        return command.sink.open()
    except SinkError as error:
        raise SinkError(f'command "{command.label}": {error}') from error
