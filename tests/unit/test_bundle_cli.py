"""`edgekws bundle show` and `verify`: one JSON line on stdout, or exit code 5 and one line."""

import argparse
import json
import shutil
from pathlib import Path
from typing import Any

import msgspec
import pytest

from edgekws.bundle import open_bundle, write_bundle
from edgekws.cli.bundle import add_parsers
from edgekws.errors import BundleError
from tests.bundles import LABELS, make_bundle, manifest, model_spec


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_bundle(tmp_path_factory.mktemp("bundles") / "tones-x86")


def edgekws(*argv: str) -> int:
    parser = argparse.ArgumentParser()
    add_parsers(parser.add_subparsers())
    args = parser.parse_args(argv)
    return int(args.run(args))


def one_line(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    out = capsys.readouterr().out
    assert out.count("\n") == 1
    return dict(json.loads(out))


def test_show_prints_what_a_person_looks_for(
    bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert edgekws("bundle", "show", str(bundle)) == 0
    shown = one_line(capsys)
    assert (shown["name"], shown["version"], shown["target"]) == ("tones", "1", "x86")
    assert shown["labels"] == list(LABELS)
    assert shown["features"]["sample_rate"] == 16_000
    assert shown["files"] == {
        path.name: path.stat().st_size for path in bundle.iterdir() if path.suffix != ".json"
    }
    assert shown["metrics"]["clips"][0]["accuracy"] == 1.0
    assert shown["metrics"]["streams"][0]["miss_rate"]["开灯"] == 0.0
    assert shown["thresholds"]["yes"]["on"] == 0.7


def test_verify_says_what_was_checked(bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert edgekws("bundle", "verify", str(bundle)) == 0
    said = one_line(capsys)
    assert (said["path"], said["ok"], said["files"]) == (str(bundle), True, 3)
    assert said["models"] == {"onnx-fp32": "loads"}


@pytest.mark.parametrize("verb", ["show", "verify"])
def test_damaged_bundle_is_refused(bundle: Path, tmp_path: Path, verb: str) -> None:
    copy = Path(shutil.copytree(bundle, tmp_path / "tones"))
    (copy / "model.onnx").write_bytes(b"x" * (copy / "model.onnx").stat().st_size)
    with pytest.raises(BundleError, match=r"model\.onnx: its sha256") as caught:
        edgekws("bundle", verb, str(copy))
    assert caught.value.exit_code == 5


@pytest.mark.parametrize("name", ["model.onnx", "golden.npz"])
def test_verify_refuses_contents_that_hashes_alone_let_pass(
    bundle: Path, tmp_path: Path, name: str
) -> None:
    files = {path.name: path.read_bytes() for path in bundle.iterdir() if path.suffix != ".json"}
    files[name] = b"hashed, but no such thing"
    version = msgspec.structs.replace(manifest(model_spec(), files), version="2")
    write_bundle(tmp_path / "tones", version, files)
    assert open_bundle(tmp_path / "tones").manifest.version == "2"
    with pytest.raises(BundleError, match=name):
        edgekws("bundle", "verify", str(tmp_path / "tones"))
