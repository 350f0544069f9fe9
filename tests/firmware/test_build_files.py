"""The build files of Pico, Zephyr and ESP-IDF, run by CMake with stubs in place of their SDKs.

The stubs of `firmware_bridge/tests/stubs` declare what the SDKs give; sources, include folders and
options are those of the files themselves, and every warning is an error.
"""

from pathlib import Path
from typing import Final

from tests.firmware_tools import FIRMWARE, run, tool
from tests.kws_firmware import STRICT, Firmware

STUBS: Final = FIRMWARE / "tests" / "stubs"
CORTEX_M4: Final = "-mthumb -mcpu=cortex-m4"


def build(project: Path, folder: Path, **variables: object) -> set[str]:
    """Build a CMake project for a Cortex-M4; return the names of what was compiled."""
    compiler = tool("arm-none-eabi-gcc")
    chosen = {
        "CMAKE_SYSTEM_NAME": "Generic",
        "CMAKE_C_COMPILER": compiler,
        "CMAKE_C_COMPILER_WORKS": "1",
        "CMAKE_CXX_COMPILER": compiler.replace("-gcc", "-g++"),
        "CMAKE_CXX_COMPILER_WORKS": "1",
        "CMAKE_C_FLAGS": f"{CORTEX_M4} {' '.join(STRICT)}",
        **variables,
    }
    words = [f"-D{name}={value}" for name, value in chosen.items()]
    run([tool("cmake"), "-S", project, "-B", folder, "-Wno-dev", "-G", "Unix Makefiles", *words])
    run(["cmake", "--build", folder])
    return {path.name.removesuffix(".obj") for path in folder.rglob("*.c.obj")}


def names(folder: Path) -> set[str]:
    return {path.name for path in (folder / "src").glob("*.c")}


def test_the_pico_example_builds(tmp_path: Path) -> None:
    """Linked as far as it goes without the SDK: names that the stubs only declare stay open."""
    compiled = build(
        FIRMWARE / "port" / "pico",
        tmp_path,
        PICO_SDK_PATH=STUBS / "pico",
        CMAKE_EXE_LINKER_FLAGS="-r -nostdlib",
    )
    assert compiled == names(FIRMWARE) | {"main.c"}


def test_the_link_builds_as_a_zephyr_module(tmp_path: Path) -> None:
    module = FIRMWARE / "port" / "zephyr"
    compiled = build(STUBS / "zephyr_build", tmp_path, PART=module, CONFIG_EDGEKWS_BRIDGE="y")
    assert compiled == names(FIRMWARE)


def test_the_link_builds_as_an_esp_idf_component(tmp_path: Path) -> None:
    compiled = build(STUBS / "esp_idf", tmp_path, PART=FIRMWARE / "port" / "esp_idf")
    assert compiled == names(FIRMWARE)


def test_an_exported_folder_builds_as_a_zephyr_module(firmware: Firmware, tmp_path: Path) -> None:
    module = firmware.folder / "zephyr"
    compiled = build(STUBS / "zephyr_build", tmp_path, PART=module, CONFIG_EKWS_KWS="y")
    assert compiled == names(firmware.folder)


def test_an_exported_folder_builds_as_an_esp_idf_component(
    firmware: Firmware, tmp_path: Path
) -> None:
    compiled = build(STUBS / "esp_idf", tmp_path, PART=firmware.folder)
    assert compiled == names(firmware.folder)
