"""A wire that spoils frames by a seed: drops, doubles, overtakes, flips, splits and delays."""

import heapq
import random
from collections.abc import Iterator
from itertools import count
from typing import Final

FAULTS: Final = ("drop", "double", "overtake", "flip", "split", "delay")
LATE_MS: Final = 30  # what an overtaken frame, or a split frame's second half, comes later
DELAY_MS: Final = 120
TRANSIT_MS: Final = 2


class Spoiler:
    """Decides what becomes of each frame: whether it arrives, when, and how often.

    `rate` is the share of frames that something happens to.
    """

    def __init__(self, rate: float, *, seed: int) -> None:
        self._rate, self._random = rate, random.Random(seed)
        self.spoiled = 0

    def spoil(self, frame: bytes) -> Iterator[tuple[int, bytes]]:
        """Yield (milliseconds to wait, bytes) of what arrives of a frame."""
        if self._random.random() >= self._rate:
            yield 0, frame
            return
        self.spoiled += 1
        match self._random.choice(FAULTS):
            case "double":
                yield from ((0, frame), (self._random.choice((0, LATE_MS)), frame))
            case "overtake":
                yield LATE_MS, frame
            case "delay":
                yield self._random.randrange(DELAY_MS), frame
            case "flip":
                yield 0, self._flip(frame)
            case "split":
                cut = self._random.randrange(len(frame))
                yield from ((0, frame[:cut]), (LATE_MS, frame[cut:]))

    def _flip(self, frame: bytes) -> bytes:
        spoiled = bytearray(frame)
        for _ in range(self._random.randint(1, 3)):
            spoiled[self._random.randrange(len(frame))] ^= 1 << self._random.randrange(8)
        return bytes(spoiled)


class Wire:
    """One direction in virtual time; `bytes_per_ms` is how fast it is, None for no limit."""

    def __init__(self, spoiler: Spoiler, *, bytes_per_ms: float | None = None) -> None:
        self._spoiler, self._speed = spoiler, bytes_per_ms
        self._flying: list[tuple[float, int, bytes]] = []
        self._numbers = count()
        self._free_ms = 0.0
        self._held = b""  # of a frame that has not ended yet

    def send(self, data: bytes, now_ms: float) -> None:
        *ended, self._held = (self._held + data).split(b"\0")
        for frame in (b"\0" + each + b"\0" for each in ended if each):
            begin = max(now_ms, self._free_ms)
            self._free_ms = begin + (len(frame) / self._speed if self._speed else 0)
            for wait, part in self._spoiler.spoil(frame):
                at = self._free_ms + TRANSIT_MS + wait
                heapq.heappush(self._flying, (at, next(self._numbers), part))

    def arrived(self, now_ms: float) -> bytes:
        data = b""
        while self._flying and self._flying[0][0] <= now_ms:
            data += heapq.heappop(self._flying)[2]
        return data

    @property
    def spoiled(self) -> int:
        """How many frames something happened to."""
        return self._spoiler.spoiled

    def cut(self) -> None:
        """Let everything under way be lost."""
        self._flying.clear()
