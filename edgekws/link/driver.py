"""The thread that gives a `Link` its port: opens it, opens it again when it is gone, keeps time."""

import logging
import secrets
import threading
import time
from collections.abc import Callable
from typing import Final

from edgekws.events import LinkHealth
from edgekws.link.orders import Order, Outcome
from edgekws.link.port import Port
from edgekws.link.session import Link, Notice

log = logging.getLogger(__name__)

REOPEN_SECONDS: Final = 0.5  # between two looks for a device that is gone
EARLY_LOOKS: Final = 4  # a reload opens the new sink before it closes the old one of the same port
_GRACE_SECONDS: Final = 1.0  # over an order's time to live: a port's write may hang for as long


class LinkDriver:
    """One link and its thread; `send` from any one thread at a time, `health` from all."""

    def __init__(self, labels_hash: int, open_port: Callable[[], Port]) -> None:
        self._link = Link(labels_hash, lambda: secrets.randbits(32))
        self._open_port = open_port
        self._port: Port | None = None
        self._changed = threading.Condition()  # guards the link; told of outcomes
        self._stop = threading.Event()
        self._detail = "not opened yet"
        self._looks = 0
        self._thread = threading.Thread(target=self._run, name="serial-link", daemon=True)
        self._thread.start()

    def health(self) -> LinkHealth:
        """Return how the link is now."""
        with self._changed:
            device = self._port.name if self._port is not None else None
            return LinkHealth(self._link.up, device, self._detail, self._link.faults)

    def send(self, order: Order) -> Outcome:
        """Get a command through and return what became of it, within its time to live."""
        with self._changed:
            if not self._thread.is_alive():
                return Outcome("failed", "the link is closed", 0)
            self._link.submit(order, _now_ms())
            if self._port is not None:
                self._port.wake()
            patience = order.time_to_live_ms / 1000 + _GRACE_SECONDS
            self._changed.wait_for(self._is_settled, patience)
            self._link.cancel(self._why_unsettled(), _now_ms())
            assert self._link.outcome is not None
            return self._link.outcome

    def close(self) -> None:
        """End the thread and let go of the device; a waiting `send` returns."""
        self._stop.set()
        with self._changed:
            if self._port is not None:
                self._port.wake()
            self._changed.notify_all()
        self._thread.join(_GRACE_SECONDS)

    def _is_settled(self) -> bool:
        return self._link.outcome is not None or self._stop.is_set() or not self._thread.is_alive()

    def _why_unsettled(self) -> str:
        return "edgekws is closing" if self._stop.is_set() else "the device does not come back"

    def _run(self) -> None:
        try:
            while not self._stop.is_set():
                self._live()
        finally:
            with self._changed:
                self._changed.notify_all()

    def _live(self) -> None:
        """Open the device and talk over it until it is gone."""
        try:
            port = self._open_port()
        except OSError as error:
            self._looks += 1
            early = self._looks <= EARLY_LOOKS and isinstance(error, BlockingIOError)
            self._lost(self._detail if early else _reason(error))
            self._stop.wait(REOPEN_SECONDS)
            return
        log.info("link device=%s opened", port.name)
        with self._changed:
            self._port, self._detail = port, "no answer yet"
        try:
            self._talk(port)
        except OSError as error:
            self._lost(f"{port.name} is gone: {_reason(error)}")
        finally:
            with self._changed:
                self._port = None
            port.close()

    def _talk(self, port: Port) -> None:
        while not self._stop.is_set():
            with self._changed:
                now_ms = _now_ms()
                self._link.poll(now_ms)
                output, wait_ms = self._link.take_output(), self._link.due_ms() - now_ms
                self._tell(self._link.take_notices())
            if output:
                port.write(output)
            data = port.read(max(0.0, wait_ms / 1000))
            with self._changed:
                self._link.feed(data, _now_ms())
                if self._is_settled():
                    self._changed.notify_all()

    def _lost(self, reason: str) -> None:
        """Take note that there is no device; said once, not at every look."""
        with self._changed:
            now_ms = _now_ms()
            self._link.lose(reason, now_ms)
            self._link.poll(now_ms)  # orders run out of time without a device too
            self._link.take_output()
            self._tell(self._link.take_notices())
            if reason != self._detail:
                log.warning("link down: %s; waiting for it", reason)
            self._detail = reason
            if self._is_settled():
                self._changed.notify_all()

    def _tell(self, notices: list[Notice]) -> None:
        for notice in notices:
            level = logging.INFO if notice.kind == "up" else logging.WARNING
            log.log(level, "link %s: %s", notice.kind, notice.detail)
            self._detail = notice.detail


def _now_ms() -> int:
    return time.monotonic_ns() // 1_000_000


def _reason(error: OSError) -> str:
    return error.strerror or str(error)
