"""Atheris on the receiving side of the Python link: `python tests/firmware/fuzz_link.py -runs=N`.

Whatever a board sends, the host neither raises nor holds on to it, and what it decodes it would
have encoded to the same bytes.
"""

import sys

import atheris

with atheris.instrument_imports(include=["edgekws.link"]):
    from edgekws.link.frame import MAX_STUFFED, Deframer, Frame, FrameError, decode, encode
    from edgekws.link.messages import Flag, Header, size, unpack
    from edgekws.link.orders import Order
    from edgekws.link.session import Link


def decode_anything(data: bytes) -> None:
    try:
        frame = decode(data)
    except FrameError:
        return
    assert encode(frame) == b"\0" + data + b"\0"


def answer_anything(data: bytes) -> None:
    """Feed frames whose headers and payloads are the fuzzer's, stuffed and with their CRC."""
    link = Link(7, lambda: 1)
    link.submit(Order(1, 0.5, 1000), 0)
    for at in range(0, len(data) - size(Header) + 1, 40):
        header = unpack(Header, data[at:])
        payload = data[at + size(Header) : at + 40]
        fields = {name: getattr(header, name) for name in ("sequence", "session", "command")}
        header = Header(1, header.type % 8, Flag.FROM_BOARD, length=len(payload), **fields)
        link.feed(b"\0" + encode(Frame(header, payload)) + b"\0", at)
        link.poll(at)
        assert len(link.take_output()) < 10 * MAX_STUFFED


def one_input(data: bytes) -> None:
    decode_anything(data)
    Deframer().feed(data)
    link = Link(7, lambda: 1)
    link.feed(data, 0)
    answer_anything(data)


atheris.Setup([*sys.argv, "-max_len=400"], one_input)
atheris.Fuzz()
