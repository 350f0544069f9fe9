"""The teacher: the published net, computed in batches, and what it is asked about clips."""

from pathlib import Path
from typing import Final

import numpy as np
import onnxruntime
import pytest
import torch

from edgekws.errors import ConfigError, RunError
from edgekws.events import Pcm
from edgekws.runtime.steps import StepStream
from edgekws.specs import LOGMEL_32, SILENCE, UNKNOWN
from edgekws.train.nets import EmbeddingNet
from edgekws.train.nets.embedding import SPEECH_EMBEDDING
from edgekws.train.pretrained import find_published, load_base, new_head
from edgekws.train.run import model_spec
from edgekws.train.speech_embedding import (
    RECEPTIVE_SAMPLES,
    STEP_SAMPLES,
    WIDTH,
    SpeechEmbedding,
    load_speech_embedding,
)
from edgekws.train.teacher import TARGET_WIDTH, TargetCache, clip_targets, embed
from tests.needs import lacking
from tests.speech import Speech

FAITHFUL: Final = 1e-3
"""Embeddings reach 80; float32 in another order of operations was measured to differ by 3e-5."""
HALF: Final = 0.05  # of a half float as large as an embedding gets
SECOND: Final = 16_000


@pytest.fixture(scope="module")
def path() -> Path:
    try:
        return find_published("speech-embedding", key="base")
    except ConfigError as missing:
        lacking(str(missing))


@pytest.fixture(scope="module")
def teacher(path: Path) -> SpeechEmbedding:
    torch.set_num_threads(1)
    return load_speech_embedding(path)


def clips(speech: Speech) -> list[Pcm]:
    return [clip.pcm for clip in speech.words(["yes"], clips=3)["yes"]]


def heard(pcm: Pcm) -> torch.Tensor:
    return torch.from_numpy(pcm.astype(np.float32))[None]


def test_embeddings_are_those_of_the_published_graph(
    path: Path, teacher: SpeechEmbedding, speech: Speech
) -> None:
    audio = heard(speech.sentences(3 * SECOND))
    session = onnxruntime.InferenceSession(str(path))
    (wanted,) = session.run(None, {"samples:0": audio.numpy() / 32768})
    found = teacher(audio)[0].numpy()
    assert wanted.shape == (1, len(found), 1, WIDTH)
    assert np.abs(found - wanted[0, :, 0]).max() < FAITHFUL
    assert np.abs(wanted).max() > 1


@torch.inference_mode()
def test_the_base_streams_the_embeddings_of_the_published_graph(path: Path, speech: Speech) -> None:
    """A row ends with a step of 8 frames; the graph's first one, of 76, begins 4 frames later."""
    pcm = speech.sentences(3 * SECOND)
    session = onnxruntime.InferenceSession(str(path))
    part = pcm[4 * LOGMEL_32.hop :].astype(np.float32)[None] / 32768
    (wanted,) = session.run(None, {"samples:0": part})
    base = load_base(str(path))
    assert isinstance(base.net, EmbeddingNet)
    steps, rows = StepStream(model_spec(base.run)), []
    body, states = base.net.body, base.net.zero_states()[:-2]
    for block in np.array_split(pcm, 50):
        for step in steps.push(block):
            embedded, states = body(torch.from_numpy(step.copy())[None], states)
            rows.append(embedded[0, :, 0, 0].numpy())
    found = np.stack(rows[SPEECH_EMBEDDING.receptive_rows - 1 :])
    count = min(len(found), wanted.shape[1])
    assert count > 20
    assert np.abs(found[:count] - wanted[0, :count, 0]).max() < FAITHFUL


def test_the_base_is_the_same_every_time_and_leaves_chance_alone(path: Path) -> None:
    torch.manual_seed(1)
    one, drawn = load_base(str(path)).net.state_dict(), torch.rand(3)
    torch.manual_seed(1)
    assert torch.equal(torch.rand(3), drawn)
    other = load_base(str(path)).net.state_dict()
    assert all(torch.equal(tensor, other[name]) for name, tensor in one.items())


def test_a_window_is_as_long_as_it_is_asked_for(path: Path) -> None:
    base = load_base(str(path))
    net = new_head(base, (SILENCE, UNKNOWN, "computer"), window_seconds=2.0)
    assert (net.config.window_frames, net.head.out_features) == (200, 3)
    shorter = new_head(base, (SILENCE, UNKNOWN, "computer"), window_seconds=1.2)
    assert shorter.config.window_frames == 120


def test_a_later_part_of_a_stream_gives_the_later_rows(
    teacher: SpeechEmbedding, speech: Speech
) -> None:
    audio = heard(speech.sentences(2 * SECOND))
    whole, later = teacher(audio), teacher(audio[:, 3 * STEP_SAMPLES :])
    assert torch.allclose(whole[:, 3:], later, atol=FAITHFUL)


def test_one_receptive_field_is_one_row(teacher: SpeechEmbedding) -> None:
    assert teacher(torch.zeros(2, RECEPTIVE_SAMPLES)).shape == (2, 1, WIDTH)


def test_a_file_that_is_another_net_is_refused_by_name(tmp_path: Path) -> None:
    other = tmp_path / "other.onnx"
    other.write_bytes(b"no net")
    with pytest.raises(ConfigError, match=r"other\.onnx"):
        load_speech_embedding(other)


def test_a_teacher_that_is_not_there_is_said_how_to_fetch() -> None:
    with pytest.raises(ConfigError, match="edgekws fetch speech-embedding"):
        find_published("no-such-teacher", key="base")


def test_targets_of_one_word_are_nearer_than_of_another(
    teacher: SpeechEmbedding, speech: Speech
) -> None:
    words = speech.words(["yes", "stop"], clips=4)
    found = {word: embed([c.pcm for c in own], teacher) for word, own in words.items()}

    def apart(a: str, b: str) -> float:
        return float(np.mean([np.linalg.norm(x - y) for x in found[a] for y in found[b]]))

    assert apart("yes", "yes") < apart("yes", "stop")
    assert found["yes"].shape == (4, TARGET_WIDTH)


def test_a_clip_gives_the_same_target_alone_and_among_others(
    teacher: SpeechEmbedding, speech: Speech
) -> None:
    own = clips(speech)
    together, alone = embed(own, teacher), embed(own[:1], teacher)
    assert np.allclose(together[0], alone[0], atol=FAITHFUL)


def test_what_the_cache_knows_is_not_asked_again(
    teacher: SpeechEmbedding, speech: Speech, tmp_path: Path
) -> None:
    own, path, asked = clips(speech), tmp_path / "cache.safetensors", []
    first = clip_targets(own[:2], teacher, TargetCache(path), told=lambda *_: None)
    again = clip_targets(
        own[::-1], teacher, TargetCache(path), told=lambda done, total: asked.append((done, total))
    )
    assert asked == [(1, 1)]
    assert np.allclose(again[::-1][:2], first, atol=HALF)


def test_continuous_speech_has_no_target(teacher: SpeechEmbedding, tmp_path: Path) -> None:
    long = np.ones(2 * SECOND, np.int16)
    targets = clip_targets([long], teacher, TargetCache(tmp_path / "c"), told=lambda *_: None)
    assert np.isnan(targets).all()


@pytest.mark.parametrize("spoilt", [b"", b"not safetensors"])
def test_a_spoilt_cache_is_refused_by_name(tmp_path: Path, spoilt: bytes) -> None:
    path = tmp_path / "cache.safetensors"
    path.write_bytes(spoilt)
    with pytest.raises(RunError, match=r"cache\.safetensors"):
        TargetCache(path)
