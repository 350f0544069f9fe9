"""A float .tflite to 8-bit weights by AI Edge Quantizer, with ranges that we observe ourselves.

Its own calibration is a moving average that clips: on a streaming net it cost 8 points of accuracy.
Here clips are streamed through the float model, so that states hold what they really hold, and a
range is the full one that was seen. Tensors that only carry values on share one range, so a state
goes from output to input byte for byte.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

import numpy as np
from ai_edge_litert.interpreter import Interpreter, OpResolverType
from ai_edge_litert.schema_py_generated import BuiltinOperator

from edgekws.events import Floats
from edgekws.export.formats import Steps
from edgekws.export.quiet import quietly
from edgekws.export.tflite_file import interface, read_model
from edgekws.specs import Precision

with quietly():
    from ai_edge_quantizer import quantizer, recipe
    from ai_edge_quantizer.algorithm_manager import AlgorithmName
    from ai_edge_quantizer.qtyping import TFLOperationName as Operation

RECIPES: Final = {
    "int8": recipe.static_wi8_ai8,
    "int16x8": recipe.static_wi8_ai16,
    "int8-dynamic": recipe.dynamic_wi8_afp32,
}
"""Weights are int8 per channel in all three; activations int8, int16, or float32."""

CARRIERS: Final = {
    BuiltinOperator.AVERAGE_POOL_2D,
    BuiltinOperator.CONCATENATION,
    BuiltinOperator.MAX_POOL_2D,
    BuiltinOperator.RESHAPE,
    BuiltinOperator.SLICE,
}
"""Operators whose 8-bit kernels give out values on the scale on which they take them."""

INTERFACE: Final = "interface"
NOT_AT_ALL: Final = AlgorithmName.NO_QUANTIZE

Ranges = dict[int, tuple[float, float]]  # of tensors by index: lowest and highest value


def quantize(
    fp32: bytes, precision: Precision, ranges: Ranges, *, in_float: frozenset[str] = frozenset()
) -> bytes:
    """Return a converter's float file with quantized weights; `ranges` are those of `observe`.

    `in_float` names operators, by the tensor that each one makes, that stay as they are;
    INTERFACE stands for the inputs and outputs, all together.
    """
    with quietly():
        made = quantizer.Quantizer(fp32, RECIPES[precision]())
        for scope, operator in _left_out(in_float):
            made.update_quantization_recipe(scope, operator, algorithm_key=NOT_AT_ALL)
        statistics = _statistics(fp32, ranges) if made.need_calibration else None
        result = made.quantize(statistics, enable_progress_report=False)
    return bytes(result.quantized_model)


def _left_out(names: frozenset[str]) -> Iterator[tuple[str, Any]]:
    """Give for each name what the quantizer's rules call it: tensors, and the operators of them."""
    for name in sorted(names):
        if name == INTERFACE:
            yield ".*", Operation.INPUT
            yield ".*", Operation.OUTPUT
        else:
            yield f"^{re.escape(name)};$", Operation.ALL_SUPPORTED


def observe(fp32: bytes, clips: Iterable[Steps]) -> Ranges:
    """Return the range of every value that is computed; each clip starts from zero states."""
    model = read_model(fp32)
    (graph,) = model.subgraphs
    inputs, outputs = interface(model)
    computed = sorted({*inputs, *(i for operator in graph.operators for i in operator.outputs)})
    with quietly():
        interpreter = Interpreter(
            model_content=fp32,
            num_threads=1,
            experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
            experimental_preserve_all_tensors=True,
        )
        interpreter.allocate_tensors()
    low, high = np.full(len(computed), np.inf), np.full(len(computed), -np.inf)
    for _ in _stream(interpreter, clips, inputs, outputs):
        values = [interpreter.get_tensor(index) for index in computed]
        np.minimum(low, [value.min() for value in values], out=low)
        np.maximum(high, [value.max() for value in values], out=high)
    ranges = dict(zip(computed, zip(low.tolist(), high.tolist(), strict=True), strict=True))
    return _shared(ranges, _carried(model, zip(inputs[1:], outputs[1:], strict=True)))


def _stream(
    interpreter: Any, clips: Iterable[Steps], inputs: Sequence[int], outputs: Sequence[int]
) -> Iterator[None]:
    """Run every step of every clip, with the states that the model really has then."""
    start = [np.zeros_like(interpreter.get_tensor(index)) for index in inputs[1:]]
    for clip in clips:
        states: list[Floats] = start
        for step in clip:
            for index, value in zip(inputs, [step[None], *states], strict=True):
                interpreter.set_tensor(index, value)
            interpreter.invoke()
            yield
            states = [interpreter.get_tensor(index) for index in outputs[1:]]


def _carried(model: Any, states: Iterable[tuple[int, int]]) -> Iterator[set[int]]:
    """Yield sets of tensors that have to be on one scale: states, and what carriers join."""
    yield from map(set, states)
    (graph,) = model.subgraphs
    for operator in graph.operators:
        if model.operatorCodes[operator.opcodeIndex].builtinCode in CARRIERS:
            yield {*operator.inputs, *operator.outputs}


def _shared(ranges: Ranges, together: Iterable[set[int]]) -> Ranges:
    """Return ranges of which those that belong together, by any chain, are one."""
    groups: list[set[int]] = []
    for tensors in together:
        met = [group for group in groups if group & tensors]
        groups = [group for group in groups if not group & tensors]
        groups.append(tensors.union(*met) & ranges.keys())
    shared = dict(ranges)
    for group in groups:
        lows, highs = zip(*(ranges[index] for index in group), strict=True)
        shared |= dict.fromkeys(group, (min(lows), max(highs)))
    return shared


def _statistics(fp32: bytes, ranges: Ranges) -> dict[str, dict[str, Any]]:
    """Return ranges by tensor name, as the quantizer wants them."""
    (graph,) = read_model(fp32).subgraphs
    return {
        graph.tensors[index].name.decode(): {"min": np.array([low]), "max": np.array([high])}
        for index, (low, high) in ranges.items()
    }
