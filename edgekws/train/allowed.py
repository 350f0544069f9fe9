"""What a key of a settings struct allows, in words, for the error that names the key."""

import re
from collections.abc import Iterator
from typing import Any, Final

import msgspec.inspect as shape

PLACE: Final = re.compile(r" - at `\$([^`]*)`")
STEP: Final = re.compile(r"\.(\w+)|\[(\d+|\.\.\.)\]")
UNKNOWN_KEY: Final = "unknown field"
WRONG_NAME: Final = ("Invalid enum value", "Invalid value")


def allowed(fault: str, into: type, values: object) -> str:
    """Return "; allowed: ..." for msgspec's fault about a key or name, or nothing to add."""
    found = PLACE.search(fault)
    steps = [a or b for a, b in STEP.findall(found[1] if found else "")]
    if UNKNOWN_KEY in fault:
        names = list(_keys(shape.type_info(into), steps, values))
    elif fault.startswith(WRONG_NAME):
        names = list(_names(shape.type_info(into), steps))
    else:
        return ""
    return f"; allowed: {', '.join(names)}" if names else ""


def _keys(kind: shape.Type, steps: list[str], values: Any) -> Iterator[str]:
    """Give the keys of the struct at a place; a tag among the values chooses between two."""
    structs = _structs(kind)
    if len(structs) > 1:
        structs = [struct for struct in structs if struct.tag == values.get(struct.tag_field)]
    if not steps:
        for struct in structs:
            yield from ([struct.tag_field] if struct.tag_field else [])
            yield from (field.encode_name for field in struct.fields)
        return
    step, *rest = steps
    inner = values[int(step)] if isinstance(values, list) else values[step]
    for below in _below(kind, structs, step):
        yield from _keys(below, rest, inner)


def _names(kind: shape.Type, steps: list[str]) -> Iterator[str]:
    """Give the names that may stand at a place: a Literal's, or the tags of structs."""
    if steps:
        step, *rest = steps
        for below in _below(kind, _structs(kind), step):
            yield from _names(below, rest)
        tags = [str(s.tag) for s in _structs(kind) if not rest and s.tag_field == step]
        yield from tags
    for literal in _parts(kind):
        if isinstance(literal, shape.LiteralType):
            yield from map(str, literal.values)


def _below(kind: shape.Type, structs: list[shape.StructType], step: str) -> list[shape.Type]:
    """Return what may stand under a key of one of the structs, or in a list."""
    lists = [p.item_type for p in _parts(kind) if isinstance(p, shape.VarTupleType)]
    fields = [f.type for s in structs for f in s.fields if f.encode_name == step]
    return lists + fields


def _structs(kind: shape.Type) -> list[shape.StructType]:
    return [part for part in _parts(kind) if isinstance(part, shape.StructType)]


def _parts(kind: shape.Type) -> tuple[shape.Type, ...]:
    return kind.types if isinstance(kind, shape.UnionType) else (kind,)
