"""On which line of a TOML text a key stands, so that an error can name it."""

import re
import tomllib
from typing import Any, Final

_PART: Final = r'"(?P<quoted>.*?)"(?=\.|$)|\[(?P<index>\d+)\]|(?P<bare>[^.\[\]"]+)'


def place(where: str, text: str, key: str) -> str:
    """Return "file:line" of a key such as `commands[0].argv`, or of what is around it.

    The line is left out for the file as a whole, and where a text is not at hand.
    """
    parts = _parts(key)
    while parts:
        line = _line(text, parts)
        if line is not None:
            return f"{where}:{line}"
        parts = parts[:-1]
    return where


def _line(text: str, parts: list[str | int]) -> int | None:
    """Return the line on which the value of a key begins, None where there is no such key.

    The text is read up to one line after the other: the first reading that has the key ended with
    its value, which began behind the last one that could be read.
    """
    lines = text.splitlines(keepends=True)
    begin = 1
    for count in range(1, len(lines) + 1):
        try:
            table = tomllib.loads("".join(lines[:count]))
        except tomllib.TOMLDecodeError:  # in the midst of a value
            continue
        if _holds(table, parts):
            return begin
        begin = count + 1
    return None


def _holds(value: Any, parts: list[str | int]) -> bool:
    for part in parts:
        try:
            value = value[part]
        except (KeyError, IndexError, TypeError):
            return False
    return True


def _parts(key: str) -> list[str | int]:
    """Split `triggers."lights on".on` or `commands[0].argv[1]` into its names and indexes."""
    return [
        int(found["index"]) if found["index"] else found["quoted"] or found["bare"]
        for found in re.finditer(_PART, key)
    ]
