"""Proof of what was quantised, from the two files' bytes: quantisers that skip an LSTM do so silently."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

from edgekit.errors import GateError
from edgekit.quantize.weights import Weight, dequantize_rows, find_weights

_FLOAT_SLACK = 1e-3  # of a scale: float32 rounding of q * scale against exact arithmetic


@dataclass(frozen=True)
class QuantizedTensor:
    """One weight.

    bytes_after: int8 numbers and scales. max_error_scales: worst |error| / scale, at most 0.5.
    """

    name: str
    op_type: str
    shape: tuple[int, ...]
    bytes_before: int
    bytes_after: int
    max_error: float
    max_error_scales: float


@dataclass(frozen=True)
class QuantizationProof:
    """What the quantised file holds.

    tensors: the quantised weights. op_types: nodes of the main graph by type. int8_bytes: of all int8
    initializers. remaining_fp32_bytes: float32 tensors of all graphs, scales included. left_large: float32
    initializers that would be large enough but belong to operators that this scheme does not cover.
    """

    tensors: tuple[QuantizedTensor, ...]
    op_types: Mapping[str, int]
    int8_bytes: int
    remaining_fp32_bytes: int
    left_large: tuple[str, ...]
    source_size_bytes: int
    size_bytes: int

    @property
    def weight_reduction_ratio(self) -> float:
        """How much smaller the quantised weights are, scales included: 0.75 is a quarter of the bytes."""
        before = sum(tensor.bytes_before for tensor in self.tensors)
        return 1.0 - sum(tensor.bytes_after for tensor in self.tensors) / before

    @property
    def file_reduction_ratio(self) -> float:
        """How much smaller the file is."""
        return 1.0 - self.size_bytes / self.source_size_bytes

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        ratios = {
            "weight_reduction_ratio": self.weight_reduction_ratio,
            "file_reduction_ratio": self.file_reduction_ratio,
        }
        return {**asdict(self), "op_types": dict(self.op_types), **ratios}


def prove_quantization(source: bytes, target: bytes, min_elements: int, name: str) -> QuantizationProof:
    """Read both serialised models anew and compare them. name: of the target, for messages.

    Raises GateError when a weight that should be int8 is not, when an element is off by more than half its
    scale, or when the main graph lost or gained an operator besides DequantizeLinear and Reshape.
    """
    before, after = onnx.load_from_string(source), onnx.load_from_string(target)
    expected = find_weights(before, min_elements)
    missed = find_weights(after, min_elements)
    if missed:
        names = ", ".join(weight.name for weight in missed)
        raise GateError(f"{name}: still float32 after quantisation: {names}; this is a bug, please report it")
    _check_operators(before, after, name)
    originals = {tensor.name: tensor for tensor in before.graph.initializer}
    tensors = tuple(_compare(weight, numpy_helper.to_array(originals[weight.name]), after, name) for weight in expected)
    return QuantizationProof(
        tensors=tensors,
        op_types=_count_ops(after),
        int8_bytes=sum(len(t.raw_data) for t in after.graph.initializer if t.data_type == onnx.TensorProto.INT8),
        remaining_fp32_bytes=sum(4 * int(np.prod(t.dims)) for t in _float_tensors(after.graph)),
        left_large=tuple(
            t.name for t in _float_tensors(after.graph) if len(t.dims) >= 2 and np.prod(t.dims) >= min_elements
        ),
        source_size_bytes=len(source),
        size_bytes=len(target),
    )


def _count_ops(model: onnx.ModelProto) -> dict[str, int]:
    return dict(Counter(node.op_type for node in model.graph.node))


def _check_operators(before: onnx.ModelProto, after: onnx.ModelProto, name: str) -> None:
    was, now = Counter(_count_ops(before)), Counter(_count_ops(after))
    changed = (was - now) + (now - was)
    extra = sorted(set(changed) - {"DequantizeLinear", "Reshape"})
    if extra:
        raise GateError(f"{name}: quantisation changed operators {', '.join(extra)}; please report it as a bug")


def _compare(weight: Weight, original: NDArray[np.float32], after: onnx.ModelProto, name: str) -> QuantizedTensor:
    """Follow the nodes from a weight's name back to its int8 numbers, as a reader of the file would."""
    tensors = {tensor.name: tensor for tensor in after.graph.initializer}
    producers = {output: node for node in after.graph.node for output in node.output}
    node = producers.get(weight.name)
    if node is not None and node.op_type == "Reshape":
        node = producers.get(node.input[0])
    if node is None or node.op_type != "DequantizeLinear":
        raise GateError(f"{name}: weight {weight.name} has no DequantizeLinear node; please report it as a bug")
    q, scale = (numpy_helper.to_array(tensors[item]) for item in node.input[:2])
    axis = next((item.i for item in node.attribute if item.name == "axis"), 1)
    rows = original.reshape(q.shape)
    error = np.abs(dequantize_rows(q, scale, axis).astype(np.float64) - rows)
    per_row = error.max(axis=tuple(k for k in range(q.ndim) if k != axis))
    worst = float((per_row / scale).max())
    if q.dtype != np.int8 or worst > 0.5 + _FLOAT_SLACK:
        raise GateError(
            f"{name}: weight {weight.name} is {q.dtype}, off by {worst:.3f} scales; allowed int8 and 0.5;"
            " please report it as a bug"
        )
    return QuantizedTensor(
        name=weight.name,
        op_type=weight.op_type,
        shape=weight.shape,
        bytes_before=original.nbytes,
        bytes_after=q.nbytes + scale.nbytes,
        max_error=float(error.max()),
        max_error_scales=worst,
    )


def _float_tensors(graph: onnx.GraphProto) -> Iterator[onnx.TensorProto]:
    """Float32 initializers and constants of a graph and of the graphs inside its nodes."""
    tensors = list(graph.initializer)
    for node in graph.node:
        for attribute in node.attribute:
            tensors += [attribute.t] if attribute.HasField("t") else []
            for inner in [*attribute.graphs, *([attribute.g] if attribute.HasField("g") else [])]:
                yield from _float_tensors(inner)
    yield from (tensor for tensor in tensors if tensor.data_type == onnx.TensorProto.FLOAT)
