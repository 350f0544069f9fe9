"""A reception over a daemon that does nothing, and raw clients to ask it; every wait is bounded."""

import contextlib
import json
import socket
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Self

from edgekws.runtime.control import Control, ControlTalk, refusal
from edgekws.runtime.counts import Tellers
from edgekws.runtime.detector import NOTHING, Detector
from edgekws.runtime.doors import only, ourselves_and_root, unix_listener
from edgekws.runtime.health import DispatchCounts, Health
from edgekws.runtime.hush import Hush
from edgekws.runtime.reception import Chore, Door, Reception, Visits
from edgekws.runtime.sight import Sight
from tests.fakes import LoudnessEngine, small_model, trigger_spec

PATIENCE_SECONDS: Final = 60.0

HEALTH: Final = Health(
    state="listening",
    reason="",
    source="mic:",
    device="USB",
    bundle='to"nes\\ 1\n',
    uptime_seconds=60.0,
    audio_age_seconds=0.05,
    step_age_seconds=None,
    level_dbfs=-31.5,
    last_detection=None,
    detection_age_seconds=None,
    counters=NOTHING,
    dropped_frames=7,
    reopenings=2,
    reloads=1,
    unwritten=3,
    dispatches=DispatchCounts(),
)


@dataclass
class Idle:
    """A daemon that only remembers what it was told."""

    told: list[str] = field(default_factory=list)
    reload_failure: str | None = ""

    def health(self) -> Health:
        return HEALTH

    def mute(self) -> None:
        self.told.append("mute")

    def unmute(self) -> None:
        self.told.append("unmute")

    def reload(self) -> None:
        self.told.append("reload")


class Client:
    """A connection that sends bytes and reads lines."""

    def __init__(self, path: Path) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.settimeout(PATIENCE_SECONDS)
        self.socket.connect(str(path))
        self._lines = self.socket.makefile("rb")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *fault: object) -> None:
        self._lines.close()
        self.socket.close()

    def ask(self, **request: object) -> dict[str, Any]:
        """Send a request and return its answer."""
        self.socket.sendall(json.dumps(request).encode() + b"\n")
        return self.line()

    def line(self) -> dict[str, Any]:
        """Return the next line."""
        line: dict[str, Any] = json.loads(self._lines.readline())
        return line

    def rest(self) -> bytes:
        """Return all that comes until the other side hangs up."""
        with contextlib.suppress(ConnectionError):
            return self._lines.read()
        return b""


@dataclass
class Served:
    path: Path
    daemon: Idle
    reception: Reception

    def client(self) -> Client:
        return Client(self.path)


def quiet_detector() -> Detector:
    """Return a detector of the small model."""
    triggers = {"loud": trigger_spec(), "dull": trigger_spec()}
    return Detector(small_model(), LoudnessEngine(), triggers)


@contextlib.contextmanager
def short_folder() -> Iterator[Path]:
    """Give a folder whose name is short enough for a socket in it."""
    with tempfile.TemporaryDirectory(prefix="edgekws-") as name:
        yield Path(name)


@contextlib.contextmanager
def served(
    *, users: frozenset[int] | None = None, chores: tuple[Chore, ...] = ()
) -> Iterator[Served]:
    """Serve the control socket to some users, by default ourselves and root."""
    daemon = Idle()
    hush = Hush(daemon)
    allowed = ourselves_and_root() if users is None else users
    with short_folder() as folder, unix_listener(folder / "control") as listener:

        def visits() -> Visits:
            return reception.visits

        sight = Sight(quiet_detector(), fraction=0.6)
        control = Control(daemon, hush, sight, Tellers(), visits=visits)
        door = Door(listener, only(allowed), refusal, lambda: ControlTalk(control))
        reception = Reception([door], [hush.look, *chores])
        with reception:
            yield Served(folder / "control", daemon, reception)
