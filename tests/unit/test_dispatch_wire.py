"""The bounded reader and writer of Wyoming events, against bytes of every kind."""

import asyncio
import json
import socket
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wyoming.audio import AudioChunk
from wyoming.event import Event, async_read_event
from wyoming.wake import Detect

from edgekws.dispatch.wire import (
    MAX_DATA_BYTES,
    MAX_LINE_BYTES,
    MAX_PAYLOAD_BYTES,
    Arrived,
    EventReader,
    WireError,
    write_event,
)

PATIENCE_SECONDS = 30.0


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


def read(data: bytes) -> list[Arrived]:
    """Return every event of a stream that ends after the data."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.settimeout(PATIENCE_SECONDS)
        theirs.sendall(data)  # it fits into the buffers in between
        theirs.shutdown(socket.SHUT_WR)
        return list(iter(EventReader(ours, idle_seconds=PATIENCE_SECONDS).read, None))


def test_what_is_written_is_read_by_the_stock_reader_and_by_ours(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    ours, theirs = pair
    event = AudioChunk(rate=16_000, width=2, channels=1, audio=bytes(2048), timestamp=5).event()
    write_event(ours, event, timeout_seconds=PATIENCE_SECONDS)
    write_event(ours, Detect(names=["开灯"]).event(), timeout_seconds=PATIENCE_SECONDS)
    ours.shutdown(socket.SHUT_WR)
    with theirs.makefile("rb") as stream:
        data = stream.read()
    assert [each.type for each in read(data)] == ["audio-chunk", "detect"]
    assert read(data)[0].payload == bytes(2048)
    assert read(data)[1].data == {"names": ["开灯"]}

    async def stock() -> list[Event]:
        reader = asyncio.StreamReader()
        reader.feed_data(data)
        reader.feed_eof()
        events = [await async_read_event(reader) for _ in range(2)]
        return [each for each in events if each is not None]

    assert asyncio.run(stock()) == [event, Detect(names=["开灯"]).event()]


def test_data_stands_in_the_line_or_behind_it() -> None:
    line = b'{"type": "a", "version": "9", "data": {"x": 1}, "data_length": 8}\n{"y": 2}'
    assert read(line) == [Arrived("a", {"x": 1, "y": 2})]
    assert read(b'{"type": "a", "data": null, "data_length": null}\n') == [Arrived("a")]
    assert read(b"") == []


@pytest.mark.parametrize(
    "data",
    [
        b"\n",
        b"hello\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"[]\n",
        b"{}\n",
        b'{"type": 3}\n',
        b'{"type": "' + b"a" * 65 + b'"}\n',
        b'{"type": "a", "data": 3}\n',
        b'{"type": "a", "data_length": -1}\n',
        b'{"type": "a", "data_length": "8"}\n',
        b'{"type": "a", "data_length": 1.5}\n',
        b'{"type": "a", "data_length": 1e99}\n',
        b'{"type": "a", "data_length": %d}\n' % (MAX_DATA_BYTES + 1),
        b'{"type": "a", "payload_length": %d}\n' % (MAX_PAYLOAD_BYTES + 1),
        b'{"type": "a", "payload_length": 99999999999999999999}\n',
        b'{"type": "a", "data_length": 2}\n[]',
        b'{"type": "a", "data_length": 2}\n\xff\xfe',
        b'{"type": "a", "data_length": 8}\n{}',
        b'{"type": "a", "payload_length": 8}\nshort',
        b'{"type": "a"',
        b'{"type": "\xff"}\n',
        b'{"type": "a", "data": ' + b"[" * 10_000 + b"\n",
        b'{"type": "a", "data": {"x": ' + b"[" * 5_000 + b"]" * 5_000 + b"}}\n",
        b"\0" * 40_000,
        b"a" * (MAX_LINE_BYTES + 1) + b"\n",
    ],
)
def test_what_is_not_the_protocol_is_refused(data: bytes) -> None:
    with pytest.raises(WireError):
        read(data)


@given(st.binary(max_size=200))
def test_no_bytes_at_all_raise_anything_else(data: bytes) -> None:
    try:
        read(data + b"\n")
    except WireError:
        return


@given(
    st.dictionaries(
        st.sampled_from(["type", "data", "data_length", "payload_length", "x"]),
        st.none() | st.integers(-5, 5) | st.text(max_size=5) | st.lists(st.integers(), max_size=2),
    ),
    st.binary(max_size=20),
)
def test_no_line_of_json_raises_anything_else(head: dict[str, object], rest: bytes) -> None:
    try:
        read(json.dumps(head).encode() + b"\n" + rest)
    except WireError:
        return


def test_a_peer_that_says_nothing_times_out(pair: tuple[socket.socket, socket.socket]) -> None:
    reader = EventReader(pair[0], idle_seconds=0.05)
    with pytest.raises(TimeoutError):
        reader.read()
