"""Functions that a model defines itself: inlined where they hold weights, with onnx's own inliner."""

from __future__ import annotations

import onnx

from edgekit.artifacts import scratch_folder
from edgekit.quantize.rows import COVERED
from edgekit.quantize.scopes import OWN_DOMAINS, Scopes
from edgekit.quantize.versions import convert_apart


def inline_functions(model: onnx.ModelProto) -> tuple[onnx.ModelProto, int]:
    """The model without functions, and how many there were; as it is where none holds an operator that has weights, or
    onnx can't inline them. It runs in a process of its own."""
    if not _hold_weights(model):
        return model, 0
    with scratch_folder("inline") as folder:
        source, target = folder / "source.onnx", folder / "inlined.onnx"
        source.write_bytes(model.SerializeToString())
        if convert_apart(source, target, None):
            return model, 0
        inlined = onnx.load_from_string(target.read_bytes())
    gone = {item.domain for item in model.functions} - {item.domain for item in inlined.functions}
    used = {node.domain for scope in Scopes(inlined).all for node in scope.nodes}
    kept = [item for item in inlined.opset_import if item.domain in used or item.domain not in gone]
    del inlined.opset_import[:]
    inlined.opset_import.extend(kept)
    return inlined, len(model.functions) - len(inlined.functions)


def _hold_weights(model: onnx.ModelProto) -> bool:
    if not model.functions:
        return False
    scopes = Scopes(model)
    inside = [scope for scope in scopes.all if list(scope.bodies)[-1] is not scopes.main]
    return any(node.op_type in COVERED and node.domain in OWN_DOMAINS for scope in inside for node in scope.nodes)
