"""A satellite over a real socket: one at a time, waited for, and none of its portions matter."""

import socket
import threading
from itertools import islice
from typing import Final

import numpy as np
import pytest

from edgekws.audio.capture import Patience
from edgekws.audio.ears import Ears, Pauses
from edgekws.audio.satellite import Satellite
from edgekws.audio.source import open_source
from edgekws.errors import SourceError, UsageError
from edgekws.events import Pcm

RATE: Final = 16_000
BLOCK: Final = 1280
SOUND: Final[Pcm] = np.random.default_rng(1).integers(-900, 900, 3 * BLOCK).astype(np.int16)
SECONDS: Final = 60.0


def satellite(argument: str = "//127.0.0.1:0", *, seconds: float = SECONDS) -> Satellite:
    patience = Patience(first_seconds=seconds, next_seconds=seconds)
    return Satellite(argument, sample_rate=RATE, block_samples=BLOCK, patience=patience)


def connect(source: Satellite) -> socket.socket:
    return socket.create_connection(("127.0.0.1", source.port), timeout=SECONDS)


def test_what_a_satellite_sends_is_heard_in_whatever_portions() -> None:
    with satellite() as source, connect(source) as sending:
        data = SOUND.tobytes()
        for start in range(0, len(data), 999):
            sending.sendall(data[start : start + 999])
        blocks = list(islice(source, 3))
    np.testing.assert_array_equal(np.concatenate([b.pcm for b in blocks]), SOUND)
    assert source.device == "127.0.0.1"


def test_one_that_goes_away_is_followed_by_the_next_on_the_same_port() -> None:
    source = satellite()
    with Ears(source, pauses=Pauses(opening=(0.001, 0.001))) as ears:
        blocks = iter(ears)
        port, done = source.port, threading.Event()
        with connect(source) as sending:
            sending.sendall(SOUND.tobytes())
            first = list(islice(blocks, 3))
        second = threading.Thread(target=send_when_listening, args=(port, done))
        second.start()
        behind = next(blocks)
        done.set()
        ears.stop()
    second.join()
    assert behind.start > first[-1].end
    np.testing.assert_array_equal(behind.pcm, SOUND[:BLOCK])


def test_what_is_left_of_a_block_as_a_satellite_goes_is_heard() -> None:
    with satellite() as source:
        with connect(source) as sending:
            sending.sendall(SOUND[: BLOCK + 300].tobytes())
        blocks = iter(source)
        heard = [next(blocks), next(blocks)]
        with pytest.raises(SourceError, match="went away"):
            next(blocks)
    np.testing.assert_array_equal(np.concatenate([b.pcm for b in heard]), SOUND[: BLOCK + 300])


def test_a_stop_ends_the_waiting_for_the_rest_of_a_block() -> None:
    with satellite() as source, connect(source) as sending:
        sending.sendall(SOUND[: BLOCK + 300].tobytes())
        blocks = iter(source)
        assert len(next(blocks).pcm) == BLOCK
        timer = threading.Timer(0.05, source.stop)
        timer.start()
        assert list(blocks) == []
        timer.join()


def send_when_listening(port: int, done: threading.Event) -> None:
    """Connect as often as it takes, as a satellite does, and send."""
    while not done.is_set():
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=SECONDS) as sending:
                sending.sendall(SOUND.tobytes())
                sending.recv(1)  # until the other side ends it
                return
        except (ConnectionRefusedError, ConnectionResetError):
            continue


def test_one_that_falls_silent_is_a_source_error() -> None:
    with (
        satellite(seconds=0.05) as source,
        connect(source),
        pytest.raises(SourceError, match=r"tcp://127.0.0.1:0: no audio for 0.05 s"),
    ):
        list(source)


def test_a_host_left_out_is_the_loopback() -> None:
    with satellite("//:0") as source, connect(source):
        assert source.port


def test_a_port_that_is_taken_is_named() -> None:
    with satellite() as first, pytest.raises(SourceError, match="Address already in use"):
        satellite(f"//127.0.0.1:{first.port}").__enter__()


@pytest.mark.parametrize("argument", ["", "//host", "//host:x", "//host:99999", "//h:1/path"])
def test_a_senseless_address_is_refused(argument: str) -> None:
    with pytest.raises(UsageError, match="audio source 'tcp:"):
        open_source(f"tcp:{argument}", sample_rate=RATE, block_samples=BLOCK)


def test_a_stop_ends_the_waiting_for_a_satellite() -> None:
    with satellite() as source:
        timer = threading.Timer(0.05, source.stop)
        timer.start()
        assert list(source) == []
        timer.join()
