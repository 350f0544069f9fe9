"""The gpio sink on gpiozero's own mock pins, since a test machine has none."""

import threading
from collections.abc import Iterator

import pytest
from gpiozero import Device
from gpiozero.pins.mock import MockFactory, MockPin

from edgekws.dispatch.commands import Command, open_table
from edgekws.dispatch.gpio import GpioSettings
from edgekws.dispatch.sink import parse_sink
from edgekws.errors import SinkError
from edgekws.events import Detection, Dispatch

PATIENCE_SECONDS = 30.0
SHORT_SECONDS = 0.01
DETECTION = Detection(id=7, label="开灯", score=0.9, sample=32_000, time_seconds=2.0)


@pytest.fixture(autouse=True)
def factory() -> Iterator[MockFactory]:
    before, Device.pin_factory = Device.pin_factory, MockFactory()
    yield Device.pin_factory
    Device.pin_factory.close()
    Device.pin_factory = before


def pin(factory: MockFactory, number: int = 17) -> MockPin:
    return factory.pin(number)


def levels(factory: MockFactory, number: int = 17) -> list[bool]:
    """Return every level that the pin had since it became an output."""
    return [bool(each.state) for each in pin(factory, number).states]


def send(settings: GpioSettings) -> Dispatch:
    return settings.open().send(DETECTION)


def test_on_and_off_switch_one_pin_from_two_commands(factory: MockFactory) -> None:
    table = open_table(
        [
            Command("lights on", GpioSettings(pin=17, action="on")),
            Command("lights off", GpioSettings(pin=17, action="off")),
        ]
    )
    on, off = table.sinks
    assert on.send(DETECTION) == Dispatch(7, "开灯", "gpio", "done", "pin 17: on")
    assert (pin(factory).function, pin(factory).state) == ("output", True)
    assert off.send(DETECTION).detail == "pin 17: off"
    assert pin(factory).state is False


def test_toggle_turns_round_whatever_the_state_is(factory: MockFactory) -> None:
    toggle = GpioSettings(pin="GPIO17", action="toggle").open()
    for expected in (True, False, True):
        toggle.send(DETECTION)
        assert pin(factory).state is expected
    GpioSettings(pin=17, action="off").open().send(DETECTION)
    toggle.send(DETECTION)
    assert pin(factory).state is True


def test_a_pulse_is_on_and_then_off(factory: MockFactory) -> None:
    assert send(GpioSettings(pin=17, pulse_seconds=SHORT_SECONDS)).detail == "pin 17: pulse"
    assert levels(factory) == [False, True, False]


def test_active_low_turns_the_levels_round(factory: MockFactory) -> None:
    send(GpioSettings(pin=17, active_high=False, pulse_seconds=SHORT_SECONDS))
    assert levels(factory)[-3:] == [True, False, True]


def test_the_initial_state_is_there_from_the_start_and_again_at_the_end(
    factory: MockFactory,
) -> None:
    sink = GpioSettings(pin=17, action="off", initial=True).open()
    assert pin(factory).state is True
    sink.send(DETECTION)
    assert pin(factory).state is False
    sink.close()
    assert pin(factory).state is True
    assert sink.send(DETECTION).detail == "edgekws is closing"


def test_closing_ends_a_pulse(factory: MockFactory) -> None:
    sink = GpioSettings(pin=17, pulse_seconds=60.0).open()
    risen = threading.Event()
    thread = threading.Thread(target=lambda: (sink.send(DETECTION), risen.set()))
    thread.start()
    sink.close()
    thread.join(PATIENCE_SECONDS)
    assert risen.is_set()
    assert pin(factory).state is False


@pytest.mark.parametrize("name", [99, "GPIO99", "nonsense"])
def test_a_pin_that_the_board_lacks_is_refused(name: int | str) -> None:
    with pytest.raises(SinkError, match=f"gpio sink: pin {name}: "):
        GpioSettings(pin=name).open()


def test_a_machine_without_pins_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GPIOZERO_PIN_FACTORY", "nothing-like-it")
    Device.pin_factory = None
    try:
        with pytest.raises(
            SinkError, match=r"gpio sink: pin 17: .*nothing-like-it.*pip install lgpio"
        ):
            GpioSettings(pin=17).open()
    finally:
        Device.pin_factory = MockFactory()


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"pin": -1}, "0 <= pin"),
        ({"pin": ""}, "pin needs a number or a name"),
        ({"pin": "17; reboot"}, "pin needs a number or a name"),
        ({"pin": 17, "pulse_seconds": 0.0}, "0 < pulse_seconds <= 60"),
        ({"pin": 17, "pulse_seconds": float("nan")}, "0 < pulse_seconds <= 60"),
    ],
)
def test_senseless_settings_are_refused(values: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        GpioSettings(**values)  # type: ignore[arg-type]


def test_a_sink_text_is_a_pin_and_an_action() -> None:
    assert parse_sink("gpio:17") == GpioSettings(pin=17)
    assert parse_sink("gpio:BOARD11 toggle") == GpioSettings(pin="BOARD11", action="toggle")


@pytest.mark.parametrize("text", ["gpio:", "gpio:17 explode", "gpio:17 on off"])
def test_a_sink_text_that_makes_no_sense_is_refused(text: str) -> None:
    with pytest.raises(Exception, match="--sink"):
        parse_sink(text)
