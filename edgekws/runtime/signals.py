"""The signals of the daemon: two that end it in order, one that has it reload."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final

_ENDING: Final = (signal.SIGTERM, signal.SIGINT)


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
