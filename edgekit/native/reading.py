"""An ONNX file of edgekit's as a `Network`: followed back from its logits to its landmarks.

What stands between landmarks and the first layer is recognised by its operators; `edgekit.native.compiling` compares
answers with ONNX Runtime's then, so that nothing rests on that alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from edgekit.errors import ModelFileError
from edgekit.native.network import F32, HAND, Dense, Direction, Frames, Matrix, Network, Recurrent, whole
from edgekit.reading import StrPath
from edgekit.runtime.inspection import inspect_bytes, read_model, require_numbers

_RECURRENT = ("LSTM", "GRU", "DynamicQuantizeLSTM")
_HANDS = ("Slice", "MatMul", "Sub", "ReduceL2", "Max", "Div", "ReduceL1", "Sign", "ArgMax", "GatherND", "Mul")
_MOVES = ("Transpose", "Reshape", "Squeeze", "Flatten", "ReduceMean")
#: Operators that the compiler knows; it is particular about where they stand.
KNOWN = frozenset((*_RECURRENT, *_HANDS, *_MOVES, "Cast", "DequantizeLinear", "Gemm", "Relu"))
#: Attributes of a recurrent node that edgekit writes.
_ATTRIBUTES = {"hidden_size", "direction", "linear_before_reset"}
#: Widest layer, most numbers a frame, and bytes of a context: indices are int, sums of int8 products int32.
MAX_UNITS, MAX_FEATURES, MAX_CONTEXT_BYTES = 8192, 16384, 2**28


def read_network(path: StrPath) -> Network:
    """The model at `path`. Raises ModelFileError for what `edgekit.runtime.inspect_model` refuses, for operators that
    the compiler does not know, each named, and for a graph that is not built as edgekit builds one."""
    path = Path(path)
    content = read_model(path)
    info = inspect_bytes(content, path)
    require_numbers(info)
    if info.metadata is None:
        strange = sorted(set(info.op_types) - KNOWN)
        unknown = f", and operators of it are not known: {', '.join(strange)}" if strange else ""
        raise ModelFileError(
            f"{path}: edgekit did not write it{unknown}; expected one of edgekit's own files (export, quantize), which"
            " say their classes and frames"
        )
    if info.steps:
        raise ModelFileError(f"{path}: a step model, which reads one frame a run; give the file that it was made from")
    graph = _Graph(onnx.load_from_string(content), path)
    graph.refuse_unknown()
    names = info.metadata.class_names
    frames, layers, readout, dense = graph.parts(info.metadata.sequence_length, info.metadata.features)
    about = info.metadata
    network = Network(frames, layers, readout, dense, names, about.scheme, info.sha256, about.no_sign)
    _check_sizes(network, path)
    return network


def _check_sizes(network: Network, path: Path) -> None:
    widest = max([*(layer.units for layer in network.layers), *(one.weights.rows for one in network.dense)])
    if widest > MAX_UNITS or network.frames.features > MAX_FEATURES:
        raise ModelFileError(
            f"{path}: {widest} units or {network.frames.features} numbers a frame; allowed are {MAX_UNITS} and"
            f" {MAX_FEATURES}"
        )
    rows = max(whole(layer.rows, 16) for layer in network.layers)
    floats = network.frames.count * (rows + whole(network.frames.features, 16))
    if 4 * floats > MAX_CONTEXT_BYTES:
        raise ModelFileError(
            f"{path}: {network.frames.count} frames of {rows} gates take {4 * floats:,} bytes of buffers, allowed"
            f" {MAX_CONTEXT_BYTES:,}; export it for fewer frames"
        )
    if len(network.class_names) != network.classes:
        raise ModelFileError(f"{path}: {len(network.class_names)} class names for {network.classes} outputs")


class _Graph:
    """Nodes by what they give, and tensors by name."""

    def __init__(self, model: onnx.ModelProto, path: Path) -> None:
        self.path = path
        self.nodes = list(model.graph.node)
        self.producers = {output: node for node in self.nodes for output in node.output if output}
        self.tensors = {tensor.name: tensor for tensor in model.graph.initializer}
        self.inputs = [item.name for item in model.graph.input if item.name not in self.tensors]
        self.outputs = [item.name for item in model.graph.output]

    def refuse_unknown(self) -> None:
        """Raises ModelFileError that names every node of an operator that is not known, or for int4 weights."""
        if any(tensor.data_type in (onnx.TensorProto.INT4, onnx.TensorProto.UINT4) for tensor in self.tensors.values()):
            raise ModelFileError(
                f"{self.path}: its weights are int4, which compile does not read; quantize with --scheme int8-weights,"
                " and compile that"
            )
        strange = [node for node in self.nodes if node.op_type not in KNOWN]
        if strange:
            named = ", ".join(f"{node.op_type} '{node.name or node.output[0]}'" for node in strange)
            raise ModelFileError(
                f"{self.path}: {len(strange)} of its nodes are not known: {named}; expected what edgekit's own train,"
                " export and quantize write: LSTM and GRU layers, dense layers and edgekit's preprocessing"
            )

    def parts(
        self, count: int, features: int
    ) -> tuple[Frames, tuple[Recurrent, ...], Literal["mean", "final"], tuple[Dense, ...]]:
        """Frames, layers, readout and dense layers, first to last."""
        if len(self.inputs) != 1 or len(self.outputs) != 1:
            raise self.refusal(f"{len(self.inputs)} inputs and {len(self.outputs)} outputs; expected one of each")
        name, dense = self.dense_layers(self.outputs[0])
        name, readout = self.readout(name)
        name, layers = self.recurrent_layers(name)
        return self.frames(name, count, features), layers, readout, dense

    def dense_layers(self, name: str) -> tuple[str, tuple[Dense, ...]]:
        """Those that end in `name`, and what the first of them reads."""
        dense = list[Dense]()
        while (node := self.node(name)).op_type in ("Gemm", "Relu"):
            relu = node.op_type == "Relu"
            node = self.node(node.input[0]) if relu else node
            dense.insert(0, self.dense(node, relu))
            name = node.input[0]
        if not dense or dense[-1].relu:
            raise self.refusal("it does not end in a dense layer of logits")
        return name, tuple(dense)

    def recurrent_layers(self, name: str) -> tuple[str, tuple[Recurrent, ...]]:
        """Those whose last gives `name`, and what the first of them reads."""
        node = self.node(name, *_RECURRENT)
        layers = [self.layer(node)]
        while (before := self.sequence(node.input[0])) is not None:
            node = self.node(before, *_RECURRENT)
            layers.insert(0, self.layer(node))
        return node.input[0], tuple(layers)

    def node(self, name: str, *kinds: str) -> onnx.NodeProto:
        """What gives `name`, of one of these kinds. Raises ModelFileError otherwise."""
        node: onnx.NodeProto | None = self.producers.get(name)
        if node is None or (kinds and node.op_type not in kinds):
            found = "nothing" if node is None else f"{node.op_type} '{node.name}'"
            wanted = " or ".join(kinds) or "an operator"
            raise self.refusal(f"'{name}' comes from {found}; expected {wanted}, as edgekit writes it")
        return node

    def refusal(self, why: str) -> ModelFileError:
        """The error for a graph of another build."""
        return ModelFileError(f"{self.path}: {why}; export it with this edgekit, and use that")

    def array(self, name: str) -> NDArray[Any]:
        """The numbers of an initializer."""
        if name not in self.tensors:
            raise self.refusal(f"'{name}' is computed; expected a constant")
        return numpy_helper.to_array(self.tensors[name])

    def matrix(self, name: str) -> tuple[F32, NDArray[np.int8] | None, F32 | None]:
        """A float32 tensor, its int8 codes of the same shape, and scales a row, of all rows in one."""
        if name in self.tensors:
            return self.array(name).astype(np.float32), None, None
        node = self.node(name, "Mul", "DequantizeLinear", "Reshape")
        shape = None
        if node.op_type == "Reshape":
            shape = self.array(node.input[1])
            node = self.node(node.input[0], "DequantizeLinear")
        codes, scale = (self._stored(each) for each in node.input[:2])
        if codes.dtype != np.int8 or len(node.input) > 2 or codes.min(initial=0) < -127:
            raise self.refusal(f"'{name}' is not stored as symmetric int8")
        scale = scale.astype(np.float32)
        if node.op_type == "Mul" and scale.shape != (*codes.shape[:-1], 1):
            raise self.refusal(f"'{name}' has scales of shape {scale.shape}; expected one a row")
        scale = scale.reshape(-1)
        codes = codes if shape is None else codes.reshape(shape)
        rows = codes.reshape(-1, codes.shape[-1])
        if scale.shape != (len(rows),):
            raise self.refusal(f"'{name}' has {scale.shape} scales for {len(rows)} rows")
        return (rows.astype(np.float32) * scale[:, None]).reshape(codes.shape), codes, scale

    def _stored(self, name: str) -> NDArray[Any]:
        """The numbers of an initializer, itself or behind a Cast."""
        node = self.producers.get(name)
        return self.array(node.input[0] if node is not None and node.op_type == "Cast" else name)

    def dense(self, node: onnx.NodeProto, relu: bool) -> Dense:
        """A Gemm of one weight a row of outputs."""
        self.node(node.output[0], "Gemm")
        if _attributes(node) != {"transB": 1} or len(node.input) != 3:
            raise self.refusal(f"Gemm '{node.name}' has {_attributes(node)}; expected transB 1 and a bias")
        return Dense(Matrix(*self.matrix(node.input[1])), self.array(node.input[2]).astype(np.float32), relu)

    def readout(self, name: str) -> tuple[str, Literal["mean", "final"]]:
        """What the dense layers read: an output of the last recurrent layer, and what of it."""
        node = self.node(name, "Squeeze", "ReduceMean", "Flatten")
        if node.op_type == "Flatten":
            node = self.node(node.input[0], "Transpose")
            state = self.producers.get(node.input[0])
            node = state if state is not None and state.op_type == "ReduceMean" else node
        layer = self.node(node.input[0], *_RECURRENT)
        mean = node.op_type == "ReduceMean"
        if node.input[0] != layer.output[0 if mean else 1]:
            raise self.refusal(f"'{name}' reads '{node.input[0]}' in a way that edgekit does not write")
        return node.input[0], "mean" if mean else "final"

    def sequence(self, name: str) -> str | None:
        """The recurrent layer's output behind a layer's input; None where that comes from the landmarks."""
        node = self.producers.get(name)
        while node is not None and node.op_type in ("Squeeze", "Reshape", "Transpose"):
            name, node = node.input[0], self.producers.get(node.input[0])
        return name if node is not None and node.op_type in _RECURRENT else None

    def layer(self, node: onnx.NodeProto) -> Recurrent:
        """A recurrent node, of either kind of LSTM or a GRU."""
        attributes = _attributes(node)
        direction = attributes.get("direction", b"forward")
        strange = set(attributes) - _ATTRIBUTES
        cell: Literal["LSTM", "GRU"] = "GRU" if node.op_type == "GRU" else "LSTM"
        if strange or direction not in (b"forward", b"bidirectional"):
            raise self.refusal(f"{node.op_type} '{node.name}' has {', '.join(sorted(strange)) or direction.decode()}")
        if cell == "GRU" and attributes.get("linear_before_reset") != 1:
            raise self.refusal(f"GRU '{node.name}' has no linear_before_reset")
        if len(node.input) < 4 or not node.input[3] or any(node.input[4:8]):
            raise self.refusal(f"{node.op_type} '{node.name}' has initial states, lengths or no bias")
        units = int(attributes["hidden_size"])
        count = 2 if direction == b"bidirectional" else 1
        packed = node.op_type == "DynamicQuantizeLSTM"
        weights, recurrent = ((self.packed if packed else self.stacked)(node, place) for place in (0, 1))
        bias = self.array(node.input[3]).astype(np.float32).reshape(count, 2, -1)
        both = zip(weights, recurrent, bias, strict=True)
        return Recurrent(cell, units, tuple(Direction(w, r, b[0], b[1]) for w, r, b in both))

    def stacked(self, node: onnx.NodeProto, place: int) -> list[Matrix]:
        """W (place 0) or R (1) of LSTM and GRU, (directions, rows, in), one a direction."""
        values, codes, scale = self.matrix(node.input[1 + place])
        if codes is None or scale is None:
            return [Matrix(each) for each in values]
        scales = scale.reshape(len(codes), -1)
        return [Matrix(*each) for each in zip(values, codes, scales, strict=True)]

    def packed(self, node: onnx.NodeProto, place: int) -> list[Matrix]:
        """The same of DynamicQuantizeLSTM, (directions, in, rows)."""
        scale, zero = (self.array(node.input[8 + 2 * place + k]) for k in (0, 1))
        codes = self.array(node.input[1 + place])
        if zero.any() or codes.dtype != np.int8 or codes.min(initial=0) < -127:
            raise self.refusal(f"DynamicQuantizeLSTM '{node.name}' has weights that are not symmetric int8")
        turned = [np.ascontiguousarray(each.T) for each in codes]
        return [Matrix.of_codes(each, one.astype(np.float32)) for each, one in zip(turned, scale, strict=True)]

    def frames(self, name: str, count: int, features: int) -> Frames:
        """What becomes of the landmarks before the first layer reads `name`."""
        mean = std = None
        node = self.node(name)
        if node.op_type == "Div" and self._is_row(node.input[1], features):
            centred = self.node(node.input[0], "Sub")
            mean, std = (self.array(one.input[1]).astype(np.float32) for one in (centred, node))
            name = centred.input[0]
        kinds = self._kinds_before(name)
        strange = kinds - {*_HANDS, "Transpose", "Reshape", "Cast", "DequantizeLinear"}
        hands = features // HAND if "ReduceL2" in kinds else 0
        if strange or (not hands and kinds != {"Transpose"}) or (hands and features % HAND):
            raise self.refusal(f"its preprocessing ({', '.join(sorted(kinds))}) is none of edgekit's")
        return Frames(count, features, hands, "ArgMax" in kinds, mean, std)

    def _is_row(self, name: str, features: int) -> bool:
        return name in self.tensors and tuple(self.tensors[name].dims) == (features,)

    def _kinds_before(self, name: str) -> set[str]:
        kinds, waiting, seen = set[str](), [name], set[str]()
        while waiting:
            node = self.producers.get(each := waiting.pop())
            if node is not None and each not in seen:
                seen.add(each)
                kinds.add(node.op_type)
                waiting += node.input
        return kinds


def _attributes(node: onnx.NodeProto) -> Mapping[str, Any]:
    return {item.name: helper.get_attribute_value(item) for item in node.attribute}


def describe(layers: Sequence[Recurrent]) -> str:
    """`LSTM 63 to 40` for people; a bidirectional layer as `2 x 40`."""
    return ", ".join(
        f"{layer.cell} {layer.inputs} to {'2 x ' if len(layer.directions) == 2 else ''}{layer.units}"
        for layer in layers
    )
