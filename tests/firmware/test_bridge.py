"""The C library as a board runs it: the same frames as Python, and every rule of SPEC.md."""

import ctypes
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgekws.link.frame import Deframer, Fault, Frame, FrameError, decode, encode
from edgekws.link.messages import (
    MAX_PAYLOAD,
    Command,
    Flag,
    Header,
    Heartbeat,
    Hello,
    Message,
    Nack,
    Reason,
    State,
    Type,
    pack,
    size,
    type_of,
    unpack,
)
from tests.c_bridge import LABELS_HASH, MAX_WIRE, SAFE, TIMEOUT_MS, CBoard, CHeader
from tests.golden_frames import golden_frames

ERRORS = {
    Fault.TOO_LONG: -2,
    Fault.COBS: -3,
    Fault.TOO_SHORT: -4,
    Fault.CRC: -5,
    Fault.LENGTH: -6,
}
LATER = -1
UP, DOWN, REFUSED, NOISE = 1, 2, 3, 4
u8, u32 = st.integers(0, 2**8 - 1), st.integers(0, 2**32 - 1)


def c_encode(library: ctypes.CDLL, frame: Frame) -> bytes:
    wire = ctypes.create_string_buffer(MAX_WIRE)
    header = CHeader(*(getattr(frame.header, name) for name, _ in CHeader._fields_))
    count = library.ekws_encode(wire, ctypes.byref(header), frame.payload)
    return wire.raw[:count]


def c_decode(library: ctypes.CDLL, stuffed: bytes) -> Frame | int:
    """Return the frame, or the number of the error."""
    data = ctypes.create_string_buffer(stuffed, len(stuffed))
    header, payload = CHeader(), ctypes.c_void_p()
    error = library.ekws_decode(data, len(stuffed), ctypes.byref(header), ctypes.byref(payload))
    if error:
        return int(error)
    numbers = (getattr(header, name) for name, _ in CHeader._fields_)
    return Frame(Header(*numbers), ctypes.string_at(payload.value or 0, header.length))


def python_decode(stuffed: bytes) -> Frame | int:
    try:
        return decode(stuffed)
    except FrameError as error:
        return ERRORS[error.fault]


@given(data=st.data(), payload=st.binary(max_size=MAX_PAYLOAD))
def test_c_makes_the_bytes_that_python_makes(
    c_library: ctypes.CDLL, data: st.DataObject, payload: bytes
) -> None:
    numbers = [data.draw(kind) for kind in (u8, u8, u8, u8, u32, u32)]
    frame = Frame(Header(*numbers, len(payload)), payload)
    wire = c_encode(c_library, frame)
    assert wire == encode(frame)
    assert c_decode(c_library, wire[1:-1]) == frame


@given(stuffed=st.binary(max_size=120))
def test_c_refuses_what_python_refuses_for_the_same_reason(
    c_library: ctypes.CDLL, stuffed: bytes
) -> None:
    assert c_decode(c_library, stuffed) == python_decode(stuffed)


@given(data=st.data())
def test_c_and_python_judge_nearly_right_frames_alike(
    c_library: ctypes.CDLL, data: st.DataObject
) -> None:
    stuffed = bytearray(data.draw(st.sampled_from(golden_frames())).wire[1:-1])
    for _ in range(data.draw(st.integers(0, 3))):
        stuffed[data.draw(st.integers(0, len(stuffed) - 1))] = data.draw(u8)
    assert c_decode(c_library, bytes(stuffed)) == python_decode(bytes(stuffed))


def test_c_makes_and_reads_the_golden_frames(c_library: ctypes.CDLL) -> None:
    for golden in golden_frames():
        assert c_encode(c_library, golden.frame) == golden.wire, golden.name
        assert c_decode(c_library, golden.wire[1:-1]) == golden.frame, golden.name


class Host:
    """Sends single frames to a board and reads what it answers."""

    def __init__(self, board: CBoard, *, now_ms: int = 0) -> None:
        self.board, self.now_ms = board, now_ms
        self._deframer = Deframer()
        self.session = 0
        board.boot(now_ms)
        (self.boot_hello,) = self.frames()

    def frames(self) -> list[Frame]:
        return self._deframer.feed(self.board.take_output())

    def ask(self, message: Message, *, command: int = 0, **header: int) -> list[Frame]:
        """Send a message in the session, with other header fields if named."""
        return self.raw(type_of(message), pack(message), command=command, **header)

    def raw(self, kind: int, payload: bytes, **header: int) -> list[Frame]:
        fields = {"version": 1, "type": kind, "flags": 0, "sequence": 77, "command": 0}
        fields |= {"session": self.session, "length": len(payload)} | header
        self.board.feed(encode(Frame(Header(**fields), payload)), self.now_ms)
        return self.frames()

    def greet(self, *, nonce: int = 0x5EED0001, labels: int = LABELS_HASH) -> Frame:
        (answer,) = self.ask(Hello(1, 1, 0, 0, 0, labels, nonce), session=0)
        self.session = answer.header.session or self.session
        return answer

    def command(self, number: int, label: int = 3, *, ttl: int = 2000, age: int = 0) -> list[Frame]:
        return self.ask(Command(label, 0, ttl, age, number), command=number)

    def wait(self, milliseconds: int) -> list[Frame]:
        self.now_ms += milliseconds
        self.board.poll(self.now_ms)
        return self.frames()


@pytest.fixture
def host(c_library: ctypes.CDLL) -> Host:
    host = Host(CBoard(c_library))
    host.greet()
    return host


def refusal(frames: list[Frame]) -> tuple[int, int]:
    (frame,) = frames
    assert frame.header.type == Type.NACK
    nack = unpack(Nack, frame.payload)
    return nack.reason, nack.detail


def types(frames: list[Frame]) -> list[int]:
    return [frame.header.type for frame in frames]


def test_a_board_starts_in_the_safe_state_and_says_who_it_is(c_library: ctypes.CDLL) -> None:
    host = Host(CBoard(c_library))
    hello = unpack(Hello, host.boot_hello.payload)
    assert host.board.outputs == SAFE
    assert (hello.build, hello.boots, hello.labels) == (7, 1, LABELS_HASH)
    assert host.boot_hello.header.session == hello.nonce == 0
    assert not host.board.up


def test_every_answer_has_the_session_command_and_sequence_of_its_question(host: Host) -> None:
    (ack,) = host.command(5)
    assert ack.header == Header(1, Type.ACK, Flag.FROM_BOARD, 77, host.session, 5, 0)


def test_a_repeated_command_is_answered_again_and_not_carried_out_again(host: Host) -> None:
    assert [types(host.command(1)) for _ in range(3)] == [[Type.ACK]] * 3
    assert host.board.executed == [(3, 1)]


def test_an_older_command_is_neither_carried_out_nor_answered(host: Host) -> None:
    host.command(2)
    assert host.command(1) == []
    assert host.board.executed == [(3, 2)]


def test_a_repeated_hello_keeps_the_session(host: Host) -> None:
    before = host.session
    host.command(1)
    host.greet()
    assert host.session == before
    host.command(1)
    assert len(host.board.executed) == 1


def test_a_new_nonce_begins_a_new_session_and_voids_the_old(host: Host) -> None:
    host.command(1)
    old = host.session
    host.greet(nonce=0x0DD00002)
    assert host.session != old
    again = host.ask(Command(3, 0, 2000, 0, 1), command=1, session=old)
    assert refusal(again) == (Reason.SESSION, host.session)
    assert len(host.board.executed) == 1


def test_a_restart_voids_the_session_and_a_replayed_hello_does_not_bring_it_back(
    host: Host,
) -> None:
    host.command(1)
    old = host.session
    host.board.boot(host.now_ms)
    host.frames()
    assert refusal(host.command(1)) == (Reason.SESSION, 0)
    host.greet()
    assert host.session != old
    assert refusal(host.ask(Command(3, 0, 2000, 0, 1), command=1, session=old))[0] == Reason.SESSION
    assert len(host.board.executed) == 1


@pytest.mark.parametrize(
    ("ttl", "age", "done"), [(100, 99, True), (100, 100, False), (0, 0, False)]
)
def test_a_command_is_carried_out_below_its_time_to_live(
    host: Host, ttl: int, age: int, done: bool
) -> None:
    (answer,) = host.command(1, ttl=ttl, age=age)
    assert (answer.header.type == Type.ACK) == done
    if not done:
        assert refusal([answer]) == (Reason.STALE, age)
    assert len(host.board.executed) == done


def test_a_busy_board_is_asked_again_until_it_is_ready(host: Host) -> None:
    host.board.answer = lambda _label, _argument: LATER
    assert host.command(1) == []
    assert host.wait(10) == []
    host.board.answer = lambda _label, _argument: 0
    (ack,) = host.wait(10)
    assert (ack.header.type, ack.header.command) == (Type.ACK, 1)
    assert host.wait(10) == []
    assert len(host.board.executed) == 1


def test_a_waiting_command_grows_stale_by_the_boards_own_clock(host: Host) -> None:
    host.board.answer = lambda _label, _argument: LATER
    host.command(1, ttl=100, age=40)
    assert host.wait(59) == []
    assert host.command(1, ttl=100, age=99) == []
    assert refusal(host.wait(1)) == (Reason.STALE, 100)
    assert refusal(host.command(1, ttl=100, age=99)) == (Reason.STALE, 100)
    assert host.board.executed == []


def test_a_newer_command_takes_the_place_of_one_that_waits(host: Host) -> None:
    host.board.answer = lambda label, _argument: LATER if label == 3 else 0
    host.command(1, label=3)
    assert types(host.command(2, label=4)) == [Type.ACK]
    assert host.wait(10) == []
    assert host.board.executed == [(4, 2)]


def test_a_label_that_the_board_lacks_is_refused(host: Host) -> None:
    assert refusal(host.command(1, label=12)) == (Reason.LABEL, 12)


def test_what_the_program_refuses_is_refused_with_its_code(host: Host) -> None:
    host.board.answer = lambda _label, _argument: 42
    assert refusal(host.command(1)) == (Reason.REFUSED, 42)
    assert refusal(host.command(1)) == (Reason.REFUSED, 42)


def test_link_loss_drives_the_safe_state_and_says_so(host: Host) -> None:
    host.command(9)
    assert host.board.outputs[3] == 9
    host.board.outputs[0] = 1
    assert host.wait(TIMEOUT_MS - 1) == []
    (state,) = host.wait(1)
    assert host.board.outputs == SAFE
    assert unpack(State, state.payload) == State(8, 1, 0, 1, 1)
    assert (DOWN, 1) in host.board.events
    assert not host.board.up


def test_a_heartbeat_keeps_the_link_and_is_answered(host: Host) -> None:
    for _ in range(5):
        assert host.wait(TIMEOUT_MS - 1) == []
        assert types(host.ask(Heartbeat())) == [Type.HEARTBEAT]
    assert host.board.up


def test_after_link_loss_the_session_goes_on_and_nothing_runs_twice(host: Host) -> None:
    host.command(1)
    host.wait(TIMEOUT_MS)
    assert types(host.command(1)) == [Type.ACK]
    assert host.board.up
    assert host.board.outputs == SAFE
    assert len(host.board.executed) == 1


def test_a_command_that_waits_is_dropped_at_link_loss(host: Host) -> None:
    host.board.answer = lambda _label, _argument: LATER
    host.command(1, ttl=60_000)
    host.wait(TIMEOUT_MS)
    host.board.answer = lambda _label, _argument: 0
    assert host.wait(10) == []
    assert refusal(host.command(1, ttl=60_000)) == (Reason.STALE, TIMEOUT_MS)
    assert host.board.executed == []


def test_frames_of_another_session_do_not_keep_the_link_alive(host: Host) -> None:
    host.wait(TIMEOUT_MS - 1)
    host.ask(Heartbeat(), session=host.session + 1)
    host.wait(1)
    assert not host.board.up


def test_the_clock_may_wrap(c_library: ctypes.CDLL) -> None:
    host = Host(CBoard(c_library), now_ms=2**32 - 100)
    host.greet()
    host.board.answer = lambda _label, _argument: LATER
    host.command(1, ttl=300)
    assert host.wait(200) == []
    assert refusal(host.wait(100)) == (Reason.STALE, 300)
    assert host.board.up
    host.wait(TIMEOUT_MS)
    assert not host.board.up


def test_other_labels_are_refused_and_both_sides_learn_the_hash(c_library: ctypes.CDLL) -> None:
    host = Host(CBoard(c_library))
    answer = host.greet(labels=LABELS_HASH + 1)
    assert refusal([answer]) == (Reason.LABELS, LABELS_HASH)
    assert (REFUSED, Reason.LABELS) in host.board.events
    assert refusal(host.command(1)) == (Reason.SESSION, 0)


Ask = Callable[[Host], list[Frame]]


@pytest.mark.parametrize(
    ("ask", "refused"),
    [
        (lambda h: h.ask(Heartbeat(), version=2), (Reason.VERSION, 0x0101)),
        (lambda h: h.ask(Heartbeat(), version=0), (Reason.VERSION, 0x0101)),
        (lambda h: h.ask(Hello(2, 9, 0, 0, 0, LABELS_HASH, 5)), (Reason.VERSION, 0x0101)),
        (lambda h: h.raw(9, b""), (Reason.TYPE, 9)),
        (lambda h: h.raw(Type.ACK, b""), (Reason.TYPE, Type.ACK)),
        (lambda h: h.raw(Type.COMMAND, bytes(11)), (Reason.LENGTH, 12)),
        (lambda h: h.raw(Type.HELLO, bytes(19)), (Reason.LENGTH, 20)),
    ],
)
def test_what_a_board_cannot_follow_is_refused_with_a_reason(
    host: Host, ask: Ask, refused: tuple[int, int]
) -> None:
    assert refusal(ask(host)) == refused
    assert (REFUSED, refused[0]) in host.board.events


def test_fields_of_a_later_version_are_ignored(host: Host) -> None:
    command = pack(Command(3, 0, 2000, 0, 1)) + b"later"
    assert types(host.raw(Type.COMMAND, command, command=1)) == [Type.ACK]


def test_state_is_told_on_request(host: Host) -> None:
    host.command(1)
    (frame,) = host.raw(Type.STATE, b"")
    assert unpack(State, frame.payload) == State(8, 1, 0, 0, 0)
    assert len(frame.payload) == size(State)


def test_its_own_frames_come_back_are_not_answered(host: Host) -> None:
    assert host.ask(Heartbeat(), flags=Flag.FROM_BOARD) == []


def test_noise_is_counted_and_told(host: Host) -> None:
    assert host.board.feed(b"\0noise\0", host.now_ms) == ERRORS[Fault.COBS]
    assert host.board.feed(b"\x01" * 500 + b"\0", host.now_ms) == ERRORS[Fault.TOO_LONG]
    assert host.board.feed(b"\0\0\0", host.now_ms) == 0
    assert host.board.events[-2:] == [(NOISE, 1), (NOISE, 2)]
    assert types(host.command(1)) == [Type.ACK]


@st.composite
def conversations(draw: st.DrawFn) -> list[Frame]:
    """Return frames of a host that is not quite right: types, versions, sessions, lengths vary."""
    frames = []
    for _ in range(draw(st.integers(1, 12))):
        kind = draw(st.sampled_from([*Type, Type.COMMAND, Type.COMMAND, Type.HELLO, 9]))
        payload = draw(payloads_of(kind))
        session = draw(st.sampled_from([0, 1]))  # 1 stands for the board's
        command = draw(st.integers(0, 4))
        version = draw(st.sampled_from([1, 1, 1, 2]))
        frames.append(Frame(Header(version, kind, 0, 7, session, command, len(payload)), payload))
    return frames


def payloads_of(kind: int) -> st.SearchStrategy[bytes]:
    greeting = st.integers(1, 3).map(lambda n: pack(Hello(1, 1, 0, 0, 0, LABELS_HASH, n << 20)))
    commands = st.integers(0, 12).map(lambda n: pack(Command(n, 0, 2000, 0, n)))
    usual = {Type.HELLO: greeting, Type.COMMAND: commands}.get(kind, st.just(b""))
    return st.one_of(usual, st.binary(max_size=MAX_PAYLOAD))


@given(frames=conversations(), data=st.data())
def test_no_conversation_makes_a_board_act_twice_on_one_command(
    c_library: ctypes.CDLL, frames: list[Frame], data: st.DataObject
) -> None:
    host = Host(CBoard(c_library))
    host.greet()
    acted: list[tuple[int, int]] = []
    host.board.answer = lambda _label, _argument: acted.append(asked) or 0  # type: ignore[func-returns-value]
    for frame in data.draw(st.permutations(frames * 2)):
        fields = {name: getattr(frame.header, name) for name in ("version", "command")}
        asked = (host.session, frame.header.command)
        session = host.session if frame.header.session else 0
        for answer in host.raw(frame.header.type, frame.payload, session=session, **fields):
            assert answer.header.flags == Flag.FROM_BOARD
            if answer.header.type == Type.HELLO:
                host.session = answer.header.session
    assert len(set(acted)) == len(acted)


@given(frames=conversations(), data=st.data())
def test_portions_make_no_difference_to_a_board(
    c_library: ctypes.CDLL, frames: list[Frame], data: st.DataObject
) -> None:
    stream = b"".join(encode(frame) for frame in frames)
    whole, parts = Host(CBoard(c_library)), Host(CBoard(c_library))
    whole.board.feed(stream, 0)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=6)))
    for begin, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        parts.board.feed(stream[begin:end], 0)
    assert parts.frames() == whole.frames()
    assert parts.board.executed == whole.board.executed


def test_a_port_that_takes_nothing_is_an_error_and_the_repeat_is_answered(host: Host) -> None:
    host.board.deaf = True
    assert host.command(1) == []
    host.board.deaf = False
    assert types(host.command(1)) == [Type.ACK]
    assert len(host.board.executed) == 1


def test_what_is_missing_is_an_argument_error(c_library: ctypes.CDLL) -> None:
    assert c_library.ekws_feed(None, b"", 0, 0) == -1
    assert c_library.ekws_poll(None, 0) == -1
    assert c_library.ekws_is_up(None) == 0
    board = CBoard(c_library, label_count=3)
    assert c_library.ekws_init(None, None, 0, 0) == -1
    assert board.boot(0) == 0
    board = CBoard(c_library, write=type(board._config.write)())
    assert board.boot(0) == -1
