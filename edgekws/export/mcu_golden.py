"""Golden vectors for C: what the bundle's golden audio has to become, stage by stage."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from edgekws.events import Block, Detection, Pcm
from edgekws.export.mcu_c import NOTICE, array
from edgekws.export.mcu_model import McuModel
from edgekws.export.mcu_reference import Integers, ReferenceEngine
from edgekws.export.scores import clip_steps
from edgekws.runtime.detector import Detector

GOLDEN_FILE: Final = "golden_vectors.c"


@dataclass(frozen=True, eq=False, slots=True)
class GoldenVectors:
    """Audio, its features in steps (frames, n_mfcc), scores (rows, n_labels), and detections."""

    pcm: Pcm
    features: Integers
    scores: Integers
    detections: tuple[Detection, ...]


def golden_vectors(model: McuModel, pcm: Pcm) -> GoldenVectors:
    """Return what the front end in numpy, the reference kernels and the detector make of audio."""
    engine = ReferenceEngine(model.data, model.file.graph)
    steps = [engine.quantize(step) for step in clip_steps(model.spec, pcm)]
    scores = [engine.step_integers(step) for step in steps]
    detector = Detector(model.spec, engine, model.manifest.triggers)
    rate = model.spec.features.sample_rate
    return GoldenVectors(
        pcm=pcm,
        features=np.concatenate(steps),
        scores=np.concatenate(scores),
        detections=tuple(detector.push(Block(pcm, 0, rate))),
    )


def golden_source(model: McuModel, golden: GoldenVectors) -> str:
    """Return golden_vectors.c, which defines `ekws_golden`."""
    found = [
        f"{{{d.id}, {model.spec.labels.index(d.label)}, {int(d.score * 65536)}, {d.sample}}}"
        for d in golden.detections
    ]
    numbers = (
        f"PCM, {len(golden.pcm)}, FEATURES, {len(golden.features)}, "
        f"SCORES, {len(golden.scores)}, DETECTIONS, {len(found)}"
    )
    return "\n".join(
        [
            NOTICE,
            '#include "golden_vectors.h"\n',
            array("int16_t", "PCM", golden.pcm.tolist()),
            array("int8_t", "FEATURES", golden.features.reshape(-1).tolist()),
            array("int8_t", "SCORES", golden.scores.reshape(-1).tolist()),
            array("ekws_detection", "DETECTIONS", found or ["{0, 0, 0, 0}"]),
            f"const ekws_golden_vectors ekws_golden = {{{numbers}}};\n",
        ]
    )
