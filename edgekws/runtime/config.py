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
from edgekws.runtime.tables import ControlTable, JournalTable, MetricsTable
from edgekws.specs import Spec, TriggerSpec

_Decoded = TypeVar("_Decoded")
_WORDS: Final = (("`", ""), (" | null", ""), ("Object ", "table "), ("object", "table"))
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
    control: ControlTable | None = None
    metrics: MetricsTable | None = None
    journal: JournalTable | None = None


class _File(Spec, frozen=True):
    """The file's outer form; commands and triggers are decoded one by one, for their paths."""

    bundle: str | None = None
    model: str | None = None
    accelerators: tuple[str, ...] = ()
    source: SourceTable | None = None
    commands: tuple[dict[str, Any], ...] = ()
    triggers: dict[str, dict[str, Any]] = msgspec.field(default_factory=dict)
    control: ControlTable | None = None
    metrics: MetricsTable | None = None
    journal: JournalTable | None = None


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
    file = _convert(table, _File, f"{where}: ")
    _check_accelerators(file.accelerators, where)
    return ListenConfig(
        where=str(where),
        source=file.source.text if file.source else None,
        bundle=where.parent / Path(file.bundle).expanduser() if file.bundle else None,
        model=file.model,
        accelerators=file.accelerators,
        commands=tuple(
            _command(raw, f"{where}: commands[{index}]") for index, raw in enumerate(file.commands)
        ),
        triggers={
            label: _convert(raw, TriggerOverride, f"{where}: {_trigger_key(label)}")
            for label, raw in file.triggers.items()
        },
        control=file.control,
        metrics=file.metrics,
        journal=file.journal,
    )


def check_labels(config: ListenConfig, commands: Sequence[str]) -> None:
    """Raise ConfigError where the file names a label that is no command of the bundle."""
    named = [
        (f"commands[{i}].label", each.label)
        for i, each in enumerate(config.commands)
        if each.label != EVERY_LABEL
    ]
    named += [(_trigger_key(label), label) for label in config.triggers]
    for key, label in named:
        if label not in commands:
            raise ConfigError(
                f'{config.where}: {key}: the bundle has no command "{label}"; '
                f"it has: {', '.join(commands)}"
            )


def check_model(config: ListenConfig, keys: Sequence[str]) -> None:
    """Raise ConfigError where the file names a model file that the bundle has not."""
    if config.model is not None and config.model not in keys:
        raise ConfigError(
            f'{config.where}: model: the bundle has no "{config.model}"; it has: {", ".join(keys)}'
        )


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
            raise ConfigError(
                f"{config.where}: {_trigger_key(label)}: {error}; with the bundle's values it "
                f"would be {_listed(triggers[label], override)}"
            ) from error
    return merged


def _check_accelerators(names: Sequence[str], where: Path) -> None:
    try:
        find_accelerators(names)
    except UsageError as error:
        raise ConfigError(f"{where}: accelerators: {error}") from error


def _command(raw: Mapping[str, Any], where: str) -> Command:
    head = _convert({key: raw[key] for key in ("label", "sink") if key in raw}, _CommandHead, where)
    settings = _settings_type(head.sink, where)
    rest = {key: value for key, value in raw.items() if key not in ("label", "sink")}
    return Command(head.label, _convert(rest, settings, where))


def _settings_type(sink: str, where: str) -> type[SinkSettings]:
    try:
        settings = find_sink(sink)
    except SinkError as error:
        raise SinkError(f"{where}.sink: {error}") from error
    if settings is None:
        raise ConfigError(f"{where}.sink: {unknown_sink(sink)}")
    return settings


def _convert(raw: object, form: type[_Decoded], where: str) -> _Decoded:
    """Decode strictly; `where` is the file and, after it, the path inside it."""
    try:
        return msgspec.convert(raw, form, strict=True)
    except msgspec.ValidationError as error:
        raise ConfigError(_located(str(error), form, where)) from error


def _located(message: str, form: type[Any], where: str) -> str:
    found = _AT.fullmatch(message)
    what, key = (found["what"], found["key"]) if found else (message, "")
    for theirs, ours in _WORDS:
        what = what.replace(theirs, ours)
    joint = "" if not key or where.endswith(" ") or key.startswith("[") else "."
    place = f"{where}{joint}{key}".rstrip(": ")
    return f"{place}: {what[:1].lower()}{what[1:]}{_hint(what, key, form)}"


def _hint(what: str, key: str, form: type[Any]) -> str:
    if "unknown field" in what and not key:
        fields = msgspec.structs.fields(form)
        names = ", ".join(each.encode_name for each in fields) or "nothing more"
        return f"; it takes: {names}"
    return ""


def _trigger_key(label: str) -> str:
    return f'triggers."{label}"'


def _given(override: TriggerOverride) -> dict[str, float]:
    values = msgspec.structs.asdict(override)
    return {key: value for key, value in values.items() if value is not None}


def _listed(spec: TriggerSpec, override: TriggerOverride) -> str:
    values = {**msgspec.structs.asdict(spec), **_given(override)}
    return ", ".join(f"{key} = {value:g}" for key, value in values.items())
