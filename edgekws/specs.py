"""What a model is: its features, tensors and trigger values, frozen and strictly decoded.

Nothing here has a default: a manifest that leaves a field out is refused. Time is integer samples.
"""

from typing import Final, Literal, NamedTuple

import msgspec

from edgekws.digest import sha256_hex

SILENCE: Final = "_silence_"
UNKNOWN: Final = "_unknown_"
RESERVED_LABELS: Final = (SILENCE, UNKNOWN)

Precision = Literal["fp32", "fp16", "int8", "int8-dynamic", "int16x8"]
Format = Literal["onnx", "tflite", "openvino"]

SAMPLES: Final = "samples"
"""What the first input of a graph is called that has the front end inside."""
FUSED: Final = "-fused"
"""How the key of such a model file ends."""


class ModelKey(NamedTuple):
    """Which file of a model; as text "tflite-int8", or "tflite-int8-fused"."""

    format: Format
    precision: Precision
    fused: bool = False

    def __str__(self) -> str:
        return f"{self.format}-{self.precision}{FUSED if self.fused else ''}"


class Spec(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The base of everything that is read from JSON or TOML: immutable, unknown fields refused."""


class FeatureSpec(Spec, frozen=True):
    """The arithmetic of the features in integers, so that two machines can compare its digest.

    Algorithm "mfcc-1": int16 / 32768, periodic Hann window, power spectrum of `fft` points,
    triangular HTK-mel filters of height 1 between `low_hz` and `high_hz`,
    ln(x + 10**log_floor_exponent), orthonormal DCT-II, first `n_mfcc` coefficients. Algorithm
    "logmel-1" takes the magnitude in place of the power, triangles whose sides are straight on the
    mel scale and not in hertz, and no DCT: its features are the bands. Frame i covers samples
    [i * hop, i * hop + window): no centring, no padding, no dither.
    """

    algorithm: Literal["mfcc-1", "logmel-1"]
    sample_rate: int
    window: int
    hop: int
    fft: int
    n_mels: int
    n_mfcc: int
    low_hz: int
    high_hz: int
    log_floor_exponent: int

    def __post_init__(self) -> None:
        if not 0 < self.hop <= self.window <= self.fft:
            raise ValueError("need 0 < hop <= window <= fft")
        if not 0 < self.n_mfcc <= self.n_mels:
            raise ValueError("need 0 < n_mfcc <= n_mels")
        if self.algorithm == "logmel-1" and self.n_mfcc != self.n_mels:
            raise ValueError("logmel-1 needs n_mfcc to be n_mels: it gives the bands")
        if not 0 <= self.low_hz < self.high_hz <= self.sample_rate // 2:
            raise ValueError("need 0 <= low_hz < high_hz <= sample_rate / 2")

    def digest(self) -> str:
        """Return the sha256 of the canonical JSON, in hex."""
        return sha256_hex(msgspec.json.encode(self, order="sorted"))

    def frames(self, samples: int) -> int:
        """Return how many whole frames fit in so many samples."""
        return max(0, (samples - self.window) // self.hop + 1)

    def samples(self, frames: int) -> int:
        """Return how many samples so many frames cover."""
        return 0 if frames <= 0 else (frames - 1) * self.hop + self.window


MFCC_40: Final = FeatureSpec(
    algorithm="mfcc-1",
    sample_rate=16_000,
    window=480,
    hop=160,
    fft=512,
    n_mels=40,
    n_mfcc=40,
    low_hz=20,
    high_hz=7600,
    log_floor_exponent=-5,
)
"""The features of every shipped base: 30 ms windows every 10 ms, 40 mel bands, 40 coefficients."""

LOGMEL_32: Final = FeatureSpec(
    algorithm="logmel-1",
    sample_rate=16_000,
    window=400,
    hop=160,
    fft=512,
    n_mels=32,
    n_mfcc=32,
    low_hz=60,
    high_hz=3800,
    log_floor_exponent=-3,
)
"""The features of Google's speech_embedding: 25 ms windows every 10 ms, 32 mel bands."""


class TensorSpec(Spec, frozen=True):
    """One input or output of a graph; scale 1 and zero point 0 where the tensor is float32."""

    name: str
    shape: tuple[int, ...]
    dtype: Literal["float32", "int8", "int16"]
    scale: float
    zero_point: int


class StateSpec(Spec, frozen=True):
    """A state that the caller carries from one call to the next: it starts at its zero point."""

    input: TensorSpec
    output: TensorSpec


class GraphSpec(Spec, frozen=True):
    """The signature of one model file: one step of features in, scores out, states through.

    `features` is (1, step_frames, n_mfcc), `scores` is (1, scores_per_step, n_labels). A fused
    graph takes the samples that the features of one step cover: its first input is called
    "samples", is (1, samples) float32 on the scale of int16, and consecutive ones overlap.
    """

    features: TensorSpec
    scores: TensorSpec
    states: tuple[StateSpec, ...]

    @property
    def fused(self) -> bool:
        """Whether the front end is inside, normalization included."""
        return self.features.name == SAMPLES

    @property
    def inputs(self) -> tuple[TensorSpec, ...]:
        """All that goes in: the features, then the states."""
        return (self.features, *(state.input for state in self.states))

    @property
    def outputs(self) -> tuple[TensorSpec, ...]:
        """All that comes out: the scores, then the states."""
        return (self.scores, *(state.output for state in self.states))


class ModelSpec(Spec, frozen=True):
    """What every format of one model has in common.

    Features are normalized as (features - mean) * scale before the graph sees them. One call takes
    `step_frames` frames and gives `scores_per_step` rows of posteriors, a row each
    `step_frames / scores_per_step` frames; a row is about the last `window_frames` frames.
    """

    features: FeatureSpec
    mean: tuple[float, ...]
    scale: tuple[float, ...]
    labels: tuple[str, ...]
    step_frames: int
    scores_per_step: int
    window_frames: int
    parameters: int
    macs_per_second: int

    def __post_init__(self) -> None:
        if not len(self.mean) == len(self.scale) == self.features.n_mfcc:
            raise ValueError("mean and scale need one value per coefficient")
        if len(set(self.labels)) != len(self.labels) or len(self.labels) < 2:
            raise ValueError("labels need to be two or more, each once")
        if self.scores_per_step < 1 or self.step_frames % self.scores_per_step:
            raise ValueError("step_frames needs to be a multiple of scores_per_step")

    @property
    def samples_per_step(self) -> int:
        """Samples that one step of features covers; the next one starts step_frames hops later."""
        return self.features.samples(self.step_frames)

    @property
    def frames_per_score(self) -> int:
        """Frames between two rows of scores."""
        return self.step_frames // self.scores_per_step

    @property
    def samples_per_score(self) -> int:
        """Samples between two rows of scores."""
        return self.frames_per_score * self.features.hop

    @property
    def commands(self) -> tuple[str, ...]:
        """The labels that can be detected: all but the reserved ones."""
        return tuple(label for label in self.labels if label not in RESERVED_LABELS)


class TriggerSpec(Spec, frozen=True):
    """When the posteriors of one label become one detection; times in samples.

    The posterior is averaged over the last `mean_samples`; a detection comes when the mean has been
    at or above `on` for `consecutive` rows, and the next one only after the mean fell below `off`
    and `refractory_samples` have passed.
    """

    on: float
    off: float
    mean_samples: int
    consecutive: int
    refractory_samples: int

    def __post_init__(self) -> None:
        if not 0 < self.off <= self.on <= 1:
            raise ValueError("need 0 < off <= on <= 1")
        if self.mean_samples < 1 or self.consecutive < 1 or self.refractory_samples < 0:
            raise ValueError("need mean_samples >= 1, consecutive >= 1 and refractory_samples >= 0")
