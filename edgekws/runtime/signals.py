"""The signals of the daemon: two that end it in order, one that has it reload."""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final

_ENDING: Final = (signal.SIGTERM, signal.SIGINT)
_STANDARD: Final = (0, 1, 2)


class Terminal:
    """The terminal that a person started it in: where that was closed, SIGHUP means the end."""

    def __init__(self) -> None:
        self._had = _has_terminal()

    @property
    def gone(self) -> bool:
        """Whether there was one, and is none any more."""
        return self._had and not _has_terminal()


@contextmanager
def signals(on_end: Callable[[], None], *, wake_fd: int) -> Iterator[None]:
    """Take SIGTERM and Ctrl-C as the wish to end in order, on the main thread.

    The number of every signal is also written to `wake_fd`, whose reader is thus told even while
    the main thread is held up in a library; SIGHUP is left to that reader alone.
    """

    def end(number: int, frame: FrameType | None) -> None:
        del number, frame
        on_end()

    def leave(number: int, frame: FrameType | None) -> None:
        del number, frame

    handlers = {**dict.fromkeys(_ENDING, end), signal.SIGHUP: leave}
    before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    fd_before = signal.set_wakeup_fd(wake_fd, warn_on_full_buffer=False)
    try:
        yield
    finally:
        signal.set_wakeup_fd(fd_before)
        for number, handler in before.items():
            signal.signal(number, handler)


def _has_terminal() -> bool:
    return any(os.isatty(descriptor) for descriptor in _STANDARD)
