"""Who calls whom in C, and how much stack each function takes, by GCC's own account."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Self

from tests.firmware_tools import run

_NODE: Final = re.compile(r'node: \{ title: "([^"]+)" label: "[^"]*\\n(\d+) bytes')
_EDGE: Final = re.compile(r'edge: \{ sourcename: "([^"]+)" targetname: "([^"]+)"')


@dataclass
class CallGraph:
    """Callees and bytes of stack by name; callbacks and the C library are names without either."""

    calls: dict[str, set[str]] = field(default_factory=dict)
    frames: dict[str, int] = field(default_factory=dict)

    @classmethod
    def of(cls, sources: Sequence[Path], folder: Path, compiler: Sequence[str]) -> Self:
        """Compile sources into a folder and read what GCC writes beside them."""
        graph = cls()
        for source in sources:
            object_file = folder / f"{source.stem}.o"
            run([*compiler, "-fcallgraph-info=su", "-c", "-o", object_file, source], cwd=folder)
            text = object_file.with_suffix(".ci").read_text()
            for name, size in _NODE.findall(text):
                graph.frames[_plain(name)] = int(size)
            for caller, callee in _EDGE.findall(text):
                graph.calls.setdefault(_plain(caller), set()).add(_plain(callee))
        return graph

    def reached(self, begin: str, seen: frozenset[str] = frozenset()) -> set[str]:
        """Return all that a function calls, on any way."""
        onward = self.calls.get(begin, set()) - seen
        return onward.union(*(self.reached(each, seen | onward) for each in onward))

    def deepest(self, begin: str) -> int:
        """Return the bytes of the longest way down from a function; no way may be a circle."""
        below = (self.deepest(each) for each in self.calls.get(begin, set()))
        return self.frames.get(begin, 0) + max(below, default=0)


def _plain(title: str) -> str:
    return title.rpartition(":")[2]
