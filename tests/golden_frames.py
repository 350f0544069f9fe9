"""The golden frames that Python and C share: firmware_bridge/tests/golden_frames.txt."""

from dataclasses import dataclass

from edgekws.link.frame import Frame
from edgekws.link.messages import Header
from tests.firmware_tools import FIRMWARE


@dataclass(frozen=True, slots=True)
class GoldenFrame:
    """A frame and its bytes on the wire, zeros included."""

    name: str
    frame: Frame
    wire: bytes


def golden_frames() -> list[GoldenFrame]:
    lines = (FIRMWARE / "tests" / "golden_frames.txt").read_text().splitlines()
    return [_read(line) for line in lines if not line.startswith("#")]


def _read(line: str) -> GoldenFrame:
    name, *numbers, payload, wire = line.split()
    data = b"" if payload == "-" else bytes.fromhex(payload)
    header = Header(*map(int, numbers), len(data))
    return GoldenFrame(name, Frame(header, data), bytes.fromhex(wire))
