"""What stays float in a file, and why: recurrent weights first, then every other large tensor."""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass

import onnx

from edgekit.quantize.origins import Origin, carried, restores, trace
from edgekit.quantize.rows import covered_places
from edgekit.quantize.scopes import FLOATS, INT8_LSTM, OWN_DOMAINS, RECURRENT, Held, Scope, Scopes, node_title
from edgekit.quantize.weights import FLOAT_KINDS
from edgekit.results import LeftFloat

#: Where a recurrent operator reads W and R, and its biases, states and peepholes.
_WEIGHTS, _SETTLED = {1: "W", 2: "R"}, slice(3, 8)
_PRODUCTS = ("MatMul", "Gemm")
#: Operators that move numbers and leave them as they are.
_MOVING_NAMES = "Cast Concat Constant Expand Identity Reshape Slice Split Squeeze Transpose Unsqueeze"
_MOVING = frozenset(_MOVING_NAMES.split())


@dataclass(frozen=True)
class StayedFloat:
    """A weight of a recurrent layer that is not int8. of: the operator, for people. part: W or R, or the whole of a
    product in a loop. tensors: those that hold its numbers."""

    of: str
    part: str
    tensors: tuple[str, ...]
    reason: str

    def __str__(self) -> str:
        held = f" ({', '.join(self.tensors[:4])}{', ...' if len(self.tensors) > 4 else ''})" if self.tensors else ""
        return f"{self.part} of {self.of}{held}: {self.reason}"


def recurrent_nodes(scopes: Scopes) -> Iterator[tuple[Scope, onnx.NodeProto]]:
    """Every LSTM, GRU and RNN, also those of other domains, wherever it is; no int8 ones, and no calls of functions."""
    for scope in scopes.all:
        for node in scope.nodes:
            named = node.op_type.upper().endswith(RECURRENT) and node.op_type != INT8_LSTM
            if named and scopes.function(node) is None:
                yield scope, node


def recurrent_left_float(scopes: Scopes, min_elements: int) -> list[StayedFloat]:
    """Weights of recurrent layers that are not int8, of any size. And recurrent layers written by hand, with weights of
    `min_elements` or more: products of a loop's state, and products that are multiplied by the same weight again."""
    return [
        *_left_by_operators(scopes),
        *_left_in_loops(scopes, min_elements),
        *_left_unrolled(scopes, min_elements),
    ]


def _left_by_operators(scopes: Scopes) -> Iterator[StayedFloat]:
    for scope, node in recurrent_nodes(scopes):
        for position, part in _WEIGHTS.items():
            for_part = node.input[position : position + 1]
            origins = trace(scopes, [(scope, name) for name in for_part]).origins
            floats = [origin for origin in origins if not origin.scale and _is_float(origin)]
            if floats or (not origins and node.domain in OWN_DOMAINS):
                yield _stayed(scope, node_title(node), part, floats)


def _is_float(origin: Origin) -> bool:
    return origin.held is None or origin.held.kind in FLOATS


def _left_in_loops(scopes: Scopes, min_elements: int) -> Iterator[StayedFloat]:
    for scope in scopes.all:
        loops = [body for body in _around(scope) if carried(body)]
        for node in scope.nodes if loops else ():
            if node.op_type in _PRODUCTS and node.domain in OWN_DOMAINS:
                yield from _left_in_product(scopes, scope, loops, node, min_elements)


def _left_in_product(
    scopes: Scopes, scope: Scope, loops: Sequence[Scope], node: onnx.NodeProto, min_elements: int
) -> Iterator[StayedFloat]:
    traces = [trace(scopes, [(scope, name)]) for name in node.input[:2]]
    for own, other in zip(traces, reversed(traces), strict=True):
        large = _large(own.origins, min_elements)
        varies = any(own.passes(body, carried(body)) for body in loops)
        if large and not varies and any(other.passes(body, carried(body)) for body in loops):
            of = f"{node_title(node)}, which multiplies a loop's state as recurrent layers do"
            yield _stayed(scope, of, "weight", large)


def _large(origins: Sequence[Origin], min_elements: int) -> list[Origin]:
    """Those that are large float tensors of the file."""
    held = [origin for origin in origins if origin.held is not None and not origin.scale and _is_float(origin)]
    return [origin for origin in held if origin.held is not None and origin.held.elements >= min_elements]


def _left_unrolled(scopes: Scopes, min_elements: int) -> Iterator[StayedFloat]:
    for scope in scopes.all:
        users: dict[str, list[tuple[onnx.NodeProto, str, Origin]]] = {}
        for node in scope.nodes:
            if node.op_type in _PRODUCTS and node.domain in OWN_DOMAINS and len(node.input) > 1:
                for name, other in (node.input[:2], node.input[1::-1]):
                    for origin in _large(trace(scopes, [(scope, name)], _MOVING).origins, min_elements):
                        key = origin.held.key if origin.held is not None else ""
                        users.setdefault(key, []).append((node, other, origin))
        for products in users.values():
            last, other, origin = products[-1]
            earlier = [name for node, _, _ in products if node is not last for name in node.output]
            if earlier and trace(scopes, [(scope, other)]).passes(scope, earlier):
                of = f"{len(products)} products, each with what the one before gave, as recurrent layers do"
                yield _stayed(scope, of, "weight", [origin])


def _around(scope: Scope, depth: int = 0) -> Iterator[Scope]:
    """The graphs around a scope, and around the calls of a function."""
    for each in scope.bodies:
        yield each
        for caller, _ in each.calls if depth < 20 else ():
            yield from _around(caller, depth + 1)


def _stayed(scope: Scope, of: str, part: str, origins: Sequence[Origin]) -> StayedFloat:
    names = dict.fromkeys(origin.held.name for origin in origins if origin.held is not None)
    return StayedFloat(of, part, tuple(names), " and ".join(_reasons(scope, origins)))


def _reasons(scope: Scope, origins: Sequence[Origin]) -> list[str]:
    """Why a weight was passed over."""
    found: list[str] = []
    held = [origin.held for origin in origins if origin.held is not None]
    if list(scope.bodies)[-1].outer is None and list(scope.bodies)[-1].title:
        found.append(f"the operator is in {scope.title}, which onnx can't inline")
    outside = sorted({repr(origin.outside) for origin in origins if origin.held is None})
    if outside or not origins:
        found.append(f"it is not in the file but comes from input {', '.join(outside) or 'none'} in each run")
    types = sorted({each.dtype for each in held if each.kind not in FLOAT_KINDS})
    if types:
        found.append(f"it is {' and '.join(types)}")
    via = dict.fromkeys(operator for origin in origins for operator in origin.via if operator != "Constant")
    if via and not outside and not found:
        found.append(f"it is computed in the graph by {', '.join(via)}, from what differs from run to run")
    return found or ["it was passed over, which is a bug: please report it"]


def left_float(scopes: Scopes, min_elements: int) -> list[LeftFloat]:
    """Float tensors of `min_elements` or more, wherever they are, but scales of int8 numbers, and biases, states and
    peepholes of recurrent layers, which stay float32 by design."""
    settled = _settled(scopes)
    readers = _readers(scopes)
    weights = _of_covered(scopes)
    return [
        LeftFloat(held.name, readers.get(held.key, ()), held.dtype, held.shape, held.bytes, _why(held, weights))
        for held in scopes.floats()
        if held.elements >= min_elements and held.key not in settled
    ]


def small_float(scopes: Scopes, min_elements: int, other: Container[str] = ()) -> list[LeftFloat]:
    """Weights of covered operators with fewer than `min_elements` numbers that are float, but the tensors `other`."""
    settled, readers = _settled(scopes), _readers(scopes)
    weights = _of_covered(scopes)
    reason = f"it has fewer than {min_elements:,} numbers (quantize.min_elements)"
    return [
        LeftFloat(held.name, readers.get(held.key, ()), held.dtype, held.shape, held.bytes, reason)
        for held in scopes.floats()
        if 1 < held.elements < min_elements and held.key in weights.keys() - settled and held.name not in other
    ]


def _of_covered(scopes: Scopes) -> dict[str, tuple[str, bool]]:
    """Tensors behind weights of covered operators: (the operator, whether nothing stands between), by key."""
    found: dict[str, tuple[str, bool]] = {}
    for place in covered_places(scopes):
        title = "" if place.reader is None else place.reader.op_type
        for origin in trace(scopes, [(place.scope, place.name)], _MOVING).origins:
            if origin.held is not None and not origin.scale:
                found.setdefault(origin.held.key, (title, not origin.via))
    return found


def _why(held: Held, weights: Mapping[str, tuple[str, bool]]) -> str:
    """Why a tensor stayed float; nothing where no covered operator has it as a weight."""
    if held.kind not in FLOAT_KINDS:
        return f"it is {held.dtype}"
    if len(held.shape) < 2:
        return "it has one axis only, as biases have"
    if held.key not in weights:
        return ""
    title, direct = weights[held.key]
    if held.sparse:
        return f"it is sparse, and smaller so than {title}'s weight would be in int8"
    if direct and not held.where and not held.constant:
        return "its int8 form, with a scale a row, would not be smaller"
    return f"the operators between it and {title} move it in ways that can't be followed"


def _settled(scopes: Scopes) -> set[str]:
    places = []
    for scope in scopes.all:
        for node in scope.nodes:
            own = node.domain in OWN_DOMAINS
            if (own and node.op_type in RECURRENT) or node.op_type == INT8_LSTM:
                places += [(scope, name) for name in node.input[_SETTLED]]
                places += [(scope, name) for name in node.input[8:]]
            elif restores(scope, node):
                places += [(scope, name) for name in node.input[1:]]
    return {origin.held.key for origin in trace(scopes, places, _MOVING).origins if origin.held is not None}


def _readers(scopes: Scopes) -> dict[str, tuple[str, ...]]:
    """The operators that read each tensor themselves, by type, and where they stand if not in the main graph."""
    found: dict[str, dict[str, None]] = {}
    for scope in scopes.all:
        inside = f" in {scope.title}" if scope.title else ""
        for index, node in enumerate(scope.nodes):
            held = [*scope.constants[index], *(each for name in node.input for each in _tensor(scope, name))]
            for each in held:
                found.setdefault(each.key, {})[f"{node.op_type}{inside}"] = None
    return {key: tuple(names) for key, names in found.items()}


def _tensor(scope: Scope, name: str) -> list[Held]:
    return next(([each.tensors[name]] for each in scope.bodies if name in each.tensors), [])
