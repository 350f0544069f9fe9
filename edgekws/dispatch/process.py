"""The sink that starts a program: an argument list from the configuration, never a shell."""

import shlex
import shutil
import threading
from typing import Final, Self

from edgekws.dispatch.child import run_child
from edgekws.dispatch.outcome import (
    CLOSING,
    Outcome,
    check_retries,
    check_timeout,
    to_dispatch,
    try_again,
)
from edgekws.dispatch.placeholders import as_environment, check_argv, fill, values_of
from edgekws.errors import SinkError
from edgekws.events import Detection, Dispatch
from edgekws.specs import Spec

DEFAULT_TIMEOUT_SECONDS: Final = 10.0
MAX_TIMEOUT_SECONDS: Final = 3600.0


class ProcessSettings(Spec, frozen=True):
    """What to run, for how long, and how often to try again.

    In every item of `argv` but the first, {label}, {score}, {sample}, {time_seconds} and {id} stand
    for the detection's values; the program also finds them as EDGEKWS_LABEL and so on. `retries`
    counts the runs after a first one that failed or timed out.
    """

    argv: tuple[str, ...]
    timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS
    retries: int = 0

    def __post_init__(self) -> None:
        check_argv(self.argv)
        check_timeout(self.timeout_seconds, at_most=MAX_TIMEOUT_SECONDS)
        check_retries(self.retries)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read "PROGRAM ARG ARG", split as a shell splits words but run without one."""
        return cls(argv=tuple(shlex.split(text)))

    def open(self) -> "ProcessSink":
        """Return the sink, or raise SinkError where the program is not on this machine."""
        return ProcessSink(self)


class ProcessSink:
    """Runs the program once per detection, again a bounded number of times when it fails."""

    name = "process"

    def __init__(self, settings: ProcessSettings) -> None:
        program = settings.argv[0]
        if shutil.which(program) is None:
            raise SinkError(
                f'process sink: the program "{program}" is not found or not executable; '
                "name one on the PATH, or its whole path"
            )
        self._settings = settings
        self._stop = threading.Event()

    def send(self, detection: Detection) -> Dispatch:
        """Run the program, and again after a growing pause, until it succeeds or tries are up."""
        outcome, attempts = try_again(
            lambda: self._run(detection), retries=self._settings.retries, stop=self._stop
        )
        return to_dispatch(detection, self.name, outcome, attempts)

    def close(self) -> None:
        """Make a running program and its group end now; nothing is started any more."""
        self._stop.set()

    def _run(self, detection: Detection) -> Outcome:
        if self._stop.is_set():
            return CLOSING
        values = values_of(detection)
        return run_child(
            [fill(item, values) for item in self._settings.argv],
            variables=as_environment(values),
            timeout_seconds=self._settings.timeout_seconds,
            stop=self._stop,
        )
