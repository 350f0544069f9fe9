"""What the C library promises of itself: size, no memory of its own, clean under every checker."""

import platform
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import pytest

from tests.c_bridge import INCLUDES, SOURCES, WARNINGS
from tests.call_graph import CallGraph
from tests.firmware_tools import FIRMWARE, PATIENCE_SECONDS, ROOT, run, tool
from tests.needs import lacking

TEXT_LIMIT: Final = 2048  # bytes on a Cortex-M0+
SAID_TOLERANCE: Final = 100  # bytes: another GCC may need some more or fewer
LINES_LIMIT: Final = 40
FUZZ_SECONDS: Final = 4
FUZZ_RUNS: Final = 8000  # of the Python side: about a second of CPU
LIBRARY: Final = tuple(path.stem for path in SOURCES)


def make(folder: Path, *words: str) -> str:
    return run(["make", "-s", "-C", FIRMWARE, f"BUILD={folder}", f"CC={tool('gcc')}", *words])


def test_it_is_below_two_kilobytes_and_has_no_memory_of_its_own(tmp_path: Path) -> None:
    tool("arm-none-eabi-gcc")
    *_, totals = make(tmp_path, "size").splitlines()
    text, data, bss = (int(word) for word in totals.split()[:3])
    assert 1000 < text < TEXT_LIMIT
    assert (data, bss) == (0, 0)


def test_it_calls_nothing_but_what_a_compiler_may_put_in_for_a_loop(tmp_path: Path) -> None:
    tool("arm-none-eabi-gcc")
    make(tmp_path, "size")
    objects = [tmp_path / "m0" / f"{name}.o" for name in LIBRARY]
    outside = set(re.findall(r" U (\w+)", run(["arm-none-eabi-nm", *objects])))
    assert {name for name in outside if not name.startswith("ekws_")} <= {"memset", "memcpy"}


def test_a_link_takes_the_memory_that_the_readme_says(tmp_path: Path) -> None:
    source = tmp_path / "size.c"
    source.write_text('#include "ekws_bridge.h"\nchar link_size[sizeof(struct ekws_link)];\n')
    compiler = [tool("arm-none-eabi-gcc"), "-mcpu=cortex-m0plus", "-mthumb", *INCLUDES]
    run([*compiler, "-c", "-o", tmp_path / "size.o", source])
    size = int(run(["arm-none-eabi-nm", "-S", tmp_path / "size.o"]).split()[1], 16)
    assert f"`struct ekws_link` of {size} bytes" in (FIRMWARE / "README.md").read_text()


def test_the_readme_says_how_long_the_text_is(tmp_path: Path) -> None:
    """To a few bytes: compilers differ."""
    tool("arm-none-eabi-gcc")
    text = int(make(tmp_path, "size").splitlines()[-1].split()[0])
    said = re.search(r"counts ([\d,]+) bytes of text", (FIRMWARE / "README.md").read_text())
    assert said is not None
    assert abs(int(said[1].replace(",", "")) - text) <= SAID_TOLERANCE


def test_no_function_calls_itself_on_any_way(tmp_path: Path) -> None:
    graph = CallGraph.of(SOURCES, tmp_path, [tool("gcc"), *WARNINGS, "-O0", *INCLUDES])
    assert "on_end" in graph.calls["ekws_feed"], "the call graph was not understood"
    assert [name for name in graph.calls if name in graph.reached(name)] == []


def test_the_readme_says_how_much_stack_it_takes(tmp_path: Path) -> None:
    """To a few bytes: compilers differ."""
    compiler = [tool("arm-none-eabi-gcc"), "-mcpu=cortex-m0plus", "-mthumb", "-Os"]
    graph = CallGraph.of(SOURCES, tmp_path, [*compiler, *WARNINGS, *INCLUDES])
    deepest = max(graph.deepest(name) for name in ("ekws_init", "ekws_feed", "ekws_poll"))
    said = re.search(r"at most ([\d,]+) bytes of stack", (FIRMWARE / "README.md").read_text())
    assert said is not None
    assert abs(int(said[1]) - deepest) <= SAID_TOLERANCE, deepest


def test_functions_are_short() -> None:
    folders = ("src", "port", "tests")
    sources = sorted(path for each in folders for path in (FIRMWARE / each).rglob("*.c"))
    assert len(sources) >= len(LIBRARY)
    for source in sources:
        lines = source.read_text().splitlines()
        begin = 0
        for number, line in enumerate(lines):
            if line == "{":
                begin = number
            if line == "}":
                assert number - begin < LINES_LIMIT, f"{source.name}:{begin + 1}"


def test_cppcheck_has_nothing_to_say() -> None:
    tool("cppcheck")
    assert make(Path("unused"), "check") == ""


def test_a_c_compiler_alone_makes_and_reads_the_golden_frames(tmp_path: Path) -> None:
    assert make(tmp_path, "test") == "13 golden frames made and read\n"


def test_the_examples_compile_against_stubs_of_their_sdks(tmp_path: Path) -> None:
    tool("arm-none-eabi-gcc")
    make(tmp_path, "examples")
    names = {"pico.o", "arduino.o", "zephyr.o", "esp_idf.o"}
    assert {path.name for path in tmp_path.iterdir()} == names


def test_no_bytes_trip_the_board_under_the_sanitizers(tmp_path: Path) -> None:
    tool("clang")
    text = make(tmp_path, "fuzz", f"FUZZ_SECONDS={FUZZ_SECONDS}")
    runs = re.search(r"stat::number_of_executed_units: (\d+)", text)
    assert runs is not None
    assert int(runs[1]) > 100


def test_no_bytes_trip_the_host() -> None:
    if sys.version_info >= (3, 14) or platform.machine() != "x86_64":
        pytest.skip("atheris has no wheel for this machine")
    if find_spec("atheris") is None:
        lacking("needs atheris: pip install 'edgekws[test]'")
    script = Path(__file__).parent / "fuzz_link.py"
    done = subprocess.run(
        [sys.executable, script, f"-runs={FUZZ_RUNS}"],
        env={"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert f"Done {FUZZ_RUNS} runs" in done.stderr
