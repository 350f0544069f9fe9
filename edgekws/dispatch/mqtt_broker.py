"""A connection to an MQTT broker that comes back by itself, by way of paho-mqtt."""

import logging
import ssl
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from edgekws.audio.extras import load_extra
from edgekws.dispatch.outcome import CLOSING, Outcome

if TYPE_CHECKING:
    from paho.mqtt.client import Client

log = logging.getLogger(__name__)

KEEP_ALIVE_SECONDS: Final = 30  # a broker that is gone without a word is noticed after this
FIRST_BACK_OFF_SECONDS: Final = 1
LONGEST_BACK_OFF_SECONDS: Final = 30
FAREWELL_SECONDS: Final = 0.5  # of the time that closing has, for a last word to the broker
MAX_WAITING_MESSAGES: Final = 64
QOS: Final = 1  # the broker says that it has the message


@dataclass(frozen=True, slots=True)
class Message:
    """What is published where; the broker hands a retained one to all who come later."""

    topic: str
    payload: bytes
    retained: bool = False


@dataclass(frozen=True, slots=True)
class Access:
    """How to get in: `context` is None without TLS, `username` and `password` may be empty."""

    host: str
    port: int
    context: ssl.SSLContext | None = None
    username: str = ""
    password: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Presence:
    """What the broker is told at each connection, and keeps of us when we are gone.

    `greetings` are published at each connection, and again whenever somebody publishes `call`, if
    there is one; the broker publishes `will` when the connection breaks, and we at the end. Where
    another does so while we are there, such as our predecessor, that is set right again.
    """

    greetings: Callable[[], tuple[Message, ...]]
    will: Message
    call: Message | None = None


class Broker:
    """Publishes messages one at a time, each in a bounded time, and reconnects with back-off.

    A message that the broker did not acknowledge in time is given up together with its connection:
    a later one would deliver it, and a command that is minutes old must not be carried out.
    """

    def __init__(self, access: Access, presence: Presence | None = None) -> None:
        """Begin to connect; MissingExtraError where paho-mqtt is not installed."""
        self._paho = load_extra("paho.mqtt.client", extra="mqtt", purpose="the mqtt sink")
        self._access, self._presence = access, presence
        calls = () if presence is None else (presence.call, presence.will)
        self._calls = tuple(message for message in calls if message is not None)
        self._changed = threading.Condition()
        self._acknowledged: deque[int] = deque(maxlen=64)
        self._up = self._leaving = self._closing = False
        self._fault = "no answer yet"
        self._start()

    def publish(self, message: Message, timeout_seconds: float) -> Outcome:
        """Publish as soon as there is a connection, and wait until the broker has the message."""
        deadline = time.monotonic() + timeout_seconds
        if not self._wait(lambda: self._up, deadline):
            return self._give_up(Outcome("failed", f"no connection to {self._where}"))
        mid = self._client.publish(message.topic, message.payload, QOS, message.retained).mid
        if not self._wait(lambda: mid in self._acknowledged, deadline):
            return self._give_up(
                Outcome("timeout", f"{self._where} did not confirm it in {timeout_seconds:.3g} s")
            )
        return Outcome("done", f"published to {message.topic}")

    def greet(self) -> None:
        """Publish the greetings again where there is a connection."""
        if self._up:
            self._greet(self._client)

    def close(self) -> None:
        """Say farewell within `FAREWELL_SECONDS`, and end the connection and a waiting publish."""
        deadline = time.monotonic() + FAREWELL_SECONDS
        self._leaving = True  # the farewell comes back to us, too
        if self._presence is not None and self._up:
            will = self._presence.will
            mid = self._client.publish(will.topic, will.payload, QOS, will.retained).mid
            self._wait(lambda: mid in self._acknowledged, deadline)
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self._client.disconnect()
        with self._changed:
            self._changed.wait_for(lambda: not self._up, max(0.0, deadline - time.monotonic()))

    @property
    def _where(self) -> str:
        fault = "" if self._up else f" ({self._fault})"
        return f"{self._access.host}:{self._access.port}{fault}"

    def _start(self) -> None:
        client: Client = self._paho.Client(self._paho.CallbackAPIVersion.VERSION2)
        if self._access.context is not None:
            client.tls_set_context(self._access.context)
        if self._access.username:
            client.username_pw_set(self._access.username, self._access.password or None)
        if self._presence is not None:
            will = self._presence.will
            client.will_set(will.topic, will.payload, QOS, will.retained)
        client.reconnect_delay_set(FIRST_BACK_OFF_SECONDS, LONGEST_BACK_OFF_SECONDS)
        client.on_connect, client.on_connect_fail = self._on_connect, self._on_connect_fail
        client.on_disconnect, client.on_publish = self._on_disconnect, self._on_publish
        client.on_message = self._on_message
        client.max_queued_messages_set(MAX_WAITING_MESSAGES)
        self._client = client
        client.connect_async(self._access.host, self._access.port, KEEP_ALIVE_SECONDS)
        client.loop_start()

    def _wait(self, ready: Callable[[], bool], deadline: float) -> bool:
        """Wait for what callbacks bring about; False at the deadline and when closing."""
        with self._changed:
            self._changed.wait_for(
                lambda: ready() or self._closing, max(0.0, deadline - time.monotonic())
            )
            return ready() and not self._closing

    def _give_up(self, outcome: Outcome) -> Outcome:
        if self._closing:
            return CLOSING
        self._client.disconnect()
        with self._changed:
            self._up = False
            self._acknowledged.clear()  # the next client numbers its messages anew
        self._start()
        return outcome

    def _greet(self, client: "Client") -> None:
        if self._presence is not None:
            for message in self._presence.greetings():
                client.publish(message.topic, message.payload, QOS, message.retained)

    def _on_connect(self, client: "Client", _data: Any, _flags: Any, code: Any, _: Any) -> None:
        if self._is_over(client):
            return
        if code.is_failure:
            self._note_fault(str(code))
            return
        log.info("mqtt connected to %s:%d", self._access.host, self._access.port)
        for message in self._calls:
            client.subscribe(message.topic, QOS)
        self._greet(client)
        with self._changed:
            self._up, self._fault = True, ""
            self._changed.notify_all()

    def _on_connect_fail(self, client: "Client", _data: Any) -> None:
        if self._is_over(client):
            return
        # paho calls this while it handles what was raised, but does not say what that was
        self._note_fault(str(sys.exc_info()[1] or "no connection"))

    def _is_over(self, client: "Client") -> bool:
        """Say whether a client was given up or closed, and tell it again.

        One that is told while it connects would take that for its state before, and stay.
        """
        if client is self._client and not self._closing:
            return False
        client.disconnect()
        return True

    def _on_disconnect(
        self, client: "Client", _data: Any, _flags: Any, code: Any, _properties: Any
    ) -> None:
        if client is not self._client:
            return
        if self._up:  # otherwise the reason for a refusal is known better
            self._note_fault(str(code))
        with self._changed:
            self._up = False
            self._changed.notify_all()

    def _on_publish(self, client: "Client", _data: Any, mid: int, _code: Any, _: Any) -> None:
        if client is self._client:
            with self._changed:
                self._acknowledged.append(mid)
                self._changed.notify_all()

    def _on_message(self, client: "Client", _data: Any, message: Any) -> None:
        heard = (message.topic, message.payload)
        if not self._leaving and heard in ((each.topic, each.payload) for each in self._calls):
            self._greet(client)

    def _note_fault(self, fault: str) -> None:
        """Say each fault once, however often a connection is tried again for it."""
        if fault != self._fault and not self._closing:
            log.warning("mqtt %s:%d: %s", self._access.host, self._access.port, fault)
        self._fault = fault
