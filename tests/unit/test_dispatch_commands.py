"""Sinks by name, from a `--sink` text, and in the table of commands."""

from pathlib import Path
from typing import Self

import pytest

from edgekws.dispatch.commands import Command, complete_commands, open_table, same_commands
from edgekws.dispatch.process import ProcessSettings
from edgekws.dispatch.sink import Sink, find_sink, parse_sink, sink_names
from edgekws.dispatch.stdout import StdoutSettings, StdoutSink
from edgekws.errors import SinkError, UsageError
from edgekws.specs import Spec

PLUGIN = """
from edgekws.specs import Spec

class LampSettings(Spec, frozen=True):
    lamp: str

    @classmethod
    def parse(cls, text):
        return cls(lamp=text)

    def open(self):
        raise NotImplementedError
"""


@pytest.fixture
def plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An installed package that brings a good sink and two broken ones."""
    info = tmp_path / "lamp_sink-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: lamp-sink\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[edgekws.sinks]\nlamp = lamp_sink:LampSettings\n"
        "gone = lamp_sink_gone:Settings\nodd = lamp_sink:PLAIN\n"
    )
    (tmp_path / "lamp_sink.py").write_text(PLUGIN + "\nPLAIN = dict\n")
    monkeypatch.syspath_prepend(tmp_path)


class OnceSink(StdoutSink):
    """Holds something that cannot be opened twice."""

    closed = False

    def close(self) -> None:
        self.closed = True


class OnceSettings(Spec, frozen=True):
    """Opens a device that only one may have: a file that must not be there yet."""

    device: str
    speed: int = 1

    @classmethod
    def parse(cls, text: str) -> Self:
        return cls(text)

    def open(self) -> Sink:
        try:
            Path(self.device).touch(exist_ok=False)
        except FileExistsError as error:
            raise SinkError(f"{self.device} is taken") from error
        return OnceSink()


def test_our_own_sinks_are_found_by_name() -> None:
    assert find_sink("stdout") is StdoutSettings
    assert find_sink("process") is ProcessSettings
    assert find_sink("telepathy") is None


@pytest.mark.usefixtures("plugin")
def test_an_installed_package_brings_its_own_sink() -> None:
    assert "lamp" in sink_names()
    assert repr(parse_sink("lamp:kitchen")) == "LampSettings(lamp='kitchen')"


@pytest.mark.usefixtures("plugin")
@pytest.mark.parametrize(
    ("name", "message"), [("gone", "cannot be loaded"), ("odd", "derive from edgekws.specs.Spec")]
)
def test_a_broken_sink_of_a_package_is_named(name: str, message: str) -> None:
    with pytest.raises(SinkError, match=f'sink "{name}" .*{message}'):
        find_sink(name)


def test_a_sink_text_gives_settings() -> None:
    assert parse_sink("stdout:") == StdoutSettings()
    assert parse_sink("stdout") == StdoutSettings()
    assert parse_sink("process:say 'two words' a:b") == ProcessSettings(
        argv=("say", "two words", "a:b")
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "telepathy:x",
            'there is no sink "telepathy"; there are: .*process, .*stdout',
        ),
        ("", 'there is no sink ""'),
        ("stdout:file", "takes no settings"),
        ("process:", "argv needs a program"),
        ("process:say 'open", "No closing quotation"),
    ],
)
def test_a_sink_text_that_makes_no_sense_is_a_usage_error(text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        parse_sink(text)


def test_a_label_without_a_command_goes_to_stdout() -> None:
    given = (Command("on", ProcessSettings(argv=("true",))),)
    assert complete_commands(("on", "off"), given) == (*given, Command("off", StdoutSettings()))
    assert complete_commands(("on",), ()) == (Command("on", StdoutSettings()),)


def test_a_command_for_every_label_stands_for_each() -> None:
    process, stdout = ProcessSettings(argv=("true",)), StdoutSettings()
    given = (Command("*", process), Command("off", stdout))
    assert complete_commands(("on", "off"), given) == (
        Command("on", process),
        Command("off", process),
        Command("off", stdout),
    )


def test_same_commands_send_every_label_to_every_sink() -> None:
    process = ProcessSettings(argv=("true",))
    assert same_commands(("on", "off"), (StdoutSettings(), process)) == (
        Command("on", StdoutSettings()),
        Command("on", process),
        Command("off", StdoutSettings()),
        Command("off", process),
    )


def test_commands_with_equal_settings_share_a_sink() -> None:
    process = ProcessSettings(argv=("true", "{label}"))
    table = open_table(
        [*same_commands(("on", "off"), (process,)), Command("off", StdoutSettings())]
    )
    assert table.sinks_for("on") == (table.sinks[0],)
    assert table.sinks_for("off") == table.sinks
    assert [sink.name for sink in table.sinks] == ["process", "stdout"]
    assert table.sinks_for("other") == ()


def test_sinks_of_equal_settings_are_taken_from_a_table_that_is_held(tmp_path: Path) -> None:
    once, plain = OnceSettings(f"{tmp_path}/pin"), StdoutSettings()
    held = open_table((Command("on", once), Command("off", plain)))
    table = open_table((Command("off", once), Command("on", plain)), held)
    assert table.sinks_for("off") == held.sinks_for("on")
    assert table.sinks_for("on") == held.sinks_for("off")


def test_sinks_that_are_held_stay_open_when_another_one_fails(tmp_path: Path) -> None:
    once = OnceSettings(f"{tmp_path}/pin")
    held = open_table((Command("on", once),))
    faster = OnceSettings(once.device, speed=2)
    with pytest.raises(SinkError, match="pin is taken"):
        open_table((Command("on", once), Command("off", faster)), held)
    (sink,) = held.sinks
    assert isinstance(sink, OnceSink)
    assert not sink.closed


def test_a_sink_that_cannot_be_opened_is_named_with_its_label() -> None:
    command = Command("开灯", ProcessSettings(argv=("no-such-program-here",)))
    with pytest.raises(SinkError, match=r'command "开灯": process sink: .*no-such-program-here'):
        open_table([command])
