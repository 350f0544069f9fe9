"""The C of the link, written from the table in `messages` and from a label set."""

import re
from collections.abc import Iterator, Sequence
from enum import IntEnum
from pathlib import Path
from typing import Final

from edgekws.errors import UsageError
from edgekws.link.frame import CRC_SIZE, CRC_START, MAX_FRAME, MAX_STUFFED
from edgekws.link.messages import (
    HIGHEST_VERSION,
    LOWEST_VERSION,
    MAX_LABELS,
    MAX_PAYLOAD,
    MAX_TIMEOUT_MS,
    MESSAGES,
    SCORE_ONE,
    Flag,
    Message,
    Reason,
    Type,
    label_set_hash,
    layout,
    size,
)

PROTOCOL_HEADER: Final = "ekws_protocol.h"
LABELS_HEADER: Final = "ekws_labels.h"
_TYPES: Final = {"u8": "uint8_t", "u16": "uint16_t", "u32": "uint32_t", "i32": "int32_t"}
_SIZES: Final = {"u8": 1, "u16": 2, "u32": 4, "i32": 4}
_READ: Final = {
    "u8": "bytes[{at}]",
    "u16": "ekws_get_u16(bytes + {at})",
    "u32": "ekws_get_u32(bytes + {at})",
    "i32": "(int32_t)ekws_get_u32(bytes + {at})",
}
_WRITE: Final = {
    "u8": "bytes[{at}] = in->{name}",
    "u16": "ekws_put_u16(bytes + {at}, in->{name})",
    "u32": "ekws_put_u32(bytes + {at}, in->{name})",
    "i32": "ekws_put_u32(bytes + {at}, (uint32_t)in->{name})",
}


def protocol_header() -> str:
    """Return ekws_protocol.h: numbers, structs, and how they are read and written."""
    parts = [
        _open(
            "EKWS_PROTOCOL_H", "edgekws/link/messages.py", "The numbers and layouts of the link."
        ),
        '#include <stdint.h>\n\n#ifdef __cplusplus\nextern "C" {\n#endif\n',
        _defines(),
        _enum("ekws_type", Type),
        _enum("ekws_flag", Flag),
        _enum("ekws_reason", Reason),
        *(_struct(message) for message in MESSAGES),
        "uint16_t ekws_get_u16(const uint8_t *bytes);\n"
        "uint32_t ekws_get_u32(const uint8_t *bytes);\n"
        "void ekws_put_u16(uint8_t *bytes, uint16_t value);\n"
        "void ekws_put_u32(uint8_t *bytes, uint32_t value);\n",
        *(_reader(message) for message in MESSAGES if layout(message)),
        *(_writer(message) for message in MESSAGES if layout(message)),
    ]
    return "\n".join(parts) + "\n#ifdef __cplusplus\n}\n#endif\n\n#endif\n"


def labels_header(labels: Sequence[str]) -> str:
    """Return ekws_labels.h: the ids of a label set, in its order, and the hash of the whole.

    Raises:
        UsageError: no label at all, the same one twice, or more than a frame can number.
    """
    if not 0 < len(set(labels)) == len(labels) <= MAX_LABELS:
        raise UsageError(f"a label set needs 1 to {MAX_LABELS} different labels")
    names = list(_identifiers(labels))
    ids = "".join(f"    EKWS_LABEL_{name} = {i},\n" for i, name in enumerate(names))
    texts = ", \\\n".join(f"        {_c_text(label)}" for label in labels)
    return (
        _open("EKWS_LABELS_H", "a bundle's labels", "The ids of the labels.")
        + "\n/* What HELLO compares: the first four bytes of the SHA-256 of the labels. */\n"
        + f"#define EKWS_LABELS_HASH 0x{label_set_hash(tuple(labels)):08X}u\n"
        + f"#define EKWS_LABEL_COUNT {len(labels)}u\n\n"
        + f"enum ekws_label {{\n{ids}}};\n\n"
        + "/* The labels themselves in UTF-8, as an initializer: const char *names[] = ... */\n"
        + f"#define EKWS_LABEL_NAMES \\\n    {{ \\\n{texts} \\\n    }}\n\n#endif\n"
    )


def write_headers(folder: Path, labels: Sequence[str]) -> tuple[Path, ...]:
    """Write both headers into a folder, making it; return their paths.

    Raises:
        UsageError: see `labels_header`, or the folder cannot be written to.
    """
    texts = {PROTOCOL_HEADER: protocol_header(), LABELS_HEADER: labels_header(labels)}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in texts.items():
            (folder / name).write_text(text, encoding="ascii")
    except OSError as error:
        raise UsageError(f"{folder}: cannot be written: {error.strerror}") from error
    return tuple(folder / name for name in texts)


def _open(guard: str, origin: str, what: str) -> str:
    return (
        "/* SPDX-License-Identifier: Apache-2.0 */\n"
        f"/* {what} Made by `edgekws link generate` from {origin}; do not edit. */\n"
        f"#ifndef {guard}\n#define {guard}\n"
    )


def _defines() -> str:
    values = {
        "LOWEST_VERSION": LOWEST_VERSION,
        "HIGHEST_VERSION": HIGHEST_VERSION,
        "MAX_PAYLOAD": MAX_PAYLOAD,
        "MAX_TIMEOUT_MS": MAX_TIMEOUT_MS,
        "SCORE_ONE": SCORE_ONE,
        "CRC_START": CRC_START,
        "CRC_SIZE": CRC_SIZE,
        "MAX_FRAME": MAX_FRAME,
        "MAX_STUFFED": MAX_STUFFED,
        "MAX_WIRE": MAX_STUFFED + 2,
    }
    return "".join(f"#define EKWS_{name} {value}u\n" for name, value in values.items())


def _enum(name: str, members: type[IntEnum] | type[Flag]) -> str:
    rows = "".join(f"    {name.upper()}_{each.name} = {each.value},\n" for each in members)
    return f"enum {name} {{\n{rows}}};\n"


def _name(message: type[Message]) -> str:
    return f"ekws_{message.__name__.lower()}"


def _struct(message: type[Message]) -> str:
    count = f"#define {_name(message).upper()}_SIZE {size(message)}u\n"
    rows = "".join(f"    {_TYPES[kind]} {name};\n" for name, kind in layout(message))
    comment = f"/* {(message.__doc__ or '').strip()} */\n"
    return comment + count + (f"struct {_name(message)} {{\n{rows}}};\n" if rows else "")


def _fields(message: type[Message]) -> Iterator[tuple[str, str, int]]:
    at = 0
    for name, kind in layout(message):
        yield name, kind, at
        at += _SIZES[kind]


def _reader(message: type[Message]) -> str:
    name = _name(message)
    rows = "".join(
        f"    out->{field} = {_READ[kind].format(at=at)};\n" for field, kind, at in _fields(message)
    )
    return (
        f"static inline void {name}_read(struct {name} *out, const uint8_t *bytes)\n{{\n{rows}}}\n"
    )


def _writer(message: type[Message]) -> str:
    name = _name(message)
    rows = "".join(
        f"    {_WRITE[kind].format(at=at, name=field)};\n" for field, kind, at in _fields(message)
    )
    return (
        f"static inline void {name}_write(uint8_t *bytes, const struct {name} *in)\n{{\n{rows}}}\n"
    )


def _identifiers(labels: Sequence[str]) -> Iterator[str]:
    """Yield a name for each label: its own letters where it has any, and its id where it must."""
    seen = {"COUNT", "NAMES"}  # macros of the same header
    for index, label in enumerate(labels):
        name = re.sub(r"[^A-Z0-9]+", "_", label.upper() if label.isascii() else "").strip("_")
        while not name or name in seen or name.isdigit():
            name = f"{name}_{index}".strip("_")
        seen.add(name)
        yield name


def _c_text(label: str) -> str:
    """Return a label as C text; octal escapes end by themselves, hexadecimal ones would not."""
    plain = set(range(0x20, 0x7F)) - set(b'"\\?')
    body = "".join(chr(b) if b in plain else f"\\{b:03o}" for b in label.encode())
    return f'"{body}"'
