"""Whether a listen.toml fits a bundle: its labels, its model files, its triggers."""

from collections.abc import Mapping, Sequence

import msgspec

from edgekws.dispatch.commands import EVERY_LABEL
from edgekws.runtime.config import ListenConfig, rule_key, trigger_key
from edgekws.runtime.tables import TriggerOverride
from edgekws.specs import TriggerSpec


def check_labels(config: ListenConfig, commands: Sequence[str]) -> None:
    """Raise ConfigError where the file names a label that is no command of the bundle."""
    named = [
        (f"commands[{i}].label", each.label)
        for i, each in enumerate(config.commands)
        if each.label != EVERY_LABEL
    ]
    named += [(trigger_key(label), label) for label in config.triggers]
    for label, rule in config.rules.items():
        named += [] if label == EVERY_LABEL else [(rule_key(label), label)]
        named += [(f"{rule_key(label)}.after", each) for each in rule.sequence]
        if isinstance(rule.confirm, str):
            named.append((f"{rule_key(label)}.confirm", rule.confirm))
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
            raise config.error(trigger_key(label), what) from error
    return merged


def _given(override: TriggerOverride) -> dict[str, float]:
    values = msgspec.structs.asdict(override)
    return {key: value for key, value in values.items() if value is not None}


def _listed(spec: TriggerSpec, override: TriggerOverride) -> str:
    values = {**msgspec.structs.asdict(spec), **_given(override)}
    return ", ".join(f"{key} = {value:g}" for key, value in values.items())
