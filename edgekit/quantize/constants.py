"""What in a model is the same in every run, though operators compute it: names, and the operators behind them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import onnx

from edgekit.quantize.scopes import OWN_DOMAINS, Held, Scope, Scopes

_RANDOM = ("RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike", "Multinomial", "Bernoulli")
#: Not computed ahead, however constant: they may take for ever.
_NEVER = (*_RANDOM, "Loop", "Scan")


@dataclass(eq=False)
class Closure:
    """All that a constant is made from. nodes: (depth of the scope, place in it, scope), in the order in which they
    are computed. tensors: by name; None where two scopes use one name for two things."""

    nodes: list[tuple[int, int, Scope]] = field(default_factory=list)
    tensors: dict[str, Held] = field(default_factory=dict)
    clash: bool = False

    @property
    def float_bytes(self) -> int:
        """Of the tensors, those in Constant nodes included."""
        held = [*self.tensors.values(), *(each for _, k, scope in self.nodes for each in scope.constants[k])]
        return sum(each.bytes for each in held)


class Constants:
    """Of all scopes but functions."""

    def __init__(self, scopes: Scopes) -> None:
        self._known: dict[int, set[str]] = {}
        self._depth: dict[int, int] = {}
        self._visit(scopes.main, 0)

    def computed(self, scope: Scope, name: str) -> bool:
        """Whether a name is no tensor, and made by operators from nothing but constants."""
        owner = scope.defining(name)
        return name in owner.producers and name in self._known.get(id(owner), ())

    def closure(self, scope: Scope, name: str) -> Closure:
        """What a computed name is made from."""
        found = Closure()
        owners: dict[str, Scope] = {}
        seen: set[tuple[int, int]] = set()
        waiting = [(scope, name)]
        while waiting:
            scope, name = waiting.pop()
            owner = scope.defining(name)
            found.clash |= owners.setdefault(name, owner) is not owner
            if name in owner.tensors:
                found.tensors[name] = owner.tensors[name]
                continue
            index = owner.producers[name]
            if (id(owner), index) not in seen:
                seen.add((id(owner), index))
                found.nodes.append((self._depth[id(owner)], index, owner))
                waiting += [(owner, each) for each in reads(owner, index)]
        found.nodes.sort(key=lambda item: item[:2])
        return found

    def _visit(self, scope: Scope, depth: int) -> None:
        known = self._known[id(scope)] = set(scope.tensors)
        self._depth[id(scope)] = depth
        for index, node in enumerate(scope.nodes):
            for inner in scope.inner.get(index, ()):
                self._visit(inner, depth + 1)
            own = node.domain in OWN_DOMAINS and node.op_type not in _NEVER
            if own and not _random_inside(scope, index) and all(self._is(scope, each) for each in reads(scope, index)):
                known.update(name for name in node.output if name)

    def _is(self, scope: Scope, name: str) -> bool:
        return name in self._known.get(id(scope.defining(name)), ())


def _random_inside(scope: Scope, index: int) -> bool:
    inside = scope.inner.get(index, ())
    return any(
        node.op_type in _NEVER or _random_inside(inner, k) for inner in inside for k, node in enumerate(inner.nodes)
    )


def reads(scope: Scope, index: int) -> set[str]:
    """Names of the scope and those around it that a node reads, in the graphs inside it, too."""
    found = {name for name in scope.nodes[index].input if name}
    for inner in scope.inner.get(index, ()):
        found |= _free(inner)
    return found


def _free(scope: Scope) -> set[str]:
    defined = {*scope.tensors, *scope.producers, *scope.inputs}
    found = set(scope.outputs)
    for index in range(len(scope.nodes)):
        found |= reads(scope, index)
    return found - defined


def all_nodes(scopes: Iterable[Scope]) -> Iterator[tuple[Scope, onnx.NodeProto]]:
    """With the scope that each is in."""
    for scope in scopes:
        for node in scope.nodes:
            yield scope, node
