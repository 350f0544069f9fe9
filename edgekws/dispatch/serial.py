"""The sink that tells a microcontroller, over the link of firmware_bridge/SPEC.md."""

from collections.abc import Mapping
from typing import Final, Self

import msgspec

from edgekws.errors import SinkError
from edgekws.events import Detection, Dispatch, LinkHealth
from edgekws.link.driver import LinkDriver
from edgekws.link.messages import label_set_hash
from edgekws.link.orders import U16_MAX, Order, Status
from edgekws.link.port import DEFAULT_BAUD, check_pyserial, open_port
from edgekws.specs import Spec

DEFAULT_TIME_TO_LIVE_SECONDS: Final = 2.0
_I32: Final = range(-(2**31), 2**31)


class SerialSettings(Spec, frozen=True):
    """Where the board is, and how long a command is worth carrying out.

    `device` is a path or a pattern such as "/dev/serial/by-id/usb-Raspberry_Pi_Pico*". `arguments`
    holds a number for each label that has one. `labels` is the label set that the firmware was
    built with; it is the bundle's unless it is named.
    """

    device: str
    baud: int = DEFAULT_BAUD
    time_to_live_seconds: float = DEFAULT_TIME_TO_LIVE_SECONDS
    arguments: dict[str, int] = msgspec.field(default_factory=dict)
    labels: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.device:
            raise ValueError("device needs a path or a pattern such as /dev/ttyACM*")
        if not 0 < self.baud <= 4_000_000:
            raise ValueError("need 0 < baud <= 4000000")
        if not 0.001 <= self.time_to_live_seconds <= U16_MAX / 1000:
            raise ValueError(f"need 0.001 <= time_to_live_seconds <= {U16_MAX / 1000:g}")
        if not all(number in _I32 for number in self.arguments.values()):
            raise ValueError("arguments need to fit in 32 bits with a sign")

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read what follows "serial:", the device."""
        return cls(device=text.strip())

    def for_labels(self, labels: tuple[str, ...]) -> Self:
        """Return these settings with a bundle's labels, unless they name their own."""
        return self if self.labels else msgspec.structs.replace(self, labels=labels)

    def claim(self) -> str:
        """Return the port, which one link has to itself."""
        return f"serial device {self.device}"

    def open(self) -> "SerialSink":
        """Begin to look for the board, which may come later; MissingExtraError without pyserial."""
        check_pyserial()
        if not self.labels:
            raise SinkError("serial sink: labels are needed to number the commands")
        return SerialSink(self)


class SerialSink:
    """Sends each command to the board until it says that it was carried out, or time is up."""

    name = "serial"

    def __init__(self, settings: SerialSettings) -> None:
        self._arguments: Mapping[str, int] = settings.arguments
        self._ids = {label: index for index, label in enumerate(settings.labels)}
        self._time_to_live_ms = round(settings.time_to_live_seconds * 1000)
        self._driver = LinkDriver(
            label_set_hash(settings.labels), lambda: open_port(settings.device, settings.baud)
        )

    def link_health(self) -> LinkHealth:
        """Return whether the board is heard."""
        return self._driver.health()

    def send(self, detection: Detection) -> Dispatch:
        """Get the command through and return what the board, or time, said."""
        return self.send_after(detection, 0.0)

    def send_after(self, detection: Detection, waited_seconds: float) -> Dispatch:
        """Do so for a command whose time to live began so long ago."""
        if detection.label not in self._ids:
            return self._result(detection, "failed", "the label is not in the firmware's set", 1)
        order = Order(
            label=self._ids[detection.label],
            score=min(max(detection.score, 0.0), 1.0),
            time_to_live_ms=self._time_to_live_ms,
            argument=self._arguments.get(detection.label, 0),
            age_ms=round(waited_seconds * 1000),
        )
        outcome = self._driver.send(order)
        return self._result(detection, outcome.status, outcome.detail, outcome.tries)

    def close(self) -> None:
        """Let go of the port; a waiting `send` returns."""
        self._driver.close()

    def _result(self, detection: Detection, status: Status, detail: str, tries: int) -> Dispatch:
        return Dispatch(
            id=detection.id,
            label=detection.label,
            sink=self.name,
            status=status,
            detail=detail,
            attempts=max(1, tries),
        )
