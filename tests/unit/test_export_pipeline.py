"""A run becomes a bundle: whole, reproducible, or not at all."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec
import numpy as np
import pytest

from edgekws.bundle import open_bundle
from edgekws.errors import BundleError, EdgekwsError, ParityError, RunError, UsageError
from edgekws.export.pipeline import export_run
from edgekws.export.thresholds import report_path
from edgekws.specs import TriggerSpec
from edgekws.train.run import load_net, load_run, save_run
from tests.fakes import trigger_spec
from tests.runs import trained, write_run

KEYS: Final = ["onnx-int8-fused", "onnx-int8", "onnx-fp32"]


def quiet(_: str) -> None:
    """Say nothing."""


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_run(tmp_path_factory.mktemp("runs") / "tones")


@pytest.fixture(scope="module")
def exported(run_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return export_run(run_folder, tmp_path_factory.mktemp("dist"), "x86", say=quiet)


@pytest.fixture
def copy(run_folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(run_folder, tmp_path / "run"))


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_the_bundle_is_named_after_run_and_target_and_opens(exported: Path) -> None:
    assert exported.name == "tones-x86"
    manifest = open_bundle(exported).manifest
    assert (manifest.name, manifest.version, manifest.target) == ("tones", "1", "x86")
    assert [model.key for model in manifest.models] == KEYS
    assert manifest.triggers.keys() == set(manifest.model.commands)


def test_figures_and_provenance_are_in_manifest_and_card(exported: Path) -> None:
    bundle = open_bundle(exported)
    clips = bundle.manifest.clip_metrics
    assert [figures.clips for figures in clips] == [80, 80, 80]
    assert clips[0].accuracy > 0.9
    (stream,) = bundle.manifest.stream_metrics
    assert stream.hours == pytest.approx(20 / 3600)
    assert stream.false_accepts_per_hour_budget == trained().run.false_accepts_per_hour_budget
    assert bundle.manifest.provenance.data == trained().run.data
    card = (exported / bundle.manifest.card.path).read_text()
    for text in ("onnx-int8", f"{clips[0].accuracy:.2%}", "CC0-1.0", "rising", "false accepts"):
        assert text in card


def test_small_boards_get_the_int8_model_alone(run_folder: Path, tmp_path: Path) -> None:
    bundle = open_bundle(export_run(run_folder, tmp_path, "rpi-zero2", say=quiet))
    assert [model.key for model in bundle.manifest.models] == ["tflite-int8-fused"]
    assert bundle.golden().scores.keys() == {"tflite-int8-fused"}


def test_equal_runs_give_equal_bytes(exported: Path, run_folder: Path, tmp_path: Path) -> None:
    again = export_run(run_folder, tmp_path, "x86", say=quiet)
    assert contents(again) == contents(exported)
    report = report_path(again)
    assert report == tmp_path / "tones-x86.html"
    assert report.read_bytes() == report_path(exported).read_bytes()


def test_the_stages_and_a_table_of_figures_are_told(run_folder: Path, tmp_path: Path) -> None:
    said: list[str] = []
    export_run(run_folder, tmp_path, "x86", say=said.append)
    assert [line.split()[0] for line in said[-4:]] == ["model", *KEYS]
    assert any("calibrated on 40 clips" in line for line in said)


def test_no_recording_is_in_the_bundle(exported: Path, run_folder: Path) -> None:
    golden = open_bundle(exported).golden().pcm.tobytes()
    with np.load(run_folder / "heldout.npz") as held:
        assert not any(clip.tobytes() in golden for clip in held["pcm"] if clip.any())


@pytest.mark.parametrize("stage", range(4))
def test_an_interrupt_leaves_the_old_bundle_and_no_leftovers(
    run_folder: Path, exported: Path, tmp_path: Path, stage: int
) -> None:
    shutil.copytree(exported, tmp_path / exported.name)
    said: list[str] = []

    def interrupt(line: str) -> None:
        said.append(line)
        if len(said) > stage:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        export_run(run_folder, tmp_path, "x86", say=interrupt)
    assert len(said) == stage + 1
    assert [path.name for path in tmp_path.iterdir()] == [exported.name]
    assert contents(tmp_path / exported.name) == contents(exported)


def test_without_a_stream_the_runs_own_thresholds_are_taken(copy: Path, tmp_path: Path) -> None:
    (copy / "stream.npz").unlink()
    run = load_run(copy)
    with pytest.raises(RunError, match=r"stream\.npz: missing"):
        export_run(copy, tmp_path, "x86", say=quiet)
    chosen: dict[str, TriggerSpec] = {"rising": trigger_spec(), "falling": trigger_spec(on=0.9)}
    save_run(copy, msgspec.structs.replace(run, triggers=chosen), load_net(copy, run))
    place = export_run(copy, tmp_path, "x86", say=quiet)
    assert open_bundle(place).manifest.triggers == chosen
    assert not report_path(place).exists()


def cut(name: str) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        data = (folder / name).read_bytes()
        (folder / name).write_bytes(data[: len(data) // 2])

    return damage


def remove(name: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).unlink()


def other_labels(folder: Path) -> None:
    np.savez(
        folder / "heldout.npz", pcm=trained().heldout, labels=trained().truths + len("many more")
    )


def no_clips(folder: Path) -> None:
    np.savez(folder / "heldout.npz", pcm=np.zeros((0, 4480), np.int16), labels=np.zeros(0, int))


def float_clips(folder: Path) -> None:
    np.savez(folder / "calibration.npz", pcm=np.zeros((4, 4480), np.float32))


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (remove("run.json"), r"run\.json: cannot be read"),
        (cut("run.json"), r"run\.json: .*damaged"),
        (remove("weights.safetensors"), r"weights\.safetensors: cannot be read"),
        (cut("weights.safetensors"), r"weights\.safetensors"),
        (remove("heldout.npz"), r"heldout\.npz: cannot be read.*edgekws adapt"),
        (cut("heldout.npz"), r"heldout\.npz: damaged"),
        (other_labels, r"heldout\.npz: a label beyond the 4"),
        (no_clips, r"heldout\.npz: needs one label per clip"),
        (remove("calibration.npz"), r"calibration\.npz: cannot be read"),
        (float_clips, r"calibration\.npz: pcm is float32"),
    ],
)
def test_a_damaged_run_is_one_clear_line_and_no_bundle(
    copy: Path, tmp_path: Path, damage: Callable[[Path], None], message: str
) -> None:
    damage(copy)
    with pytest.raises(RunError, match=message) as caught:
        export_run(copy, tmp_path / "dist", "x86", say=quiet)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "dist").exists()


@pytest.mark.parametrize("clips", [0, 4], ids=["empty", "silent"])
def test_calibration_without_sound_is_refused(copy: Path, tmp_path: Path, clips: int) -> None:
    np.savez(copy / "calibration.npz", pcm=np.zeros((clips, 4480), np.int16))
    with pytest.raises(RunError, match="holds no sound to calibrate with"):
        export_run(copy, tmp_path / "dist", "x86", say=quiet)


def test_calibration_on_what_no_room_sounds_like_is_a_parity_error(
    copy: Path, tmp_path: Path
) -> None:
    np.savez(copy / "calibration.npz", pcm=np.eye(4, 4480, dtype=np.int16))  # single clicks
    with pytest.raises(ParityError, match="onnx-int8-fused disagrees"):
        export_run(copy, tmp_path / "dist", "x86", say=quiet)
    assert not (tmp_path / "dist").exists()


@pytest.mark.parametrize(
    ("target", "name", "error"),
    [("esp32", "tones", UsageError), ("x86", "../tones", RunError), ("x86", "", RunError)],
)
def test_names_that_make_no_folder_are_refused_first(
    copy: Path, tmp_path: Path, target: str, name: str, error: type[EdgekwsError]
) -> None:
    run = load_run(copy)
    save_run(copy, msgspec.structs.replace(run, name=name), load_net(copy, run))
    said: list[str] = []
    with pytest.raises(error):
        export_run(copy, tmp_path, target, say=said.append)
    assert said == []


def test_a_folder_of_other_things_is_not_replaced(run_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "tones-x86").mkdir()
    (tmp_path / "tones-x86" / "thesis.txt").write_text("precious")
    with pytest.raises(BundleError, match="holds files"):
        export_run(run_folder, tmp_path, "x86", say=quiet)
    assert contents(tmp_path / "tones-x86") == {"thesis.txt": b"precious"}
