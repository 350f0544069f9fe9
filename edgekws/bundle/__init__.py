"""A bundle: one folder that holds a model, what a device needs to know of it, and its proof."""

from edgekws.bundle.golden import Golden, encode_golden, read_golden, write_golden
from edgekws.bundle.manifest import (
    ClipMetrics,
    FileEntry,
    Manifest,
    ModelFile,
    Provenance,
    Source,
    StreamMetrics,
    decode_manifest,
    encode_manifest,
)
from edgekws.bundle.store import Bundle, bundles_in, newest_bundle, open_bundle
from edgekws.bundle.writing import file_entry, write_bundle

__all__ = [
    "Bundle",
    "ClipMetrics",
    "FileEntry",
    "Golden",
    "Manifest",
    "ModelFile",
    "Provenance",
    "Source",
    "StreamMetrics",
    "bundles_in",
    "decode_manifest",
    "encode_golden",
    "encode_manifest",
    "file_entry",
    "newest_bundle",
    "open_bundle",
    "read_golden",
    "write_bundle",
    "write_golden",
]
