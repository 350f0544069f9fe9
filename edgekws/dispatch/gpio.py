"""The sink that switches a pin, by way of gpiozero, which knows the boards and their libraries."""

import threading
import warnings
from typing import Any, Final, Literal, Self, get_args

from edgekws.audio.extras import load_extra
from edgekws.dispatch.outcome import CLOSING, Outcome, to_dispatch
from edgekws.errors import SinkError
from edgekws.events import Detection, Dispatch
from edgekws.specs import Spec

MAX_PULSE_SECONDS: Final = 60.0
Action = Literal["on", "off", "toggle", "pulse"]


class GpioSettings(Spec, frozen=True):
    """Which pin, and what a command does to it.

    `pin` is a number of the chip, or a name as gpiozero takes it, such as "GPIO17" or "BOARD11".
    With `active_high = false`, as many relays want it, on is a low level. From the start to the
    first command, and after the end, the pin is on where `initial` is true, else off. Tables with
    different actions may name the same pin; they work on one state.
    """

    pin: int | str
    action: Action = "pulse"
    pulse_seconds: float = 0.5
    active_high: bool = True
    initial: bool = False

    def __post_init__(self) -> None:
        if isinstance(self.pin, str) and not (self.pin.isascii() and self.pin.isalnum()):
            raise ValueError('pin needs a number or a name, such as 17, "GPIO17" or "BOARD11"')
        if isinstance(self.pin, int) and not 0 <= self.pin < 1000:
            raise ValueError("need 0 <= pin < 1000")
        if not 0 < self.pulse_seconds <= MAX_PULSE_SECONDS:
            raise ValueError(f"need 0 < pulse_seconds <= {MAX_PULSE_SECONDS:g}")

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read "PIN" or "PIN ACTION"."""
        pin, _, action = text.strip().partition(" ")
        for known in get_args(Action):
            if (action.strip() or "pulse") == known:
                return cls(pin=int(pin) if pin.isdecimal() else pin, action=known)
        raise ValueError(f"no action {action!r}; there is {', '.join(get_args(Action))}")

    def open(self) -> "GpioSink":
        """Take the pin, or raise SinkError where this machine has no such pin."""
        return GpioSink(self)


class GpioSink:
    """Switches one pin; a pulse is over before the next command is taken."""

    name = "gpio"

    def __init__(self, settings: GpioSettings) -> None:
        self._settings = settings
        self._stop = threading.Event()
        self._pin: Any = _take_pin(settings)
        self._write(on=settings.initial)

    def send(self, detection: Detection) -> Dispatch:
        """Do what the settings say."""
        outcome = CLOSING if self._stop.is_set() else self._act()
        return to_dispatch(detection, self.name, outcome)

    def close(self) -> None:
        """End a pulse, and switch back to the initial state; gpiozero frees the pin at exit."""
        self._stop.set()
        self._write(on=self._settings.initial)

    def _act(self) -> Outcome:
        action, pin = self._settings.action, self._settings.pin
        if action == "pulse":
            self._pulse()
        else:
            self._write(on=action == "on" or (action == "toggle" and not self._is_on()))
        return Outcome("done", f"pin {pin}: {action}")

    def _pulse(self) -> None:
        try:
            self._write(on=True)
            self._stop.wait(self._settings.pulse_seconds)
        finally:
            self._write(on=self._stop.is_set() and self._settings.initial)

    def _is_on(self) -> bool:
        return bool(self._pin.state) is self._settings.active_high

    def _write(self, *, on: bool) -> None:
        self._pin.state = on is self._settings.active_high


def _take_pin(settings: GpioSettings) -> Any:
    """Return the pin as an output in its initial state; every sink of it gets the same object.

    A gpiozero device would have the pin to itself, and one command could not switch off what
    another switched on; so this is gpiozero's layer below, its pin factory.
    """
    gpiozero = load_extra("gpiozero", extra="gpio", purpose="the gpio sink")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of each library that is not there before one that is
            gpiozero.Device.ensure_pin_factory()
        pin = gpiozero.Device.pin_factory.pin(settings.pin)
        pin.output_with_state(settings.initial is settings.active_high)
    except gpiozero.BadPinFactory as error:
        hint = "on a Raspberry Pi: pip install lgpio"
        raise SinkError(f"gpio sink: pin {settings.pin}: {error}; {hint}") from error
    except (gpiozero.GPIOZeroError, OSError) as error:
        raise SinkError(f"gpio sink: pin {settings.pin}: {error}") from error
    return pin
