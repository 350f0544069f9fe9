"""A TOML file decoded into a struct; every fault is one ConfigError that names file and key."""

import math
import tomllib
from pathlib import Path
from typing import TypeVar

import msgspec

from edgekws.errors import ConfigError
from edgekws.train.allowed import allowed

_Struct = TypeVar("_Struct", bound=msgspec.Struct)


def read_settings(
    path: Path, into: type[_Struct], *, what: str, advice: str
) -> tuple[_Struct, bytes]:
    """Read `what` (such as "the recipe") from a TOML file; return it and the bytes of the file.

    `advice` is what to do where there is no such file.
    """
    values: object = None
    try:
        text = path.read_bytes()
        values = tomllib.loads(text.decode())
        _refuse_endless(values)
        return msgspec.convert(values, into), text
    except OSError as fault:
        raise ConfigError(f"{path}: cannot read {what} ({fault.strerror}); {advice}") from fault
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as fault:
        raise ConfigError(f"{path}: not valid TOML: {fault}; mend the line it names") from fault
    except msgspec.ValidationError as fault:
        choice = allowed(str(fault), into, values)
        raise ConfigError(f"{path}: {fault}{choice}; mend that key of {what}") from fault


def _refuse_endless(value: object, path: str = "$") -> None:
    """Raise ValidationError for TOML's nan and inf, which pass every range."""
    if isinstance(value, float) and not math.isfinite(value):
        raise msgspec.ValidationError(f"Expected a finite number - at `{path}`")
    items = value.items() if isinstance(value, dict) else ()
    for key, item in (*items, *(enumerate(value) if isinstance(value, list) else ())):
        _refuse_endless(item, f"{path}.{key}")
