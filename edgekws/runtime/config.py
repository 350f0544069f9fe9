"""listen.toml: what to listen to, what to do about each label, and whose thresholds differ."""

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeVar

import msgspec

from edgekws.dispatch.commands import EVERY_LABEL, Command
from edgekws.dispatch.sink import SinkSettings, find_sink, unknown_sink
from edgekws.engines.accelerators import find_accelerators
from edgekws.errors import ConfigError, SinkError, UsageError
from edgekws.runtime.config_lines import place
from edgekws.runtime.decide import Rule
from edgekws.runtime.tables import (
    CapturesTable,
    ControlTable,
    JournalTable,
    MetricsTable,
    NearMissTable,
    VoiceTable,
)
from edgekws.specs import Spec, TriggerSpec

_Decoded = TypeVar("_Decoded")
_WORDS: Final = (("`", ""), (" | null", ""), ("Object ", "table "), ("object", "table"))
_HEAD: Final = ("label", "sink")  # what every [[commands]] table has
_UNKNOWN: Final = re.compile(r"unknown field (?P<field>\S+)")
_AT: Final = re.compile(r"(?P<what>.*) - at `\$\.?(?P<key>.*)`", re.DOTALL)


class SourceTable(Spec, frozen=True):
    """[source]: `text` is what `--source` takes."""

    text: str


class TriggerOverride(Spec, frozen=True):
    """[triggers.LABEL]: the values of a `TriggerSpec` that differ from the bundle's."""

    on: float | None = None
    off: float | None = None
    mean_samples: int | None = None
    consecutive: int | None = None
    refractory_samples: int | None = None


@dataclass(frozen=True, slots=True)
class ListenConfig:
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
    triggers: Mapping[str, TriggerOverride] = field(default_factory=dict)
    rules: Mapping[str, Rule] = field(default_factory=dict)
    control: ControlTable | None = None
    metrics: MetricsTable | None = None
    journal: JournalTable | None = None
    near_misses: NearMissTable | None = None
    captures: CapturesTable | None = None
    voice: VoiceTable | None = None
    text: str = field(default="", compare=False, repr=False)
    """What it was decoded from, for the lines in messages."""

    def error(self, key: str, what: str) -> ConfigError:
        """Return the error that names the file, the line and the key."""
        return ConfigError(f"{place(self.where, self.text, key)}: {key}: {what}")


class _Fault(Exception):  # noqa: N818  (it becomes a ConfigError before it leaves this file)
    """What is wrong with the value of a key; `field` is a key inside it that is too much."""

    def __init__(self, key: str, what: str, *, field: str = "") -> None:
        super().__init__(what)
        self.key, self.what, self.field = key, what, field

    def error(self, where: Path, text: str) -> ConfigError:
        """Return the error that names the file, the line and the key."""
        exact = ".".join(part for part in (self.key, self.field) if part)
        start = f"{place(str(where), text, exact)}: "
        return ConfigError(f"{start}{self.key}{': ' if self.key else ''}{self.what}")


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
        return _assemble(_convert(table, _File, ""), text, where)
    except _Fault as fault:
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
            label: _convert(raw, TriggerOverride, _trigger_key(label))
            for label, raw in file.triggers.items()
        },
        rules={label: _convert(raw, Rule, _rule_key(label)) for label, raw in file.rules.items()},
        control=file.control,
        metrics=file.metrics,
        journal=file.journal,
        near_misses=file.near_misses,
        captures=file.captures,
        voice=file.voice,
        text=text,
    )


def check_labels(config: ListenConfig, commands: Sequence[str]) -> None:
    """Raise ConfigError where the file names a label that is no command of the bundle."""
    named = [
        (f"commands[{i}].label", each.label)
        for i, each in enumerate(config.commands)
        if each.label != EVERY_LABEL
    ]
    named += [(_trigger_key(label), label) for label in config.triggers]
    for label, rule in config.rules.items():
        named += [] if label == EVERY_LABEL else [(_rule_key(label), label)]
        named += [(f"{_rule_key(label)}.after", each) for each in rule.sequence]
        if isinstance(rule.confirm, str):
            named.append((f"{_rule_key(label)}.confirm", rule.confirm))
    for key, label in named:
        if label not in commands:
            what = f'the bundle has no command "{label}"; it has: {", ".join(commands)}'
            raise config.error(key, what)


def check_model(config: ListenConfig, keys: Sequence[str]) -> None:
    """Raise ConfigError where the file names a model file that the bundle has not."""
    if config.model is not None and config.model not in keys:
        what = f'the bundle has no "{config.model}"; it has: {", ".join(keys)}'
        raise config.error("model", what)


def merge_trigger(spec: TriggerSpec, override: TriggerOverride) -> TriggerSpec:
    """Return the bundle's trigger with the override's values laid over it.

    Raises:
        ValueError: the values do not go together, such as an `off` above `on`.
    """
    values = {**msgspec.structs.asdict(spec), **_given(override)}
    return msgspec.convert(values, TriggerSpec)


def merge_triggers(
    triggers: Mapping[str, TriggerSpec], config: ListenConfig
) -> dict[str, TriggerSpec]:
    """Return the bundle's triggers with the file's overrides; `check_labels` comes first.

    Raises:
        ConfigError: an override does not go together with the bundle's other values.
    """
    merged = dict(triggers)
    for label, override in config.triggers.items():
        try:
            merged[label] = merge_trigger(triggers[label], override)
        except ValueError as error:
            merged_values = _listed(triggers[label], override)
            what = f"{error}; with the bundle's values it would be {merged_values}"
            raise config.error(_trigger_key(label), what) from error
    return merged


def _check_accelerators(names: Sequence[str]) -> None:
    try:
        find_accelerators(names)
    except UsageError as error:
        raise _Fault("accelerators", str(error)) from error


def _command(raw: Mapping[str, Any], key: str) -> Command:
    head = _convert({name: raw[name] for name in _HEAD if name in raw}, _CommandHead, key)
    settings = _settings_type(head.sink, f"{key}.sink")
    rest = {name: value for name, value in raw.items() if name not in _HEAD}
    return Command(head.label, _convert(rest, settings, key))


def _settings_type(sink: str, key: str) -> type[SinkSettings]:
    try:
        settings = find_sink(sink)
    except SinkError as error:
        raise SinkError(f"{key}: {error}") from error
    if settings is None:
        raise _Fault(key, unknown_sink(sink))
    return settings


def _convert(raw: object, form: type[_Decoded], key: str) -> _Decoded:
    """Decode strictly; `key` is where in the file that is, empty for the whole of it."""
    try:
        return msgspec.convert(raw, form, strict=True)
    except msgspec.ValidationError as error:
        raise _located(str(error), form, key) from error


def _located(message: str, form: type[Any], outer: str) -> _Fault:
    found = _AT.fullmatch(message)
    what, inner = (found["what"], found["key"]) if found else (message, "")
    for theirs, ours in _WORDS:
        what = what.replace(theirs, ours)
    joint = "." if outer and inner and not inner.startswith("[") else ""
    unknown = _UNKNOWN.search(what)
    return _Fault(
        f"{outer}{joint}{inner}",
        f"{what[:1].lower()}{what[1:]}{_hint(what, inner, form)}",
        field=unknown["field"] if unknown else "",
    )


def _hint(what: str, key: str, form: type[Any]) -> str:
    if "unknown field" in what and not key:
        fields = msgspec.structs.fields(form)
        names = ", ".join(each.encode_name for each in fields) or "nothing more"
        return f"; it takes: {names}"
    return ""


def _trigger_key(label: str) -> str:
    return f'triggers."{label}"'


def _rule_key(label: str) -> str:
    return f'rules."{label}"'


def _given(override: TriggerOverride) -> dict[str, float]:
    values = msgspec.structs.asdict(override)
    return {key: value for key, value in values.items() if value is not None}


def _listed(spec: TriggerSpec, override: TriggerOverride) -> str:
    values = {**msgspec.structs.asdict(spec), **_given(override)}
    return ", ".join(f"{key} = {value:g}" for key, value in values.items())
