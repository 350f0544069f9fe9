"""The sound of near misses on disk: sealed, bounded, and only what was asked for."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import numpy as np
import pytest

from edgekws.errors import ConfigError, DataError
from edgekws.events import Block, NearMiss
from edgekws.runtime.captor import BEFORE_SECONDS, WAITING, Captor
from edgekws.runtime.capture_store import KEY_BYTES, Capture, CaptureStore, capture_id, read_key

RATE: Final = 16_000
KEY: Final = bytes(range(KEY_BYTES))
NOW: Final = datetime(2026, 11, 25, 18, 0, 0, tzinfo=UTC)
PCM: Final = np.arange(-1_000, 1_000, dtype=np.int16)
SEALED_BYTES: Final = 2 * len(PCM)  # and some more


def capture(number: int, *, days_ago: float = 0.0, said: str = "") -> Capture:
    made = capture_id(number, NOW - timedelta(days=days_ago))
    return Capture(id=made, label="开灯", peak=0.5, on=0.7, sample=9, sample_rate=RATE, said=said)


def filled(folder: Path, *captures: Capture) -> CaptureStore:
    store = CaptureStore(folder, KEY)
    for each in captures:
        store.put(each, PCM)
    return store


def ids(store: CaptureStore) -> list[str]:
    return [each.id for each in store.captures()]


def test_what_is_put_comes_back(tmp_path: Path) -> None:
    one = capture(1)
    found, pcm = filled(tmp_path / "new", one).get(one.id)
    assert found == one
    assert pcm.tolist() == PCM.tolist()


def test_nothing_of_it_can_be_read_without_the_key(tmp_path: Path) -> None:
    one = capture(1)
    filled(tmp_path, one)
    (path,) = tmp_path.iterdir()
    assert path.stat().st_mode & 0o077 == 0
    data = path.read_bytes()
    assert PCM[:20].tobytes() not in data
    assert "开灯".encode() not in data
    other = CaptureStore(tmp_path, bytes(KEY_BYTES))
    with pytest.raises(DataError, match="does not open: it is damaged, or the key is another"):
        other.get(one.id)


def test_the_same_sound_is_sealed_anew_each_time(tmp_path: Path) -> None:
    filled(tmp_path / "a", capture(1))
    filled(tmp_path / "b", capture(1))
    one, two = (next((tmp_path / name).iterdir()).read_bytes() for name in "ab")
    assert one != two


@pytest.mark.parametrize("harm", ["cut", "changed", "exchanged", "empty"])
def test_what_was_harmed_does_not_open(tmp_path: Path, harm: str) -> None:
    store = filled(tmp_path, capture(1), capture(2))
    first, second = sorted(tmp_path.iterdir())
    data = first.read_bytes()
    first.write_bytes(
        {
            "cut": data[:-1],
            "changed": data[:-1] + bytes([data[-1] ^ 1]),
            "exchanged": second.read_bytes(),
            "empty": b"",
        }[harm]
    )
    with pytest.raises(DataError, match="does not open"):
        store.get(capture(1).id)
    assert store.get(capture(2).id)[0] == capture(2)


def test_a_label_is_written_into_it(tmp_path: Path) -> None:
    store = filled(tmp_path, capture(1))
    store.put(capture(1, said="_unknown_"), PCM)
    assert store.captures() == [capture(1, said="_unknown_")]
    assert len(list(tmp_path.iterdir())) == 1


def test_what_is_deleted_is_gone(tmp_path: Path) -> None:
    store = filled(tmp_path, capture(1), capture(2))
    store.delete(capture(1).id)
    assert ids(store) == [capture(2).id]
    with pytest.raises(DataError, match="no recording"):
        store.delete(capture(1).id)


def room(store: CaptureStore, *, max_bytes: int, size: int = 0) -> bool:
    return store.make_room(size, max_bytes=max_bytes, max_days=30.0, now=NOW)


def test_what_is_too_old_goes_with_or_without_a_label(tmp_path: Path) -> None:
    kept = capture(3, days_ago=29)
    store = filled(tmp_path, capture(1, days_ago=31), capture(2, days_ago=31, said="on"), kept)
    assert room(store, max_bytes=1_000_000)
    assert ids(store) == [kept.id]


def test_the_oldest_without_a_label_make_room(tmp_path: Path) -> None:
    old, labelled = capture(1, days_ago=3), capture(2, days_ago=2, said="on")
    new = capture(3, days_ago=1)
    store = filled(tmp_path, old, labelled, new)
    assert room(store, size=SEALED_BYTES, max_bytes=3 * SEALED_BYTES + 1_000)
    assert ids(store) == [labelled.id, new.id]


def test_labelled_ones_are_not_given_up_for_others(tmp_path: Path) -> None:
    store = filled(tmp_path, capture(1, said="on"), capture(2, said="on"))
    assert not room(store, size=SEALED_BYTES, max_bytes=2 * SEALED_BYTES)
    assert len(ids(store)) == 2


def test_other_files_of_the_folder_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    (tmp_path / "99999999T999999Z-1.capture").write_text("no time")
    store = filled(tmp_path, capture(1, days_ago=99))
    assert room(store, max_bytes=0)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "99999999T999999Z-1.capture",
        "notes.txt",
    ]


def test_the_key_is_made_once_and_only_for_its_owner(tmp_path: Path) -> None:
    path = tmp_path / "new" / "key"
    key = read_key(path, create=True)
    assert len(key) == KEY_BYTES
    assert path.stat().st_mode & 0o777 == 0o600
    assert read_key(path, create=True) == read_key(path) == key


def test_a_key_that_is_none_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "key"
    with pytest.raises(ConfigError, match="the key cannot be read: No such file"):
        read_key(path)
    path.write_bytes(KEY)
    path.chmod(0o640)
    with pytest.raises(ConfigError, match=f"others may read the key; chmod 600 {path}"):
        read_key(path)
    path.chmod(0o600)
    path.write_bytes(KEY[:-1])
    with pytest.raises(ConfigError, match="a key has 32 bytes, this has 31"):
        read_key(path)


def captor(folder: Path, *, max_bytes: int = 1_000_000) -> Captor:
    store = CaptureStore(folder, KEY)
    return Captor(store, max_bytes=max_bytes, max_days=30.0, clock=lambda: NOW)


def near_miss(number: int, sample: int = 40_000) -> NearMiss:
    return NearMiss(number, "on", 0.5, 0.7, sample, sample / RATE)


def test_a_captor_keeps_the_sound_from_before_the_rise(tmp_path: Path) -> None:
    one = captor(tmp_path)
    sound = Block(np.arange(48_000, dtype=np.int32).astype(np.int16), 10_000, RATE)
    one.take(near_miss(4), sound)
    one.work(0.0)
    (kept,) = CaptureStore(tmp_path, KEY).captures()
    assert (kept.label, kept.peak, kept.on, kept.sample) == ("on", 0.5, 0.7, 40_000)
    assert kept.id == "20261125T180000Z-4"
    _, pcm = CaptureStore(tmp_path, KEY).get(kept.id)
    begin = round(40_000 - BEFORE_SECONDS * RATE) - 10_000
    assert pcm.tolist() == sound.pcm[begin:].tolist()


def test_a_captor_counts_and_says_what_it_cannot_keep(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    one = captor(tmp_path, max_bytes=10)
    for number in range(WAITING + 2):
        one.take(near_miss(number), Block(PCM, 39_000, RATE))
    one.work(0.0)
    assert one.lost == WAITING + 2
    assert len(caplog.records) == 1
    assert list(tmp_path.iterdir()) == []
