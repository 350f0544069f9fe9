"""Whatever a host says and however it arrives, the C library keeps its promises."""

import ctypes

from hypothesis import given
from hypothesis import strategies as st

from edgekws.link.frame import Frame, encode
from edgekws.link.messages import MAX_PAYLOAD, Command, Flag, Header, Hello, Type, pack
from tests.board_host import Host
from tests.c_bridge import LABELS_HASH, CBoard


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
