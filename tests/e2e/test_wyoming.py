"""`edgekws wyoming` as Home Assistant uses it, with the real client, and as nobody should."""

import asyncio
import contextlib
import json
import random
import select
import signal
import socket
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import numpy as np
import pytest
from wyoming.audio import AudioChunk, AudioStart, AudioStop
from wyoming.client import AsyncTcpClient
from wyoming.event import Event
from wyoming.info import Describe, Info
from wyoming.ping import Ping, Pong
from wyoming.wake import Detect, Detection, NotDetected

from edgekws.events import Pcm
from tests.bundles import make_bundle, noise, tone
from tests.commands import PATIENCE_SECONDS, RATE, argv, edgekws, environment

CHUNK_SAMPLES: Final = 1024  # as a satellite sends them
MAX_GROWTH_MB: Final = 5.0
YES: Final = np.concatenate((noise(seconds=1), tone("yes"), noise(seconds=1)))
NO: Final = np.concatenate((noise(seconds=1), tone("no"), noise(seconds=1)))


class Service:
    """A running `edgekws wyoming`."""

    def __init__(self, *args: object) -> None:
        self.process = subprocess.Popen(
            argv(("wyoming", "--uri", "tcp://127.0.0.1:0", *args)),
            env=environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        assert self.process.stdout is not None
        ready, _, _ = select.select([self.process.stdout], [], [], PATIENCE_SECONDS)
        line = self.process.stdout.readline() if ready else b""
        assert line, "the service did not start"
        self.port = urlsplit(json.loads(line)["uri"]).port or 0

    def end(self) -> str:
        """End it in order and return what it said."""
        self.process.send_signal(signal.SIGTERM)
        _, stderr = self.process.communicate(timeout=PATIENCE_SECONDS)
        assert self.process.returncode == 0
        return stderr.decode()

    @property
    def rss_mb(self) -> float:
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        (line,) = [each for each in status.splitlines() if each.startswith("VmRSS:")]
        return int(line.split()[1]) / 1024

    def talk(self, events: Iterable[Event], *, answers: int) -> list[Event]:
        """Send events as the real client does, and return so many answers."""
        return asyncio.run(self._talk(list(events), answers))

    async def _talk(self, events: list[Event], answers: int) -> list[Event]:
        async with AsyncTcpClient("127.0.0.1", self.port) as client:
            for event in events:
                await client.write_event(event)
            got = [asyncio.wait_for(client.read_event(), PATIENCE_SECONDS) for _ in range(answers)]
            return [event for each in got if (event := await each) is not None]

    def send_raw(self, data: bytes) -> None:
        """Send bytes, and read whatever comes until the service hangs up or has had enough."""
        where = ("127.0.0.1", self.port)
        with (
            socket.create_connection(where, PATIENCE_SECONDS) as connection,
            contextlib.suppress(OSError),  # it hung up on us
        ):
            connection.sendall(data)
            connection.shutdown(socket.SHUT_WR)
            while connection.recv(65_536):
                pass


@contextlib.contextmanager
def serving(*args: object) -> Iterator[Service]:
    service = Service(*args)
    try:
        yield service
    finally:
        service.process.kill()
        service.process.communicate(timeout=PATIENCE_SECONDS)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_bundle(tmp_path_factory.mktemp("wyoming") / "tones")


@pytest.fixture(scope="module")
def service(bundle: Path) -> Iterator[Service]:
    with serving("--bundle", bundle) as one:
        yield one


def spoken(
    pcm: Pcm, *, rate: int = RATE, channels: int = 1, names: list[str] | None = None
) -> list[Event]:
    """Return what a client sends of a recording."""
    form: dict[str, Any] = {"rate": rate, "width": 2, "channels": channels}
    frames = np.repeat(pcm, channels).tobytes()
    size = CHUNK_SAMPLES * 2 * channels
    chunks = [frames[start : start + size] for start in range(0, len(frames), size)]
    return [
        Detect(names=names).event(),
        AudioStart(**form).event(),
        *(AudioChunk(audio=chunk, **form).event() for chunk in chunks),
        AudioStop().event(),
    ]


def test_a_client_is_told_what_there_is(service: Service) -> None:
    (event,) = service.talk([Describe().event()], answers=1)
    (program,) = Info.from_event(event).wake
    assert program.name == "edgekws"
    assert sorted(model.name for model in program.models) == ["no", "yes", "开灯"]
    assert all(model.installed and model.phrase == model.name for model in program.models)


def test_a_word_is_detected(service: Service) -> None:
    (event,) = service.talk(spoken(YES), answers=1)
    detection = Detection.from_event(event)
    assert detection.name == "yes"
    assert detection.timestamp is not None
    assert 1_000 < detection.timestamp < 2_500


def test_audio_without_a_word_is_not_detected(service: Service) -> None:
    (event,) = service.talk(spoken(noise(seconds=2)), answers=1)
    assert NotDetected.is_type(event.type)


def test_only_the_words_asked_for_are_detected(service: Service) -> None:
    (event,) = service.talk(spoken(YES, names=["no"]), answers=1)
    assert NotDetected.is_type(event.type)
    (event,) = service.talk(spoken(NO, names=["no"]), answers=1)
    assert Detection.from_event(event).name == "no"


def test_a_word_that_is_not_there_is_an_error(service: Service) -> None:
    (event,) = service.talk([Detect(names=["alexa"]).event()], answers=1)
    assert event.type == "error"
    assert "alexa" not in event.data["text"]
    assert "yes" in event.data["text"]


@pytest.mark.parametrize(("rate", "channels"), [(16_000, 2), (48_000, 1), (44_100, 2)])
def test_audio_of_another_form_is_converted(service: Service, rate: int, channels: int) -> None:
    at = np.arange(len(YES) * rate // RATE) * RATE / rate
    pcm = np.interp(at, np.arange(len(YES)), YES).astype(np.int16)
    (event,) = service.talk(spoken(pcm, rate=rate, channels=channels), answers=1)
    assert Detection.from_event(event).name == "yes"


def test_a_stream_after_another_starts_anew(service: Service) -> None:
    quiet = noise(seconds=1)
    events = [*spoken(YES), *spoken(quiet), *spoken(NO)]
    answers = service.talk(events, answers=3)
    assert [event.data.get("name") for event in answers] == ["yes", None, "no"]


def test_clients_do_not_hear_each_other(service: Service) -> None:
    async def both() -> list[list[Event]]:
        return await asyncio.gather(
            service._talk(spoken(YES), 1),
            service._talk(spoken(NO), 1),
            service._talk(spoken(YES), 1),
        )

    answers = asyncio.run(both())
    assert [event.data["name"] for (event,) in answers] == ["yes", "no", "yes"]


def test_a_ping_is_answered(service: Service) -> None:
    (event,) = service.talk([Ping(text="still there?").event()], answers=1)
    assert Pong.from_event(event).text == "still there?"


def test_more_clients_than_allowed_are_let_go(bundle: Path) -> None:
    with serving("--bundle", bundle, "--max-clients", "1") as service:
        with socket.create_connection(("127.0.0.1", service.port), PATIENCE_SECONDS) as first:
            first.sendall(b'{"type": "ping"}\n')
            assert first.recv(10)
            with socket.create_connection(("127.0.0.1", service.port), PATIENCE_SECONDS) as second:
                assert second.recv(10) == b""
        assert "more than 1 clients: refused" in service.end()


def test_two_hundred_hostile_messages_cost_no_memory_and_no_service(bundle: Path) -> None:
    with serving("--bundle", bundle) as service:
        service.talk(spoken(YES), answers=1)
        service.send_raw(next(hostile_messages()))
        before = service.rss_mb
        for message in hostile_messages():
            service.send_raw(message)
        assert service.rss_mb - before < MAX_GROWTH_MB
        (event,) = service.talk(spoken(YES), answers=1)
        assert Detection.from_event(event).name == "yes"
        assert "Traceback" not in service.end()


def hostile_messages() -> Iterator[bytes]:
    """Give two hundred messages that a good client never sends."""
    rng = random.Random(1)
    chunk = b'{"type": "audio-chunk", "data": {"rate": %s, "width": %s, "channels": %s}'
    bad_forms = [
        (b"0", b"2", b"1"),
        (b"-1", b"2", b"1"),
        (b'"x"', b"2", b"1"),
        (b"16000", b"3", b"1"),
    ]
    bad_forms += [(b"16000", b"2", b"0"), (b"16000", b"2", b"1e9"), (b"null", b"null", b"null")]
    shapes = [
        lambda: rng.randbytes(200_000),
        lambda: b"a" * 3_000_000,
        lambda: b'{"type": "audio-chunk", "payload_length": 4000000000}\n' + bytes(2_000_000),
        lambda: b'{"type": "detect", "data_length": 4000000000}\n' + b"{" * 2_000_000,
        lambda: b'{"type": "detect", "data": ' + b"[" * 15_000 + b"\n",
        lambda: chunk % rng.choice(bad_forms) + b', "payload_length": 4}\nabcd',
        lambda: chunk % (b"16000", b"2", b"2") + b', "payload_length": 3}\nabc',
        lambda: b'{"type": "$(reboot)`id`\\n", "data": {"names": ["; rm -rf /"]}}\n' * 50,
        lambda: b'{"type": "detect", "data": {"names": ["%s"]}}\n' % (b"n" * 5_000),
        lambda: b'{"type": "ping", "data": {"text": 3}}\n',
    ]
    for number in range(200):
        yield shapes[number % len(shapes)]()


def test_an_address_in_use_is_said(bundle: Path, service: Service) -> None:
    done = edgekws("wyoming", "--bundle", bundle, "--uri", f"tcp://127.0.0.1:{service.port}")
    assert done.code == 8
    assert f"tcp://127.0.0.1:{service.port} cannot be listened at: Address already" in done.error


def test_an_address_that_is_none_is_refused(bundle: Path) -> None:
    done = edgekws("wyoming", "--bundle", bundle, "--uri", "unix:///tmp/x")
    assert done.code == 2
    assert "--uri: 'unix:///tmp/x' is no address; write tcp://HOST:PORT" in done.error
