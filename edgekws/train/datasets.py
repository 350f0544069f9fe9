"""The table of public speech sets that `edgekws fetch` knows: models/datasets.toml."""

from pathlib import Path
from typing import Final, Literal

from edgekws.errors import UsageError
from edgekws.specs import Spec
from edgekws.train.settings_file import read_settings

TABLE: Final = Path(__file__).resolve().parents[2] / "models" / "datasets.toml"


class Layout(Spec, frozen=True):
    """How a set is packed, with one folder per label, and what it may hold at most."""

    archive: Literal["tar.gz"]
    max_files: int
    """Members of any kind."""
    max_bytes: int
    """Of all files together, unpacked."""


class Dataset(Spec, frozen=True):
    """One public set: `sha256` and `bytes` are those of the archive at `url`."""

    name: str
    title: str
    licence: str
    url: str
    sha256: str
    bytes: int
    layout: Layout

    def __post_init__(self) -> None:
        if not self.url.startswith(("https://", "http://")):
            raise ValueError("url must start with https:// or http://")
        if len(self.sha256) != 64 or not set(self.sha256) <= set("0123456789abcdef"):
            raise ValueError("sha256 must be 64 lower-case hexadecimal digits")
        if min(self.bytes, self.layout.max_files, self.layout.max_bytes) < 1:
            raise ValueError("bytes, max_files and max_bytes must be 1 or more")


class Table(Spec, frozen=True):
    """The whole of datasets.toml."""

    datasets: tuple[Dataset, ...]

    def __post_init__(self) -> None:
        names = [dataset.name for dataset in self.datasets]
        if len(set(names)) < len(names):
            raise ValueError("two datasets have one name")


def read_table(path: Path = TABLE) -> Table:
    """Read the table of sets; ConfigError names the faulty key."""
    advice = "name one with --table"
    return read_settings(path, Table, what="the table of sets", advice=advice)[0]


def find_dataset(table: Table, name: str) -> Dataset:
    """Return the set of a name; UsageError lists those there are."""
    for dataset in table.datasets:
        if dataset.name == name:
            return dataset
    names = ", ".join(dataset.name for dataset in table.datasets)
    raise UsageError(f"no set is called {name!r}; there are: {names}")
