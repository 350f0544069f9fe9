"""What a sink is, and where each one lives: nothing is imported until asked for.

A sink is named by its settings: a frozen `Spec` that can be decoded from a table of listen.toml or
parsed from a `--sink` text, and that opens the sink. Third parties add theirs as entry points of
the group `edgekws.sinks`, each naming such a class.
"""

from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final, Protocol, Self, runtime_checkable

from edgekws.errors import SinkError, UsageError
from edgekws.events import Block, Detection, Dispatch, LinkHealth
from edgekws.specs import Spec

if TYPE_CHECKING:
    from importlib.metadata import EntryPoints

SINKS: Final[Mapping[str, str]] = {
    "stdout": "edgekws.dispatch.stdout:StdoutSettings",
    "process": "edgekws.dispatch.process:ProcessSettings",
    "mqtt": "edgekws.dispatch.mqtt:MqttSettings",
    "webhook": "edgekws.dispatch.webhook:WebhookSettings",
    "transcribe": "edgekws.dispatch.transcribe:TranscribeSettings",
    "gpio": "edgekws.dispatch.gpio:GpioSettings",
    "serial": "edgekws.dispatch.serial:SerialSettings",
}
ENTRY_POINT_GROUP: Final = "edgekws.sinks"


class Sink(Protocol):
    """Does something about a detection. One worker thread calls `send`, one at a time."""

    @property
    def name(self) -> str:
        """The sink's name in the table, as it stands in every `Dispatch`."""
        ...

    def send(self, detection: Detection) -> Dispatch:
        """Act on the detection, with retries of its own, in a bounded time."""
        ...

    def close(self) -> None:
        """Make a running `send` end soon and let go of everything; called from another thread."""
        ...


@runtime_checkable
class Announcer(Protocol):
    """One more verb, for a sink whose peer wants to know beforehand what may come."""

    def announce(self, labels: Sequence[str]) -> None:
        """Say which labels go to this sink; called once, before the first `send`."""
        ...


@runtime_checkable
class Linked(Protocol):
    """One more verb, for a sink that keeps a line open to its peer."""

    def link_health(self) -> LinkHealth:
        """Return how the line is now; called from other threads."""
        ...


@runtime_checkable
class Hearer(Protocol):
    """One more verb, for a sink that hands on audio and not only what was detected in it."""

    def hear(self, block: Block) -> None:
        """Take a block at once, without waiting: the main loop calls it with every one."""
        ...


@runtime_checkable
class Aging(Protocol):
    """`send` with one more argument, for a sink whose commands grow too old to carry out."""

    def send_after(self, detection: Detection, waited_seconds: float) -> Dispatch:
        """Act as `send` does on a detection that has waited in the queue for so long."""
        ...


@runtime_checkable
class Claimant(Protocol):
    """One more verb, for settings of a sink that has something to itself."""

    def claim(self) -> str:
        """Return what no two sinks can have at once, in words; "" is nothing."""
        ...


class SinkSettings(Protocol):
    """The settings of one sink: a frozen struct derived from `edgekws.specs.Spec`."""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read what follows the colon of a `--sink` text; ValueError says what is wrong."""
        ...

    def open(self) -> Sink:
        """Check the settings against this machine and build the sink, or raise SinkError."""
        ...


@runtime_checkable
class NumberingSettings(Protocol):
    """One more verb, for settings of a sink whose peer knows labels by their numbers."""

    def for_labels(self, labels: tuple[str, ...]) -> SinkSettings:
        """Return these settings for a model's labels, in its order, the reserved ones included."""
        ...


def sink_names() -> tuple[str, ...]:
    """Return the names of all sinks there are, ours and those of installed packages."""
    return tuple(sorted({*SINKS, *_plugins().names}))


def find_sink(name: str) -> type[SinkSettings] | None:
    """Return the settings class behind a name, None where there is no such sink.

    Raises:
        SinkError: the sink of an installed package cannot be imported, or is not a `Spec`.
    """
    if name in SINKS:
        module, _, attribute = SINKS[name].partition(":")
        ours: type[SinkSettings] = getattr(import_module(module), attribute)
        return ours
    return _load_plugin(name)


def parse_sink(text: str) -> SinkSettings:
    """Read a `--sink` text: "stdout:" or "process:PROGRAM ARG ARG" (quotes as in a shell).

    Raises:
        UsageError: an unknown sink, or settings that it does not take.
        SinkError: see `find_sink`.
    """
    name, _, rest = text.partition(":")
    settings = find_sink(name)
    if settings is None:
        raise UsageError(f'--sink "{text}": {unknown_sink(name)}')
    try:
        return settings.parse(rest)
    except ValueError as error:
        raise UsageError(f'--sink "{text}": {error}') from error


def unknown_sink(name: str) -> str:
    """Return the clause of a message about a name that no sink has."""
    return f'there is no sink "{name}"; there are: {", ".join(sink_names())}'


def _plugins() -> "EntryPoints":
    from importlib.metadata import entry_points  # 25 ms, spared where only our own are named

    return entry_points(group=ENTRY_POINT_GROUP)


def _load_plugin(name: str) -> type[SinkSettings] | None:
    found = tuple(_plugins().select(name=name))
    if not found:
        return None
    try:
        loaded: Any = found[0].load()
    except (ImportError, AttributeError) as error:
        raise SinkError(f'sink "{name}" ({found[0].value}) cannot be loaded: {error}') from error
    if not (isinstance(loaded, type) and issubclass(loaded, Spec)):
        raise SinkError(f'sink "{name}" ({found[0].value}) needs to derive from edgekws.specs.Spec')
    settings: type[SinkSettings] = loaded  # type: ignore[assignment]  # its verbs are its promise
    return settings
