"""ONNX files as protobuf messages: any field of any message, and what a graph can do to whoever opens it."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Any

import numpy as np
import onnx
from google.protobuf.message import DecodeError, Message
from onnx import TensorProto, helper

from . import edges, raw
from .growth import growth

OPERATORS = (
    "Identity", "LSTM", "GRU", "RNN", "MatMul", "Gemm", "Add", "Concat", "Shape", "Reshape", "Transpose", "Squeeze",
    "Unsqueeze", "Slice", "Tile", "Expand", "ConstantOfShape", "If", "Loop", "Scan", "Constant", "Cast", "Relu",
    "Softmax", "Gather", "DequantizeLinear", "QuantizeLinear", "DynamicQuantizeLSTM", "MatMulInteger", "Range",
    "NonZero", "Split", "Conv", "Pad", "Resize", "SequenceConstruct", "StringNormalizer", "Nothing",
)  # fmt: skip


def mutate(rng: Random, content: bytes) -> tuple[bytes, str]:
    """One change of a message, of the graph, or of bytes."""
    try:
        model = onnx.load_model_from_string(content)
    except DecodeError:
        return raw.mutate(rng, content)
    op = rng.choice(
        (_any_field,) * 4 + (_tensor,) * 2 + (_node, _node, _signature, _metadata, _versions, growth, _bytes)
    )
    if op is _bytes:
        return raw.mutate(rng, content)
    try:
        done = op(rng, model)
        return model.SerializeToString(), done
    except (ValueError, TypeError, DecodeError):  # what protobuf itself refuses to hold
        return raw.mutate(rng, content)


def _bytes(rng: Random, model: onnx.ModelProto) -> str:
    raise AssertionError("chosen by identity")


def messages(message: Message, here: str = "model") -> Iterator[tuple[str, Any]]:
    """Every message below one, itself first."""
    yield here, message
    for field, value in message.ListFields():
        if field.message_type is None:
            continue
        for k, item in enumerate(value if _repeated(field) else [value]):
            yield from messages(item, f"{here}.{field.name}[{k}]")


def _repeated(field: Any) -> bool:
    found = getattr(field, "is_repeated", None)
    return bool(field.label == field.LABEL_REPEATED if found is None else found)


def _any_field(rng: Random, model: onnx.ModelProto) -> str:
    where, message = rng.choice(list(messages(model)))
    field = rng.choice(message.DESCRIPTOR.fields)
    name = f"{where}.{field.name}"
    if _repeated(field):
        return f"{name}: {_change_list(rng, field, getattr(message, field.name))}"
    if field.message_type is not None:
        message.ClearField(field.name) if rng.random() < 0.5 else getattr(message, field.name).SetInParent()
        return f"{name}: cleared or empty"
    value = _value(rng, field, model)
    setattr(message, field.name, value)
    return f"{name} = {value!r:.60}"


def _change_list(rng: Random, field: Any, items: Any) -> str:
    op = rng.choice(("delete", "twice", "add", "clear", "change"))
    if op == "delete" and len(items):
        del items[rng.randrange(len(items))]
    elif op == "twice" and len(items):
        items.extend([items[rng.randrange(len(items))]])
    elif op == "clear":
        del items[:]
    elif field.message_type is not None:
        items.add()
    elif op == "change" and len(items):
        items[rng.randrange(len(items))] = _value(rng, field, None)
    else:
        items.append(_value(rng, field, None))
    return op


def _value(rng: Random, field: Any, model: onnx.ModelProto | None) -> Any:
    if field.type in (field.TYPE_FLOAT, field.TYPE_DOUBLE):
        return edges.number(rng) if rng.random() < 0.8 else 0.0
    if field.type == field.TYPE_BYTES:
        return rng.choice(
            (b"", b"\x00" * 4, rng.randbytes(64), b"\xff\xff\xff\x7f", edges.text(rng).encode("utf-8", "surrogatepass"))
        )
    if field.type == field.TYPE_STRING:
        names = [name for node in model.graph.node for name in (*node.input, *node.output)] if model else []
        chosen = rng.choice(names) if names and rng.random() < 0.5 else edges.text(rng)
        return chosen.encode("utf-8", "replace").decode()
    if field.enum_type is not None:
        return rng.choice((0, 1, 2, 5, 7, 10, 16, 22, 99))
    value = rng.choice(edges.INTEGERS)
    return value if field.type == field.TYPE_INT64 else max(-(2**31), min(value, 2**31 - 1))


def _tensor(rng: Random, model: onnx.ModelProto) -> str:
    """A weight whose numbers, type, sizes or place are not what they should be."""
    tensors = [message for _, message in messages(model) if isinstance(message, TensorProto)]
    if not tensors:
        return _any_field(rng, model)
    tensor = rng.choice(tensors)
    op = rng.choice(("dims", "dims", "type", "number", "number", "short", "long", "external", "segment", "float16"))
    if op == "dims":
        tensor.dims[:] = rng.choice(
            (
                [],
                [0],
                [-1],
                [2**31],
                [2**34, 4],
                [2**62, 4],
                [*tensor.dims, 1],
                list(tensor.dims)[::-1],
                [1] * 70,
                list(tensor.dims)[:-1],
            )
        )
    elif op == "type":
        tensor.data_type = rng.choice((0, 2, 3, 6, 7, 8, 9, 10, 11, 14, 16, 17, 21, 22, 99))
    elif op == "number" and tensor.data_type == TensorProto.FLOAT and tensor.raw_data:
        values = np.frombuffer(tensor.raw_data, np.float32).copy()
        if values.size:
            with np.errstate(all="ignore"):
                values[rng.randrange(values.size)] = np.float64(
                    rng.choice((float("nan"), float("inf"), 3e38, 1e-44, 0.0))
                ).astype(np.float32)
            if rng.random() < 0.2:
                values[:] = 0
            tensor.raw_data = values.tobytes()
    elif op == "short":
        tensor.raw_data = tensor.raw_data[: len(tensor.raw_data) // 2]
    elif op == "long":
        tensor.raw_data = tensor.raw_data + bytes(8)
    elif op == "external":
        tensor.data_location = rng.choice((0, 1, 2))
        entry = tensor.external_data.add()
        entry.key, entry.value = "location", rng.choice(("ext.bin", "/dev/zero", "../x", "/etc/hostname"))
    elif op == "segment":
        tensor.segment.begin, tensor.segment.end = 0, 2**40
    else:
        _as_float16(tensor)
    return f"tensor {tensor.name!r}: {op} {list(tensor.dims)} type {tensor.data_type}"


def _as_float16(tensor: TensorProto) -> None:
    if tensor.data_type == TensorProto.FLOAT and tensor.raw_data:
        values = np.frombuffer(tensor.raw_data, np.float32).astype(np.float16)
        tensor.data_type, tensor.raw_data = TensorProto.FLOAT16, values.tobytes()


def _node(rng: Random, model: onnx.ModelProto) -> str:
    nodes = [message for _, message in messages(model) if isinstance(message, onnx.NodeProto)]
    if not nodes:
        return _any_field(rng, model)
    node = rng.choice(nodes)
    op, before = (
        rng.choice(("operator", "input", "output", "domain", "order", "drop", "attribute", "loop")),
        node.op_type,
    )
    if op == "operator":
        node.op_type = rng.choice(OPERATORS)
    elif op == "input" and node.input:
        others = [name for other in nodes for name in (*other.input, *other.output)]
        node.input[rng.randrange(len(node.input))] = rng.choice([*others, "", "missing", "x" * 1000])
    elif op == "output" and node.output:
        node.output[rng.randrange(len(node.output))] = rng.choice(("", "logits", "landmarks", node.output[0], "W_int8"))
    elif op == "domain":
        node.domain = rng.choice(("com.microsoft", "ai.onnx", "x.y", "\x1b[31m"))
    elif op == "order":
        model.graph.node.extend([model.graph.node[0]])
        del model.graph.node[0]
    elif op == "drop":
        del model.graph.node[rng.randrange(len(model.graph.node))]
    elif op == "attribute":
        value = rng.choice(
            (rng.choice(edges.INTEGERS), 0.5, "bidirectional", "sideways", [1, 2], [2**40], ["Tanh"], np.float32(1))
        )
        node.attribute.append(
            helper.make_attribute(
                rng.choice(("hidden_size", "direction", "layout", "axis", "perm", "to", "activations", "x")), value
            )
        )
    else:
        node.input[:] = list(node.output) or [""]
    return f"node {before} {node.name!r}: {op} {node.op_type}"


def _signature(rng: Random, model: onnx.ModelProto) -> str:
    """Declared inputs and outputs: sizes, types, how many."""
    infos = [*model.graph.input, *model.graph.output]
    if not infos:
        return _any_field(rng, model)
    info = rng.choice(infos)
    op = rng.choice(("size", "size", "rank", "type", "none", "name", "more", "fewer"))
    shape = info.type.tensor_type.shape
    if op == "size" and shape.dim:
        dim = rng.choice(shape.dim)
        if rng.random() < 0.3:
            dim.dim_param = edges.text(rng).encode("utf-8", "replace").decode()
        else:
            dim.dim_value = rng.choice((*edges.INTEGERS, 5, 7, 31, 100_000))
    elif op == "rank":
        shape.dim.add().dim_value = 1
    elif op == "type":
        info.type.tensor_type.elem_type = rng.choice((0, 6, 7, 8, 9, 10, 11, 16, 99))
    elif op == "none":
        info.type.ClearField("tensor_type") if rng.random() < 0.5 else info.type.tensor_type.ClearField("shape")
    elif op == "name":
        info.name = edges.text(rng).encode("utf-8", "replace").decode()
    elif op == "more":
        kind = rng.choice(
            (TensorProto.INT32, TensorProto.INT64, TensorProto.FLOAT, TensorProto.STRING, TensorProto.BOOL)
        )
        model.graph.input.append(
            helper.make_tensor_value_info("extra", kind, rng.choice(([1], [], ["n"], None, [2**34])))
        )
    else:
        del model.graph.input[:]
    return f"{info.name!r:.40}: {op}"


def _metadata(rng: Random, model: onnx.ModelProto) -> str:
    """edgekit's own description inside the file."""
    if not model.metadata_props:
        entry = model.metadata_props.add()
        entry.key, entry.value = (
            "edgekit.class_names",
            rng.choice(('["A", "B"]', "[" * 5000, "[]", '["A"]', "{}", "null")),
        )
        return f"metadata added {entry.value[:30]}"
    entry = rng.choice(model.metadata_props)
    op = rng.choice(("value", "value", "json", "number", "drop", "twice", "key"))
    if op == "value":
        entry.value = edges.text(rng).encode("utf-8", "replace").decode()
    elif op == "json":
        entry.value = rng.choice(
            (
                "[" * 5000,
                '{"a":' * 3000,
                "[]",
                '["A", "A"]',
                '["\\ud800", "B", "C"]',
                '["\\u001b[31m", "B", "C"]',
                "[1, 2, 3]",
                "NaN",
                "[" + "9" * 5000 + "]",
                '["", "B", "C"]',
            )
        )
    elif op == "number":
        entry.value = str(rng.choice((*edges.NUMBERS, 200_000_000)))
    elif op == "drop":
        model.metadata_props.remove(entry)
        return f"metadata: {op}"
    elif op == "twice":
        model.metadata_props.add().CopyFrom(entry)
        entry.value = "2"
    else:
        entry.key = edges.text(rng).encode("utf-8", "replace").decode()
    return f"metadata {entry.key!r:.40}: {op} {entry.value!r:.50}"


def _versions(rng: Random, model: onnx.ModelProto) -> str:
    op = rng.choice(("ir", "opset", "domain", "none"))
    if op == "ir":
        model.ir_version = rng.choice((0, 1, 3, 4, 7, 10, 13, 99, 2**40, -1))
    elif op == "opset" and model.opset_import:
        model.opset_import[0].version = rng.choice((0, 1, 6, 7, 8, 11, 13, 14, 22, 99, 2**40, -1))
    elif op == "domain":
        model.opset_import.add().domain = rng.choice(("com.microsoft", "ai.onnx.ml", "x.y", ""))
    else:
        del model.opset_import[:]
    return f"versions: {op} ir {model.ir_version} {[(entry.domain, entry.version) for entry in model.opset_import]}"
