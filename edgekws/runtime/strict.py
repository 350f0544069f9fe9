"""Decodes a table of TOML strictly; what is wrong is told with its key, in the words of TOML."""

import re
from pathlib import Path
from typing import Any, Final, TypeVar

import msgspec

from edgekws.errors import ConfigError
from edgekws.runtime.config_lines import place

_Decoded = TypeVar("_Decoded")
_WORDS: Final = (("`", ""), (" | null", ""), ("Object ", "table "), ("object", "table"))
_UNKNOWN: Final = r"unknown field (?P<field>\S+)"  # compiled only where something is wrong
_AT: Final = r"(?P<what>.*) - at `\$\.?(?P<key>.*)`"


class Fault(Exception):  # noqa: N818  (it becomes a ConfigError before it leaves `runtime.config`)
    """What is wrong with the value of a key; `field` is a key inside it that is too much."""

    def __init__(self, key: str, what: str, *, field: str = "") -> None:
        super().__init__(what)
        self.key, self.what, self.field = key, what, field

    def error(self, where: Path, text: str) -> ConfigError:
        """Return the error that names the file, the line and the key."""
        exact = ".".join(part for part in (self.key, self.field) if part)
        start = f"{place(str(where), text, exact)}: "
        return ConfigError(f"{start}{self.key}{': ' if self.key else ''}{self.what}")


def convert(raw: object, form: type[_Decoded], key: str) -> _Decoded:
    """Decode strictly; `key` is where in the file that is, empty for the whole of it."""
    try:
        return msgspec.convert(raw, form, strict=True)
    except msgspec.ValidationError as error:
        raise _located(str(error), form, key) from error


def _located(message: str, form: type[Any], outer: str) -> Fault:
    found = re.fullmatch(_AT, message, re.DOTALL)
    what, inner = (found["what"], found["key"]) if found else (message, "")
    for theirs, ours in _WORDS:
        what = what.replace(theirs, ours)
    joint = "." if outer and inner and not inner.startswith("[") else ""
    unknown = re.search(_UNKNOWN, what)
    return Fault(
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
