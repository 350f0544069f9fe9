"""The manifest is read strictly: every fault is a BundleError that names the file and the place."""

import json
from pathlib import Path
from typing import Any

import pytest

from edgekws.bundle import Manifest, decode_manifest, encode_manifest
from edgekws.errors import BundleError
from edgekws.specs import SILENCE, UNKNOWN
from tests.bundles import manifest, model_spec

WHERE = Path("some/bundle/manifest.json")
FILES = {"model.onnx": b"m", "golden.npz": b"g", "card.md": b"c"}
DELETE = object()


@pytest.fixture
def good() -> Manifest:
    return manifest(model_spec(), FILES)


def changed(manifest: Manifest, path: str, value: Any) -> bytes:
    """Return the manifest's JSON with one place ("model.labels.0") changed, added or deleted."""
    tree = json.loads(encode_manifest(manifest))
    *above, last = [int(part) if part.isdigit() else part for part in path.split(".")]
    node = tree
    for part in above:
        node = node[part]
    if value is DELETE:
        del node[last]
    else:
        node[last] = value
    return json.dumps(tree).encode()


def refusal(data: bytes) -> str:
    with pytest.raises(BundleError) as caught:
        decode_manifest(data, where=WHERE)
    message = str(caught.value)
    assert message.startswith(f"{WHERE}: "), message
    assert "\n" not in message
    return message


def test_manifest_comes_back_as_it_was_written(good: Manifest) -> None:
    assert decode_manifest(encode_manifest(good), where=WHERE) == good


def test_encoding_is_stable_and_readable(good: Manifest) -> None:
    data = encode_manifest(good)
    assert data == encode_manifest(decode_manifest(data, where=WHERE))
    assert data.endswith(b"}\n")
    assert data.count(b"\n") > 100  # one value per line
    assert "开灯".encode() in data


@pytest.mark.parametrize(
    ("path", "value", "place"),
    [
        ("surprise", 1, "surprise"),
        ("model.surprise", 1, "$.model"),
        ("models.0.graph.states.0.input.surprise", 1, "$.models[0].graph.states[0].input"),
        ("triggers.yes.surprise", 1, "$.triggers[...]"),
    ],
)
def test_unknown_field_is_refused(good: Manifest, path: str, value: Any, place: str) -> None:
    message = refusal(changed(good, path, value))
    assert "unknown field `surprise`" in message
    assert place in message


@pytest.mark.parametrize(
    "path",
    ["name", "triggers", "feature_digest", "golden.sha256", "model.features.hop", "models.0.graph",
     "triggers.yes.off", "provenance.base.licence", "stream_metrics.0.hours"],
)  # fmt: skip
def test_missing_field_is_refused(good: Manifest, path: str) -> None:
    message = refusal(changed(good, path, DELETE))
    assert f"missing required field `{path.rpartition('.')[2]}`" in message


@pytest.mark.parametrize(
    ("path", "value", "place"),
    [
        ("name", 7, "$.name"),
        ("name", "", "$.name"),
        ("model.labels", "yes", "$.model.labels"),
        ("model.features.hop", 160.5, "$.model.features.hop"),
        ("model.mean.3", "0", "$.model.mean[3]"),
        ("model.mean.3", None, "$.model.mean[3]"),
        ("models.0.format", "pickle", "$.models[0].format"),
        ("models.0.precision", "int4", "$.models[0].precision"),
        ("golden.size", -1, "$.golden.size"),
        ("golden.sha256", "abc", "$.golden.sha256"),
        ("golden.sha256", "A" * 64, "$.golden.sha256"),
        ("clip_metrics.0.accuracy", 1.01, "$.clip_metrics[0].accuracy"),
        ("stream_metrics.0.hours", -1, "$.stream_metrics[0].hours"),
    ],
)
def test_wrong_type_or_range_is_refused(good: Manifest, path: str, value: Any, place: str) -> None:
    assert f"`{place}`" in refusal(changed(good, path, value))


@pytest.mark.parametrize("schema", [0, 2, 99])
def test_unknown_schema_is_called_so_whatever_else_differs(good: Manifest, schema: int) -> None:
    tree = json.loads(changed(good, "schema", schema)) | {"of_the_future": True}
    message = refusal(json.dumps(tree).encode())
    assert f"schema {schema}" in message
    assert "reads schema 1" in message


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"\xff\xfe",
        b'{"schema": "1"}',
        b'{"x":' + b"[" * 100_000,
        b"\x00" * 50,
        b'{"schema": 1, "a\\nb": 2}',
    ],
    ids=["empty", "cut", "array", "null", "no utf-8", "text schema", "deep", "zeros", "newline"],
)
def test_what_is_no_manifest_at_all_is_refused(data: bytes) -> None:
    refusal(data)


def test_key_that_stands_twice_is_refused(good: Manifest) -> None:
    data = encode_manifest(good)
    twin = b'"yes": {"consecutive": 1, "mean_samples": 1, "off": 0.1, "on": 0.1,'
    twin += b' "refractory_samples": 0}, "yes"'
    assert "`$.triggers.yes`" in refusal(data.replace(b'"yes": {', twin + b": {", 1))


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999", "-1e999", "1e39"])
@pytest.mark.parametrize("place", ["mean", "scale"])
def test_number_that_is_no_finite_float32_is_refused(
    good: Manifest, place: str, number: str
) -> None:
    data = changed(good, f"model.{place}.0", "NUMBER").replace(b'"NUMBER"', number.encode())
    refusal(data)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_encoded_nan_does_not_decode(good: Manifest, value: float) -> None:
    tree = json.loads(encode_manifest(good))
    tree["triggers"]["yes"]["on"] = value
    refusal(json.dumps(tree).encode())


@pytest.mark.parametrize(
    ("path", "value", "says"),
    [
        ("feature_digest", "0" * 64, "digest"),
        ("model.features.hop", 161, "digest"),
        ("triggers.no", DELETE, "no trigger for the label 'no'"),
        ("triggers.maybe", {"on": 0.5, "off": 0.5, "mean_samples": 1, "consecutive": 1,
                            "refractory_samples": 0}, "'maybe' is no command"),
        ("triggers._unknown_", {"on": 0.5, "off": 0.5, "mean_samples": 1, "consecutive": 1,
                                "refractory_samples": 0}, "'_unknown_' is no command"),
        ("triggers.yes.off", 0.9, "off <= on"),
        ("stream_metrics.0.miss_rate.maybe", 0.1, "'maybe' is no command"),
        ("models", [], "one model file or more"),
        ("card.path", "model.onnx", "named twice"),
        ("model.step_frames", 16, "$.models[0].graph.features"),
        ("model.scores_per_step", 4, "$.models[0].graph.scores"),
        ("models.0.graph.scores.shape", [1, 2, 6], "$.models[0].graph.scores"),
        ("models.0.graph.states.0.input.shape", [1, 20, 0], "sizes of 1 or more"),
        ("models.0.graph.states.0.output.shape", [1, 21, 40], "$.models[0].graph.states[0]"),
        ("models.0.graph.states.0.output.name", "scores", "two tensors"),
        ("models.0.graph.features.scale", 0.5, "float32 tensor needs scale 1"),
        ("models.0.graph.features.scale", 0, "positive and finite"),
        ("models.0.graph.features.zero_point", 1, "needs 0 to 0"),
        ("models.0.graph.features.name", "samples", "needs to be (1, 1600)"),
        ("models.0.weights", {"path": "w.bin", "sha256": "0" * 64, "size": 1}, "need to be null"),
        ("model.labels", [SILENCE, UNKNOWN], "nothing to detect"),
        ("model.labels.2", "no", "each once"),
    ],
)  # fmt: skip
def test_manifest_at_odds_with_itself_is_refused(
    good: Manifest, path: str, value: Any, says: str
) -> None:
    assert says in refusal(changed(good, path, value))


def test_samples_are_float32_and_as_many_as_a_step_covers(good: Manifest) -> None:
    samples = {"name": "samples", "shape": [1, 1600], "dtype": "float32"}
    fused = changed(good, "models.0.graph.features", {**samples, "scale": 1.0, "zero_point": 0})
    (model,) = decode_manifest(fused, where=WHERE).models
    assert (model.graph.fused, model.key) == (True, "onnx-fp32-fused")
    rounded = {**samples, "dtype": "int16", "scale": 0.5, "zero_point": 0}
    assert "need to be float32" in refusal(changed(good, "models.0.graph.features", rounded))


def test_two_models_of_one_kind_are_refused(good: Manifest) -> None:
    tree = json.loads(encode_manifest(good))
    twin = json.loads(json.dumps(tree["models"][0]))
    twin["file"]["path"] = "other.onnx"
    tree["models"].append(twin)
    assert "two files for onnx-fp32" in refusal(json.dumps(tree).encode())


@pytest.mark.parametrize(
    "path",
    ["/etc/passwd", "../model.onnx", "..", ".", "", "sub/model.onnx", "sub\\model.onnx", "a\x00b",
     ".hidden", "manifest.json", "model.onnx\n", "C:model.onnx", "x" * 200],
)  # fmt: skip
@pytest.mark.parametrize("entry", ["golden", "card", "models.0.file"])
def test_path_that_is_no_plain_name_in_the_folder_is_refused(
    good: Manifest, entry: str, path: str
) -> None:
    assert "plain file name" in refusal(changed(good, f"{entry}.path", path))
