"""A board whose program is busy for long: what lay in its port meanwhile is not taken for new."""

import ctypes
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgekws.link.messages import Command, Heartbeat, Reason, Type
from tests.board_host import Host, refusal, types
from tests.c_bridge import SAFE, TIMEOUT_MS, CBoard

TTL_MS: Final = 1000
BUSY_MS: Final = 5000


@pytest.fixture(params=[0, 2**32 - BUSY_MS // 2], ids=["", "the clock wraps"])
def busy(request: pytest.FixtureRequest, c_library: ctypes.CDLL) -> Host:
    """Return a host whose board was busy after it had moved an output."""
    host = Host(CBoard(c_library), now_ms=request.param)
    host.greet()
    host.command(9)
    host.now_ms += BUSY_MS
    return host


def test_a_command_that_lay_in_the_port_for_its_time_to_live_is_stale(busy: Host) -> None:
    state, nack = busy.command(10, ttl=TTL_MS)
    assert state.header.type == Type.STATE
    assert refusal([nack]) == (Reason.STALE, BUSY_MS)
    assert busy.board.executed == [(3, 9)]


def test_the_safe_state_comes_before_what_is_read_late(busy: Host) -> None:
    assert busy.board.outputs[3] == 9
    assert types(busy.ask(Heartbeat())) == [Type.STATE, Type.HEARTBEAT]
    assert busy.board.outputs == SAFE
    assert busy.board.up


def test_what_came_while_a_command_was_carried_out_counts_from_before_it(host: Host) -> None:
    def slow(_label: int, _argument: int) -> int:
        host.now_ms += TIMEOUT_MS - 1
        return 0

    host.board.answer = slow
    host.command(1)
    host.wait(0)
    assert refusal(host.command(2, ttl=TIMEOUT_MS - 1)) == (Reason.STALE, TIMEOUT_MS - 1)
    assert types(host.command(3, ttl=TIMEOUT_MS)) == [Type.ACK]


def test_a_board_that_polls_all_the_time_takes_next_to_nothing_off(host: Host) -> None:
    for _ in range(10):
        host.wait(1)
    assert types(host.command(1, ttl=2)) == [Type.ACK]


@given(turns=st.lists(st.tuples(*(st.integers(0, 1500),) * 3), max_size=12))
def test_no_command_is_carried_out_after_its_time_to_live(
    c_library: ctypes.CDLL, turns: list[tuple[int, int, int]]
) -> None:
    """However long the program is busy, inside of `execute` and outside; the port is a queue."""
    host = Host(CBoard(c_library))
    host.greet()
    sent_ms: dict[int, int] = {}
    waited_ms: list[int] = []

    def act(_label: int, argument: int) -> int:
        waited_ms.append(host.now_ms - sent_ms[argument])
        host.now_ms += turns[argument - 1][2]
        return 0

    host.board.answer = act
    empty_ms = 0
    for number, (after, waiting, _) in enumerate(turns, 1):
        host.now_ms += after
        sent_ms[number] = max(empty_ms, host.now_ms - waiting)  # lay in the port since then
        empty_ms = host.now_ms
        host.ask(Command(3, 0, TTL_MS, 0, number), command=number)
        host.wait(0)
    assert all(each < TTL_MS for each in waited_ms)
