"""A finished training run: what `adapt` leaves behind and `export` starts from.

RUN/run.json              the Run struct below; written last, so its presence means finished
RUN/weights.safetensors   the state dict of the net
RUN/recipe.toml           what it was trained by
RUN/heldout.npz, calibration.npz, stream.npz   real audio for parity, int8 and thresholds
"""

import math
import os
from pathlib import Path
from typing import Annotated, Final, Literal

import msgspec
from safetensors import SafetensorError
from safetensors.torch import load, save

from edgekws.bundle.manifest import Source as RunSource
from edgekws.bundle.manifest import StreamMetrics
from edgekws.errors import RunError
from edgekws.runtime.figures import LanguageFigures
from edgekws.specs import FeatureSpec, ModelSpec, Spec, TriggerSpec
from edgekws.train.nets import NetConfig, StreamingNet, build_net

__all__ = [
    "RECIPE_FILE",
    "RUN_FILE",
    "WEIGHTS_FILE",
    "LabelFigures",
    "LanguageFigures",
    "Report",
    "Run",
    "RunSource",
    "Split",
    "StreamMetrics",
    "load_net",
    "load_run",
    "model_spec",
    "save_run",
    "write_aside",
]

RUN_FILE: Final = "run.json"
WEIGHTS_FILE: Final = "weights.safetensors"
RECIPE_FILE: Final = "recipe.toml"
STEP_FRAMES: Final = 8  # 80 ms: the latency of a step and the cost of a call balance here

Rate = Annotated[float, msgspec.Meta(ge=0, le=1)]
Split = Literal[
    "speaker-disjoint", "clip-disjoint", "speaker-disjoint, tuned on", "clip-disjoint, tuned on"
]
"""How validation clips were kept apart from training; a sweep has chosen by them."""


class LabelFigures(Spec, frozen=True):
    """How well one label was told from the others over `clips` clips of it."""

    precision: Rate
    recall: Rate
    f1: Rate
    clips: int


class Report(Spec, frozen=True):
    """Figures over the validation clips; `confusion` counts, rows truth and columns decision."""

    accuracy: Rate
    macro_f1: Rate
    clips: int
    split: Split
    labels: tuple[str, ...]
    per_label: dict[str, LabelFigures]
    confusion: tuple[tuple[int, ...], ...]
    per_language: dict[str, LanguageFigures] = msgspec.field(default_factory=dict)
    """Of the commands of each language, where there are several; runs from before have none."""

    def __post_init__(self) -> None:
        if set(self.per_label) != set(self.labels):
            raise ValueError("per_label needs exactly one entry per label")
        if [len(row) for row in self.confusion] != [len(self.labels)] * len(self.labels):
            raise ValueError("confusion needs one row and one column per label")


class Run(Spec, frozen=True):
    """One trained model. `triggers` and `stream_metrics` are empty until thresholds are chosen."""

    schema: Literal[1]
    name: str
    version: str
    labels: tuple[str, ...]
    features: FeatureSpec
    mean: tuple[float, ...]
    scale: tuple[float, ...]
    net: NetConfig
    recipe_sha256: str
    base: RunSource
    data: tuple[RunSource, ...]
    split: Split
    report: Report
    false_accepts_per_hour_budget: float
    triggers: dict[str, TriggerSpec]
    stream_metrics: tuple[StreamMetrics, ...]

    def __post_init__(self) -> None:
        if self.net.n_features != self.features.n_mfcc:
            raise ValueError("net.n_features needs to be features.n_mfcc")
        if not len(self.mean) == len(self.scale) == self.features.n_mfcc:
            raise ValueError("mean and scale need one value per coefficient")
        if not all(map(math.isfinite, (*self.mean, *self.scale))):
            raise ValueError("mean and scale need to be finite")


def model_spec(run: Run) -> ModelSpec:
    """Return what the device needs to know of the run's model."""
    return net_spec(run.net, run.labels, run.features, mean=run.mean, scale=run.scale)


def net_spec(
    net: NetConfig,
    labels: tuple[str, ...],
    features: FeatureSpec,
    *,
    mean: tuple[float, ...],
    scale: tuple[float, ...],
) -> ModelSpec:
    """Return what the device needs to know of a net of those sizes."""
    cost = build_net(net, len(labels)).cost()
    per_score = net.frames_per_score
    scores_per_step = max(1, STEP_FRAMES // per_score)
    return ModelSpec(
        features=features,
        mean=mean,
        scale=scale,
        labels=labels,
        step_frames=scores_per_step * per_score,
        scores_per_step=scores_per_step,
        window_frames=net.window_frames,
        parameters=cost.parameters,
        macs_per_second=cost.macs_per_row * features.sample_rate // (features.hop * per_score),
    )


def load_run(folder: Path) -> Run:
    """Read RUN/run.json; RunError where it is missing, damaged or unfinished."""
    path = folder / RUN_FILE
    try:
        return msgspec.json.decode(path.read_bytes(), type=Run)
    except OSError as error:
        raise RunError(
            f"{path}: cannot be read ({error.strerror}); give the folder of a finished run, "
            "or finish it with `edgekws adapt`"
        ) from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise RunError(f"{path}: {error}; the run is damaged: train it again") from error


def load_net(folder: Path, run: Run) -> StreamingNet:
    """Return the trained net in eval mode; RunError where the weights do not fit the run."""
    path, net = folder / WEIGHTS_FILE, build_net(run.net, len(run.labels))
    try:
        net.load_state_dict(load(path.read_bytes()))
    except OSError as error:
        raise RunError(f"{path}: cannot be read ({error.strerror}); train the run again") from error
    except (SafetensorError, RuntimeError) as error:
        what = " ".join(str(error).split())[:300]
        raise RunError(f"{path}: {what}; the weights do not fit run.json: train again") from error
    return net.eval()


def save_run(folder: Path, run: Run, net: StreamingNet) -> None:
    """Write the weights, then run.json; interrupted anywhere, the folder is an unfinished run."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / RUN_FILE).unlink(missing_ok=True)
    state = {name: tensor.contiguous() for name, tensor in net.state_dict().items()}
    write_aside(folder / WEIGHTS_FILE, save(state))
    text = msgspec.json.format(msgspec.json.encode(run, order="sorted"), indent=2)
    write_aside(folder / RUN_FILE, text + b"\n")


def write_aside(path: Path, data: bytes) -> None:
    """Write a file beside its place, sync it and move it there: never half of it is seen."""
    aside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with aside.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
