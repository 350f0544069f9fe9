"""`edgekws listen` with sinks whose peers are real, and fail: the ears never stop for them."""

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Final

import numpy as np
import pytest

from edgekws.specs import SILENCE, UNKNOWN
from tests.bundles import make_bundle, noise, tone
from tests.commands import PATIENCE_SECONDS, RATE, Listening, edgekws, environment, write_wav
from tests.hooks import HookServer
from tests.mosquitto import Mosquitto
from tests.speech_service import SpeechService

SPEECH: Final = np.concatenate((noise(seconds=1), tone("yes"), noise(seconds=1))).tobytes()
MINUTE: Final = 60 * 2 * RATE  # in bytes: time is samples, and the test need not wait for it
HOSTILE: Final = "$(touch pwned1); `touch pwned2` | \"q\" 'q'\n\r--help {score} && touch pwned3 #"
MQTT_OWN: Final = {
    "sink": "mqtt",
    "host": "localhost",
    "topic": "own/$(touch pwned4)/`id`",
    "payload": "`touch pwned5` {label}",
}
QUEUE_AND_ONE: Final = 17  # what waits for a sink, and what it is at


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_bundle(tmp_path_factory.mktemp("sinks") / "tones")


def config(folder: Path, text: str) -> Path:
    path = folder / "listen.toml"
    path.write_text(f'[[commands]]\nlabel = "*"\n{text}\n', encoding="utf-8")
    return path


def test_a_sink_that_hangs_for_a_minute_of_audio_loses_none_and_counts_what_it_drops(
    tmp_path: Path, bundle: Path
) -> None:
    with HookServer("hang") as server:
        text = f'sink = "webhook"\nurl = "{server.url}"\ntimeout_seconds = 60.0'
        with Listening("--bundle", bundle, "--config", config(tmp_path, text)) as listening:
            listening.feed(SPEECH)
            assert listening.event()["event"] == "detection"
            assert server.arrived.acquire(timeout=PATIENCE_SECONDS)
            spoken = MINUTE // len(SPEECH) + 1
            drops = spoken - QUEUE_AND_ONE
            listening.feed(SPEECH * (spoken - 1))
            events = [listening.event() for _ in range(spoken - 1 + drops)]
            dropped = [each for each in events if each["event"] == "dispatch"]
            assert [each["status"] for each in dropped] == ["dropped"] * drops
            assert sum(each["event"] == "detection" for each in events) == spoken - 1
            server.answers = [200]
            server.released.set()
            done = listening.end()
    assert [line["status"] for line in done.lines] == ["done"] * QUEUE_AND_ONE
    assert f"done={QUEUE_AND_ONE} failed=0 timeout=0 dropped={drops}" in done.stderr
    assert f"samples={len(SPEECH) // 2 * spoken} " in done.stderr


def test_home_assistant_sees_a_device_and_that_it_died(tmp_path: Path, bundle: Path) -> None:
    with Mosquitto(tmp_path) as broker:
        text = f'sink = "mqtt"\nhost = "localhost"\nport = {broker.port}\ndevice = "den"'
        with (
            broker.subscribe("homeassistant/device/+/config") as configs,
            broker.subscribe("edgekws/den/availability") as states,
            Listening("--bundle", bundle, "--config", config(tmp_path, text)) as listening,
        ):
            (component,) = configs.next().json["components"].values()
            assert component["event_types"] == ["no", "yes", "开灯"]
            assert states.next().payload == b"online"
            listening.feed(SPEECH)
            assert [listening.event()["event"] for _ in range(2)] == ["detection", "dispatch"]
            listening.process.send_signal(signal.SIGKILL)
            assert states.until(b"offline")


def test_a_broker_that_dies_costs_no_detection_and_gets_the_command_when_it_is_back(
    tmp_path: Path, bundle: Path
) -> None:
    with Mosquitto(tmp_path) as broker:
        text = (
            f'sink = "mqtt"\nhost = "localhost"\nport = {broker.port}\ndevice = "den"\n'
            "timeout_seconds = 60.0"
        )
        with Listening("--bundle", bundle, "--config", config(tmp_path, text)) as listening:
            listening.feed(SPEECH)
            assert [listening.event()["event"] for _ in range(2)] == ["detection", "dispatch"]
            broker.kill()
            listening.feed(SPEECH)
            assert listening.event()["event"] == "detection"
            broker.start()
            result = listening.event()
            assert (result["event"], result["status"], result["id"]) == ("dispatch", "done", 2)
            (state,) = broker.read("edgekws/den/availability")
            assert state.payload == b"online"


@pytest.mark.parametrize(
    ("command", "module", "extra"),
    [
        (("listen", "--source", "-", "--sink", "mqtt:broker"), "paho", "mqtt"),
        (("listen", "--source", "-", "--sink", "gpio:17"), "gpiozero", "gpio"),
        (("wyoming",), "wyoming", "wyoming"),
    ],
)
def test_a_missing_package_is_named_with_the_line_that_installs_it(
    bundle: Path, command: tuple[str, ...], module: str, extra: str
) -> None:
    script = (
        f"import sys; sys.modules[{module!r}] = None\n"
        "from edgekws.cli.app import main; sys.exit(main(sys.argv[1:]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, *command, "--bundle", str(bundle)],
        env=environment(),
        input=b"",
        capture_output=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )
    assert done.returncode == 7
    assert f"pip install 'edgekws[{extra}]'" in done.stderr.decode()


@pytest.mark.parametrize(
    ("text", "code", "message"),
    [
        (
            'sink = "mqtt"\nhost = "a"\nprot = 1',
            3,
            "commands[0]: table contains unknown field prot",
        ),
        ('sink = "mqtt"\nhost = "a"\nport = 0', 3, "commands[0]: need 0 < port < 65536"),
        ('sink = "webhook"\nurl = "ftp://a"', 3, "commands[0]: url needs to start with http"),
        (
            'sink = "webhook"\nurl = "http://a"\nsecret_file = "/no/such"',
            9,
            'command "yes": secret_file: /no/such cannot be read: No such file or directory',
        ),
    ],
)
def test_a_wrong_setting_is_named_with_file_and_key(
    tmp_path: Path, bundle: Path, text: str, code: int, message: str
) -> None:
    flags = ("--bundle", bundle, "--source", "-")
    done = edgekws("listen", *flags, "--config", config(tmp_path, text))
    assert (done.code, done.lines) == (code, [])
    assert message in done.error


def test_a_webhook_on_the_command_line_gets_every_command(tmp_path: Path, bundle: Path) -> None:
    wav = write_wav(tmp_path / "yes.wav", np.frombuffer(SPEECH, np.int16))
    with HookServer() as server:
        source = ("--bundle", bundle, "--source", f"wav:{wav}")
        done = edgekws("listen", *source, "--sink", f"webhook:{server.url}")
    assert [line["status"] for line in done.lines[1:]] == ["done"]
    assert len(server.posted) == 1


def test_a_pin_is_pulsed(tmp_path: Path, bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GPIOZERO_PIN_FACTORY", "mock")  # gpiozero's own, read by the process
    wav = write_wav(tmp_path / "yes.wav", np.frombuffer(SPEECH, np.int16))
    source = ("--bundle", bundle, "--source", f"wav:{wav}")
    done = edgekws("listen", *source, "--sink", "gpio:17")
    assert [line["detail"] for line in done.lines[1:]] == ["pin 17: pulse"]


def test_what_follows_a_wake_word_is_transcribed(tmp_path: Path, bundle: Path) -> None:
    with SpeechService() as service:
        text = f'sink = "transcribe"\nuri = "{service.uri}"\nsend_audio = true'
        with Listening("--bundle", bundle, "--config", config(tmp_path, text)) as listening:
            listening.feed(SPEECH + noise(seconds=2).tobytes())
            heard, result = listening.event(), listening.event()
    assert (heard["label"], result["status"]) == ("yes", "done")
    assert result["detail"] == '"turn on the light"'
    got = service.heard[0].pcm
    begin = heard["sample"] - 8_000
    assert len(got) > 16_000
    assert np.array_equal(got, np.frombuffer(SPEECH, np.int16)[begin : begin + len(got)])


def test_a_hostile_label_and_hostile_settings_are_text_to_every_sink(tmp_path: Path) -> None:
    labels = (SILENCE, UNKNOWN, HOSTILE)
    sound = np.concatenate((noise(seconds=1), tone(HOSTILE, labels=labels), noise(seconds=1)))
    source = f"wav:{write_wav(tmp_path / 'a.wav', sound)}"
    program = "import pathlib, sys; pathlib.Path('out').write_bytes(sys.argv[1].encode())"
    with Mosquitto(tmp_path) as broker, HookServer() as server:
        tables = [
            {"sink": "process", "argv": [sys.executable, "-c", program, "{label}"]},
            {"sink": "webhook", "url": server.url},
            {"sink": "mqtt", "host": "localhost", "port": broker.port, "device": "den"},
            {**MQTT_OWN, "port": broker.port},
        ]
        flags = ("--bundle", make_bundle(tmp_path / "tones", labels=labels), "--source", source)
        with broker.subscribe("#") as subscriber:
            file = write_tables(tmp_path, tables)
            done = edgekws("listen", *flags, "--config", file, cwd=tmp_path)
            heard = {each.topic: each for each in subscriber.until(b"offline")}
    assert [line["label"] for line in done.lines] == [HOSTILE] * 5
    assert [line["status"] for line in done.lines[1:]] == ["done"] * 4
    assert (tmp_path / "out").read_bytes().decode() == HOSTILE
    assert json.loads(server.posted[0].body)["label"] == HOSTILE
    assert heard["edgekws/den/command"].json["event_type"] == HOSTILE
    assert heard[MQTT_OWN["topic"]].payload.decode() == f"`touch pwned5` {HOSTILE}"
    assert not list(tmp_path.glob("pwned*"))


def write_tables(folder: Path, tables: list[dict[str, object]]) -> Path:
    """Write a listen.toml with a table for every label; JSON's values are TOML's."""
    lines = []
    for table in tables:
        lines += ["[[commands]]", *(f"{k} = {json.dumps(v)}" for k, v in table.items())]
        lines.append('label = "*"')
    path = folder / "listen.toml"
    path.write_text("\n".join(lines), encoding="utf-8")
    return path
