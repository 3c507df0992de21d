"""How each weight is stored: int8, or, where a limit on outputs asks for it, in float16 or as it was."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from edgekit.quantize.integers import dequantize_rows, quantize_rows
from edgekit.quantize.weights import Names, Weight, replace_initializers

_T = onnx.TensorProto
HALF_SUFFIX = "_float16"
#: Of a number that float16 holds: half its last bit.
HALF_RATIO = 2.0**-11


@dataclass(frozen=True)
class Kept:
    """Weights that are not rounded although they could be. half: stored in float16; whole: as they were. alone: how
    far outputs are off when that weight alone is rounded, to integers of so many bits. limit: that made it so."""

    half: frozenset[str] = frozenset()
    whole: frozenset[str] = frozenset()
    alone: Mapping[str, float] = field(default_factory=dict)
    limit: float | None = None
    bits: int = 8

    @property
    def names(self) -> frozenset[str]:
        """All of them."""
        return self.half | self.whole

    def reason(self, name: str) -> str:
        """Why a weight is kept, and how it is stored."""
        stored = "kept in float16" if name in self.half else "kept as it was"
        fact = f": in int{self.bits} it alone moves them by {self.alone[name]:.2g}" if name in self.alone else ""
        return f"{stored}, so that outputs differ by {self.limit:g} at most{fact}"


ALL_INT8 = Kept()


def in_integers(weight: Weight, values: NDArray[Any], bits: int) -> NDArray[Any]:
    """The numbers that a weight's int8 or int4 form stands for, in its own shape and type."""
    axis, rows = weight.axis, values
    if weight.by_direction:
        rows, axis = values.reshape(-1, values.shape[-1]), 0
    q, scale = quantize_rows(rows.astype(np.float32, copy=False), axis, bits)
    return dequantize_rows(q, scale, axis).reshape(values.shape).astype(values.dtype, copy=False)


def in_half(values: NDArray[Any]) -> NDArray[Any]:
    """The numbers that float16 holds of them, in their own type; infinite beyond its range."""
    with np.errstate(over="ignore"):
        return values.astype(np.float16).astype(values.dtype)


def can_be_half(weight: Weight, values: NDArray[Any], bits: int) -> bool:
    """Whether float16 is smaller than the weight's own type, holds its numbers, and is nearer to them than integers."""
    if weight.kind not in (_T.FLOAT, _T.DOUBLE):
        return False
    half = in_half(values)
    off = [np.abs(other - values).max() for other in (half, in_integers(weight, values, bits))]
    return bool(np.isfinite(half).all() and off[0] < off[1])


def halve_weights(model: onnx.ModelProto, names: frozenset[str]) -> None:
    """Store weights in float16, in place, with a Cast that brings each back under its name."""
    if not names:
        return
    graph, free = model.graph, Names(model)
    added, nodes = [], []
    for tensor in graph.initializer:
        if tensor.name in names:
            values = numpy_helper.to_array(tensor).astype(np.float16)
            added.append(numpy_helper.from_array(values, free.fresh(tensor.name + HALF_SUFFIX)))
            called = free.fresh(tensor.name + "_cast")
            nodes.append(helper.make_node("Cast", [added[-1].name], [tensor.name], name=called, to=tensor.data_type))
    replace_initializers(graph, set(names), added)
    for place, node in enumerate(nodes):
        graph.node.insert(place, node)


def halves_of(model: onnx.ModelProto, kept: Kept) -> Iterator[tuple[str, onnx.TensorProto]]:
    """Each weight that is stored in float16, by its old name, with the tensor that holds it now."""
    tensors = {tensor.name: tensor for tensor in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type == "Cast" and node.output[0] in kept.half and node.input[0] in tensors:
            yield node.output[0], tensors[node.input[0]]
