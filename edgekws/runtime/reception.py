"""The thread that answers those who ask: one selector over few guests, and some small chores."""

import logging
import math
import selectors
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final, Self

import msgspec

from edgekws.audio.wake import WakePipe
from edgekws.runtime.guest import Guest, Talk

log = logging.getLogger(__name__)

GUESTS: Final = 8  # at one time, at all doors
IDLE_SECONDS: Final = 10.0  # for who neither asks nor follows
NEWS: Final = 512  # lines that wait for the thread
_TICK_SECONDS: Final = 1.0
_END_SECONDS: Final = 1.0

Chore = Callable[[float], float]
"""Is called with the monotonic time, at least once a second and after whatever happened; does what
is due and returns in how many seconds more is. The last time is infinity: everything is due."""


class Door(msgspec.Struct, frozen=True):
    """A listening socket, who is let in by it ("" or why not), and how one speaks there."""

    listener: socket.socket
    refuse: Callable[[socket.socket], str]
    refusal: Callable[[str], bytes]
    talk: Callable[[], Talk]


class Visits(msgspec.Struct, frozen=True):
    """How it went with the guests: those turned away, those too slow, lines that found no room.

    `following` is how many follow the news now.
    """

    turned_away: int = 0
    too_slow: int = 0
    lost_news: int = 0
    following: int = 0


class Reception:
    """While entered, a thread serves the doors; nothing a guest does can make it wait.

    `tell` may be called from any thread, all else is the thread's own.
    """

    def __init__(self, doors: Sequence[Door], chores: Sequence[Chore]) -> None:
        self._doors = tuple(doors)
        self._chores = tuple(chores)
        self._guests: dict[socket.socket, Guest] = {}
        self._selector = selectors.DefaultSelector()
        self._wake = WakePipe()
        self._news: deque[bytes] = deque()
        self._stopped = False
        self._turned_away = self._too_slow = self._lost = self._lost_told = 0
        self._thread = threading.Thread(target=self._run, name="reception", daemon=True)

    def __enter__(self) -> Self:
        self._selector.register(self._wake.fileno(), selectors.EVENT_READ)
        for door in self._doors:
            door.listener.setblocking(False)
            self._selector.register(door.listener, selectors.EVENT_READ, door)
        self._thread.start()
        return self

    def __exit__(self, *fault: object) -> None:
        self._stopped = True
        self._wake.set()
        self._thread.join(_END_SECONDS)

    @property
    def visits(self) -> Visits:
        """How it went so far; may be asked from any thread."""
        return Visits(self._turned_away, self._too_slow, self._lost, len(self._followers()))

    def tell(self, line: bytes) -> None:
        """Have a line sent to all who follow; never waits, what finds no room is counted."""
        if len(self._news) >= NEWS:
            self._lost += 1
            return
        self._news.append(line)
        self._wake.set()

    def _run(self) -> None:
        while not self._stopped:
            for key, events in self._selector.select(self._work(time.monotonic())):
                self._serve(key, events)
            self._pass_on()
            self._tidy()
        self._pass_on()
        self._work(math.inf)
        for guest in self._guests.values():
            guest.connection.close()

    def _serve(self, key: selectors.SelectorKey, events: int) -> None:
        if isinstance(key.data, Door):
            self._open(key.data)
        elif isinstance(key.data, Guest):
            if events & selectors.EVENT_READ:
                key.data.receive(time.monotonic())
            if events & selectors.EVENT_WRITE:
                key.data.send()
        else:
            self._wake.clear()

    def _open(self, door: Door) -> None:
        """Let a guest in, or tell it in one line why not."""
        try:
            connection, _ = door.listener.accept()
        except OSError:  # it is gone again, or we are out of descriptors
            return
        connection.setblocking(False)
        reason = door.refuse(connection)
        if not reason and len(self._guests) >= GUESTS:
            reason = f"{GUESTS} others are asking already; try again"
        if reason:
            self._turn_away(connection, door.refusal(reason))
            return
        guest = Guest(connection, door.talk(), time.monotonic())
        self._guests[connection] = guest
        self._selector.register(connection, selectors.EVENT_READ, guest)

    def _turn_away(self, connection: socket.socket, farewell: bytes) -> None:
        self._turned_away += 1
        with connection:
            try:
                connection.send(farewell)
            except OSError:
                return

    def _pass_on(self) -> None:
        """Send the news to those who follow, and first how many lines are missing."""
        followers = self._followers()
        while self._news:
            line = self._news.popleft()
            for guest in followers:
                guest.post(line)
        if self._lost != self._lost_told:
            missing, self._lost_told = self._lost - self._lost_told, self._lost
            for guest in followers:
                guest.post(b'{"event":"lost","lines":%d}\n' % missing)

    def _followers(self) -> list[Guest]:
        return [guest for guest in tuple(self._guests.values()) if guest.talk.follows]

    def _tidy(self) -> None:
        """Close what is finished; ask the selector for what each other guest needs."""
        now = time.monotonic()
        for connection, guest in tuple(self._guests.items()):
            if guest.finished or guest.idle_seconds(now) > IDLE_SECONDS:
                self._dismiss(connection, guest)
                continue
            wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if guest.waiting else 0)
            if self._selector.get_key(connection).events != wanted:
                self._selector.modify(connection, wanted, guest)

    def _dismiss(self, connection: socket.socket, guest: Guest) -> None:
        if guest.slow:
            self._too_slow += 1
            log.warning("control: a reader is too slow and was sent away")
        self._selector.unregister(connection)
        del self._guests[connection]
        connection.close()

    def _work(self, now: float) -> float:
        """Do what is due; return in how many seconds to come back."""
        return min([_TICK_SECONDS, *(chore(now) for chore in self._chores)])
