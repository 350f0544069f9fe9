"""The C of the keyword spotter keeps the house's rules, and is as small as the export says."""

import re
from pathlib import Path
from typing import Final

import pytest

from edgekws.export.mcu_size import CODE_BYTES, OBJECT_BYTES, STACK_BYTES
from tests.firmware_tools import FIRMWARE, run, tool
from tests.kws_firmware import STRICT, Firmware

CORTEX_M4: Final = ["-mthumb", "-mcpu=cortex-m4", "-mfloat-abi=hard", "-mfpu=fpv4-sp-d16"]
ONLY_ELSEWHERE: Final = {"model_data.c", "ekws_mfcc_float.c", "model_mfcc_float.c"}
"""What a linker leaves out where the front end is the one in fixed point."""


@pytest.fixture(scope="module")
def objects(firmware: Firmware, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of what is linked, compiled for a Cortex-M4, with stack usage beside it."""
    folder = tmp_path_factory.mktemp("objects")
    compiler = tool("arm-none-eabi-gcc")
    for source in sorted((firmware.folder / "src").glob("*.c")):
        if source.name not in ONLY_ELSEWHERE:
            target = folder / f"{source.stem}.o"
            flags = [*CORTEX_M4, *STRICT, "-O2", "-fstack-usage"]
            run([compiler, *flags, "-c", "-o", target, source], cwd=folder)
    return folder


def sizes(objects: Path, pattern: str) -> tuple[int, int]:
    """Return text with constants, and data with bss, of some objects."""
    lines = run(["arm-none-eabi-size", *sorted(objects.glob(pattern))]).splitlines()[1:]
    rows = [[int(word) for word in line.split()[:3]] for line in lines]
    return sum(row[0] for row in rows), sum(row[1] + row[2] for row in rows)


def test_flash_is_within_what_the_export_counts(firmware: Firmware, objects: Path) -> None:
    code, _ = sizes(objects, "ekws_*.o")
    whole, _ = sizes(objects, "*.o")
    assert code <= CODE_BYTES
    assert whole <= firmware.model.size.flash


def test_it_has_no_memory_of_its_own(objects: Path) -> None:
    assert sizes(objects, "*.o")[1] == 0


def test_the_stack_is_within_what_the_export_counts(objects: Path) -> None:
    frames = {
        line.split("\t")[0].rpartition(":")[2]: int(line.split("\t")[1])
        for path in objects.glob("*.su")
        for line in path.read_text().splitlines()
    }
    assert frames["ekws_kws_push"] > 0
    assert sum(frames.values()) <= STACK_BYTES  # no chain of calls is longer than all of them


def test_the_object_is_within_what_the_export_counts(firmware: Firmware, tmp_path: Path) -> None:
    source = tmp_path / "object.c"
    check = f"typedef char fits[sizeof(ekws_kws) <= {OBJECT_BYTES} ? 1 : -1];"
    source.write_text(f'#include "model_meta.h"\n{check}\n')
    compiler, include = tool("arm-none-eabi-gcc"), f"-I{firmware.folder / 'src'}"
    run([compiler, *CORTEX_M4, *STRICT, include, "-fsyntax-only", source])


def test_nothing_is_allocated_and_no_function_calls_itself(objects: Path) -> None:
    symbols = run(["arm-none-eabi-nm", "-u", *sorted(objects.glob("*.o"))])
    outside = {line.split()[-1] for line in symbols.splitlines() if " U " in line}
    allowed = re.compile(r"ekws_|mem(cpy|move|set)$|__aeabi_")
    assert not {name for name in outside if not allowed.match(name)}


def test_cppcheck_finds_nothing(firmware: Firmware) -> None:
    flags = ["--enable=warning,style,performance,portability", "--std=c99", "-q"]
    program = tool("cppcheck")
    sources = sorted((firmware.folder / "src").glob("ekws_*.c"))
    said = run([program, *flags, "--error-exitcode=1", f"-I{firmware.folder / 'src'}", *sources])
    assert not said.strip()


def test_headers_and_the_arduino_sketch_are_cpp_too(firmware: Firmware, tmp_path: Path) -> None:
    (tmp_path / "Arduino.h").write_text(
        "#include <stddef.h>\n#include <stdint.h>\n"
        "enum { LED_BUILTIN = 13, OUTPUT = 1 };\n"
        "int digitalRead(int);\nvoid digitalWrite(int, int);\nvoid pinMode(int, int);\n"
        "struct Port { void begin(long); void println(const char *); int available();\n"
        "  size_t readBytes(char *, size_t); };\nextern Port Serial;\n"
    )
    sketch = firmware.folder / "examples" / "Listen" / "Listen.ino"
    compiler = tool("arm-none-eabi-gcc").replace("-gcc", "-g++")
    include = [f"-I{tmp_path}", f"-I{firmware.folder / 'src'}", "-include", "Arduino.h"]
    run(
        [compiler, "-x", "c++", "-std=c++11", "-Wall", "-Werror", *include, "-fsyntax-only", sketch]
    )


def test_one_program_may_have_the_link_to_a_host_as_well(
    firmware: Firmware, tmp_path: Path
) -> None:
    """Both parts beside each other: no header, name or symbol is there twice."""
    source = tmp_path / "both.c"
    source.write_text(
        '#include "ekws_bridge.h"\n#include "ekws_labels.h"\n#include "model_meta.h"\n'
    )
    own = sorted((firmware.folder / "src").glob("*.c"))
    link = sorted((FIRMWARE / "src").glob("*.c"))
    folders = (firmware.folder / "src", FIRMWARE / "include", FIRMWARE / "generated")
    for order in (folders, folders[::-1]):
        flags = [*CORTEX_M4, *STRICT, *(f"-I{each}" for each in order), "-nostdlib", "-r"]
        run([tool("arm-none-eabi-gcc"), *flags, "-o", tmp_path / "both.o", source, *own, *link])
