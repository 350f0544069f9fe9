"""The bundle of tones with its one model twice: the front end inside the graph, and outside."""

from pathlib import Path
from typing import Final

from edgekws.export.repack import repack
from tests.bundles import make_bundle

INSIDE: Final = "onnx-fp32-fused"
OUTSIDE: Final = "onnx-fp32"


def make_fused_bundle(folder: Path) -> Path:
    """Write the bundle below a folder and return it; the fused model comes first."""
    plain = make_bundle(folder / "tones")
    return repack(plain, folder, "x86", say=lambda _: None, models=(INSIDE, OUTSIDE))
