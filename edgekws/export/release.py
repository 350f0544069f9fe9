"""A bundle and all that installs it, as one folder and one archive: written whole or not at all."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from edgekws.bundle import open_bundle
from edgekws.bundle.writing import check_place, clean_leftovers, move_folder, partial_folder
from edgekws.errors import BundleError, UsageError
from edgekws.export.archive import write_archive, write_sums
from edgekws.export.budget import describe, measure, require_budget
from edgekws.export.installer import write_installer
from edgekws.export.targets import choose_pythons, find_target
from edgekws.export.thresholds import report_path
from edgekws.export.tools import load_tool

Say = Callable[[str], None]
MakeBundle = Callable[[Path], Path]

FIRMWARE: Final = "edgekws.export.mcu_firmware:write_firmware"


@dataclass(frozen=True, slots=True)
class Release:
    """The folder, which is a bundle too, and the archive of it; whether they install themselves.

    `report` is the page beside them, where one was made; `firmware` is the folder in C inside of
    the bundle's, for a board that runs no Python.
    """

    folder: Path
    archive: Path
    report: Path | None
    firmware: Path | None
    installs: bool


def release(
    make_bundle: MakeBundle,
    out: Path,
    target: str,
    *,
    pythons: Sequence[str] = (),
    wheelhouse: bool = False,
    say: Say,
) -> Release:
    """Make OUT/<name>-<target>/ and OUT/<name>-<target>.tar.gz; equal bundles give equal bytes.

    `make_bundle` writes the bundle into the folder that it is given, a report beside it if it has
    one, and returns its place. With
    `wheelhouse`, the packages for the board are downloaded into it. Whatever fails, `out` stays as
    it was. Raises UsageError for target, Python or wheelhouse, ExportError for a bundle over budget
    and for packages that cannot be had, BundleError for the place, and what `make_bundle` raises.
    """
    board = find_target(target)
    versions = choose_pythons(board, tuple(pythons))
    if wheelhouse and not versions:
        raise UsageError(f"{board.name} runs no Python: there are no packages for a wheelhouse")
    with _aside(out) as aside:
        made = make_bundle(aside)
        place, archive = out / made.name, out / f"{made.name}.tar.gz"
        check_place(place)
        bundle = open_bundle(made)
        cost = measure(bundle, board, say)
        require_budget(cost, board)
        say(describe(cost, board))
        with _writing(place):
            if versions:
                write_installer(bundle, board, versions, wheelhouse=wheelhouse)
            else:
                load_tool(FIRMWARE, aim=board.name, extra="export-mcu")(bundle, board, say)
            write_sums(made)
            write_archive(made, aside / archive.name)
            clean_leftovers(place)
            move_folder(made, place)
            (aside / archive.name).replace(archive)
            report = _move_report(report_path(made), report_path(place))
    firmware = None if versions else place / "firmware"
    return Release(place, archive, report, firmware, installs=bool(versions))


def _move_report(made: Path, place: Path) -> Path | None:
    """Move the report to its place; where none was made, one of an older bundle goes."""
    if made.exists():
        return made.replace(place)
    place.unlink(missing_ok=True)
    return None


@contextmanager
def _aside(out: Path) -> Iterator[Path]:
    """Give a folder inside of `out` that is gone afterwards, and `out` too if it is empty then."""
    was_there = out.exists()
    with _writing(out):
        out.mkdir(parents=True, exist_ok=True)
        clean_leftovers(out / "export")
    try:
        with partial_folder(out / "export") as folder:
            yield folder
    finally:
        if not was_there:
            with suppress(OSError):
                out.rmdir()


@contextmanager
def _writing(place: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise BundleError(f"{place}: cannot write the export: {error}") from error
