"""The C library as a board runs it: every rule of SPEC.md."""

import ctypes
from collections.abc import Callable

import pytest

from edgekws.link.frame import Fault, Frame
from edgekws.link.messages import (
    Command,
    Flag,
    Header,
    Heartbeat,
    Hello,
    Reason,
    State,
    Type,
    pack,
    size,
    unpack,
)
from tests.board_host import ERRORS, Host, refusal, types
from tests.c_bridge import LABELS_HASH, SAFE, TIMEOUT_MS, CBoard

LATER = -1
UP, DOWN, REFUSED, NOISE = 1, 2, 3, 4


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


def test_a_command_of_no_number_is_neither_carried_out_nor_answered(host: Host) -> None:
    assert host.command(0) == []
    assert host.board.executed == []


def test_an_older_command_changes_nothing_about_one_that_waits(host: Host) -> None:
    host.board.answer = lambda _label, _argument: LATER
    host.command(2)
    assert host.ask(Command(3, 0, 2000, 0, 1), command=1, sequence=5) == []
    host.board.answer = lambda _label, _argument: 0
    (ack,) = host.wait(1)
    assert (ack.header.command, ack.header.sequence) == (2, 77)


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


def test_starts_that_differ_in_any_bit_give_other_sessions(c_library: ctypes.CDLL) -> None:
    """To the same nonce, which a host repeats after a silence; numbers may be random or counted."""
    sessions = set()
    starts = [0, *range(1, 100), *(1 << bit for bit in range(7, 32)), 2**32 - 1]
    for boots in starts:
        host = Host(CBoard(c_library, boots=boots))
        host.greet()
        sessions.add(host.session)
    assert len(sessions) == len(starts)


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
    assert host.command(1, ttl=100, age=0) == []  # a repeat does not make it younger
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
    for timeout_ms, error in ((0, -1), (1, 0), (1000, 0), (1001, -1)):
        assert CBoard(c_library, timeout_ms=timeout_ms).boot(0) == error
    board = CBoard(c_library, write=type(board._config.write)())
    assert board.boot(0) == -1
