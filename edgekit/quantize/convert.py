"""Raises an ONNX file to a newer opset, with onnx's own converter: a program, which malformed files bring down."""

from __future__ import annotations

import sys
from pathlib import Path

import onnx
from onnx import version_converter

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
        converted = version_converter.convert_version(model, request["opset"])
        Path(request["target"]).write_bytes(converted.SerializeToString())
    except Exception as failure:  # RuntimeError of its C++ side, ConvertError and others, which share no base
        error = (str(failure).strip().splitlines() or [type(failure).__name__])[0]
    print(json_text({"error": error}))
