"""Proof of what was quantised, from the two files' bytes: quantisers that skip an LSTM do so silently.

Recurrent weights are traced from the operators back to what the file holds (`quantize.coverage`), not looked up the way
in which they were found for quantisation.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from edgekit.errors import GateError
from edgekit.quantize.coverage import StayedFloat, left_float, recurrent_left_float, small_float
from edgekit.quantize.dynamic import OPERATOR, R_INPUTS, W_INPUTS, lstm_nodes
from edgekit.quantize.integers import dequantize_rows, row_errors, unpack_integers
from edgekit.quantize.large import move_out
from edgekit.quantize.scopes import FLOATS, Scopes
from edgekit.quantize.settings import QuantizeConfig
from edgekit.quantize.storing import ALL_INT8, HALF_RATIO, Kept, halves_of
from edgekit.quantize.weights import Weight, find_weights, weights_of_scheme
from edgekit.results import LeftFloat, QuantizationProof, QuantizedTensor

#: int8 numbers, their scales, and the axis of the rows that have one each.
Place = tuple[NDArray[Any], NDArray[np.float32], int]

#: What helps where a weight of a recurrent layer can't be int8.
ADVICE = (
    "edgekit can't quantise such layers; use the file as it is, or export the model again with the weights of its"
    " recurrent layers as plain initializers"
)

#: Half of the smallest number above 0 that float16 has.
_LEAST_HALF = 2.0**-25
_FLOAT_SLACK = 1e-3  # of a scale: float32 rounding of q * scale against exact arithmetic


def prove_quantization(source: bytes, target: bytes, config: QuantizeConfig, name: str) -> QuantizationProof:
    """Read both serialised models anew and compare them, as `prove_models` does. name: of the target, for messages."""
    before, after = onnx.load_from_string(source), onnx.load_from_string(target)
    proof = prove_models(before, after, config, name)
    return replace(proof, source_size_bytes=len(source), size_bytes=len(target))


def prove_models(
    before: onnx.ModelProto, after: onnx.ModelProto, config: QuantizeConfig, name: str, kept: Kept = ALL_INT8
) -> QuantizationProof:
    """What became of a model, with sizes of 0 for the files. kept: weights that are not to be int8.

    Raises GateError when a weight of a recurrent layer, or another one that should be int8, is not, wherever it is;
    when an element is off by more than half its scale, or in float16 by more than half its last bit; or when the model
    lost or gained an operator besides DequantizeLinear, Reshape, Cast and Mul; with int8-dynamic, besides each LSTM's
    change into a DynamicQuantizeLSTM of the same inputs, outputs and attributes.
    """
    scopes = Scopes(after)
    halves = dict(halves_of(after, kept))
    meant = kept.names | {tensor.name for tensor in halves.values()}
    stayed = recurrent_left_float(scopes, config.min_elements)
    require_int8([each for each in stayed if not (each.tensors and meant.issuperset(each.tensors))], name)
    missed = [weight.name for weight in find_weights(after, config.min_elements) if weight.name not in meant]
    if missed:
        raise GateError(f"{name}: still float32 after quantisation: {', '.join(missed)}; please report it as a bug")
    _check_operators(before, after, config.scheme == "int8-dynamic", name)
    originals = {tensor.name: tensor for tensor in before.graph.initializer}
    _check_halves(originals, halves, kept, name)
    tensors = [
        _compare(weight, numpy_helper.to_array(originals[weight.name]), *place, config.bits, name)
        for weight, place in _places(before, after, config, name, kept)
    ]
    floats = scopes.floats()
    kind = onnx.TensorProto.INT8 if config.bits == 8 else onnx.TensorProto.INT4
    left = [each for each in left_float(scopes, config.min_elements) if each.name not in meant]
    return QuantizationProof(
        tensors=tuple(tensors),
        op_types=_count_ops(after),
        int8_bytes=sum(len(t.raw_data) for t in after.graph.initializer if t.data_type == kind),
        remaining_fp32_bytes=sum(held.bytes for held in floats if held.kind == onnx.TensorProto.FLOAT),
        remaining_float_bytes=sum(held.bytes for held in floats),
        left_float=(*_kept_floats(before, config, kept), *left),
        small_float=tuple(small_float(scopes, config.min_elements, meant)),
        source_size_bytes=0,
        size_bytes=0,
    )


def _kept_floats(before: onnx.ModelProto, config: QuantizeConfig, kept: Kept) -> Iterator[LeftFloat]:
    for weight in weights_of_scheme(before, config):
        if weight.name in kept.names:
            half, elements = weight.name in kept.half, math.prod(weight.shape)
            was = elements * helper.tensor_dtype_to_np_dtype(weight.kind).itemsize
            dtype, held = ("float16", 2 * elements) if half else (FLOATS[weight.kind], was)
            reason = kept.reason(weight.name)
            yield LeftFloat(weight.name, (weight.op_type,), dtype, weight.shape, held, reason, was)


def _check_halves(
    originals: Mapping[str, onnx.TensorProto], halves: Mapping[str, onnx.TensorProto], kept: Kept, name: str
) -> None:
    for weight in sorted(kept.half):
        values = numpy_helper.to_array(originals[weight])
        half = numpy_helper.to_array(halves[weight]).astype(values.dtype) if weight in halves else np.inf * values
        if not (np.abs(half - values) <= HALF_RATIO * np.abs(values) + _LEAST_HALF).all():
            raise GateError(f"{name}: weight {weight} is not what float16 holds of it; please report it as a bug")


def require_int8(stayed: Sequence[StayedFloat], name: str) -> None:
    """Raises GateError naming every weight of a recurrent layer that stayed float, why, and what helps."""
    if not stayed:
        return
    listed = "".join(f"\n  {each}" for each in stayed)
    what = "a weight of a recurrent layer" if len(stayed) == 1 else f"{len(stayed)} weights of recurrent layers"
    raise GateError(f"{name}: {what} would stay float, so nothing was written:{listed}\n{ADVICE}")


def write_expected(
    before: onnx.ModelProto, after: onnx.ModelProto, config: QuantizeConfig, name: str, path: Path, kept: Kept
) -> None:
    """Write `before` with the floats that the numbers of `after` stand for to `path`. They go into a file beside it,
    which ONNX Runtime maps into memory; `before` is changed."""
    originals = {tensor.name: tensor for tensor in before.graph.initializer}
    with path.with_suffix(".bin").open("wb") as file:
        for weight, (q, scale, axis) in _places(before, after, config, name, kept):
            values = dequantize_rows(q, scale, axis).reshape(weight.shape)
            move_out(originals[weight.name], values, file)
        for weight_name, half in halves_of(after, kept):
            move_out(originals[weight_name], numpy_helper.to_array(half), file)
    path.write_bytes(before.SerializeToString(deterministic=True))


def _places(
    before: onnx.ModelProto, after: onnx.ModelProto, config: QuantizeConfig, name: str, kept: Kept
) -> Iterator[tuple[Weight, Place]]:
    """Each weight that should be int8, with its numbers."""
    dynamic = _dynamic_places(before, after, name) if config.scheme == "int8-dynamic" else {}
    for weight in weights_of_scheme(before, config):
        if weight.name not in kept.names:
            yield weight, dynamic[weight.name] if weight.name in dynamic else _stored_place(weight, after, config, name)


def _count_ops(model: onnx.ModelProto) -> dict[str, int]:
    return dict(Counter(node.op_type for node in model.graph.node))


def _count_all_ops(model: onnx.ModelProto) -> Counter[str]:
    """In subgraphs and functions, too."""
    return Counter(node.op_type for scope in Scopes(model).all for node in scope.nodes)


def _check_operators(before: onnx.ModelProto, after: onnx.ModelProto, dynamic: bool, name: str) -> None:
    was, now = _count_all_ops(before), _count_all_ops(after)
    if dynamic:
        was[OPERATOR] += was.pop("LSTM", 0)
    changed = sorted((was - now).keys() | (now - was).keys() - {"DequantizeLinear", "Reshape", "Cast", "Mul"})
    if changed:
        raise GateError(f"{name}: quantisation changed operators {', '.join(changed)}; please report it as a bug")


def _dynamic_places(before: onnx.ModelProto, after: onnx.ModelProto, name: str) -> dict[str, Place]:
    """Where each LSTM's weights went, found by the node's outputs; everything else of the node is as it was."""
    tensors = {tensor.name: numpy_helper.to_array(tensor) for tensor in after.graph.initializer}
    nodes = {tuple(node.output): node for node in after.graph.node if node.op_type == OPERATOR}
    places: dict[str, Place] = {}
    for old in lstm_nodes(before):
        new = nodes.get(tuple(old.output))
        if new is None or _rest(old) != _rest(new):
            raise GateError(f"{name}: LSTM '{old.name}' lost an input or attribute; please report it as a bug")
        for (position, scale, zero), weight in zip((W_INPUTS, R_INPUTS), old.input[1:3], strict=True):
            q = tensors[new.input[position]].transpose(0, 2, 1)  # (directions, in, rows) in the file
            if tensors[new.input[zero]].any():
                raise GateError(f"{name}: weight {weight} has zero points other than 0; please report it as a bug")
            places[weight] = q.reshape(-1, q.shape[2]), tensors[new.input[scale]].reshape(-1), 0
    return places


def _rest(node: onnx.NodeProto) -> tuple[list[str], dict[str, Any]]:
    """Inputs besides the weights, and attributes; `layout` 0 says nothing."""
    others = [*node.input[3:8], *[""] * 5][:5]
    return [node.input[0], *others], {
        a.name: helper.get_attribute_value(a) for a in node.attribute if a.name != "layout"
    }


def _stored_place(weight: Weight, after: onnx.ModelProto, config: QuantizeConfig, name: str) -> Place:
    """Follow the nodes from a weight's name back to its int8 or int4 numbers, as a reader of the file would."""
    tensors = {tensor.name: tensor for tensor in after.graph.initializer}
    producers = {output: node for node in after.graph.node for output in node.output}
    node = producers.get(weight.name)
    for kind in ("Cast", "Reshape"):
        if node is not None and node.op_type == kind:
            node = producers.get(node.input[0])
    if node is None or node.op_type not in ("Mul", "DequantizeLinear"):
        raise GateError(f"{name}: weight {weight.name} is not read from integers; please report it as a bug")
    sources = [producers.get(each) for each in node.input]
    behind = [each if by is None else by.input[0] for each, by in zip(node.input, sources, strict=True)]
    held, scale = tensors[behind[0]], numpy_helper.to_array(tensors[behind[1]])
    kind = helper.tensor_dtype_to_string(held.data_type).removeprefix("TensorProto.").lower()
    if kind != f"int{config.bits}":
        raise GateError(f"{name}: weight {weight.name} is {kind}, not int{config.bits}; please report it as a bug")
    q = unpack_integers(held)
    if node.op_type == "DequantizeLinear":
        return q, scale, next((item.i for item in node.attribute if item.name == "axis"), 1)
    if scale.shape != weight.scale_shape:
        raise GateError(f"{name}: weight {weight.name} has scales of shape {scale.shape}; please report it as a bug")
    return (q.reshape(-1, q.shape[-1]), scale.ravel(), 0) if weight.by_direction else (q, scale.ravel(), weight.axis)


def _compare(
    weight: Weight,
    original: NDArray[np.float32],
    q: NDArray[Any],
    scale: NDArray[np.float32],
    axis: int,
    bits: int,
    name: str,
) -> QuantizedTensor:
    per_row = row_errors(original.reshape(q.shape), q, scale.astype(np.float32), axis)
    worst = float((per_row / scale.astype(np.float64)).max())
    if q.dtype != np.int8 or not worst <= 0.5 + _FLOAT_SLACK:
        raise GateError(
            f"{name}: weight {weight.name} is {q.dtype}, off by {worst:.3f} scales; allowed int8 and 0.5;"
            " please report it as a bug"
        )
    return QuantizedTensor(
        name=weight.name,
        op_type=weight.op_type,
        shape=weight.shape,
        bytes_before=original.nbytes,
        bytes_after=-(-q.size * bits // 8) + scale.nbytes,
        max_error=float(per_row.max()),
        max_error_scales=worst,
    )
