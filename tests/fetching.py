"""Fetches a small set from a server on loopback, with short waits and a quiet watcher."""

import random
import tarfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from edgekws.train.datasets import find_dataset, read_table
from edgekws.train.download import Network
from edgekws.train.fetch import fetch
from tests.archive_server import ArchiveServer, file, pack, special, write_table

QUICK: Final = Network(timeout_seconds=0.3, attempts=3, pause_seconds=0.0)
CLIP: Final = random.Random(1).randbytes(400_000)  # does not compress: the archive has its size
ARCHIVE: Final = pack(
    [
        special("./", tarfile.DIRTYPE),
        special("./yes", tarfile.DIRTYPE),
        file("./yes/ann_nohash_0.wav", CLIP),
        file("./_background_noise_/room.wav"),
        file("./LICENSE", b"free"),
        file("./yes/.DS_Store"),
    ]
)


@dataclass
class Quiet:
    """A watcher that keeps what is said, and may interrupt as Ctrl-C does."""

    interrupt_at: str = ""
    said: list[str] = field(default_factory=list)

    def say(self, text: str) -> None:
        self.said.append(text)

    def progress(self, what: str, done: int, total: int) -> None:
        assert 0 <= done <= total
        if what == self.interrupt_at:
            raise KeyboardInterrupt


def fetch_small(
    server: ArchiveServer, out: Path, watcher: Quiet | None = None, *, network: Network = QUICK
) -> bool:
    table = write_table(out.parents[1] / "sets.toml", server.url, server.data)
    dataset = find_dataset(read_table(table), "small")
    return fetch(dataset, out, network=network, watcher=watcher or Quiet())


def partial_of(out: Path) -> Path:
    return out.with_name("set.partial")


def assert_only_the_archive(out: Path) -> None:
    assert not out.exists()
    assert [path.suffix for path in partial_of(out).iterdir()] == [".gz"]
