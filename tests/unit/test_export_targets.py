"""Targets by name, what a wrong name says, and that everything a target needs is shipped."""

import tomllib
from pathlib import Path
from typing import Final

import pytest
from packaging.requirements import Requirement

from edgekws.errors import ExportError, UsageError
from edgekws.export.requirements import LOCKS, MICROPHONE, lock_path, read_lock
from edgekws.export.targets import TARGETS, Target, choose_pythons, find_target
from tests.commands import ROOT

PROJECT: Final = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
EXTRAS: Final = PROJECT["optional-dependencies"]
BOARDS: Final = [pytest.param(target, id=target.name) for target in TARGETS if target.pythons]


@pytest.mark.parametrize("name", ["rpi", "rpi-zero2", "jetson", "x86", "mcu"])
def test_targets_are_found_by_name(name: str) -> None:
    assert find_target(name).name == name


@pytest.mark.parametrize("name", ["", "RPI", "esp32", "rpi/../x86"])
def test_an_unknown_target_lists_those_there_are(name: str) -> None:
    with pytest.raises(UsageError) as caught:
        find_target(name)
    assert all(target.name in str(caught.value) for target in TARGETS)


def test_pythons_are_those_wanted_or_all_in_the_targets_order() -> None:
    rpi = find_target("rpi")
    assert choose_pythons(rpi, ()) == rpi.pythons
    assert choose_pythons(rpi, ("3.11", "3.13")) == ("3.13", "3.11")
    with pytest.raises(UsageError, match=r"no Python '3\.10' on jetson; there is 3\.12, 3\.11"):
        choose_pythons(find_target("jetson"), ("3.10",))


@pytest.mark.parametrize("target", BOARDS)
def test_requirements_are_locked_for_every_engine_of_a_target(target: Target) -> None:
    for engine in {key.format for key in target.models}:
        wanted = PROJECT["dependencies"] + EXTRAS["audio"] + EXTRAS[engine]
        for python in target.pythons:
            pins = {
                pin.name: pin.version
                for pin in read_lock(lock_path(target.architecture, python, engine))
            }
            for text in wanted:
                requirement = Requirement(text)
                assert requirement.specifier.contains(pins[requirement.name]), (text, pins)


def test_one_file_is_locked_per_package_and_they_differ_between_architectures() -> None:
    here, there = (read_lock(lock_path(a, "3.11", "onnx")) for a in ("x86_64", "aarch64"))
    assert [pin.name for pin in here] == sorted({pin.name for pin in here})
    numpy_here, numpy_there = (
        next(pin for pin in pins if pin.name == "numpy") for pins in (here, there)
    )
    assert numpy_here.version == numpy_there.version
    assert numpy_here.sha256 != numpy_there.sha256


def test_pyaudios_source_is_locked() -> None:
    (pin,) = read_lock(LOCKS / MICROPHONE)
    (wanted,) = map(Requirement, EXTRAS["mic"])
    assert pin.name == wanted.name
    assert wanted.specifier.contains(pin.version)


@pytest.mark.parametrize(
    "line", ["numpy==2.4.6", "numpy>=2 --hash=sha256:" + "0" * 64, "numpy==2 --hash=md5:0", "-r x"]
)
def test_a_lock_with_an_unpinned_line_is_refused(tmp_path: Path, line: str) -> None:
    (tmp_path / "lock.txt").write_text(f"# a comment\n{line}\n")
    with pytest.raises(ExportError, match=r"lock\.txt:2: no pinned package"):
        read_lock(tmp_path / "lock.txt")


def test_a_missing_lock_says_how_to_make_it(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="make locks"):
        read_lock(tmp_path / "lock.txt")
