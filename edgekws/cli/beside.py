"""What runs beside the daemon by listen.toml: the control socket, metrics, the journal file."""

import logging
import time
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

    from edgekws.audio.source import Condition
    from edgekws.dispatch.journal import Event
    from edgekws.runtime.captor import Captor
    from edgekws.runtime.config import ListenConfig
    from edgekws.runtime.control import Controlled
    from edgekws.runtime.detector import Detector
    from edgekws.runtime.hush import Hush
    from edgekws.runtime.ledger import Ledger
    from edgekws.runtime.onlookers import Onlookers
    from edgekws.runtime.reception import Chore, Door, Reception, Visits

log = logging.getLogger(__name__)


class Company(Protocol):
    """What is beside a daemon: who looks on, what its condition is with them, what has to run."""

    def onlookers(self) -> "Onlookers":
        """Return who is shown the daemon's scores, events and near misses."""
        ...

    def condition(self, source: "Callable[[], Condition]") -> "Callable[[], Condition]":
        """Return the condition of the source, with what is wrong beside it."""
        ...

    def open(self, daemon: "Controlled", closing: ExitStack) -> "tuple[Reception, ...]":
        """Open the doors and return what has to run; ConfigError where one cannot be opened."""
        ...


def company(config: "ListenConfig", detector: "Detector") -> Company:
    """Return what listen.toml has beside the daemon; its parts are imported only where it does."""
    seeing = (config.control, config.metrics, config.journal)
    wanted = any((*seeing, config.near_misses, config.captures))
    return Beside(config, detector) if wanted else Alone()


class Alone:
    """Nothing is beside it."""

    def onlookers(self) -> "Onlookers":
        """Return nobody."""
        from edgekws.runtime.onlookers import Onlookers

        return Onlookers()

    def condition(self, source: "Callable[[], Condition]") -> "Callable[[], Condition]":
        """Return the condition of the source."""
        return source

    def open(self, daemon: "Controlled", closing: ExitStack) -> "tuple[Reception, ...]":
        """Open nothing."""
        del daemon, closing
        return ()


class Beside:
    """Opens what listen.toml names, before the first sound.

    What is opened is closed when the context ends; the thread itself is the daemon's to run.
    """

    def __init__(self, config: "ListenConfig", detector: "Detector") -> None:
        from edgekws.runtime.counts import Tellers
        from edgekws.runtime.records import Records
        from edgekws.runtime.sight import Sight
        from edgekws.runtime.tables import NearMissTable

        self._config = config
        self._sample_rate = detector.model.features.sample_rate
        self._tellers, self._records = Tellers(), Records(time.monotonic(), _utc)
        near = config.near_misses or NearMissTable()
        self._sight = Sight(detector, fraction=near.fraction)
        self._ledger = self._open_ledger()
        self._captor = self._open_captor()
        self._reception: Reception | None = None

    def onlookers(self) -> "Onlookers":
        """Who is shown the daemon's scores, events and near misses."""
        from edgekws.runtime.onlookers import Onlookers

        keep = None if self._captor is None else self._captor.take
        return Onlookers(self._sight, (self._tellers.note, self._note), keep)

    def condition(self, source: "Callable[[], Condition]") -> "Callable[[], Condition]":
        """Return the condition of the source, with what is wrong with the journal file."""
        ledger = self._ledger
        if ledger is None:
            return source

        from msgspec.structs import replace

        def condition() -> "Condition":
            seen = source()
            return replace(seen, complaint=seen.complaint or ledger.complaint)

        return condition

    def open(self, daemon: "Controlled", closing: ExitStack) -> "tuple[Reception, ...]":
        """Open the doors and return what has to run; ConfigError where one cannot be opened."""
        from edgekws.runtime.hush import Hush
        from edgekws.runtime.reception import Reception

        hush = Hush(daemon)
        doors: list[Door] = []
        chores: list[Chore] = [hush.look]
        if self._config.control is not None:
            doors.append(self._control_door(daemon, hush, closing))
        self._add_metrics(daemon, doors, chores, closing)
        if self._ledger is not None:
            chores.append(self._ledger.work)
        if self._captor is not None:
            chores.append(self._captor.work)
        self._reception = Reception(doors, chores)
        return (self._reception,)

    def _note(self, event: "Event", now: float) -> None:
        from edgekws.events import NearMiss

        if isinstance(event, NearMiss):
            log.info(
                "near miss id=%d label=%s peak=%.2f on=%.2f sample=%d",
                *(event.id, event.label, event.peak, event.on, event.sample),
            )
        self._pass_on(event)
        result = self._records.note(event, now)
        if result is not None:
            self._pass_on(result)

    def _pass_on(self, event: "Event") -> None:
        from edgekws.dispatch.journal import event_line

        line = event_line(event)
        if self._ledger is not None:
            self._ledger.take(line)
        if self._reception is not None:
            self._reception.tell(line)

    def _open_ledger(self) -> "Ledger | None":
        table = self._config.journal
        if table is None:
            return None
        from edgekws.runtime.ledger import Ledger

        return Ledger(self._place(table.path), max_bytes=table.max_bytes, files=table.files)

    def _open_captor(self) -> "Captor | None":
        table = self._config.captures
        if table is None:
            return None
        from edgekws.runtime.captor import Captor
        from edgekws.runtime.capture_store import CaptureStore, read_key

        key = read_key(self._place(table.key_file), create=True)
        store = CaptureStore(self._place(table.folder), key)
        log.info("captures: the sound of near misses is kept in %s", self._place(table.folder))
        return Captor(store, max_bytes=round(table.max_megabytes * 1e6), max_days=table.max_days)

    def _control_door(self, daemon: "Controlled", hush: "Hush", closing: ExitStack) -> "Door":
        from edgekws.cli.places import socket_to_open
        from edgekws.runtime.control import Control, ControlTalk, refusal
        from edgekws.runtime.doors import only, ourselves_and_root, unix_listener
        from edgekws.runtime.reception import Door

        assert self._config.control is not None
        path = socket_to_open(self._config.control.socket)
        listener = closing.enter_context(unix_listener(path))
        control = Control(daemon, hush, self._sight, self._tellers, visits=self._visits)
        log.info("control socket=%s", path)
        return Door(listener, only(ourselves_and_root()), refusal, lambda: ControlTalk(control))

    def _visits(self) -> "Visits":
        from edgekws.runtime.reception import Visits

        return Visits() if self._reception is None else self._reception.visits

    def _add_metrics(
        self, daemon: "Controlled", doors: "list[Door]", chores: "list[Chore]", closing: ExitStack
    ) -> None:
        from edgekws.runtime.doors import anyone, loopback_listener
        from edgekws.runtime.reception import Door
        from edgekws.runtime.scrape import ScrapeTalk, Textfile, response

        table = self._config.metrics
        if table is None:
            return
        page = self._page_of(daemon)
        if table.textfile is not None:
            chores.append(Textfile(self._place(table.textfile), page).work)
        if table.port is not None:
            listener = closing.enter_context(loopback_listener(table.port))
            log.info("metrics url=http://127.0.0.1:%d/metrics", listener.getsockname()[1])

            def busy(reason: str) -> bytes:
                return response("503 Service Unavailable", reason + "\n")

            doors.append(Door(listener, anyone, busy, lambda: ScrapeTalk(page)))

    def _page_of(self, daemon: "Controlled") -> "Callable[[], str]":
        from edgekws.runtime.metrics import Figures, exposition

        def page() -> str:
            return exposition(
                Figures(
                    health=daemon.health(),
                    sample_rate=self._sample_rate,
                    events=self._tellers.counts(),
                    cpu_seconds=time.process_time(),
                    lost_lines=0 if self._ledger is None else self._ledger.lost,
                )
            )

        return page

    def _place(self, text: str) -> Path:
        return place_of(self._config, text)


def place_of(config: "ListenConfig", text: str) -> Path:
    """Return a path of listen.toml, which counts from the file's own folder."""
    return Path(config.where).parent / Path(text).expanduser()


def _utc() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
