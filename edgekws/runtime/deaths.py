"""Notices that a thread died, whichever it is: then the process is to end, never deaf but alive."""

import logging
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self

log = logging.getLogger(__name__)


class Deaths:
    """While entered, keeps what the first thread died of and calls `on_death`."""

    def __init__(self, on_death: Callable[[], None]) -> None:
        self._on_death = on_death
        self.first = ""
        """One line on the first death, empty while all threads live."""

    def __enter__(self) -> Self:
        self._before = threading.excepthook
        threading.excepthook = self._take
        return self

    def __exit__(self, *fault: object) -> None:
        threading.excepthook = self._before

    def _take(self, args: "threading.ExceptHookArgs") -> None:
        name = "" if args.thread is None else args.thread.name
        cause = f"{args.exc_type.__name__}: {args.exc_value}"
        self.first = self.first or f"the thread {name!r} died of {' '.join(cause.split())}"
        log.debug("%s", self.first, exc_info=_info(args.exc_value, args.exc_traceback))
        self._on_death()


def _info(
    error: BaseException | None, traceback: TracebackType | None
) -> tuple[type[BaseException], BaseException, TracebackType | None] | None:
    return None if error is None else (type(error), error, traceback)
