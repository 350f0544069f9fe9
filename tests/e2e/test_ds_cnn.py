"""The windowed net through the whole pipe: adapted, exported, adapted again, and it hears."""

from pathlib import Path
from typing import Final

import numpy as np
import pytest

from edgekws.audio.decode import read_audio
from edgekws.bundle import open_bundle
from edgekws.train.run import load_net, load_run
from tests.commands import edgekws
from tests.small_runs import COMMANDS, LIGHT, NEW_COMMANDS, copy_run
from tests.speech import Speech, write_wav
from tests.training import DS_CNN, RATE, adapt, export, recipe_text, write_recipe

HEARD: Final = 0.5
"""Least share of the clips it learned from: 1.0 was measured on real speech, chance is 0.25."""
LATENESS_SECONDS: Final = 1.0


@pytest.fixture(scope="module")
def run(training_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("ds-cnn")
    text = recipe_text(
        labels=COMMANDS, phases=((5, 0.02, 0.02),), examples=960, extra=LIGHT, net=DS_CNN
    )
    done = adapt(write_recipe(root / "recipe.toml", text), training_data, root / "run")
    assert done.code == 0, done.stderr
    return root / "run"


@pytest.fixture(scope="module")
def bundle(run: Path) -> Path:
    done = export(copy_run(run, run.parent / "copy"), "--target", "x86", "--out", run.parent)
    assert done.code == 0, done.stderr
    return run.parent / "small-x86"


def test_its_step_is_the_nets_and_its_one_state_the_window(bundle: Path) -> None:
    manifest = open_bundle(bundle).manifest
    assert (manifest.model.window_frames, manifest.model.step_frames) == (96, 8)
    for model in manifest.models:
        (state,) = model.graph.states
        assert np.prod(state.input.shape) == (96 - 8) * 10


def test_clips_are_classified(bundle: Path, training_data: Path) -> None:
    files = [path for label in COMMANDS for path in sorted((training_data / label).iterdir())[:8]]
    done = edgekws("classify", "--bundle", bundle, *files)
    assert done.code == 0, done.stderr
    right = [line["label"] == Path(line["path"]).parent.name for line in done.lines]
    assert np.mean(right) > HEARD


def test_commands_in_a_recording_are_detected_in_time(
    bundle: Path, training_data: Path, speech: Speech, tmp_path: Path
) -> None:
    order = [(label, turn) for turn in range(4) for label in COMMANDS]
    pcm, truth = speech.noise((3 * len(order) + 3) * RATE) // 4, []
    for place, (label, turn) in enumerate(order):
        clip = read_audio(sorted((training_data / label).iterdir())[turn], sample_rate=RATE)
        start = (3 * place + 2) * RATE
        part = pcm[start : start + len(clip)]
        part[:] = np.clip(part.astype(int) + clip, -32768, 32767)
        truth.append((start / RATE, (start + len(clip)) / RATE, label))
    done = edgekws(
        "listen", "--bundle", bundle, "--source", f"wav:{write_wav(tmp_path / 'a.wav', pcm)}"
    )
    assert done.code == 0, done.stderr
    found = [
        (line["time_seconds"], line["label"]) for line in done.lines if line["event"] == "detection"
    ]
    heard = [
        any(start <= at <= end + LATENESS_SECONDS and label == said for at, label in found)
        for start, end, said in truth
    ]
    assert np.mean(heard) > HEARD


def test_it_is_a_base_for_other_commands(run: Path, mixed_data: Path, tmp_path: Path) -> None:
    text = recipe_text(
        base=run, labels=NEW_COMMANDS, phases=((1, 0.01, 0.0),), examples=64, extra=LIGHT
    )
    done = adapt(write_recipe(tmp_path / "r.toml", text), mixed_data, tmp_path / "adapted")
    assert done.code == 0, done.stderr
    base, adapted = load_run(run), load_run(tmp_path / "adapted")
    assert adapted.net == base.net
    assert adapted.labels[2:] == NEW_COMMANDS
    before, after = load_net(run, base).state_dict(), load_net(tmp_path / "adapted", adapted)
    kept = {n: t for n, t in after.state_dict().items() if not n.startswith("head.")}
    assert all((tensor == before[name]).all() for name, tensor in kept.items())
