"""Weights that are computed from constants, or rest in subgraphs or nodes, become initializers of the main graph.

Only what is a weight is touched, so that the rest of a model stays as its author has it. What ONNX Runtime computes
here it would compute itself, with the same operators, whenever it opens the file.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from edgekit.artifacts import scratch_folder
from edgekit.errors import ModelFileError
from edgekit.quantize.constants import Closure, Constants
from edgekit.quantize.rows import Place, constant_of, covered_places, resting_places
from edgekit.quantize.scopes import RECURRENT, Held, Scope, Scopes
from edgekit.quantize.weights import FLOAT_KINDS, Names, replace_items
from edgekit.runtime.session import open_session

#: Numbers of tensors that are computed with at once, in bytes, unless one weight alone takes more.
_MOST_BYTES = 2**24


@dataclass(eq=False)
class _Wanted:
    """A name to become an initializer. recurrent: whether a recurrent layer reads it. places: where it is read."""

    owner: Scope
    name: str
    recurrent: bool
    closure: Closure
    held: Held | None
    places: list[Place] = field(default_factory=list)


def fold_weights(model: onnx.ModelProto, min_elements: int, path: Path) -> int:
    """Fold in place; returns how many weights were. path: of the file, for messages.

    Left as they are: dense weights of fewer than `min_elements`; those whose int8 form would be larger than what they
    are made from; those that are moved only and whose source something else reads, too, which can be int8 itself.
    """
    scopes = Scopes(model)
    wanted = [each for each in _find(scopes).values() if _large(each, min_elements)]
    wanted = _without_shared(scopes, wanted)
    if not wanted:
        return 0
    values = _values(model, wanted, path)
    chosen = [each for each in wanted if id(each) in values and _fits(each, values[id(each)], min_elements)]
    _place(model, scopes, chosen, values)
    _sweep(model, chosen)
    return len(chosen)


def _find(scopes: Scopes) -> dict[tuple[int, str], _Wanted]:
    """What stands in front of a weight and is no initializer of the main graph, by scope and name."""
    constants = Constants(scopes)
    found: dict[tuple[int, str], _Wanted] = {}
    for weight in covered_places(scopes):
        node = weight.reader
        if node is None or any(constants.computed(weight.scope, name) for name in node.output):
            continue
        for place in _constant_places(constants, weight):
            owner = place.scope.defining(place.name)
            held = owner.tensors.get(place.name)
            if held is not None and owner is scopes.main and not held.sparse:
                continue
            closure = Closure(tensors={place.name: held}) if held else constants.closure(place.scope, place.name)
            wanted = _Wanted(owner, place.name, False, closure, held)
            wanted = found.setdefault((id(owner), place.name), wanted)
            wanted.recurrent |= node.op_type in RECURRENT
            wanted.places.append(place)
    return found


def _constant_places(constants: Constants, weight: Place) -> Iterator[Place]:
    """The nearest places behind a weight that are the same in every run."""
    return resting_places(weight, lambda place: constants.computed(place.scope, place.name))


def _large(wanted: _Wanted, min_elements: int) -> bool:
    made_from = wanted.closure
    if made_from.clash or (wanted.held is None and any(each.sparse for each in made_from.tensors.values())):
        return False
    return wanted.recurrent or made_from.float_bytes >= min_elements


def _fits(wanted: _Wanted, values: NDArray[Any], min_elements: int) -> bool:
    if helper.np_dtype_to_tensor_dtype(values.dtype) not in FLOAT_KINDS or values.ndim < 2:
        return False
    return wanted.recurrent or (values.size >= min_elements and values.size < wanted.closure.float_bytes)


# What else reads the tensors.


def _without_shared(scopes: Scopes, wanted: list[_Wanted]) -> list[_Wanted]:
    """Without what is only moved from a tensor that stays because something else reads it: folded, it would be there
    twice. Such a tensor becomes int8 itself."""
    alive = _alive_after(scopes, wanted)
    return [each for each in wanted if not (alive & each.closure.tensors.keys() and _only_moved(scopes, each))]


def _only_moved(scopes: Scopes, wanted: _Wanted) -> bool:
    resting = list(resting_places(wanted.places[0]))
    return len(resting) == 1 and resting[0].scope.defining(resting[0].name) is scopes.main


def _alive_after(scopes: Scopes, wanted: Iterable[_Wanted]) -> set[str]:
    """Names that are read once all wanted ones are initializers. By name alone, which errs on the side of alive."""
    folded = {each.name for each in wanted}
    nodes = {id(scope.nodes[k]): scope.nodes[k] for each in wanted for _, k, scope in each.closure.nodes}
    alive: set[str] = set()
    for scope in scopes.all:
        alive.update(scope.outputs)
        for node in scope.nodes:
            if id(node) not in nodes:
                alive.update(node.input)
    alive -= folded
    while nodes:
        reached = [key for key, node in nodes.items() if alive.intersection(node.output)]
        if not reached:
            break
        for key in reached:
            alive |= set(nodes.pop(key).input) - folded
    return alive


# Their numbers.


def _values(model: onnx.ModelProto, wanted: Iterable[_Wanted], path: Path) -> dict[int, NDArray[Any]]:
    """By id of what is wanted; without those that can't be computed."""
    found: dict[int, NDArray[Any]] = {}
    groups: dict[int, list[_Wanted]] = {}
    for each in wanted:
        held = each.held or constant_of(each.owner, each.name)
        if held is not None:
            found[id(each)] = _dense(held, each.owner.proto)
        else:
            groups.setdefault(id(each.owner), []).append(each)
    for group in groups.values():
        for part in _parts(group):
            found |= _computed(model, part, path)
    return found


def _parts(group: list[_Wanted]) -> Iterator[list[_Wanted]]:
    """Of a scope, so many at once that models that compute them stay small."""
    part: list[_Wanted] = []
    for each in group:
        if part and sum(one.closure.float_bytes for one in (*part, each)) > _MOST_BYTES:
            yield part
            part = []
        part.append(each)
    yield part


def _dense(held: Held, graph: onnx.GraphProto) -> NDArray[Any]:
    """Of a tensor of a graph; a sparse one is filled with zeros."""
    if not held.sparse:
        return held.values()
    kept = held.values()
    values = np.zeros(held.shape, kept.dtype)
    source = next(each for each in graph.sparse_initializer if each.values.name == held.name)
    places = numpy_helper.to_array(source.indices)
    if places.ndim == 1:
        values.flat[places] = kept
    else:
        values[tuple(places.T)] = kept
    return values


def _computed(model: onnx.ModelProto, group: list[_Wanted], path: Path) -> dict[int, NDArray[Any]]:
    """By ONNX Runtime, together; where that fails, one by one."""
    try:
        with scratch_folder("fold") as folder:
            program = folder / "weights.onnx"
            program.write_bytes(_program(model, group))
            session = open_session(program, path)
        with closing(session):
            return {id(each): array for each, array in zip(group, session.run(None, {}), strict=True)}
    except ModelFileError:
        found: dict[int, NDArray[Any]] = {}
        for each in group if len(group) > 1 else ():
            found |= _computed(model, [each], path)
        return found


def _program(model: onnx.ModelProto, group: list[_Wanted]) -> bytes:
    """A model without inputs whose outputs are what is wanted."""
    nodes = {(depth, k): scope.nodes[k] for each in group for depth, k, scope in each.closure.nodes}
    tensors = {name: held.source for each in group for name, held in each.closure.tensors.items()}
    graph = onnx.GraphProto(name="weights")
    graph.node.extend(nodes[key] for key in sorted(nodes))
    graph.initializer.extend(tensors.values())
    graph.output.extend(onnx.ValueInfoProto(name=each.name) for each in group)
    program = onnx.ModelProto(ir_version=model.ir_version, graph=graph)
    program.opset_import.extend(model.opset_import)
    content: bytes = program.SerializeToString()
    return content


# Into the main graph.


def _place(model: onnx.ModelProto, scopes: Scopes, chosen: Iterable[_Wanted], values: dict[int, NDArray[Any]]) -> None:
    """Make them initializers. In the main graph they keep their names; those of subgraphs, whose names may not be
    unique, get new ones, and equal ones the same."""
    names = Names(model)
    kept: dict[tuple[str, tuple[int, ...], bytes], str] = {}
    for each in chosen:
        array = values.pop(id(each))
        key = array.dtype.str, array.shape, hashlib.sha256(np.ascontiguousarray(array).data).digest()
        inner = each.owner is not scopes.main
        if key not in kept or not inner:
            name = names.fresh(each.name) if inner else each.name
            _drop(each.owner, each.name, names)
            model.graph.initializer.append(numpy_helper.from_array(array, name))
            kept.setdefault(key, name)
        else:
            name = kept[key]
            _drop(each.owner, each.name, names)
        if inner:
            _redirect(each.owner, each.name, name)


def _drop(owner: Scope, name: str, names: Names) -> None:
    """Let nothing in a scope define a name any more; what computed it may compute other things."""
    if name in owner.producers:
        node = owner.nodes[owner.producers[name]]
        node.output[list(node.output).index(name)] = names.fresh(f"{name}_unused")
        return
    proto = owner.proto
    for tensors in (proto.initializer, proto.sparse_initializer):
        for index, tensor in enumerate(tensors):
            if (tensor.values.name if tensors is proto.sparse_initializer else tensor.name) == name:
                del tensors[index]
                return


def _redirect(owner: Scope, name: str, new: str) -> None:
    """Let all that reads a name of a scope, inside and in the scopes inside it, read another; an output of the scope
    stays called so."""
    for index, node in enumerate(owner.nodes):
        for k, read in enumerate(node.input):
            if read == name:
                node.input[k] = new
        for inner in owner.inner.get(index, ()):
            if name not in inner.tensors and name not in inner.producers and name not in inner.inputs:
                _redirect(inner, name, new)
    if name in owner.outputs:
        owner.proto.node.append(helper.make_node("Identity", [new], [name], name=f"{name}_from_{new}"))


def _sweep(model: onnx.ModelProto, chosen: Iterable[_Wanted]) -> None:
    """Remove what the folded weights were made from, unless something reads it."""
    scopes = {id(scope): scope for each in chosen for _, _, scope in each.closure.nodes}
    nodes = {id(scope.nodes[k]): (scope, scope.nodes[k]) for each in chosen for _, k, scope in each.closure.nodes}
    tensors = {name for each in chosen for name in each.closure.tensors}
    while True:
        read = set(_read(model.graph))
        dead = {key for key, (_, node) in nodes.items() if not read.intersection(node.output)}
        if not dead:
            break
        for scope in scopes.values():
            _remove(scope.proto.node, [k for k, node in enumerate(scope.proto.node) if id(node) in dead])
        for key in dead:
            del nodes[key]
    gone = tensors - read
    for scope in Scopes(model).all:
        if scope.outer is not None or scope.proto is model.graph:
            _remove_tensors(scope.proto, gone)
            _forget(scope.proto)


def _remove_tensors(graph: onnx.GraphProto, gone: set[str]) -> None:
    _remove(graph.initializer, [k for k, each in enumerate(graph.initializer) if each.name in gone])
    _remove(graph.sparse_initializer, [k for k, e in enumerate(graph.sparse_initializer) if e.values.name in gone])
    replace_items(graph.input, [item for item in graph.input if item.name not in gone])


def _forget(graph: onnx.GraphProto) -> None:
    """The types and shapes of what is not there any more."""
    there = {name for node in graph.node for name in node.output} | {item.name for item in graph.input}
    there |= {tensor.name for tensor in graph.initializer}
    _remove(graph.value_info, [k for k, item in enumerate(graph.value_info) if item.name not in there])


def _remove(items: Any, places: list[int]) -> None:
    for place in reversed(places):
        del items[place]


def _read(graph: onnx.GraphProto) -> Iterator[str]:
    """Every name that something reads, in the graphs inside nodes, too."""
    yield from (item.name for item in graph.output)
    for node in graph.node:
        yield from (name for name in node.input if name)
        for attribute in node.attribute:
            for inner in (attribute.g, *attribute.graphs):
                yield from _read(inner)
