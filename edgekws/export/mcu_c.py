"""Words of C: arrays and strings, in lines of 100 characters."""

from collections.abc import Iterable
from typing import Final

WIDTH: Final = 100
INDENT: Final = "    "
NOTICE: Final = "/* Written by `edgekws export --target mcu`: change the model, not this file. */\n"


def array(kind: str, name: str, values: Iterable[object]) -> str:
    """Return the definition of a constant array that only its own file sees."""
    items = [str(value) for value in values]
    return f"static const {kind} {name}[{len(items)}] = {{\n{lines(items)}\n}};\n"


def lines(items: Iterable[str]) -> str:
    """Return items with commas between, indented; a line ends between two, never inside of one."""
    rows, last = [], ""
    for item in items:
        longer = f"{last} {item}," if last else f"{INDENT}{item},"
        if last and len(longer) > WIDTH:
            rows.append(last)
            longer = f"{INDENT}{item},"
        last = longer
    return "\n".join([*rows, last.removesuffix(",")])


def string(text: str) -> str:
    """Return a literal of the UTF-8 bytes of a text; what is not plain ASCII goes as octal."""
    plain = {ord('"'), ord("\\"), ord("?")}
    letters = [
        chr(byte) if 32 <= byte < 127 and byte not in plain else f"\\{byte:03o}"
        for byte in text.encode()
    ]
    return f'"{"".join(letters)}"'


def comment(text: str) -> str:
    """Return a text that is safe inside of a comment."""
    return text.replace("*/", "* /").replace("/*", "/ *")
