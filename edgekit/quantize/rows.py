"""Which inputs of which operators are weights, and where the rows of one go when its numbers are only moved.

A row is what has a scale of its own: an output channel, or a row of a gate. Axes are counted from the end where the
operator counts so, because moves in front of a weight mostly add or take away leading axes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import onnx

from edgekit.quantize.scopes import OWN_DOMAINS, RECURRENT, Held, Scope, Scopes

#: Operators whose weights become int8.
COVERED = (*RECURRENT, "Gemm", "MatMul", "Conv", "ConvTranspose")


def weight_inputs(node: onnx.NodeProto) -> Iterator[tuple[int, int]]:
    """(position, axis of the rows) of every input that may be a weight; none of operators that are not covered."""
    kind = node.op_type
    if kind not in COVERED or node.domain not in OWN_DOMAINS:
        return
    if kind in RECURRENT:  # W, R: (directions, gates * hidden, in)
        yield from ((1, -2), (2, -2))
    elif kind == "MatMul":
        yield from ((0, -2), (1, -1))
    elif kind == "Gemm":
        yield 0, -1 if _whole(node, "transA", 0) else -2
        yield 1, -2 if _whole(node, "transB", 0) else -1
    else:  # (out, in / groups, ...) of Conv, (in, out / groups, ...) of ConvTranspose
        yield 1, 0 if kind == "Conv" else 1


@dataclass(frozen=True, eq=False)
class Place:
    """A name in a scope, the axis of its rows, and who reads it there: input `position` of a node, or with no reader
    that output of the scope."""

    scope: Scope
    name: str
    axis: int
    reader: onnx.NodeProto | None
    position: int


def places_of(scope: Scope, node: onnx.NodeProto) -> list[Place]:
    """Of a node's weights."""
    found = [(position, axis) for position, axis in weight_inputs(node) if position < len(node.input)]
    return [Place(scope, node.input[k], axis, node, k) for k, axis in found if node.input[k]]


def tensor_of(place: Place) -> Held | None:
    """The tensor that a place is, where it is one."""
    return place.scope.defining(place.name).tensors.get(place.name)


def moved_from(place: Place) -> list[Place]:
    """The places whose numbers a place holds, moved only; none where it is a tensor, computed, or moved so that rows
    can't be followed."""
    owner = place.scope.defining(place.name)
    if place.name in owner.producers:
        index = owner.producers[place.name]
        node = owner.nodes[index]
        if node.domain not in OWN_DOMAINS:
            return []
        if node.op_type in ("If", "Loop", "Scan"):
            return list(_through_bodies(owner, index, place))
        move = _MOVES.get(node.op_type)
        sources = move(owner, node, place.axis) if move else []
        return [Place(owner, node.input[k], axis, node, k) for k, axis in sources if k < len(node.input)]
    if place.name in owner.inputs and owner.owner is not None:
        return list(_into_body(owner, place))
    return []


def resting_places(place: Place, rests: Callable[[Place], bool] = lambda _: False) -> Iterator[Place]:
    """Where the numbers of a place rest: followed back through moves to tensors, and to other places that `rests` is
    true of."""
    seen: set[tuple[int, str]] = set()
    waiting = [place]
    while waiting:
        each = waiting.pop()
        key = id(each.scope.defining(each.name)), each.name
        if key in seen:
            continue
        seen.add(key)
        if tensor_of(each) is not None or rests(each):
            yield each
        else:
            waiting += moved_from(each)


# Operators that move numbers: (position, axis) of the inputs behind an axis of what they give.

Behind = Sequence[tuple[int, int]]


def _same(scope: Scope, node: onnx.NodeProto, axis: int) -> Behind:
    return [(0, axis)]


def _transpose(scope: Scope, node: onnx.NodeProto, axis: int) -> Behind:
    turned = next((list(item.ints) for item in node.attribute if item.name == "perm"), None)
    return [(0, -axis - 1 if turned is None else turned[axis])]


def _unsqueeze(scope: Scope, node: onnx.NodeProto, axis: int) -> Behind:
    added = _axes(scope, node)
    if added is None or axis in added:
        return []
    if axis < 0 and not any(each for each in added):  # in front
        return [(0, axis)]
    if (axis < 0) != any(each < 0 for each in added) or any((each < 0) != (axis < 0) for each in added):
        return []
    before = sum(each < axis for each in added) if axis >= 0 else -sum(each > axis for each in added)
    return [(0, axis - before)]


def _squeeze(scope: Scope, node: onnx.NodeProto, axis: int) -> Behind:
    gone = _axes(scope, node)
    if gone is None:
        return []
    if axis < 0:
        return [(0, axis)] if not any(gone) else []
    if any(each < 0 for each in gone):
        return []
    for each in sorted(gone):
        axis += each <= axis
    return [(0, axis)]


def _gather(scope: Scope, node: onnx.NodeProto, axis: int) -> Behind:
    """One of a stack of weights; of a matrix, rows by number are an embedding."""
    stack = scope.defining(node.input[0]).tensors.get(node.input[0])
    stacked = stack is not None and len(stack.shape) > 2 and _whole(node, "axis", 0) == 0
    return [(0, axis)] if stacked and axis < 0 else []


def _where(scope: Scope, node: onnx.NodeProto, axis: int) -> Behind:
    return [(1, axis), (2, axis)]


def _concat(scope: Scope, node: onnx.NodeProto, axis: int) -> Behind:
    return [(k, axis) for k in range(len(node.input))]


_MOVES = {
    "Identity": _same,
    "Cast": _same,
    "Slice": _same,
    "Split": _same,
    "Concat": _concat,
    "Transpose": _transpose,
    "Unsqueeze": _unsqueeze,
    "Squeeze": _squeeze,
    "Gather": _gather,
    "Where": _where,
}


def _through_bodies(owner: Scope, index: int, place: Place) -> Iterator[Place]:
    """What a branch gives, or a loop's state when it ends: what the body left, and what entered."""
    node = owner.nodes[index]
    output = list(node.output).index(place.name)
    shift = {"If": 0, "Loop": 1, "Scan": 0}[node.op_type]
    for inner in owner.inner.get(index, ()):
        if node.op_type != "If" and output >= len(_states(inner)):
            continue
        yield Place(inner, inner.outputs[output + shift], place.axis, None, output + shift)
        if node.op_type != "If":
            yield Place(owner, node.input[output + 2 * shift], place.axis, node, output + 2 * shift)


def _into_body(owner: Scope, place: Place) -> Iterator[Place]:
    """What enters a body from outside: a loop's state, or a slice of what a Scan goes over."""
    node, outer, position = owner.owner, owner.outer, owner.inputs.index(place.name)
    if node is None or outer is None or position >= len(node.input):
        return
    states = _states(owner)
    shift = 1 if node.op_type == "Loop" else 0
    if place.name in states:
        yield Place(outer, node.input[position], place.axis, node, position)
        yield Place(owner, owner.outputs[position - shift], place.axis, None, position - shift)
    elif node.op_type == "Scan" and place.axis < 0:
        yield Place(outer, node.input[position], place.axis, node, position)


def _states(body: Scope) -> list[str]:
    if body.owner is None or body.owner.op_type == "If":
        return []
    if body.owner.op_type == "Loop":
        return body.inputs[2:]
    return body.inputs[: len(body.inputs) - _whole(body.owner, "num_scan_inputs", 0)]


def _axes(scope: Scope, node: onnx.NodeProto) -> list[int] | None:
    """Of a Squeeze or Unsqueeze, from its attribute or a tensor of the file; None where they are not known."""
    said = next((list(item.ints) for item in node.attribute if item.name == "axes"), None)
    if said is not None or len(node.input) < 2:
        return said
    return _integers(scope, node.input[1])


def constant_of(scope: Scope, name: str) -> Held | None:
    """The float tensor of the Constant node that makes a name."""
    index = scope.producers.get(name)
    if index is None or scope.nodes[index].op_type != "Constant":
        return None
    return next(iter(scope.constants[index]), None)


def _integers(scope: Scope, name: str) -> list[int] | None:
    """What a tensor or a Constant node of the file holds; None for what is computed."""
    owner = scope.defining(name)
    if name in owner.tensors:
        return [int(each) for each in np.asarray(owner.tensors[name].values()).ravel()]
    node = owner.nodes[owner.producers[name]] if name in owner.producers else None
    if node is None or node.op_type != "Constant" or not node.attribute:
        return None
    value = onnx.helper.get_attribute_value(node.attribute[0])
    array = onnx.numpy_helper.to_array(value) if isinstance(value, onnx.TensorProto) else np.asarray(value)
    return [int(each) for each in array.ravel()] if array.dtype.kind == "i" else None


def _whole(node: onnx.NodeProto, name: str, default: int) -> int:
    return next((int(item.i) for item in node.attribute if item.name == name), default)


def covered_places(scopes: Scopes) -> Iterator[Place]:
    """Every weight's place, in all scopes but functions, the main graph first."""
    for scope in sorted(scopes.all, key=lambda each: each is not scopes.main):
        if list(scope.bodies)[-1] is scopes.main:
            for node in scope.nodes:
                yield from places_of(scope, node)
