"""Frames in C and in Python are the same bytes, and are refused for the same reasons."""

import ctypes

from hypothesis import given
from hypothesis import strategies as st

from edgekws.link.frame import Frame, FrameError, decode, encode
from edgekws.link.messages import MAX_PAYLOAD, Header
from tests.board_host import ERRORS
from tests.c_bridge import MAX_WIRE, CHeader
from tests.golden_frames import golden_frames

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
