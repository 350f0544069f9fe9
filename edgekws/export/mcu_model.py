"""The whole model as C: a header with every number of it, and what joins its parts."""

from dataclasses import dataclass
from typing import Final

from edgekws.bundle import Manifest, ModelFile
from edgekws.export.mcu_c import NOTICE, array, comment, lines, string
from edgekws.export.mcu_graph import Graph
from edgekws.export.mcu_net import Net
from edgekws.export.mcu_size import Size
from edgekws.export.mcu_tflm import Arena
from edgekws.export.mcu_trigger import TriggerValues
from edgekws.runtime.detector import rows_to_fill
from edgekws.specs import ModelSpec, TensorSpec

META_FILE: Final = "model_meta.h"
MODEL_FILE: Final = "model.c"
DATA_FILE: Final = "model_data.c"
ALIGNMENT: Final = 16  # what TensorFlow Lite Micro asks of a model's bytes

RESOLVERS: Final = {
    "ADD": "AddAdd",
    "AVERAGE_POOL_2D": "AddAveragePool2D",
    "CONCATENATION": "AddConcatenation",
    "CONV_2D": "AddConv2D",
    "DEPTHWISE_CONV_2D": "AddDepthwiseConv2D",
    "MAX_POOL_2D": "AddMaxPool2D",
    "RESHAPE": "AddReshape",
    "SLICE": "AddSlice",
    "SOFTMAX": "AddSoftmax",
}
"""What adds each operator to a MicroMutableOpResolver."""


@dataclass(frozen=True, eq=False, slots=True)
class McuModel:
    """Everything that is written for one int8 model of a bundle."""

    manifest: Manifest
    file: ModelFile
    data: bytes
    net: Net
    trigger: list[TriggerValues]
    arena: Arena
    size: Size

    @property
    def spec(self) -> ModelSpec:
        """The model as every format of it has it."""
        return self.manifest.model


def meta_header(model: McuModel) -> str:
    """Return model_meta.h."""
    return "\n".join(
        [
            NOTICE,
            "#ifndef EKWS_MODEL_META_H\n#define EKWS_MODEL_META_H\n",
            '#include "ekws_kws.h"\n\n#ifdef __cplusplus\nextern "C" {\n#endif\n',
            _identity(model),
            _sizes(model),
            _tensors(model),
            _operators(model.net.graph),
            _triggers(model),
            _definitions(model),
            _asserts(),
            "#ifdef __cplusplus\n}\n#endif\n\n#endif\n",
        ]
    )


def model_source(model: McuModel) -> str:
    """Return model.c, which defines `ekws_model_fixed`, `ekws_model_float` and the labels."""
    spec = model.spec
    labels = [string(label) for label in spec.labels]
    values = [
        f"{{{v.label}, {v.rows}, {v.on}, {v.off}, {v.consecutive}, {v.refractory}U}}"
        for v in model.trigger
    ]
    depth = max(v.rows for v in model.trigger)
    unfilled = rows_to_fill(spec) - 1
    return "\n".join(
        [
            NOTICE,
            '#include "model_meta.h"\n',
            f"const char *const ekws_model_labels[{len(labels)}] = {{\n{lines(labels)}\n}};\n",
            array("ekws_trigger_values", "COMMANDS", values),
            f"static const ekws_trigger_table TRIGGER = {{COMMANDS, {len(values)}, "
            f"{len(labels)}, {depth}}};\n",
            *(_model(name, mfcc, unfilled) for name, mfcc in _MODELS),
        ]
    )


_MODELS: Final = (
    ("ekws_model_fixed", "ekws_model_mfcc_fixed"),
    ("ekws_model_float", "ekws_model_mfcc_float"),
)


def data_source(data: bytes) -> str:
    """Return model_data.c: the .tflite file, for TensorFlow Lite Micro."""
    words = f"const unsigned char ekws_model_tflite[{len(data)}]"
    values = lines(str(byte) for byte in data)
    aligned = f"#if defined(__GNUC__)\n__attribute__((aligned({ALIGNMENT})))\n#endif\n"
    return f'{NOTICE}\n#include "model_meta.h"\n\n{aligned}{words} = {{\n{values}\n}};\n'


def _model(name: str, mfcc: str, unfilled: int) -> str:
    fields = (
        f".mfcc = &{mfcc}",
        ".net = &ekws_model_net",
        ".trigger = &TRIGGER",
        ".labels = ekws_model_labels",
        f".unfilled_rows = {unfilled}",
        ".row_samples = EKWS_MODEL_ROW_SAMPLES",
    )
    return f"const ekws_model {name} = {{\n{lines(fields)}\n}};\n"


def _identity(model: McuModel) -> str:
    manifest = model.manifest
    return _defines(
        {
            "NAME": string(manifest.name),
            "VERSION": string(manifest.version),
            "FEATURES_DIGEST": string(manifest.feature_digest),
            "TFLITE_SHA256": string(model.file.file.sha256),
            "ARITHMETIC": string("TFLite reference kernels, int8, rounding twice"),
        }
    )


def _sizes(model: McuModel) -> str:
    spec, features = model.spec, model.spec.features
    depth = max(v.rows for v in model.trigger)
    memory = (
        f"EKWS_KWS_MEMORY({features.fft}, {features.n_mels}, {features.window}, "
        f"{model.net.plan.size}, {len(model.trigger)}, {depth})"
    )
    return _defines(
        {
            "SAMPLE_RATE": features.sample_rate,
            "WINDOW": features.window,
            "HOP": features.hop,
            "COEFFICIENTS": features.n_mfcc,
            "LABELS": len(spec.labels),
            "COMMANDS": len(spec.commands),
            "STEP_FRAMES": spec.step_frames,
            "SCORES_PER_STEP": spec.scores_per_step,
            "ROW_SAMPLES": spec.samples_per_score,
            "TFLITE_BYTES": len(model.data),
            "MEMORY": memory,
            "ARENA": f"{model.arena.bytes} /* measured: TensorFlow Lite Micro "
            f"{comment(model.arena.version)}, 64 bits */",
        }
    )


def _tensors(model: McuModel) -> str:
    graph = model.file.graph
    pairs = {"FEATURES": graph.features, "SCORES": graph.scores}
    pairs |= {f"STATE_{n}": state.input for n, state in enumerate(graph.states)}
    values: dict[str, object] = {"STATES": len(graph.states)}
    for name, tensor in pairs.items():
        values |= _tensor(name, tensor)
    return _defines(values)


def _tensor(name: str, tensor: TensorSpec) -> dict[str, object]:
    return {
        f"{name}_SHAPE": f"{{{', '.join(map(str, tensor.shape))}}}",
        f"{name}_SCALE": f"{tensor.scale!r}f",
        f"{name}_ZERO_POINT": f"({tensor.zero_point})",
    }


def _operators(graph: Graph) -> str:
    """Return the operators with their versions, and what adds them to a resolver."""
    used = sorted({(node.kind, node.version) for node in graph.nodes})
    listed = "".join(f" *     {kind}, version {version}\n" for kind, version in used)
    adds = " ".join(f"resolver.{RESOLVERS[kind]}();" for kind, _ in used)
    return (
        f"/* Operators of the .tflite file, for a MicroMutableOpResolver:\n{listed} */\n"
        + _defines({"OPERATORS": len(used)})
        + f"#define EKWS_MODEL_ADD_OPERATORS(resolver) {adds}\n"
    )


def _triggers(model: McuModel) -> str:
    rows = [
        f" *     {comment(label)}: on {values.on:g}, off {values.off:g}, mean of "
        f"{values.mean_samples} samples, {values.consecutive} in a row, "
        f"{values.refractory_samples} samples refractory\n"
        for label in model.spec.commands
        for values in (model.manifest.triggers[label],)
    ]
    return f"/* Trigger values of the commands, which model.c has in steps:\n{''.join(rows)} */\n"


def _definitions(model: McuModel) -> str:
    return f"""extern const char *const ekws_model_labels[{len(model.spec.labels)}];
extern const unsigned char ekws_model_tflite[{len(model.data)}]; /* for TensorFlow Lite Micro */
extern const ekws_net ekws_model_net;
extern const ekws_mfcc ekws_model_mfcc_fixed;
extern const ekws_mfcc ekws_model_mfcc_float;
extern const ekws_model ekws_model_fixed; /* the front end in fixed point */
extern const ekws_model ekws_model_float; /* in float, for a machine with an FPU */
"""


def _asserts() -> str:
    return """typedef char ekws_model_bins_are_8_bytes[sizeof(ekws_bin) == 8 ? 1 : -1];
typedef char ekws_model_memory_is_whole_words[EKWS_MODEL_MEMORY % 8 == 0 ? 1 : -1];
typedef char ekws_model_windows_overlap[EKWS_MODEL_HOP <= EKWS_MODEL_WINDOW ? 1 : -1];
typedef char ekws_model_steps_hold_scores[EKWS_MODEL_STEP_FRAMES % EKWS_MODEL_SCORES_PER_STEP == 0
                                              ? 1
                                              : -1];
"""


def _defines(values: dict[str, object]) -> str:
    return "".join(f"#define EKWS_MODEL_{name} {value}\n" for name, value in values.items())
