"""The sink that publishes to an MQTT broker, in the way of Home Assistant or of your own."""

import re
import socket
from collections.abc import Sequence
from typing import Final, Self
from urllib.parse import urlsplit

from edgekws.dispatch import home_assistant
from edgekws.dispatch.mqtt_broker import Access, Broker, Message, Presence
from edgekws.dispatch.outcome import Outcome, check_timeout, to_dispatch
from edgekws.dispatch.placeholders import fill, values_of
from edgekws.dispatch.private import check_file_name, read_secret
from edgekws.dispatch.tls import client_context
from edgekws.events import Detection, Dispatch
from edgekws.specs import Spec

PORT: Final = 1883
TLS_PORT: Final = 8883
MAX_TIMEOUT_SECONDS: Final = 60.0
_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
_TOPIC_BYTES: Final = 65_535


class MqttSettings(Spec, frozen=True):
    """Which broker, how to get in, and what to publish.

    Without a `topic` each command is an event of the `device` (by default the machine's name),
    which Home Assistant finds by itself below its `discovery` prefix; "" leaves that out. With a
    `topic` the `payload` is published there, in which {label}, {score}, {sample}, {time_seconds}
    and {id} stand for the detection's values. `ca_file` holds the authority of the broker's
    certificate where the system does not know it; `password_file` holds one line.
    """

    host: str
    port: int | None = None
    tls: bool = False
    ca_file: str = ""
    username: str = ""
    password_file: str = ""
    device: str = ""
    discovery: str = "homeassistant"
    topic: str = ""
    payload: str = ""
    timeout_seconds: float = 5.0

    def __post_init__(self) -> None:
        if not self.host or not self.host.isprintable() or set(self.host) & set(" /@"):
            raise ValueError("host needs the name or address of the broker, and nothing else")
        if self.port is not None and not 0 < self.port < 65_536:
            raise ValueError("need 0 < port < 65536")
        if self.ca_file and not self.tls:
            raise ValueError("ca_file needs tls = true")
        if self.password_file and not self.username:
            raise ValueError("password_file needs a username")
        if self.device and not _NAME.fullmatch(self.device):
            raise ValueError('device takes up to 64 of A-Z, a-z, 0-9, "_" and "-"')
        if self.payload and not self.topic:
            raise ValueError("payload needs a topic to publish it to")
        for key, topic in (("topic", self.topic), ("discovery", self.discovery)):
            _check_topic(key, topic)
        check_file_name("ca_file", self.ca_file)
        check_file_name("password_file", self.password_file)
        check_timeout(self.timeout_seconds, at_most=MAX_TIMEOUT_SECONDS)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read "HOST" or "HOST:PORT"; what needs more, a password too, is for listen.toml."""
        place = urlsplit(f"//{text}")
        if place.username is not None or place.path or place.query or place.fragment:
            raise ValueError("write mqtt:HOST or mqtt:HOST:PORT; the rest goes into listen.toml")
        return cls(host=place.hostname or "", port=place.port)

    def claim(self) -> str:
        """Return the device, which one connection speaks for; a topic of one's own is anybody's."""
        name = self.device or machine_name()
        return "" if self.topic else f"mqtt device {name} at {self.host}"

    def open(self) -> "MqttSink":
        """Read the files and begin to connect; a broker that is not there may come later."""
        return MqttSink(self)


class MqttSink:
    """Publishes each detection, and in between tells Home Assistant what there is."""

    name = "mqtt"

    def __init__(self, settings: MqttSettings) -> None:
        self._settings = settings
        self._device = settings.device or machine_name()
        self._labels: tuple[str, ...] = ()
        self._broker = Broker(_access(settings), None if settings.topic else self._presence())

    def announce(self, labels: Sequence[str]) -> None:
        """Say which labels may come."""
        self._labels = tuple(labels)
        self._broker.greet()

    def send(self, detection: Detection) -> Dispatch:
        """Publish, and wait until the broker has it."""
        return self.send_after(detection, 0.0)

    def send_after(self, detection: Detection, waited_seconds: float) -> Dispatch:
        """Publish what has waited in the queue for so long, if there is any time left for it."""
        left = self._settings.timeout_seconds - waited_seconds
        if left > 0:
            outcome = self._broker.publish(self._message(detection), left)
        else:
            outcome = Outcome(
                "timeout", f"its time was over after {waited_seconds:.0f} s of waiting"
            )
        return to_dispatch(detection, self.name, outcome)

    def close(self) -> None:
        """Say that the device is offline, and leave."""
        self._broker.close()

    def _message(self, detection: Detection) -> Message:
        settings = self._settings
        if not settings.topic:
            return home_assistant.event(self._device, detection)
        payload = fill(settings.payload or "{label}", values_of(detection))
        return Message(settings.topic, payload.encode())

    def _presence(self) -> Presence:
        prefix = self._settings.discovery
        return Presence(
            greetings=self._greetings,
            will=home_assistant.availability(self._device, home_assistant.OFFLINE),
            call=home_assistant.birth(prefix) if prefix else None,
        )

    def _greetings(self) -> tuple[Message, ...]:
        online = home_assistant.availability(self._device, home_assistant.ONLINE)
        if not self._settings.discovery or not self._labels:
            return (online,)
        prefix = self._settings.discovery
        return (home_assistant.discovery(prefix, self._device, self._labels), online)


def _access(settings: MqttSettings) -> Access:
    password = (
        read_secret("password_file", settings.password_file) if settings.password_file else ""
    )
    return Access(
        host=settings.host,
        port=settings.port or (TLS_PORT if settings.tls else PORT),
        context=client_context(settings.ca_file) if settings.tls else None,
        username=settings.username,
        password=password,
    )


def _check_topic(key: str, topic: str) -> None:
    if set(topic) & set("+#\0"):
        raise ValueError(f"{key} must not hold +, # or NUL, which no topic has")
    if len(topic.encode()) > _TOPIC_BYTES:
        raise ValueError(f"{key} is longer than {_TOPIC_BYTES} bytes")


def machine_name() -> str:
    """Return the name of this machine, with other letters than a device takes as "-"."""
    return re.sub(r"[^A-Za-z0-9_-]", "-", socket.gethostname())[:64] or "device"
