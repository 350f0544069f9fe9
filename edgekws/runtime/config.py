"""listen.toml: what to listen to, what to do about each label, and whose thresholds differ."""

import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from edgekws.dispatch.commands import Command
from edgekws.dispatch.sink import SinkSettings, find_sink, unknown_sink
from edgekws.engines.accelerators import find_accelerators
from edgekws.errors import ConfigError, SinkError, UsageError
from edgekws.runtime.config_lines import place
from edgekws.runtime.decide import Rule
from edgekws.runtime.strict import Fault, convert
from edgekws.runtime.tables import (
    CapturesTable,
    ControlTable,
    JournalTable,
    MetricsTable,
    NearMissTable,
    SourceTable,
    TriggerOverride,
    VoiceTable,
)
from edgekws.specs import Spec

_HEAD: Final = ("label", "sink")  # what every [[commands]] table has


class ListenConfig(msgspec.Struct, frozen=True):
    """A whole listen.toml, decoded; each part that it leaves out is None or empty.

    `where` names the file in messages; `bundle` is already relative to the file's own folder;
    `model` is the key of a model file, `accelerators` are names.
    """

    where: str = "listen.toml"
    source: str | None = None
    bundle: Path | None = None
    model: str | None = None
    accelerators: tuple[str, ...] = ()
    commands: tuple[Command, ...] = ()
    triggers: Mapping[str, TriggerOverride] = msgspec.field(default_factory=dict)
    rules: Mapping[str, Rule] = msgspec.field(default_factory=dict)
    control: ControlTable | None = None
    metrics: MetricsTable | None = None
    journal: JournalTable | None = None
    near_misses: NearMissTable | None = None
    captures: CapturesTable | None = None
    voice: VoiceTable | None = None
    text: str = ""
    """What it was decoded from, for the lines in messages."""

    def error(self, key: str, what: str) -> ConfigError:
        """Return the error that names the file, the line and the key."""
        return ConfigError(f"{place(self.where, self.text, key)}: {key}: {what}")


class _File(Spec, frozen=True):
    """The file's outer form; commands and triggers are decoded one by one, for their paths."""

    bundle: str | None = None
    model: str | None = None
    accelerators: tuple[str, ...] = ()
    source: SourceTable | None = None
    commands: tuple[dict[str, Any], ...] = ()
    triggers: dict[str, dict[str, Any]] = msgspec.field(default_factory=dict)
    rules: dict[str, dict[str, Any]] = msgspec.field(default_factory=dict)
    control: ControlTable | None = None
    metrics: MetricsTable | None = None
    journal: JournalTable | None = None
    near_misses: NearMissTable | None = None
    captures: CapturesTable | None = None
    voice: VoiceTable | None = None


class _CommandHead(Spec, frozen=True):
    """What every [[commands]] table has; the rest of it is for its sink."""

    label: str
    sink: str


def read_config(path: Path) -> ListenConfig:
    """Read a listen.toml.

    Raises:
        ConfigError: not there, not TOML, or a missing, unknown or senseless value.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: not UTF-8 text; save it as UTF-8") from error
    return decode_config(text, where=path)


def decode_config(text: str, *, where: Path) -> ListenConfig:
    """Decode the text of a listen.toml that stands at `where`; raise ConfigError as above."""
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{where}: not TOML: {error}") from error
    try:
        return _assemble(convert(table, _File, ""), text, where)
    except Fault as fault:
        raise fault.error(where, text) from fault
    except SinkError as error:
        raise SinkError(f"{where}: {error}") from error


def _assemble(file: _File, text: str, where: Path) -> ListenConfig:
    _check_accelerators(file.accelerators)
    return ListenConfig(
        where=str(where),
        source=file.source.text if file.source else None,
        bundle=where.parent / Path(file.bundle).expanduser() if file.bundle else None,
        model=file.model,
        accelerators=file.accelerators,
        commands=tuple(
            _command(raw, f"commands[{index}]") for index, raw in enumerate(file.commands)
        ),
        triggers={
            label: convert(raw, TriggerOverride, trigger_key(label))
            for label, raw in file.triggers.items()
        },
        rules={label: convert(raw, Rule, rule_key(label)) for label, raw in file.rules.items()},
        control=file.control,
        metrics=file.metrics,
        journal=file.journal,
        near_misses=file.near_misses,
        captures=file.captures,
        voice=file.voice,
        text=text,
    )


def _check_accelerators(names: Sequence[str]) -> None:
    try:
        find_accelerators(names)
    except UsageError as error:
        raise Fault("accelerators", str(error)) from error


def _command(raw: Mapping[str, Any], key: str) -> Command:
    head = convert({name: raw[name] for name in _HEAD if name in raw}, _CommandHead, key)
    settings = _settings_type(head.sink, f"{key}.sink")
    rest = {name: value for name, value in raw.items() if name not in _HEAD}
    return Command(head.label, convert(rest, settings, key))


def _settings_type(sink: str, key: str) -> type[SinkSettings]:
    try:
        settings = find_sink(sink)
    except SinkError as error:
        raise SinkError(f"{key}: {error}") from error
    if settings is None:
        raise Fault(key, unknown_sink(sink))
    return settings


def trigger_key(label: str) -> str:
    """Return where in the file the trigger of a label is."""
    return f'triggers."{label}"'


def rule_key(label: str) -> str:
    """Return where in the file the rule of a label is."""
    return f'rules."{label}"'
