"""Golden vectors come back as they went in, and nothing else is read from the file."""

import io
import pickle
import tracemalloc
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from edgekws.bundle import Golden, encode_golden, read_golden, write_golden
from edgekws.errors import BundleError

MIB = 1 << 20


def vectors(seed: int = 0) -> Golden:
    random = np.random.default_rng(seed)
    return Golden(
        pcm=random.integers(-32768, 32768, 3200).astype(np.int16),
        features=random.standard_normal((18, 40)).astype(np.float32),
        scores={
            "onnx-int8": random.random((4, 3)).astype(np.float32),
            "onnx-fp32": random.random((4, 3)).astype(np.float32),
        },
    )


def arrays() -> dict[str, NDArray[Any]]:
    golden = vectors()
    return {
        "pcm": golden.pcm,
        "features": golden.features,
        "scores.onnx-fp32": np.ones((4, 3), "f4"),
    }


def refusal(path: Path) -> str:
    with pytest.raises(BundleError) as caught:
        read_golden(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: no golden vectors: ")
    assert "\n" not in message
    return message


def npz(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path


def npy(array: NDArray[Any]) -> bytes:
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, array)
    return buffer.getvalue()


def header(shape: tuple[int, ...], descr: str = "<i2") -> bytes:
    buffer = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        buffer, {"shape": shape, "fortran_order": False, "descr": descr}
    )
    return buffer.getvalue()


def test_golden_vectors_come_back_as_they_went_in(tmp_path: Path) -> None:
    golden = vectors()
    write_golden(tmp_path / "golden.npz", golden)
    back = read_golden(tmp_path / "golden.npz")
    np.testing.assert_array_equal(back.pcm, golden.pcm, strict=True)
    np.testing.assert_array_equal(back.features, golden.features, strict=True)
    assert back.scores.keys() == golden.scores.keys()
    for key, scores in golden.scores.items():
        np.testing.assert_array_equal(back.scores[key], scores, strict=True)


def test_equal_vectors_give_equal_bytes() -> None:
    assert encode_golden(vectors()) == encode_golden(vectors())
    assert encode_golden(vectors()) != encode_golden(vectors(seed=1))


def test_file_is_an_npz_that_numpy_reads_and_writes(tmp_path: Path) -> None:
    golden = vectors()
    with np.load(io.BytesIO(encode_golden(golden)), allow_pickle=False) as archive:
        np.testing.assert_array_equal(archive["pcm"], golden.pcm)
        assert set(archive) == {"pcm", "features", "scores.onnx-fp32", "scores.onnx-int8"}
    np.savez(tmp_path / "numpy.npz", **arrays())
    np.testing.assert_array_equal(read_golden(tmp_path / "numpy.npz").pcm, golden.pcm)


@pytest.mark.parametrize(
    ("name", "array"),
    [
        ("pcm", np.zeros(100, np.float32)),
        ("pcm", np.zeros(100, ">i2")),
        ("pcm", np.zeros((10, 2), np.int16)),
        ("pcm", np.zeros(0, np.int16)),
        ("pcm", np.int16(3)),
        ("features", np.zeros((3, 40), np.float64)),
        ("features", np.zeros((3, 40), np.int16)),
        ("features", np.zeros(40, np.float32)),
        ("features", np.zeros((0, 40), np.float32)),
        ("features", np.asfortranarray(np.zeros((3, 40), np.float32))),
        ("features", np.full((3, 40), np.nan, np.float32)),
        ("scores.onnx-fp32", np.full((3, 4), np.inf, np.float32)),
        ("surprise", np.zeros(3, np.float32)),
    ],
)
def test_array_of_other_type_shape_or_name_is_refused(
    tmp_path: Path, name: str, array: NDArray[Any]
) -> None:
    np.savez(tmp_path / "golden.npz", **{**arrays(), name: array})
    assert name in refusal(tmp_path / "golden.npz")


@pytest.mark.parametrize("name", ["pcm", "features"])
def test_missing_array_is_refused(tmp_path: Path, name: str) -> None:
    np.savez(tmp_path / "golden.npz", **{k: v for k, v in arrays().items() if k != name})
    assert f"missing ['{name}']" in refusal(tmp_path / "golden.npz")


def test_pickled_objects_are_not_loaded(tmp_path: Path) -> None:
    class Bomb:
        def __reduce__(self) -> tuple[Any, ...]:
            return (Path.touch, (tmp_path / "exploded",))

    bomb = np.array([Bomb()], dtype=object)
    npz(tmp_path / "golden.npz", {"pcm.npy": header((1,), "|O") + pickle.dumps(bomb)})
    refusal(tmp_path / "golden.npz")
    assert not (tmp_path / "exploded").exists()


def test_zip_bomb_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    path = npz(tmp_path / "golden.npz", {"pcm.npy": header((40 * MIB,)) + bytes(80 * MIB)})
    assert path.stat().st_size < MIB
    assert "bytes unpacked" in refusal(path)


def test_zip_bomb_that_lies_about_its_size_is_refused(tmp_path: Path) -> None:
    bomb = header((40 * MIB,)) + bytes(80 * MIB)
    path = npz(tmp_path / "golden.npz", {"pcm.npy": bomb})
    true, lie = len(bomb).to_bytes(4, "little"), (1000).to_bytes(4, "little")
    path.write_bytes(path.read_bytes().replace(true, lie))
    tracemalloc.start()
    refusal(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < MIB


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_other_packing_is_refused(tmp_path: Path, method: int) -> None:
    with zipfile.ZipFile(tmp_path / "golden.npz", "w", method) as archive:
        archive.writestr("pcm.npy", npy(arrays()["pcm"]))
    assert "packed by method" in refusal(tmp_path / "golden.npz")


def test_header_that_promises_more_than_is_there_is_refused(tmp_path: Path) -> None:
    path = npz(tmp_path / "golden.npz", {"pcm.npy": header((10**9 - 1,)) + b"1234"})
    assert "holds 4" in refusal(path)


def test_too_many_arrays_are_refused(tmp_path: Path) -> None:
    extra = {f"scores.{i}.npy": npy(np.ones((1, 1), np.float32)) for i in range(40)}
    assert "more than 32 arrays" in refusal(npz(tmp_path / "golden.npz", extra))


def test_array_that_stands_twice_is_refused(tmp_path: Path) -> None:
    members = {"pcm.npy": npy(arrays()["pcm"]), "pcm": npy(arrays()["pcm"])}
    assert "two arrays of the name 'pcm'" in refusal(npz(tmp_path / "golden.npz", members))


@pytest.mark.parametrize("data", [b"", b"PK", b"x" * 1000], ids=["empty", "two bytes", "text"])
def test_file_that_is_no_archive_is_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "golden.npz").write_bytes(data)
    refusal(tmp_path / "golden.npz")


def test_missing_file_is_refused(tmp_path: Path) -> None:
    refusal(tmp_path / "golden.npz")


def test_every_damage_is_refused_or_harmless(tmp_path: Path) -> None:
    data, path = encode_golden(vectors()), tmp_path / "golden.npz"
    random = np.random.default_rng(0)
    for _ in range(300):
        damaged = bytearray(data)
        for position in random.integers(0, len(data), 3):
            damaged[position] ^= int(random.integers(1, 256))
        path.write_bytes(damaged[: int(random.integers(1, len(data) + 1))])
        try:
            read_golden(path)
        except BundleError:
            continue
