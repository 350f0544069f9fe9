"""The sink that starts a program: an argument list from the configuration, never a shell."""

import re
import shlex
import shutil
import threading
from collections.abc import Mapping
from typing import Final, Self

from edgekws.dispatch.child import Outcome, run_child
from edgekws.errors import SinkError
from edgekws.events import Detection, Dispatch
from edgekws.specs import Spec

DEFAULT_TIMEOUT_SECONDS: Final = 10.0
MAX_TIMEOUT_SECONDS: Final = 3600.0
MAX_RETRIES: Final = 10
_FIRST_PAUSE_SECONDS: Final = 0.1
_LONGEST_PAUSE_SECONDS: Final = 5.0
_PLACEHOLDER: Final = re.compile(r"\{(label|score|sample|time_seconds|id)\}")


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
        if not self.argv or not self.argv[0]:
            raise ValueError("argv needs a program as its first item")
        if any("\0" in item for item in self.argv):
            raise ValueError("argv must not hold a NUL character")
        if _PLACEHOLDER.search(self.argv[0]):
            raise ValueError("argv[0] is the program itself and takes no placeholder")
        if not 0 < self.timeout_seconds <= MAX_TIMEOUT_SECONDS:
            raise ValueError(f"need 0 < timeout_seconds <= {MAX_TIMEOUT_SECONDS:g}")
        if not 0 <= self.retries <= MAX_RETRIES:
            raise ValueError(f"need 0 <= retries <= {MAX_RETRIES}")

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
        outcome, attempts = self._run(detection), 1
        while outcome.status != "done" and attempts <= self._settings.retries:
            if self._stop.wait(_pause_seconds(attempts)):
                break
            outcome, attempts = self._run(detection), attempts + 1
        return Dispatch(
            id=detection.id,
            label=detection.label,
            sink=self.name,
            status=outcome.status,
            detail=outcome.detail,
            exit_code=outcome.exit_code,
            attempts=attempts,
        )

    def close(self) -> None:
        """Make a running program and its group end now; nothing is started any more."""
        self._stop.set()

    def _run(self, detection: Detection) -> Outcome:
        if self._stop.is_set():
            return Outcome("failed", "edgekws is closing")
        values = _values(detection)
        return run_child(
            [
                _PLACEHOLDER.sub(lambda found: values[found[1]], item)
                for item in self._settings.argv
            ],
            variables={f"EDGEKWS_{key.upper()}": value for key, value in values.items()},
            timeout_seconds=self._settings.timeout_seconds,
            stop=self._stop,
        )


def _values(detection: Detection) -> Mapping[str, str]:
    return {
        "label": detection.label,
        "score": f"{detection.score:.4f}",
        "sample": str(detection.sample),
        "time_seconds": f"{detection.time_seconds:.3f}",
        "id": str(detection.id),
    }


def _pause_seconds(attempts: int) -> float:
    return min(_FIRST_PAUSE_SECONDS * 2.0 ** (attempts - 1), _LONGEST_PAUSE_SECONDS)
