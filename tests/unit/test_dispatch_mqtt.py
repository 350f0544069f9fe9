"""The mqtt sink against a real broker: events, discovery, faults, TLS, passwords."""

import contextlib
import gc
import logging
import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from edgekws.dispatch.commands import Command, CommandTable, open_table, same_commands
from edgekws.dispatch.mqtt import MqttSettings
from edgekws.dispatch.sink import parse_sink
from edgekws.errors import SinkError
from edgekws.events import Detection, Dispatch
from tests.certificates import Certificate
from tests.mosquitto import PASSWORD, USER, Mosquitto

PATIENCE_SECONDS = 60.0  # how long a broker has on a loaded machine
GIVE_UP_SECONDS = 1.0  # where nothing is to answer
DETECTION = Detection(id=7, label="开灯", score=0.98765, sample=32_000, time_seconds=2.0)
# paho leaves the socket of a handshake that failed to the garbage collector
LEFT_OPEN = pytest.mark.filterwarnings("ignore:unclosed <ssl.SSLSocket:ResourceWarning")
UNRAISABLE = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
HOSTILE = "$(reboot); `id` \"quoted\" '{label}'\n+/#\\ ${IFS}"


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mosquitto]:
    with Mosquitto(tmp_path_factory.mktemp("broker")) as broker:
        yield broker


def settings(broker: Mosquitto, device: str, **values: object) -> MqttSettings:
    given = {"timeout_seconds": PATIENCE_SECONDS, **values}
    return MqttSettings(host="localhost", port=broker.port, device=device, **given)  # type: ignore[arg-type]


def send(settings: MqttSettings, detection: Detection = DETECTION) -> Dispatch:
    sink = settings.open()
    try:
        return sink.send(detection)
    finally:
        sink.close()


def refused(broker: Mosquitto, **values: object) -> Dispatch:
    """Send what is to be refused, with more and more time for a loaded machine to say why."""
    for seconds in (GIVE_UP_SECONDS, 5.0, PATIENCE_SECONDS):
        result = send(settings(broker, "refused", timeout_seconds=seconds, **values))
        if "no answer yet" not in result.detail:
            return result
    raise AssertionError(result.detail)


def join_threads() -> None:
    """Wait for the threads of clients that were closed; they may be in a pause of a second."""
    for thread in threading.enumerate():
        if thread.name.startswith("paho-mqtt-client"):
            thread.join(PATIENCE_SECONDS)
            assert not thread.is_alive()
    gc.collect()


def opened(settings: MqttSettings, *labels: str) -> CommandTable:
    return open_table(same_commands(labels, [settings]))


def test_a_detection_is_an_event_that_a_client_reads(broker: Mosquitto) -> None:
    with broker.subscribe("edgekws/attic/command") as subscriber:
        result = send(settings(broker, "attic"))
        heard = subscriber.next()
    topic = "edgekws/attic/command"
    assert result == Dispatch(7, "开灯", "mqtt", "done", f"published to {topic}")
    assert heard.json == {
        "event_type": "开灯",
        "score": 0.9877,
        "id": 7,
        "sample": 32_000,
        "time_seconds": 2.0,
    }
    assert not heard.retained


def test_home_assistant_finds_the_device_whenever_it_comes(broker: Mosquitto) -> None:
    table = opened(settings(broker, "kitchen"), "lights on", HOSTILE, "开灯")
    (sink,) = table.sinks
    assert sink.send(DETECTION).status == "done"
    (config,) = broker.read("homeassistant/device/edgekws_kitchen/config")
    (state,) = broker.read("edgekws/kitchen/availability")
    sink.close()
    assert config.retained
    assert config.json["availability_topic"] == state.topic
    assert (state.payload, state.retained) == (b"online", True)
    (component,) = config.json["components"].values()
    assert component["platform"] == "event"
    assert component["state_topic"] == "edgekws/kitchen/command"
    assert component["event_types"] == sorted(["lights on", HOSTILE, "开灯"])
    assert config.json["device"]["identifiers"] == ["edgekws_kitchen"]
    assert config.json["origin"]["name"] == "edgekws"


def test_closing_says_offline(broker: Mosquitto) -> None:
    send(settings(broker, "cellar"))
    (state,) = broker.read("edgekws/cellar/availability")
    assert (state.payload, state.retained) == (b"offline", True)


def test_a_birth_message_has_the_device_described_again(broker: Mosquitto) -> None:
    table = opened(settings(broker, "hall"), "on")
    assert table.sinks[0].send(DETECTION).status == "done"
    topic = "homeassistant/device/edgekws_hall/config"
    with broker.subscribe(topic) as subscriber:
        first = subscriber.next()
        broker.publish("homeassistant/status", "offline")
        broker.publish("homeassistant/status", "online")
        again = subscriber.next()
    table.sinks[0].close()
    assert (first.retained, again.retained) == (True, False)
    assert first.payload == again.payload


def test_a_successor_stays_online_when_its_predecessor_leaves(broker: Mosquitto) -> None:
    old, new = (settings(broker, "porch", timeout_seconds=n).open() for n in (59.0, 60.0))
    assert old.send(DETECTION).status == new.send(DETECTION).status == "done"
    with broker.subscribe("edgekws/porch/availability") as subscriber:
        old.close()
        subscriber.until(b"offline")
        assert subscriber.next().payload == b"online"
    new.close()


def test_without_discovery_only_events_and_availability_are_published(tmp_path: Path) -> None:
    with Mosquitto(tmp_path) as broker, broker.subscribe("#") as subscriber:
        table = opened(settings(broker, "loft", discovery=""), "on")
        table.sinks[0].send(DETECTION)
        table.sinks[0].close()
        heard = subscriber.until(b"offline")
    assert {each.topic for each in heard} == {"edgekws/loft/availability", "edgekws/loft/command"}


def test_a_topic_of_ones_own_gets_a_payload_of_ones_own(broker: Mosquitto) -> None:
    own = settings(broker, "", topic="zigbee2mqtt/lamp/set", payload='{"state": "ON", "id": {id}}')
    with broker.subscribe("zigbee2mqtt/#") as subscriber:
        assert send(own).detail == "published to zigbee2mqtt/lamp/set"
        assert subscriber.next().json == {"state": "ON", "id": 7}


def test_a_hostile_label_is_text_and_nothing_else(broker: Mosquitto) -> None:
    with broker.subscribe("edgekws/bath/#") as subscriber:
        send(settings(broker, "bath"), Detection(1, HOSTILE, 0.9, 1, 0.1))
        heard = subscriber.until(b"offline")
    assert [each.json["event_type"] for each in heard if "command" in each.topic] == [HOSTILE]


def test_a_broker_that_is_killed_and_started_again_gets_the_next_command_only(
    tmp_path: Path,
) -> None:
    with Mosquitto(tmp_path) as broker:
        sink = settings(broker, "shed").open()
        patient = settings(broker, "shed2").open()
        assert sink.send(DETECTION).status == "done"
        assert patient.send(DETECTION).status == "done"
        sink.close()
        sink = settings(broker, "shed", timeout_seconds=GIVE_UP_SECONDS).open()
        broker.kill()
        lost = sink.send(Detection(8, "lost", 0.9, 1, 0.1))
        broker.start()
        with broker.subscribe("edgekws/+/command") as subscriber:
            assert patient.send(Detection(9, "kept", 0.9, 1, 0.1)).status == "done"
            assert subscriber.next().json["id"] == 9
    assert lost.status in ("failed", "timeout")
    assert f"localhost:{broker.port}" in lost.detail
    sink.close()
    patient.close()


def test_a_command_that_waited_too_long_is_not_published(broker: Mosquitto) -> None:
    with broker.subscribe("edgekws/yard/command") as subscriber:
        sink = settings(broker, "yard", timeout_seconds=30.0).open()
        late = sink.send_after(Detection(1, "late", 0.9, 1, 0.1), 31.0)
        assert sink.send_after(Detection(2, "in time", 0.9, 1, 0.1), 1.0).status == "done"
        assert subscriber.next().json["id"] == 2
        sink.close()
    assert (late.status, late.detail) == ("timeout", "its time was over after 31 s of waiting")


def test_a_broker_that_is_not_there_is_a_failed_dispatch_that_says_why(tmp_path: Path) -> None:
    broker = Mosquitto(tmp_path)
    result = refused(broker)
    assert result.status == "failed"
    assert f"no connection to localhost:{broker.port}" in result.detail
    assert "refused" in result.detail


def test_closing_ends_a_wait_for_a_broker(tmp_path: Path) -> None:
    sink = settings(Mosquitto(tmp_path), "nowhere").open()
    sink.close()
    assert sink.send(DETECTION).detail == "edgekws is closing"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return Certificate.make(tmp_path_factory.mktemp("certificate"))


@LEFT_OPEN
@UNRAISABLE
def test_a_password_from_a_file_lets_in_over_tls(
    tmp_path: Path, certificate: Certificate, caplog: pytest.LogCaptureFixture
) -> None:
    secret = tmp_path / "password"
    secret.write_text(PASSWORD + "\n")
    secret.chmod(0o600)
    tls = {"tls": True, "ca_file": str(certificate.certificate)}
    with (
        caplog.at_level(logging.DEBUG),
        Mosquitto(tmp_path, password=PASSWORD, certificate=certificate) as broker,
    ):
        access = {"username": USER, "password_file": str(secret), **tls}
        assert send(settings(broker, "safe", **access)).status == "done"
        secret.write_text("wrong")
        result = refused(broker, **access)
    assert result.status == "failed"
    join_threads()
    assert "ot authori" in result.detail
    assert PASSWORD not in caplog.text
    assert "others may read" not in caplog.text


@LEFT_OPEN
@UNRAISABLE
def test_a_broker_that_wakes_up_late_keeps_no_connection_that_was_given_up(
    certificate: Certificate,
) -> None:
    """Its first answer comes after we gave up, and after we closed: both connections then end."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate.certificate, certificate.key)
    tls = {"tls": True, "ca_file": str(certificate.certificate), "timeout_seconds": 0.2}
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        sink = MqttSettings(host="localhost", port=port, device="x", **tls).open()  # type: ignore[arg-type]
        assert sink.send(DETECTION).status == "failed"
        sink.close()
        for _ in range(2):
            wake_up(server.accept()[0], context)
    join_threads()


def wake_up(connection: socket.socket, context: ssl.SSLContext) -> None:
    """Take a client in at last, and read until it has gone."""
    connection.settimeout(PATIENCE_SECONDS)
    with (
        connection,
        contextlib.suppress(ConnectionError, ssl.SSLError),
        context.wrap_socket(connection, server_side=True) as secure,
    ):
        secure.sendall(bytes.fromhex("20020000"))  # CONNACK
        while secure.recv(4096):
            pass


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.filterwarnings(
    "ignore:unclosed <ssl.SSLSocket:ResourceWarning"
)  # paho leaves it to gc
@LEFT_OPEN
@UNRAISABLE
def test_a_broker_with_a_certificate_of_another_is_not_talked_to(
    tmp_path: Path, certificate: Certificate
) -> None:
    other = Certificate.make(tmp_path, name="elsewhere")
    with Mosquitto(tmp_path, certificate=certificate) as broker:
        stranger = refused(broker, tls=True, ca_file=str(other.certificate))
        unknown = refused(broker, tls=True)
    with Mosquitto(tmp_path, certificate=other) as broker:
        misnamed = refused(broker, tls=True, ca_file=str(other.certificate))
    join_threads()
    for result in (stranger, unknown, misnamed):
        assert result.status == "failed"
        assert "CERTIFICATE_VERIFY_FAILED" in result.detail


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"host": ""}, "host needs the name"),
        ({"host": "a b"}, "host needs the name"),
        ({"host": "user:secret@a"}, "host needs the name"),
        ({"host": "a\n"}, "host needs the name"),
        ({"port": 0}, "0 < port < 65536"),
        ({"port": 65_536}, "0 < port < 65536"),
        ({"ca_file": "/ca"}, "ca_file needs tls = true"),
        ({"tls": True, "ca_file": "ca"}, "ca_file needs a whole path"),
        ({"password_file": "/p"}, "needs a username"),
        ({"username": "u", "password_file": "p"}, "password_file needs a whole path"),
        ({"device": "a/b"}, "device takes"),
        ({"device": "開"}, "device takes"),
        ({"payload": "x"}, "payload needs a topic"),
        ({"topic": "a/#"}, "topic must not hold"),
        ({"topic": "a" * 70_000}, "topic is longer"),
        ({"discovery": "+"}, "discovery must not hold"),
        ({"timeout_seconds": 0.0}, "0 < timeout_seconds <= 60"),
        ({"timeout_seconds": float("nan")}, "0 < timeout_seconds <= 60"),
    ],
)
def test_senseless_settings_are_refused(values: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        MqttSettings(**{"host": "broker", **values})  # type: ignore[arg-type]


def test_a_sink_text_names_the_broker_only() -> None:
    assert parse_sink("mqtt:broker.lan") == MqttSettings(host="broker.lan")
    assert parse_sink("mqtt:[::1]:1884") == MqttSettings(host="::1", port=1884)


@pytest.mark.parametrize("text", ["mqtt:", "mqtt:u:p@broker", "mqtt:broker/topic", "mqtt:a:x"])
def test_a_sink_text_with_more_is_refused(text: str) -> None:
    with pytest.raises(Exception, match="--sink"):
        parse_sink(text)


def test_two_tables_of_one_device_need_the_same_settings() -> None:
    commands = [
        Command("on", MqttSettings(host="127.0.0.1", port=1, device="den")),
        Command("off", MqttSettings(host="127.0.0.1", port=1, device="den", timeout_seconds=1.0)),
    ]
    with pytest.raises(SinkError, match='"off": the table of "on" has the mqtt device den at'):
        open_table(commands)
    join_threads()


def test_topics_of_ones_own_may_differ_in_all() -> None:
    topics = [MqttSettings(host="127.0.0.1", port=1, topic=name) for name in ("a", "b")]
    table = open_table(same_commands(["on"], topics))
    for sink in table.sinks:
        sink.close()
    assert len(table.sinks) == 2
    join_threads()


def test_files_that_cannot_be_used_are_named_at_start_up(tmp_path: Path) -> None:
    no_authority = MqttSettings(host="a", tls=True, ca_file=str(tmp_path / "ca"))
    with pytest.raises(SinkError, match=r"ca_file: .*ca gives no certificate authority: No such"):
        no_authority.open()
    no_password = MqttSettings(host="a", username="u", password_file=str(tmp_path / "p"))
    with pytest.raises(SinkError, match=r'command "on": password_file: .*p cannot be read'):
        open_table([Command("on", no_password)])
