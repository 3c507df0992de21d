"""Inlines the functions of an ONNX file, or raises it to a newer opset, with onnx's own C++: a program, which malformed
files bring down."""

from __future__ import annotations

import sys
from pathlib import Path

import onnx
from onnx.inliner import inline_local_functions
from onnx.shape_inference import infer_shapes
from onnx.version_converter import convert_version

from edgekit.artifacts import end_with, json_text, parse_json
from edgekit.runtime.child import limit_memory


def answer() -> None:
    """Read a request from stdin; write the converted file, and what went wrong, or null, to stdout."""
    request = parse_json(sys.stdin.read())
    end_with(request["parent"])
    limit_memory(request["limit_bytes"])
    error = None
    try:
        model = onnx.load(request["source"], load_external_data=False)
        Path(request["target"]).write_bytes(converted(model, request["opset"]).SerializeToString())
    except Exception as failure:  # RuntimeError of its C++ side, ConvertError and others, which share no base
        error = (str(failure).strip().splitlines() or [type(failure).__name__])[0]
    print(json_text({"error": error}))


def converted(model: onnx.ModelProto, opset: int | None) -> onnx.ModelProto:
    """The model at this opset, or with None without functions. Raises what onnx raises."""
    return _inlined(model) if opset is None else convert_version(model, opset)


def _inlined(model: onnx.ModelProto) -> onnx.ModelProto:
    """Functions of other opsets are converted, for which onnx has to know the types inside."""
    try:
        return inline_local_functions(model, convert_version=True)
    except RuntimeError:
        return inline_local_functions(infer_shapes(model), convert_version=True)
