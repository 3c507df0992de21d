"""Old files: raised to the IR version and opset that edgekit works on, or int4 weights need, by onnx's own converter.

It runs in a process of its own: files that are not as ONNX has them can bring it down.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import onnx

from edgekit.artifacts import json_text, parse_json, scratch_folder
from edgekit.errors import ModelFileError
from edgekit.quantize.scopes import OWN_DOMAINS
from edgekit.results import Raised
from edgekit.runtime.guard import hunger, signal_name
from edgekit.runtime.limits import TIME_VARIABLE, model_memory_bytes, model_time_s

#: Seconds that converting may take unless EDGEKIT_MAX_MODEL_S says otherwise.
_CONVERT_S = 60
_PROGRAM = "import sys; sys.path.insert(0, sys.argv[1]); from edgekit.quantize.convert import answer; answer()"
#: Where this very edgekit is.
_ROOT = Path(__file__).resolve().parents[2]

#: The oldest that edgekit reads and writes graphs of, though the operators of int8 weights are older; and what
#: DequantizeLinear needs for int4 numbers.
LEAST_OPSET, INT4_OPSET = 13, 21
#: The IR version of these opsets.
_IR = {LEAST_OPSET: 7, INT4_OPSET: 10}
#: Below it every initializer has to be an input, too.
_LEAST_IR = 4


def opset_of(model: onnx.ModelProto) -> int:
    """Of ONNX's own operators; 0 where the file uses none."""
    return max((item.version for item in model.opset_import if item.domain in OWN_DOMAINS), default=0)


def raise_version(model: onnx.ModelProto, name: str, least: int = LEAST_OPSET) -> tuple[onnx.ModelProto, Raised | None]:
    """The model at opset `least` and IR version 4 or newer, changed in place where that is possible, and what was
    changed; None where it is new enough.

    name: for messages. least: LEAST_OPSET, or INT4_OPSET, whose IR version it then has, too. Raises ModelFileError
    where onnx's converter can't raise it.
    """
    opset, ir = opset_of(model), model.ir_version
    least_ir = _LEAST_IR if least == LEAST_OPSET else _IR[least]
    if (opset >= least or not opset) and ir >= least_ir:
        return model, None
    raised = model if opset >= least or not opset else _convert(model, opset, name, least)
    if ir < _LEAST_IR:  # initializers were inputs by rule, not to be fed
        held = {tensor.name for tensor in raised.graph.initializer}
        kept = [item for item in raised.graph.input if item.name not in held]
        del raised.graph.input[:]
        raised.graph.input.extend(kept)
    raised.ir_version = max(ir, _IR[least])
    return raised, Raised((opset, opset_of(raised)), (ir, raised.ir_version))


def _convert(model: onnx.ModelProto, opset: int, name: str, least: int) -> onnx.ModelProto:
    with scratch_folder("quantize") as folder:
        source, target = folder / "source.onnx", folder / "raised.onnx"
        source.write_bytes(model.SerializeToString())
        error = convert_apart(source, target, least)
        if error:
            raise _impossible(opset, name, error.rpartition("failed: ")[2], least)
        converted = onnx.load_from_string(target.read_bytes())
    lost = _lost(model, converted)
    if lost:
        raise _impossible(opset, name, f"it loses {lost}", least)
    return converted


def convert_apart(source: Path, target: Path, opset: int | None) -> str:
    """Convert a file, or with None inline its functions, within the limits of `edgekit.runtime.limits`. Returns what
    went wrong, or nothing."""
    limit_bytes, limit_s = model_memory_bytes(), model_time_s(_CONVERT_S)
    request = {
        "parent": os.getpid(),
        "source": str(source),
        "target": str(target),
        "opset": opset,
        "limit_bytes": limit_bytes,
    }
    command = [sys.executable, "-P", "-c", _PROGRAM, str(_ROOT)]
    try:
        done = subprocess.run(
            command, input=json_text(request), capture_output=True, text=True, errors="replace", timeout=limit_s
        )
    except subprocess.TimeoutExpired:
        return f"it takes more than {limit_s} s; {TIME_VARIABLE} allows more"
    if "MemoryError" in done.stderr or "bad_alloc" in done.stderr:
        return hunger(limit_bytes, "onnx's converter")
    if done.returncode:
        return f"its process was ended by {signal_name(-done.returncode)}"
    return parse_json(done.stdout)["error"] or ""


def _lost(before: onnx.ModelProto, after: onnx.ModelProto) -> str:
    """What the converter dropped or changed without a word."""
    kept = {tensor.name: tensor for tensor in after.graph.initializer}
    for tensor in before.graph.initializer:
        if tensor.name not in kept or _numbers(kept[tensor.name]) != _numbers(tensor):
            return f"tensor '{tensor.name}'"
    for field in ("functions", "training_info"):
        if len(getattr(before, field)) != len(getattr(after, field)):
            return f"its {field.replace('_', ' ')}"
    if len(before.graph.sparse_initializer) != len(after.graph.sparse_initializer):
        return "sparse tensors"
    return ""


def _numbers(tensor: onnx.TensorProto) -> object:
    array = onnx.numpy_helper.to_array(tensor)
    return array.tolist() if array.dtype == object else (array.shape, array.dtype, array.tobytes())


def _impossible(opset: int, name: str, reason: str, least: int) -> ModelFileError:
    needed = "edgekit quantises files of opset" if least == LEAST_OPSET else "int4 weights need opset"
    return ModelFileError(
        f"{name}: opset {opset}; {needed} {least} or newer, and onnx's converter can't raise it ({reason}); export it"
        f" again with opset {least} or newer (torch.onnx.export has opset_version for it)"
    )
