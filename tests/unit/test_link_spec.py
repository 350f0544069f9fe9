"""firmware_bridge/SPEC.md says what the code does: tables, numbers, and the worked example."""

import re
from typing import Final

import pytest

from edgekws.link.frame import HEADER_SIZE, MAX_FRAME, MAX_STUFFED, Frame, decode, encode
from edgekws.link.messages import (
    HIGHEST_VERSION,
    MAX_PAYLOAD,
    MAX_TIMEOUT_MS,
    MESSAGES,
    Command,
    Message,
    Reason,
    Type,
    layout,
    pack,
    unpack,
)
from edgekws.link.orders import Timing
from tests.firmware_tools import FIRMWARE
from tests.golden_frames import golden_frames

SPEC: Final = (FIRMWARE / "SPEC.md").read_text()
BLOCKS: Final = re.findall(r"```\n(.*?)```", SPEC, re.DOTALL)


def section(title: str) -> str:
    return re.split(r"\n#+ ", SPEC.split(f"# {title}\n", 1)[1])[0]


def rows(text: str, columns: int) -> list[list[str]]:
    found = [re.split(r"\s*\|\s*", line.strip("| ")) for line in text.splitlines() if "|" in line]
    return [row for row in found if len(row) == columns and not row[0].startswith("---")]


def sent(block: str) -> bytes:
    """Return the bytes of a block; two spaces or more begin a remark."""
    return bytes.fromhex("".join(re.split(r"\s{2,}", line)[0] for line in block.splitlines()))


@pytest.mark.parametrize("message", [each for each in MESSAGES if layout(each)])
def test_each_message_has_its_table(message: type[Message]) -> None:
    title = message.__name__ if message.__name__ == "Header" else message.__name__.upper()
    fields = [(name, kind) for name, kind, _ in rows(section(title), 3)]
    assert [row for row in fields if row[1] in ("u8", "u16", "u32", "i32")] == list(layout(message))


def test_the_numbers_of_types_and_reasons_are_those_of_the_code() -> None:
    types = {row[0]: int(row[1]) for row in rows(section("Types"), 4) if row[1].isdigit()}
    reasons = {row[0]: int(row[1]) for row in rows(section("NACK"), 3) if row[1].isdigit()}
    assert types == {each.name: each.value for each in Type}
    assert reasons == {each.name: each.value for each in Reason}


def test_sizes_and_times_are_those_of_the_code() -> None:
    timing = Timing()
    for words in (
        f"this is version {HIGHEST_VERSION}",
        f"| header | {HEADER_SIZE} |",
        f"0 to {MAX_PAYLOAD}, as many",
        f"at most {MAX_FRAME} bytes",
        f"longer than {MAX_STUFFED} bytes",
        f"never above {MAX_TIMEOUT_MS}",
        f"again after {timing.first_retry_ms} ms",
        f"up to {timing.longest_retry_ms} ms, at most {timing.tries} times",
        f"every {timing.longest_hello_ms} ms until",
        f"one every {timing.heartbeat_ms} ms",
        f"After {timing.silence_ms} ms without",
    ):
        assert words in " ".join(SPEC.split()), words


def test_the_worked_example_is_what_the_code_makes() -> None:
    raw, wire, answer = (sent(block) for block in BLOCKS)
    golden = {each.name: each for each in golden_frames()}
    command = golden["command"]
    assert pack(command.frame.header) + command.frame.payload == raw[:-2]
    assert wire == command.wire == encode(decode(wire[1:-1]))
    assert unpack(Command, decode(wire[1:-1]).payload) == Command(8, 62258, 2000, 3, 0)
    assert answer == golden["ack"].wire == encode(Frame(golden["ack"].frame.header, b""))
