"""A host that says single frames to a board of the C library, right ones and wrong ones."""

from typing import Final

from edgekws.link.frame import Deframer, Fault, Frame, encode
from edgekws.link.messages import Command, Header, Hello, Message, Nack, Type, pack, type_of, unpack
from tests.c_bridge import LABELS_HASH, CBoard

ERRORS: Final = {
    Fault.TOO_LONG: -2,
    Fault.COBS: -3,
    Fault.TOO_SHORT: -4,
    Fault.CRC: -5,
    Fault.LENGTH: -6,
}
"""The numbers that the C gives to what is wrong with a frame."""


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


def refusal(frames: list[Frame]) -> tuple[int, int]:
    (frame,) = frames
    assert frame.header.type == Type.NACK
    nack = unpack(Nack, frame.payload)
    return nack.reason, nack.detail


def types(frames: list[Frame]) -> list[int]:
    return [frame.header.type for frame in frames]
