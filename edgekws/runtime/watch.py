"""The thread that looks after the main loop: it pings systemd, and ends a process that hangs."""

import os
import select
import signal
import threading
import time
from collections.abc import Callable
from typing import Final, NoReturn

from edgekws.audio.wake import WakePipe

LOOK_SECONDS: Final = 1.0  # a look wakes a CPU: what changes pokes, the rest can wait so long
HANG_SECONDS: Final = 20.0  # no block, and no opening of a device, takes so long on any board
END_SECONDS: Final = 4.0  # after a signal: promised are 2, and by then all has been tried
EXIT_HUNG: Final = 1
_STDERR: Final = 2


class Watch:
    """Calls `look` once a second, and at once after a poke; what hangs ends with the process.

    `busy_seconds` says for how long the main loop has been at one thing. Signals wake it through
    `wake_fd`: `on_hangup` is called for SIGHUP; one that asks for the end starts a clock, and has
    `on_end` called here too. The kernel may hand a signal to any thread, and where that is not the
    main one, a system call in which that one waits is not interrupted: its handler would not run.
    """

    def __init__(
        self,
        look: Callable[[], None],
        *,
        busy_seconds: Callable[[], float],
        on_end: Callable[[], None],
        on_hangup: Callable[[], None],
    ) -> None:
        self._look, self._busy_seconds = look, busy_seconds
        self._on_end, self._on_hangup = on_end, on_hangup
        self._wake = WakePipe()
        self._stderr = os.dup(_STDERR)  # of our own: the other one is muted while a device opens
        self._stopped = False
        self._ending: float | None = None
        self._thread = threading.Thread(target=self._run, name="watch", daemon=True)

    @property
    def wake_fd(self) -> int:
        """The descriptor for `signal.set_wakeup_fd`."""
        return self._wake.writer

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def poke(self) -> None:
        """Have it look at once; safe from any thread and from a signal handler."""
        self._wake.set()

    def stop(self) -> None:
        """End the thread and wait for it."""
        self._stopped = True
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join()
        self._wake.close()
        os.close(self._stderr)

    def _run(self) -> None:
        poll = select.poll()
        poll.register(self._wake.fileno(), select.POLLIN)
        while not self._stopped:
            if poll.poll(LOOK_SECONDS * 1000):
                self._take_signals(self._wake.clear())
            self._look()
            self._end_what_hangs()

    def _take_signals(self, numbers: bytes) -> None:
        if signal.SIGHUP in numbers:
            self._on_hangup()
        if self._ending is None and {signal.SIGTERM, signal.SIGINT} & set(numbers):
            self._ending = time.monotonic()
            self._on_end()

    def _end_what_hangs(self) -> None:
        if (busy := self._busy_seconds()) > HANG_SECONDS:
            die(f"the main loop has been at one thing for {busy:.0f} s", self._stderr)
        if self._ending is not None and time.monotonic() - self._ending > END_SECONDS:
            die(f"did not end within {END_SECONDS:.0f} s of being told to", self._stderr)


def die(reason: str, stderr: int = _STDERR) -> NoReturn:
    """End the process from beside the thread that cannot end it any more, with one line."""
    os.write(stderr, f"edgekws: error: {reason}: ended by its watch\n".encode())
    os._exit(EXIT_HUNG)
