"""What a bundle says about itself: manifest.json, strictly decoded and checked against itself."""

import json
import math
import re
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import msgspec

from edgekws.bundle.tensors import FLOAT32_MAX, graph_faults
from edgekws.errors import BundleError
from edgekws.specs import Format, GraphSpec, ModelKey, ModelSpec, Precision, Spec, TriggerSpec

MANIFEST: Final = "manifest.json"
SCHEMA: Final = 1
PLAIN_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,127}")

Rate = Annotated[float, msgspec.Meta(ge=0, le=1)]
Amount = Annotated[float, msgspec.Meta(ge=0)]
Count = Annotated[int, msgspec.Meta(ge=0)]
Text = Annotated[str, msgspec.Meta(min_length=1, max_length=1000)]
Sha256 = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}\Z")]


class FileEntry(Spec, frozen=True):
    """One file of the bundle: a plain name in its folder, the sha256 in hex, the size in bytes."""

    path: str
    sha256: Sha256
    size: Count

    def __post_init__(self) -> None:
        if not PLAIN_NAME.fullmatch(self.path) or self.path == MANIFEST:
            raise ValueError(
                f"path {self.path!r} needs to be a plain file name in the bundle's own folder"
            )


class ModelFile(Spec, frozen=True):
    """The file that holds the model, and the signature of its graph.

    `weights` is the second file of OpenVINO, whose `file` is NAME.xml and whose weights are in
    NAME.bin beside it; the other formats are one file.
    """

    format: Format
    precision: Precision
    file: FileEntry
    weights: FileEntry | None
    graph: GraphSpec

    def __post_init__(self) -> None:
        stem, _, suffix = self.file.path.rpartition(".")
        beside = f"{stem}.bin" if suffix == "xml" else None
        if (self.weights.path if self.weights else None) != beside:
            raise ValueError(f"weights of {self.file.path} need to be {beside or 'null'}")

    @property
    def key(self) -> str:
        """The name that its golden scores go by, such as "onnx-int8"."""
        return str(ModelKey(self.format, self.precision, fused=self.graph.fused))

    def files(self) -> tuple[FileEntry, ...]:
        """Return its one or two files."""
        return (self.file,) if self.weights is None else (self.file, self.weights)


class ClipMetrics(Spec, frozen=True):
    """Figures over single clips; `split` says how they were kept apart from training."""

    data: Text
    split: Text
    clips: Count
    accuracy: Rate
    macro_f1: Rate


class StreamMetrics(Spec, frozen=True):
    """Figures of the device's detector over a long stream; `miss_rate` is by command label."""

    data: Text
    hours: Amount
    false_accepts_per_hour_budget: Amount
    false_accepts_per_hour: Amount
    miss_rate: dict[str, Rate]


class Source(Spec, frozen=True):
    """A data set or base model that went in, and under which licence."""

    name: Text
    licence: Text
    url: str


class Provenance(Spec, frozen=True):
    """Where the model comes from."""

    recipe_sha256: Sha256
    base: Source
    data: tuple[Source, ...]
    edgekws_version: Text


class Manifest(Spec, frozen=True):
    """All that a device knows about a model; `models` come best first."""

    schema: Literal[1]
    name: Text
    version: Text
    target: Text
    model: ModelSpec
    feature_digest: Sha256
    triggers: dict[str, TriggerSpec]
    models: tuple[ModelFile, ...]
    golden: FileEntry
    card: FileEntry
    clip_metrics: tuple[ClipMetrics, ...]
    stream_metrics: tuple[StreamMetrics, ...]
    provenance: Provenance

    def __post_init__(self) -> None:
        for fault in chain(
            _digest_faults(self), _label_faults(self), _file_faults(self), _graph_faults(self)
        ):
            raise ValueError(fault)

    def files(self) -> tuple[FileEntry, ...]:
        """Return every file of the bundle but the manifest itself."""
        return (*(file for model in self.models for file in model.files()), self.golden, self.card)


class _Header(msgspec.Struct):
    """What is read first, so that a newer schema is called that and not a damaged file."""

    schema: int


def decode_manifest(data: bytes, *, where: Path) -> Manifest:
    """Read a manifest; `where` is the file that errors name.

    Raises BundleError, with the JSON path, for anything missing, unknown, of the wrong type,
    given twice, or at odds with the rest.
    """
    try:
        schema = msgspec.json.decode(data, type=_Header).schema
        if schema != SCHEMA:
            raise BundleError(
                f"{where}: schema {schema} at `$.schema` is not known, this edgekws reads schema "
                f"{SCHEMA}: use the edgekws that made the bundle, or export it again"
            )
        manifest = msgspec.json.decode(data, type=Manifest)
        _refuse_twins(json.loads(data, object_pairs_hook=_Pairs), "$")
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        fault = " ".join(str(error).split())
        raise BundleError(
            f"{where}: {fault}; the bundle is damaged or made by another version: export it again"
        ) from error
    return manifest


def encode_manifest(manifest: Manifest) -> bytes:
    """Return the manifest as indented JSON; equal manifests give equal bytes."""
    plain = msgspec.json.encode(manifest, order="sorted")
    return msgspec.json.format(plain, indent=2) + b"\n"


class _Pairs(list[tuple[str, Any]]):
    """The members of a JSON object as written, twins included."""


def _refuse_twins(node: Any, path: str) -> None:
    """Raise ValueError for a key that stands twice in one object: decoders keep only the last."""
    if isinstance(node, _Pairs):
        seen: set[str] = set()
        for key, value in node:
            if key in seen:
                raise ValueError(f"key stands twice - at `{path}.{key}`")
            seen.add(key)
            _refuse_twins(value, f"{path}.{key}")
    elif isinstance(node, list):
        for index, value in enumerate(node):
            _refuse_twins(value, f"{path}[{index}]")


def _digest_faults(manifest: Manifest) -> Iterator[str]:
    """Yield what is wrong with the features' digest and the normalization."""
    digest = manifest.model.features.digest()
    if manifest.feature_digest != digest:
        yield (
            f"digest {manifest.feature_digest[:12]}… is not that of the features, {digest[:12]}…"
            " - at `$.feature_digest`"
        )
    for name, vector in (("mean", manifest.model.mean), ("scale", manifest.model.scale)):
        if not all(math.isfinite(value) and abs(value) <= FLOAT32_MAX for value in vector):
            yield f"a number that is not a finite float32 - at `$.model.{name}`"


def _label_faults(manifest: Manifest) -> Iterator[str]:
    """Yield where triggers and metrics speak of other labels than the model."""
    commands = set(manifest.model.commands)
    if not commands:
        yield "no label but reserved ones, there is nothing to detect - at `$.model.labels`"
    for label in sorted(commands - manifest.triggers.keys()):
        yield f"no trigger for the label {label!r} - at `$.triggers`"
    for label in sorted(manifest.triggers.keys() - commands):
        yield f"{label!r} is no command of this model - at `$.triggers`"
    for index, stream in enumerate(manifest.stream_metrics):
        path = f"$.stream_metrics[{index}].miss_rate"
        for label in sorted(stream.miss_rate.keys() - commands):
            yield f"{label!r} is no command of this model - at `{path}`"


def _file_faults(manifest: Manifest) -> Iterator[str]:
    """Yield files that are named twice, and a bundle without a model."""
    if not manifest.models:
        yield "need one model file or more - at `$.models`"
    names = [entry.path for entry in manifest.files()]
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield f"the file {name!r} is named twice - at `$`"
    keys = [model.key for model in manifest.models]
    for key in sorted({key for key in keys if keys.count(key) > 1}):
        yield f"two files for {key} - at `$.models`"


def _graph_faults(manifest: Manifest) -> Iterator[str]:
    """Yield tensors that do not follow from the model."""
    for index, model in enumerate(manifest.models):
        for name, fault in graph_faults(manifest.model, model.graph):
            yield f"{fault} - at `$.models[{index}].graph{name}`"
