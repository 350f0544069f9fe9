"""`edgekws export --target mcu`: a folder that compiles as it is, always the same, or a reason."""

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np
import pytest
from ai_edge_litert.schema_py_generated import BuiltinOperator

from edgekws.bundle import Bundle, open_bundle
from edgekws.errors import ExportError, MissingExtraError
from edgekws.events import Pcm
from edgekws.export.mcu_firmware import find_sources, mcu_model, write_firmware
from edgekws.export.mcu_graph import read_graph
from edgekws.export.mcu_range import require_range, stages
from edgekws.export.mcu_size import Size, require_room
from edgekws.export.release import Release, release
from edgekws.export.repack import repack
from edgekws.export.targets import find_target
from edgekws.specs import FeatureSpec
from tests.commands import edgekws, write_wav
from tests.firmware_tools import ROOT, run, tool
from tests.kws_firmware import TINY, Firmware, Place, same_places
from tests.needs import lacking
from tests.tflite_models import delay_model

MCU: Final = find_target("mcu")


def quiet(_: str) -> None:
    """Say nothing."""


def export(out: Path, *, bundle: Path = TINY) -> Release:
    try:
        return release(lambda aside: repack(bundle, aside, "mcu", say=quiet), out, "mcu", say=quiet)
    except MissingExtraError as error:
        lacking(str(error))


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Release:
    return export(tmp_path_factory.mktemp("dist"))


def test_the_folder_compiles_as_it_is_and_passes_its_golden_vectors(
    exported: Release, tmp_path: Path
) -> None:
    """With sanitizers, which end the program at the first overflow or stray access."""
    assert exported.firmware is not None
    firmware = shutil.copytree(exported.firmware, tmp_path / "firmware")
    tool("gcc")
    flags = "-O1 -fsanitize=address,undefined -fno-sanitize-recover=all"
    said = run(["make", "-C", firmware, "CC=gcc", f"CFLAGS={flags}", "test", "listen"])
    assert "pass: fixed point" in said
    assert "pass: float" in said
    assert "FAIL" not in said
    pcm = open_bundle(exported.folder).golden().pcm
    wanted = heard(exported.folder, pcm, tmp_path)
    loudest = np.tile(np.array([32767, -32768, -32768, 32767], "<i2"), 8000)
    for sound, places in ((pcm.astype("<i2"), wanted), (loudest, [])):
        for option in ([], ["--float"]):
            lines = run([firmware / "build" / "listen", *option], stdin=sound.tobytes())
            found = [parts(line) for line in lines.splitlines()]
            assert same_places(found, places, slack=firmware_row(exported))


def parts(line: str) -> Place:
    """Return label and sample of a line "sample label score"; a label may hold blanks."""
    sample, _, rest = line.partition(" ")
    return rest.rpartition(" ")[0], int(sample)


def firmware_row(exported: Release) -> int:
    return open_bundle(exported.folder).manifest.model.samples_per_score


def heard(bundle: Path, pcm: Pcm, folder: Path) -> list[Place]:
    """Return what `edgekws listen` detects in a WAV file."""
    wav = write_wav(folder / "golden.wav", pcm)
    done = edgekws("listen", "--bundle", bundle, "--source", f"wav:{wav}")
    assert done.code == 0, done.stderr
    return [(x["label"], x["sample"]) for x in done.lines if x["event"] == "detection"]


def test_an_export_has_the_same_bytes_again(exported: Release, tmp_path: Path) -> None:
    again = export(tmp_path)
    assert again.archive.read_bytes() == exported.archive.read_bytes()
    assert not again.installs


def test_the_command_takes_the_tiny_bundle_where_there_is_no_run(
    exported: Release, tmp_path: Path
) -> None:
    done = edgekws("export", "--target", "mcu", "--out", "dist", cwd=tmp_path)
    assert done.code == 0, done.stderr
    assert done.lines[-1]["bundle"] == "dist/commands-12-tiny-mcu"
    assert "next: make -C dist/commands-12-tiny-mcu/firmware test" in done.stderr
    made = tmp_path / "dist" / exported.archive.name
    assert made.read_bytes() == exported.archive.read_bytes()


def test_every_source_of_ours_is_in_it(exported: Release) -> None:
    assert exported.firmware is not None
    for folder in ("include", "src", "tests"):
        for path in (find_sources() / folder).iterdir():
            there = "tests" if folder == "tests" else "src"
            copy = exported.firmware / there / path.name
            assert copy.read_text("utf-8") == path.read_text("utf-8")
    assert (exported.firmware / "LICENSE").read_bytes() == (ROOT / "LICENSE").read_bytes()


def test_a_model_over_the_budget_of_bytes_fails_and_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match=r"over the budget of mcu: models of \d+ bytes"):
        export(tmp_path / "dist", bundle=TINY.parent / "commands-12")
    assert not (tmp_path / "dist").exists()


def test_flash_and_memory_over_the_budget_are_told_in_figures(firmware: Firmware) -> None:
    require_room(firmware.model.size, MCU)
    with pytest.raises(ExportError, match=r"98305 bytes of flash, allowed are 98304"):
        require_room(Size(flash=98_305, working=0, arena=0), MCU)
    with pytest.raises(ExportError, match=r"33920 bytes of memory, allowed are 32768"):
        require_room(Size(flash=0, working=32_768, arena=0), MCU)
    with pytest.raises(
        ExportError, match=r"32769 bytes of arena in TensorFlow Lite Micro, allowed"
    ):
        require_room(Size(flash=0, working=0, arena=32_769), MCU)


def test_the_stated_arena_is_enough(firmware: Firmware) -> None:
    from tflite_micro import runtime  # the fixture needs it too

    size = firmware.model.arena.bytes
    runtime.Interpreter.from_bytes(firmware.model.data, arena_size=size).invoke()


def test_a_model_over_the_arena_of_its_target_fails_with_figures_and_writes_nothing(
    firmware: Firmware, tmp_path: Path
) -> None:
    arena = firmware.model.size.arena
    small = replace(MCU, budget=replace(MCU.budget, ram_bytes=arena - 1))
    bundle = Bundle(tmp_path, firmware.bundle.manifest)
    shutil.copytree(TINY, tmp_path, dirs_exist_ok=True)
    with pytest.raises(
        ExportError,
        match=f"budget of mcu: {arena} bytes of arena in .* Micro, allowed are {arena - 1}; train",
    ):
        write_firmware(bundle, small, quiet)
    assert not (tmp_path / "firmware").exists()


def test_a_bundle_without_the_int8_model_is_refused(firmware: Firmware) -> None:
    bundle = firmware.bundle
    others = tuple(model for model in bundle.manifest.models if model.format != "tflite")
    without = Bundle(bundle.path, msgspec.structs.replace(bundle.manifest, models=others))
    with pytest.raises(Exception, match="a microcontroller runs tflite-int8"):
        mcu_model(without)


def test_an_operator_that_the_engine_lacks_is_named() -> None:
    with pytest.raises(ExportError, match="the operator STRIDED_SLICE is none of"):
        read_graph(delay_model("int8", operator=BuiltinOperator.STRIDED_SLICE))


def spec_of(firmware: Firmware, **changes: Any) -> FeatureSpec:
    return msgspec.structs.replace(firmware.model.spec.features, **changes)


@pytest.mark.parametrize(
    ("changes", "stage"),
    [
        (
            {"algorithm": "logmel-1"},
            "features of algorithm 'logmel-1': the microcontroller has mfcc-1",
        ),
        ({"fft": 500}, "stage fft: 500 points are no power of 2"),
        ({"fft": 65_536}, "stage sizes of the fixed-point front end"),
        ({"log_floor_exponent": 3}, "stage floor of the fixed-point front end"),
        ({"log_floor_exponent": -12}, "stage floor beside full scale of the fixed-point front end"),
        (
            {"log_floor_exponent": -8},
            "stage spectrum beside the floor of the fixed-point front end",
        ),
        ({"low_hz": 5, "high_hz": 25}, "stage bands of the fixed-point front end: 0 is out of"),
    ],
)
def test_features_that_overflow_in_fixed_point_are_refused_with_the_stage(
    firmware: Firmware, changes: dict[str, Any], stage: str
) -> None:
    model = msgspec.structs.replace(firmware.model.spec, features=spec_of(firmware, **changes))
    with pytest.raises(ExportError, match=stage):
        require_range(model, firmware.model.file.graph.features)


@pytest.mark.parametrize(
    ("field", "value", "stage"),
    [
        ("mean", 40_000.0, "stage mean of the fixed-point front end"),
        ("scale", 2.0e9, "stage scale of the fixed-point front end"),
    ],
)
def test_a_normalization_that_overflows_is_refused_with_the_stage(
    firmware: Firmware, field: str, value: float, stage: str
) -> None:
    vector = getattr(firmware.model.spec, field)
    model = msgspec.structs.replace(firmware.model.spec, **{field: (value, *vector[1:])})
    with pytest.raises(ExportError, match=stage):
        require_range(model, firmware.model.file.graph.features)


def test_the_shipped_features_fit_every_stage(firmware: Firmware) -> None:
    found = list(stages(firmware.model.spec, firmware.model.file.graph.features))
    assert all(stage.fits for stage in found)
    assert len({stage.name for stage in found}) == len(found)
