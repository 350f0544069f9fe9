"""Frames of the link in Python: golden bytes, faults, and streams cut anywhere."""

import struct
from binascii import crc_hqx

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from edgekws.link.frame import (
    MAX_STUFFED,
    Deframer,
    Fault,
    Frame,
    FrameError,
    decode,
    encode,
    stuff,
    unstuff,
)
from edgekws.link.messages import (
    MAX_PAYLOAD,
    PAYLOADS,
    Command,
    Header,
    Type,
    label_set_hash,
    pack,
    payload_size,
    size,
    type_of,
    unpack,
)
from tests.golden_frames import GoldenFrame, golden_frames

each_golden = pytest.mark.parametrize("golden", golden_frames(), ids=lambda golden: golden.name)
u8, u32 = st.integers(0, 2**8 - 1), st.integers(0, 2**32 - 1)
payloads = st.binary(max_size=MAX_PAYLOAD)


@st.composite
def frames(draw: st.DrawFn) -> Frame:
    payload = draw(payloads)
    numbers = [draw(kind) for kind in (u8, u8, u8, u8, u32, u32)]
    return Frame(Header(*numbers, len(payload)), payload)


@each_golden
def test_a_golden_frame_is_made_byte_by_byte(golden: GoldenFrame) -> None:
    assert encode(golden.frame) == golden.wire


@each_golden
def test_a_golden_frame_is_read(golden: GoldenFrame) -> None:
    assert decode(golden.wire.strip(b"\0")) == golden.frame


@pytest.mark.parametrize("kind", Type)
def test_every_message_is_packed_to_the_size_of_its_type(kind: Type) -> None:
    message = PAYLOADS[kind](*[1] * len(PAYLOADS[kind].__annotations__))
    assert len(pack(message)) == size(PAYLOADS[kind]) == payload_size(kind) <= MAX_PAYLOAD
    assert type_of(message) == kind
    assert unpack(PAYLOADS[kind], pack(message) + b"more, from a later version") == message


def test_a_value_that_does_not_fit_its_field_is_refused() -> None:
    with pytest.raises(struct.error):
        pack(Command(label=65_536, score=0, time_to_live_ms=0, age_ms=0, argument=0))


def test_the_label_set_hash_depends_on_order_and_letters() -> None:
    hashes = {label_set_hash(x) for x in (("on", "off"), ("off", "on"), ("on", "开"), ("on",))}
    assert len(hashes) == 4


@given(st.binary(max_size=600))
@example(b"\x01" * 253 + b"\0")
@example(b"\x01" * 254)
@example(b"\x01" * 254 + b"\0")
def test_stuffing_takes_every_zero_out_and_comes_back(raw: bytes) -> None:
    assert 0 not in stuff(raw)
    assert unstuff(stuff(raw)) == raw


@given(frames(), st.data())
def test_a_frame_with_flipped_bits_is_refused(frame: Frame, data: st.DataObject) -> None:
    """CRC-16 finds every burst of up to 16 bits; a flip that makes a zero ends the frame early."""
    stuffed = bytearray(encode(frame).strip(b"\0"))
    at = data.draw(st.integers(0, len(stuffed) - 1))
    stuffed[at] ^= data.draw(st.integers(1, 255))
    deframer = Deframer()
    assert deframer.feed(b"\0" + bytes(stuffed) + b"\0") == []
    assert deframer.faults >= 1


@given(st.lists(frames(), max_size=4), st.data())
def test_a_stream_gives_its_frames_however_it_is_cut(
    sent: list[Frame], data: st.DataObject
) -> None:
    stream = b"".join(encode(frame) for frame in sent)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=6)))
    deframer = Deframer()
    got = []
    for begin, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        got += deframer.feed(stream[begin:end])
    assert (got, deframer.faults) == (sent, 0)


@given(st.lists(st.binary(max_size=200), max_size=8))
def test_garbage_is_counted_and_the_next_frame_is_heard(garbage: list[bytes]) -> None:
    golden = golden_frames()[0]
    deframer = Deframer()
    for piece in garbage:
        deframer.feed(piece)
    assert deframer.feed(golden.wire)[-1] == golden.frame


def test_a_frame_without_an_end_is_not_held() -> None:
    deframer = Deframer()
    assert deframer.feed(b"\x01" * 10_000_000) == []
    assert deframer.feed(b"\0") == []
    assert deframer.faults == 1


def test_zero_length_frames_are_nothing() -> None:
    deframer = Deframer()
    assert deframer.feed(b"\0" * 1000) == []
    assert deframer.faults == 0


def spoiled(raw: bytes) -> bytes:
    return stuff(raw + struct.pack(">H", crc_hqx(raw, 0xFFFF)))


@pytest.mark.parametrize(
    ("stuffed", "fault"),
    [
        (b"\x01" * (MAX_STUFFED + 1), Fault.TOO_LONG),
        (b"\x05ab", Fault.COBS),
        (b"\x02a\x00", Fault.COBS),
        (stuff(b"short"), Fault.TOO_SHORT),
        (b"", Fault.TOO_SHORT),
        (stuff(bytes(20)), Fault.CRC),
        (spoiled(bytes(12) + b"\x07"), Fault.LENGTH),
    ],
)
def test_what_is_no_frame_says_why(stuffed: bytes, fault: Fault) -> None:
    with pytest.raises(FrameError) as caught:
        decode(stuffed)
    assert caught.value.fault == fault
