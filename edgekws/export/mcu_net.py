"""The net of an int8 .tflite file as constants of C for `ekws_net.c`."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from edgekws.export.mcu_c import NOTICE, array, lines
from edgekws.export.mcu_graph import Graph, read_graph
from edgekws.export.mcu_operators import Filter, Operator, Softmax, Sum, operators
from edgekws.export.mcu_plan import Plan, plan_memory
from edgekws.export.mcu_scaling import Scaling

NET_FILE: Final = "model_net.c"


@dataclass(frozen=True, eq=False, slots=True)
class Net:
    """A step ready to be written: graph, memory and operators."""

    graph: Graph
    plan: Plan
    operators: tuple[Operator, ...]

    @property
    def constant_bytes(self) -> int:
        """Bytes of weights, biases and scalings on a machine of 32 bits."""
        filters = [operator.filter for operator in self.operators if operator.filter]
        return sum(f.weights.size + (4 + 8) * len(f.biases) for f in filters)


def read_net(data: bytes) -> Net:
    """Return the net of a file; ExportError for what the engine cannot run."""
    graph = read_graph(data)
    plan = plan_memory(graph)
    return Net(graph, plan, tuple(operators(graph, plan)))


def net_source(net: Net) -> str:
    """Return model_net.c, which defines `ekws_model_net`."""
    parts = [NOTICE, '#include "model_meta.h"\n\n']
    for at, operator in enumerate(net.operators):
        parts += _constants(at, operator)
    rows = ",\n".join(_operator(net, at, operator) for at, operator in enumerate(net.operators))
    parts.append(f"static const ekws_operator OPERATORS[{len(net.operators)}] = {{\n{rows}\n}};\n")
    pasts = [f"{{{p.offset}, {p.kept}, {p.moved}, {p.start}}}" for p in net.plan.pasts]
    parts.append(array("ekws_past", "PASTS", pasts))
    parts.append(_whole(net))
    return "\n".join(parts)


def _whole(net: Net) -> str:
    features, scores = net.graph.inputs[0], net.graph.outputs[0]
    fields = (
        f".operators = OPERATORS, .pasts = PASTS, .operator_count = {len(net.operators)}, "
        f".past_count = {len(net.plan.pasts)}, .features = {_tensor(net, features)}, "
        f".scores = {_tensor(net, scores)}, .memory = {net.plan.size}"
    )
    return f"const ekws_net ekws_model_net = {{\n{lines(fields.split(', '))}\n}};\n"


def _constants(at: int, operator: Operator) -> Iterator[str]:
    """Give the arrays and structs that an operator points to."""
    match operator:
        case Operator(filter=Filter() as filter):
            yield array("int8_t", f"WEIGHTS_{at}", filter.weights.reshape(-1).tolist())
            yield array("int32_t", f"BIASES_{at}", filter.biases.tolist())
            yield array("ekws_scaling", f"SCALINGS_{at}", map(_scaling, filter.scalings))
            names = f"WEIGHTS_{at}, BIASES_{at}, SCALINGS_{at}"
            numbers = f"{filter.kernel}, {filter.stride}, {filter.apart}"
            yield f"static const ekws_filter FILTER_{at} = {{{names}, {numbers}}};\n"
        case Operator(sum=Sum() as terms):
            zeros = ", ".join(map(str, terms.zero_points))
            factors = ", ".join(map(_scaling, terms.inputs))
            whole = f"{{{zeros}}}, {{{factors}}}, {_scaling(terms.output)}"
            yield f"static const ekws_sum SUM_{at} = {{{whole}}};\n"
        case Operator(softmax=Softmax() as softmax):
            whole = f"{_scaling(softmax.beta)}, {softmax.least_difference}"
            yield f"static const ekws_softmax SOFTMAX_{at} = {{{whole}}};\n"


def _operator(net: Net, at: int, operator: Operator) -> str:
    tensors = [_tensor(net, index) for index in operator.inputs]
    fields: Mapping[str, object] = {
        "kind": f"EKWS_{operator.kind}",
        "from": tensors[0],
        "also": tensors[1] if len(tensors) > 1 else "{0, 0, 0, 0}",
        "to": _tensor(net, operator.output),
        "zero_point": operator.zero_point,
        "low": operator.low,
        "high": operator.high,
        "window": operator.window,
        "filter": f"&FILTER_{at}" if operator.filter else 0,
        "sum": f"&SUM_{at}" if operator.sum else 0,
        "softmax": f"&SOFTMAX_{at}" if operator.softmax else 0,
    }
    return "    {" + ", ".join(f".{name} = {value}" for name, value in fields.items()) + "}"


def _tensor(net: Net, index: int) -> str:
    place, tensor = net.plan.places[index], net.graph.tensors[index]
    return f"{{{place.offset}, {tensor.rows}, {tensor.channels}, {place.stride}}}"


def _scaling(value: Scaling) -> str:
    return f"{{{value.multiplier}, {value.shift}}}"
