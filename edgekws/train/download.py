"""Downloads one file of known size over HTTP, and goes on from the part that is there already."""

import time
from dataclasses import dataclass
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import Final, Protocol
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from edgekws.errors import DataError

CHUNK: Final = 65_536
_HEADWAY: Final = 2**20  # so many bytes more than ever before, and the tries count anew
_SLOWEST: Final = 1024  # bytes per second; a server that drips is one that hangs
_OTHER_FILE: Final = "what is published there is not the file that the table of sets describes"
_PASSING: Final = (408, 425, 429)  # of the 4xx answers, those that may differ the next time


class Watcher(Protocol):
    """Who is told how a long piece of work goes."""

    def say(self, text: str) -> None:
        """Take one line for a person."""
        ...

    def progress(self, what: str, done: int, total: int) -> None:
        """Take how far a piece of work is; called often."""
        ...


@dataclass(frozen=True, slots=True)
class Network:
    """How long to wait for a server, and how often to come back."""

    timeout_seconds: float = 30.0
    """The longest wait for an answer or for the next bytes."""
    attempts: int = 5
    """Failed tries in a row, without headway, after which it is given up."""
    pause_seconds: float = 1.0
    """The pause after the first failed try; it doubles with each."""


class _PassingError(Exception):
    """A failure of the network that may be gone at the next try."""


def download(url: str, path: Path, *, size: int, network: Network, watcher: Watcher) -> None:
    """Bring a file of `size` bytes to `path`, from the byte after those that are there.

    Whatever ends it, what came stays at `path` for the next call. Raises DataError where the
    server refuses, has a file of another size, or cannot be reached in `attempts` tries; OSError
    where the disk fails.
    """
    if _size(path) > size:
        path.unlink()
    failures, farthest = 0, _size(path)
    while _size(path) < size:
        try:
            _receive(url, path, size, network, watcher)
        except _PassingError as fault:
            ahead = _size(path) >= farthest + _HEADWAY
            failures, farthest = (1 if ahead else failures + 1), max(farthest, _size(path))
            if failures >= network.attempts:
                raise DataError(
                    f"{url}: {fault} ({failures} tries, {_size(path)} of {size} bytes are here); "
                    "the same command goes on from there"
                ) from fault
            pause = network.pause_seconds * 2 ** (failures - 1)
            watcher.say(f"{url}: {fault}; trying again in {pause:g} s")
            time.sleep(pause)


def _receive(url: str, path: Path, size: int, network: Network, watcher: Watcher) -> None:
    """Receive what is missing, as far as one answer goes; _PassingError where it ends early."""
    have = _size(path)
    with _ask(url, have, network) as answer:
        have = _start(answer, url, have, size)
        pace = _Pace(have, network.timeout_seconds)
        with path.open("ab") as file:
            file.truncate(have)
            while chunk := _read(answer):
                have += len(chunk)
                if have > size:
                    path.unlink()
                    raise DataError(f"{url}: sends more than {size} bytes; {_OTHER_FILE}")
                file.write(chunk)
                watcher.progress("downloading", have, size)
                pace.check(have)
    if have < size:
        raise _PassingError("the connection ended early")


class _Pace:
    """Notices a server that drips: too few bytes over the time that one may wait for the next."""

    def __init__(self, have: int, window_seconds: float) -> None:
        self._window_seconds = window_seconds
        self._have, self._since = have, time.monotonic()

    def check(self, have: int) -> None:
        """Take how many bytes are there; _PassingError where too few came in a whole window."""
        seconds = time.monotonic() - self._since
        if seconds < self._window_seconds:
            return
        if have - self._have < _SLOWEST * seconds:
            raise _PassingError(f"sends fewer than {_SLOWEST} bytes per second")
        self._have, self._since = have, time.monotonic()


def _ask(url: str, have: int, network: Network) -> HTTPResponse:
    headers = {"User-Agent": "edgekws"}
    if have:
        headers["Range"] = f"bytes={have}-"
    try:
        answer: HTTPResponse = urlopen(
            Request(url, headers=headers), timeout=network.timeout_seconds
        )
    except HTTPError as error:
        error.close()
        if error.code < 500 and error.code not in _PASSING:
            raise DataError(
                f"{url}: the server answers {error.code} {error.reason}; see whether the set has "
                "moved"
            ) from error
        raise _PassingError(f"the server answers {error.code} {error.reason}") from error
    except (OSError, HTTPException) as error:
        raise _PassingError(_reason(error)) from error
    return answer


def _start(answer: HTTPResponse, url: str, have: int, size: int) -> int:
    """Return the index of the answer's first byte; DataError where its file is of another size."""
    start, total = 0, answer.headers.get("Content-Length", "")
    if answer.status == 206:  # "bytes START-END/TOTAL"
        place, _, total = answer.headers.get("Content-Range", "").partition("/")
        first = place.removeprefix("bytes").strip().partition("-")[0]
        start = int(first) if first.isdecimal() else size
    if total.isdecimal() and int(total) != size:
        raise DataError(f"{url}: has {total} bytes instead of {size}; {_OTHER_FILE}")
    if start > have:
        raise _PassingError("the server sends another part than was asked for")
    return start


def _read(answer: HTTPResponse) -> bytes:
    """Return the next bytes that are there, at most CHUNK; none at the end."""
    try:
        return answer.read1(CHUNK)
    except (OSError, HTTPException) as error:
        raise _PassingError(_reason(error)) from error


def _reason(error: Exception) -> str:
    cause = getattr(error, "reason", error)  # URLError wraps what happened
    if isinstance(cause, TimeoutError):
        return "no answer in time"
    return str(getattr(cause, "strerror", None) or cause) or type(cause).__name__


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
