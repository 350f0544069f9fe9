"""`edgekws adapt` as a person runs it: what it leaves, what it says, and how it goes on."""

import io
import json
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Final

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from edgekws.cli.app import main
from edgekws.specs import SILENCE, UNKNOWN
from edgekws.train.checkpoint import load_checkpoint
from edgekws.train.nets import StreamingTcn
from edgekws.train.run import Run, load_net, load_run
from edgekws.train.run_audio import load_calibration, load_heldout
from edgekws.train.stream import load_stream
from tests.commands import ROOT
from tests.small_runs import COMMANDS, FORMATS, NEW_COMMANDS
from tests.training import (
    RATE,
    Running,
    adapt,
    adapt_argv,
    recipe_text,
    write_recipe,
)

RUN_FILES: Final = {
    "calibration.npz",
    "heldout.npz",
    "recipe.toml",
    "run.json",
    "stream.npz",
    "training.jsonl",
    "weights.safetensors",
}
SAME: Final = 1e-5
"""Weights of an interrupted and an uninterrupted run, in two processes of one thread each: the same
sums in the same order; measured 0, another CPU may take other kernels for its first call."""
LEARNED: Final = 0.6
"""Least accuracy over four labels: chance is 0.25, 0.84 is measured on real speech."""


def log_of(run: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (run / "training.jsonl").read_text().splitlines()]


def check_report(run: Run, labels: NDArray[np.int64]) -> None:
    """Assert that every figure of a report follows from its confusion matrix."""
    report, confusion = run.report, np.array(run.report.confusion)
    assert report.labels == run.labels
    assert confusion.sum() == report.clips == len(labels)
    np.testing.assert_array_equal(confusion.sum(axis=1), np.bincount(labels))
    assert report.accuracy == pytest.approx(np.trace(confusion) / report.clips)
    for index, label in enumerate(run.labels):
        row, hits = report.per_label[label], confusion[index, index]
        assert row.clips == confusion[index].sum()
        assert row.recall == pytest.approx(hits / row.clips)
        assert row.precision == pytest.approx(hits / max(1, confusion[:, index].sum()))
        both = row.precision + row.recall
        assert row.f1 == pytest.approx(2 * row.precision * row.recall / both if both else 0.0)
    f1s = [row.f1 for row in report.per_label.values()]
    assert report.macro_f1 == pytest.approx(np.mean(f1s))


@pytest.mark.parametrize("name", ["base_run", "adapted_run"])
def test_a_run_folder_is_complete_and_loads(name: str, request: pytest.FixtureRequest) -> None:
    folder: Path = request.getfixturevalue(name)
    assert {path.name for path in folder.iterdir()} == RUN_FILES
    run = load_run(folder)
    load_net(folder, run)
    heldout = load_heldout(folder, n_labels=len(run.labels))
    check_report(run, heldout.labels)
    assert heldout.pcm.shape[1] == RATE
    assert len(load_calibration(folder)) == 256
    stream = load_stream(folder / "stream.npz")
    assert len(stream.pcm) == 2 * 60 * RATE
    assert set(stream.truth[:, 2]) == {2, 3}
    assert (run.triggers, run.stream_metrics) == ({}, ())


def test_from_scratch_it_learns_and_says_that_speakers_are_apart(
    base_run: Path, training_data: Path
) -> None:
    run = load_run(base_run)
    assert run.labels == (SILENCE, UNKNOWN, *COMMANDS)
    assert run.split == run.report.split == "speaker-disjoint"
    assert run.report.accuracy > LEARNED
    assert run.base.name == "none: trained from scratch"
    assert [source.name for source in run.data] == [f"recordings in {training_data.name}"]


def test_the_held_out_clips_are_of_other_speakers(base_run: Path, training_data: Path) -> None:
    from edgekws.audio.decode import read_audio

    heldout = load_heldout(base_run, n_labels=4)
    held = {clip.tobytes() for clip in heldout.pcm}
    sides: dict[str, set[bool]] = {}
    for label in COMMANDS:
        for path in (training_data / label).iterdir():
            is_held = read_audio(path, sample_rate=RATE).tobytes() in held
            sides.setdefault(path.name.partition("_nohash_")[0], set()).add(is_held)
    assert {True} in sides.values()
    assert {False} in sides.values()
    assert {True, False} not in sides.values()


def test_from_a_base_it_keeps_labels_in_the_recipes_order(
    adapted_run: Path, base_run: Path
) -> None:
    run, base = load_run(adapted_run), load_run(base_run)
    assert run.labels == (SILENCE, UNKNOWN, *NEW_COMMANDS)
    assert run.split == "clip-disjoint"
    assert run.base.name == "small 1"
    assert (run.mean, run.scale, run.net) == (base.mean, base.scale, base.net)


def test_every_epoch_is_one_line_of_the_log(base_run: Path, adapted_run: Path) -> None:
    for folder, most in ((base_run, 6), (adapted_run, 4)):
        lines = log_of(folder)
        assert [line["epoch"] for line in lines] == list(range(1, len(lines) + 1))
        assert len(lines) <= most
    assert [line["phase"] for line in log_of(adapted_run)] == [1, 2, 2, 2]


def test_every_format_of_the_label_folders_was_read(adapted_run: Path, mixed_data: Path) -> None:
    assert len({path.suffix for path in (mixed_data / "yes").iterdir()}) == 4
    report = load_run(adapted_run).report
    assert report.per_label["yes"].clips == 2 * len(FORMATS) // 4


def test_a_finished_run_is_replaced_only_with_overwrite(
    adapted_run: Path, adapting: Path, mixed_data: Path, tmp_path: Path
) -> None:
    """A finished run is not touched; --overwrite replaces it."""
    out = tmp_path / "run"
    shutil.copytree(adapted_run, out)
    (out / "run.json").write_text("{}")
    before = (out / "run.json").stat().st_mtime_ns
    done = adapt(adapting, mixed_data, out)
    assert done.code == 11
    assert f"{out}: holds a finished run" in done.error
    assert "--overwrite" in done.error
    assert (out / "run.json").stat().st_mtime_ns == before
    text = recipe_text(labels=["yes"], phases=((1, 0.01, 0.01),), examples=64)
    done = adapt(write_recipe(tmp_path / "other.toml", text), mixed_data, out, "--overwrite")
    assert done.code == 0, done.stderr
    assert load_run(out).labels == (SILENCE, UNKNOWN, "yes")
    assert [line["epoch"] for line in log_of(out)] == [1]
    assert {path.name for path in out.iterdir()} == RUN_FILES


def differences(a: StreamingTcn, b: StreamingTcn) -> dict[str, float]:
    theirs = b.state_dict()
    pairs = ((name, tensor, theirs[name]) for name, tensor in a.state_dict().items())
    return {name: float((x.double() - y.double()).abs().max()) for name, x, y in pairs}


def test_interrupted_again_and_again_it_ends_as_if_never_interrupted(
    adapted_run: Path, adapting: Path, mixed_data: Path, base_run: Path, tmp_path: Path
) -> None:
    out = tmp_path / "run"

    def interrupted(at: str, number: signal.Signals) -> tuple[int, list[str]]:
        with Running(adapt_argv(adapting, mixed_data, out)) as running:
            running.wait_for(at)
            code = running.end(number)
        assert not (out / "run.json").exists()
        return code, running.said.splitlines()

    code, lines = interrupted("clips to learn", signal.SIGINT)  # before the first epoch
    assert (code, lines[1:]) == (130, [interruption(out)])
    assert load_checkpoint(out / "checkpoint.safetensors") is None

    code, lines = interrupted("epoch 1/4", signal.SIGINT)  # after the head's phase
    assert (code, lines[-1]) == (130, interruption(out))
    assert not [line for line in lines if "Traceback" in line or "Exception" in line]
    held = load_checkpoint(out / "checkpoint.safetensors")
    assert held is not None
    base = load_net(base_run, load_run(base_run)).state_dict()
    backbone = {n: t for n, t in held.part("net").items() if not n.startswith("head.")}
    assert all(torch.equal(tensor, base[name]) for name, tensor in backbone.items())
    assert any(name.endswith("running_var") for name in backbone)
    assert not torch.equal(held.part("net")["head.weight"], base["head.weight"])

    code, lines = interrupted("epoch 2/4", signal.SIGKILL)  # in the middle of the second phase
    assert code == -signal.SIGKILL
    assert "going on after epoch 1" in lines
    held = load_checkpoint(out / "checkpoint.safetensors")
    assert held is not None
    assert 2 <= held.progress.epochs_done < 4
    trained = held.part("net")  # not the best one: on so few clips that may be the first epoch's
    assert not any(torch.equal(trained[n], base[n]) for n in backbone if "running" in n)

    done = adapt(adapting, mixed_data, out)
    assert done.code == 0, done.stderr
    assert f"going on after epoch {held.progress.epochs_done}" in done.stderr
    run, whole = load_run(out), load_run(adapted_run)
    net, reference = load_net(out, run), load_net(adapted_run, whole)
    assert max(differences(net, reference).values()) <= SAME
    assert run.report == whole.report
    assert [line["epoch"] for line in log_of(out)] == [1, 2, 3, 4]


def interruption(out: Path) -> str:
    return f"interrupted; the same command goes on from the last epoch in {out}"


def test_an_interruption_while_it_starts_is_one_line(
    adapting: Path, mixed_data: Path, tmp_path: Path
) -> None:
    program, *rest = adapt_argv(adapting, mixed_data, tmp_path / "run")
    with Running([program, "-X", "importtime", *rest]) as running:
        running.wait_for("torch.")
        code = running.end(signal.SIGINT)
    said = [x for x in running.said.splitlines() if not x.startswith("import time:")]
    assert (code, len(said)) == (130, 1), said
    assert "interrupted" in said[0]
    assert not (tmp_path / "run" / "run.json").exists()


def test_a_corrupted_checkpoint_is_a_run_error_with_its_path(
    adapting: Path, mixed_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "run" / "checkpoint.safetensors"
    path.parent.mkdir()
    path.write_bytes(b"\x10" * 4096)
    code, line = refusal(adapting, mixed_data, tmp_path / "run", capsys)
    assert code == 11
    assert f"{path}: not a usable checkpoint" in line
    assert path.exists()


def refusal(
    recipe: Path, data: Path, out: Path, capsys: pytest.CaptureFixture[str], *more: object
) -> tuple[int, str]:
    """Run the command line here; return its exit code and the one line of its error."""
    _, _, _, *args = adapt_argv(recipe, data, out, *more)
    capsys.readouterr()
    code = main(args)
    said = capsys.readouterr()
    (line,) = [x for x in said.err.splitlines() if x.startswith("edgekws: error: ")]
    assert said.out == ""
    assert said.err.endswith(f"{line}\n")
    assert not (out / "run.json").exists()
    return code, line


def wav_bytes(pcm: NDArray[np.float32] | NDArray[np.int16], *, subtype: str = "PCM_16") -> bytes:
    import soundfile

    file = io.BytesIO()
    soundfile.write(file, pcm, RATE, format="WAV", subtype=subtype)
    return file.getvalue()


BAD_FILES: Final[dict[str, tuple[bytes, str]]] = {
    "empty": (b"", "is empty"),
    "no samples": (wav_bytes(np.zeros(0, np.int16)), "holds no samples"),
    "truncated": (wav_bytes(np.ones(RATE, np.int16))[:9000], "is truncated"),
    "corrupt": (b"RIFF\xff\xff\xff\xffWAVEfmt " + b"\xee" * 500, "bad.wav"),
    "text": (b"this is not audio at all, it only has its name\n" * 20, "is not audio"),
    "NaN": (
        wav_bytes(np.full(RATE, np.nan, np.float32), subtype="FLOAT"),
        "NaN or infinite",
    ),
}


@pytest.mark.parametrize("kind", BAD_FILES)
def test_a_bad_file_among_the_clips_is_named(
    kind: str,
    adapting: Path,
    mixed_data: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    content, words = BAD_FILES[kind]
    shutil.copytree(mixed_data, tmp_path / "data")
    (tmp_path / "data" / "yes" / "bad.wav").write_bytes(content)
    code, line = refusal(adapting, tmp_path / "data", tmp_path / "run", capsys)
    assert code == 4
    assert str(tmp_path / "data" / "yes" / "bad.wav") in line
    assert words in line


def no_folder(data: Path) -> None:
    shutil.rmtree(data)


def empty_folder(data: Path) -> None:
    shutil.rmtree(data)
    data.mkdir()


def a_file(data: Path) -> None:
    shutil.rmtree(data)
    data.write_text("yes")


def one_clip(data: Path) -> None:
    for path in sorted((data / "yes").iterdir())[1:]:
        path.unlink()


def no_label_folder(data: Path) -> None:
    shutil.rmtree(data / "on")


def same_twice(data: Path) -> None:
    shutil.copytree(data / "yes", data / "ja")
    shutil.rmtree(data / "on")
    (data / "ja").rename(data / "on")


def nearly_reserved(data: Path) -> None:
    (data / UNKNOWN).rename(data / "unknown")


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (same_twice, "labels 'on' and 'yes' hold the same recordings (12 of 12)"),
        (nearly_reserved, "'unknown' is spelled like the reserved '_unknown_'"),
        (no_folder, "no such folder"),
        (empty_folder, "holds no label folders"),
        (a_file, "no such folder"),
        (one_clip, "yes: 1 recording(s)"),
        (no_label_folder, "no folder for on"),
    ],
)
def test_bad_data_folders_are_one_line(
    damage: Callable[[Path], None],
    words: str,
    adapting: Path,
    mixed_data: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    shutil.copytree(mixed_data, tmp_path / "data")
    damage(tmp_path / "data")
    code, line = refusal(adapting, tmp_path / "data", tmp_path / "run", capsys)
    assert code == 4
    assert words in line
    assert str(tmp_path / "data") in line


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (recipe_text() + "\n[nonsense]\nx = 1\n", "nonsense"),
        (recipe_text().replace("batch = 32", 'batch = "many"'), "$.optimizer.batch"),
        ("name = ", "not valid TOML"),
        (recipe_text(base="no-such-base"), "'no-such-base': no finished run"),
        (recipe_text().replace("[net]", 'base = "base-en"\n\n[net]', 1), "unknown field `base`"),
        (f'base = "base-en"\n{recipe_text()}', "either base"),
    ],
    ids=["unknown key", "wrong type", "not TOML", "no such base", "misplaced", "base and net"],
)
def test_bad_recipes_are_one_line(
    text: str, words: str, mixed_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = write_recipe(tmp_path / "bad.toml", text)
    code, line = refusal(recipe, mixed_data, tmp_path / "run", capsys)
    assert code == 3
    assert words in line


def test_bad_flags_are_one_line(
    adapting: Path, mixed_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "run"
    assert refusal(tmp_path / "none.toml", mixed_data, out, capsys)[0] == 3
    code, line = refusal(adapting, mixed_data, out, capsys, "--threads", 0)
    assert (code, "--threads" in line) == (2, True)
    code, line = refusal(adapting, mixed_data, out, capsys, "--noise", tmp_path / "gone")
    assert (code, "gone: no such folder" in line) == (4, True)
    (tmp_path / "file").write_text("in the way")
    code, line = refusal(adapting, mixed_data, tmp_path / "file", capsys)
    assert (code, "file: cannot be made a folder" in line) == (11, True)


def test_bad_data_leaves_a_finished_run_alone_even_with_overwrite(
    adapted_run: Path, adapting: Path, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    shutil.copytree(adapted_run, out)
    done = adapt(adapting, tmp_path / "gone", out, "--overwrite")
    assert (done.code, done.lines) == (4, [])
    assert "gone: no such folder" in done.error
    assert load_run(out) == load_run(adapted_run)


def test_shipped_recipes_are_found_from_the_projects_root(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = ROOT / "models" / "recipes" / "base-en.toml"
    assert refusal(recipe, tmp_path / "gone", tmp_path / "run", capsys)[0] == 4
