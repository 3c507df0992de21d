"""Where a tensor's numbers come from: names followed back, through operators, subgraphs and functions, to what the file
holds. Nothing here knows what can be quantised, so it finds what a search for weights has passed over.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass

import onnx

from edgekit.quantize.scopes import FLOATS, OWN_DOMAINS, Held, Scope, Scopes

#: A name in a scope.
Place = tuple[Scope, str]

#: Operators that pass on sizes, not numbers.
_SIZES = ("Shape", "Size")
_INTEGERS = (onnx.TensorProto.INT8, onnx.TensorProto.INT4)


@dataclass(frozen=True, eq=False)
class Origin:
    """One place that numbers come from.

    held: a tensor of the file; None for what comes from outside, which `outside` names. scale: whether it only scales
    integers (see `restores`). via: types of the operators between, once each, nearest to the reader first.
    """

    held: Held | None
    outside: str
    scale: bool
    via: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Trace:
    """All origins of some places, and every place on the way, by scope and name."""

    origins: tuple[Origin, ...]
    passed: frozenset[tuple[int, str]]

    def passes(self, scope: Scope, names: Iterable[str]) -> bool:
        """Whether one of the names of a scope is on the way."""
        return any((id(scope), name) in self.passed for name in names)


def trace(scopes: Scopes, places: Iterable[Place], through: Container[str] | None = None) -> Trace:
    """Follow places back. A function's inputs are those of all its calls, a loop's state is what enters it, and what a
    step before left. through: types of operators to follow; what others make has no origins then. None: all.
    """
    found: list[Origin] = []
    waiting: list[tuple[Scope, str, bool, tuple[str, ...]]] = [(scope, name, False, ()) for scope, name in places]
    seen: set[tuple[int, str, bool]] = set()
    while waiting:
        scope, name, scale, via = waiting.pop()
        owner = scope.defining(name)
        if not name or (id(owner), name, scale) in seen:
            continue
        seen.add((id(owner), name, scale))
        if name in owner.tensors:
            found.append(Origin(owner.tensors[name], "", scale, via))
        elif name in owner.producers:
            index = owner.producers[name]
            node = owner.nodes[index]
            if through is not None and node.op_type not in through:
                continue
            found += [Origin(held, "", scale, via) for held in _own_numbers(owner, index)]
            further = via if node.op_type in via else (*via, node.op_type)
            before = _before(scopes, owner, index, name)
            waiting += [(*place, scale or scales, further) for place, scales in before]
        elif name in owner.inputs and (owner.calls or owner.owner is not None):
            waiting += [(*place, scale, via) for place in _bound(owner, name)]
        else:
            found.append(Origin(None, name, scale, via))
    return Trace(tuple(found), frozenset((key, name) for key, name, _ in seen))


def _own_numbers(scope: Scope, index: int) -> list[Held]:
    """What a node's attributes hold; where they stand for a function's attribute, what its calls give."""
    node = scope.nodes[index]
    held = list(scope.constants[index])
    for name in (attribute.ref_attr_name for attribute in node.attribute if attribute.ref_attr_name):
        given = [each for caller, call in scope.calls for each in caller.constants[_index(caller, call)]]
        held += [each for each in given if each.name.startswith(f"{name} of ")]
    return held


def _index(scope: Scope, node: onnx.NodeProto) -> int:
    return next(k for k, each in enumerate(scope.nodes) if each is node)


def restores(scope: Scope, node: onnx.NodeProto) -> bool:
    """Whether a node's first input is stored as integers, which the others scale: DequantizeLinear, or the product of
    integers and fewer floats, each a tensor, itself or behind a Cast. Where both are as many, a row is one number."""
    if node.domain not in OWN_DOMAINS or node.op_type != "Mul":
        return node.domain in OWN_DOMAINS and node.op_type == "DequantizeLinear"
    codes, scale = (uncast(scope, name) for name in node.input)
    if codes is None or scale is None or codes.kind not in _INTEGERS or scale.kind not in FLOATS:
        return False
    return scale.elements < codes.elements or codes.shape[-1:] == (1,)


def uncast(scope: Scope, name: str) -> Held | None:
    """The tensor that a name stands for, itself or behind a Cast."""
    owner = scope.defining(name)
    node = owner.nodes[owner.producers[name]] if name in owner.producers else None
    if node is not None and node.op_type == "Cast" and node.domain in OWN_DOMAINS:
        owner, name = owner.defining(node.input[0]), node.input[0]
    return owner.tensors.get(name)


def _before(scopes: Scopes, scope: Scope, index: int, name: str) -> Iterator[tuple[Place, bool]]:
    """The places that a node's output is made from, and whether they only scale integers."""
    node = scope.nodes[index]
    output = list(node.output).index(name)
    function = scopes.function(node)
    own = node.domain in OWN_DOMAINS
    if function is not None:
        yield from (((function, each), False) for each in function.outputs[output : output + 1])
    elif own and node.op_type in _SIZES:
        return
    elif restores(scope, node):
        yield from (((scope, each), k > 0) for k, each in enumerate(node.input))
    else:
        yield from (((scope, each), False) for each in _inputs_behind(node, output))
        for inner in scope.inner.get(index, ()):
            yield from (((inner, each), False) for each in _outputs_behind(node, inner, output))


def _inputs_behind(node: onnx.NodeProto, output: int) -> list[str]:
    """Inputs that an output may hold numbers of: of a loop's state its first value, of an If's output none."""
    if node.op_type == "If":
        return []
    if node.op_type == "Loop":
        return list(node.input[2 + output : 3 + output])
    if node.op_type == "Scan":
        return list(node.input[output : output + 1]) if output < _states(node) else []
    return list(node.input)


def _outputs_behind(node: onnx.NodeProto, inner: Scope, output: int) -> list[str]:
    if node.op_type == "Loop":  # a condition comes first
        return inner.outputs[1 + output : 2 + output]
    if node.op_type in ("If", "Scan"):
        return inner.outputs[output : output + 1]
    return inner.outputs


def _bound(scope: Scope, name: str) -> list[Place]:
    """What an input of a function or of a graph inside a node stands for."""
    position = scope.inputs.index(name)
    if scope.owner is None:
        return [(caller, each) for caller, call in scope.calls for each in call.input[position : position + 1]]
    node, outer = scope.owner, scope.outer
    if outer is None:
        return []
    if node.op_type == "Loop":  # iteration, condition, then the state
        entering = node.input[position : position + 1] if position > 1 else ()
        left = scope.outputs[position - 1 : position] if position > 1 else ()
    elif node.op_type == "Scan":
        entering = node.input[position : position + 1]
        left = scope.outputs[position : position + 1] if position < _states(node) else ()
    else:
        entering, left = node.input[:], ()
    return [*((outer, each) for each in entering), *((scope, each) for each in left)]


def carried(scope: Scope) -> list[str]:
    """Inputs of a loop's body that hold what the step before left; none of other scopes."""
    if scope.owner is None:
        return []
    if scope.owner.op_type == "Loop":
        return scope.inputs[2:]
    return scope.inputs[: _states(scope.owner)] if scope.owner.op_type == "Scan" else []


def _states(scan: onnx.NodeProto) -> int:
    scanned = next((item.i for item in scan.attribute if item.name == "num_scan_inputs"), 0)
    return max(0, len(scan.input) - scanned)
