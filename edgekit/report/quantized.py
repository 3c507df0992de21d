"""What `edgekit quantize MODEL` has to say."""

from __future__ import annotations

from collections.abc import Sequence

from edgekit.report.quantization import scheme_notes
from edgekit.report.tables import percent, size, table
from edgekit.results import OutputCheck, QuantizationProof, QuantizeResult, Raised

#: A plain session's difference that is said, in edgekit's own; a difference that is large, in the largest output.
_FURTHER, _LARGE = 1.1, 0.02


def quantized_text(result: QuantizeResult) -> str:
    """What `edgekit quantize MODEL` wrote."""
    proof = result.proof
    rows = [
        [tensor.name, tensor.op_type, _sizes(tensor.shape), size(tensor.bytes_before), size(tensor.bytes_after)]
        for tensor in proof.tensors
    ]
    summary = (
        f"{result.target}: {size(result.source_size_bytes)} to {size(result.size_bytes)}"
        f" ({percent(proof.file_reduction_ratio)} smaller); {result.arithmetic}"
    )
    weights = table(["weight", "of", "shape", "before", "after"], rows, left=3)
    notes = [
        *_left_lines(proof),
        *_prepared_lines(result),
        *_raised_lines(result.raised, result.scheme),
        *_outputs_lines(result.outputs),
    ]
    return "\n".join([weights, summary, *notes, *scheme_notes(result.scheme)])


def _sizes(shape: Sequence[int]) -> str:
    """`1x256x63`."""
    return "x".join(map(str, shape))


def _left_lines(proof: QuantizationProof) -> list[str]:
    """Float tensors that are no int8: a table of the large ones, and what they are of the whole; the others' names."""
    return [*_large_left_lines(proof), *_small_left_lines(proof)]


def _small_left_lines(proof: QuantizationProof) -> list[str]:
    small = proof.small_float
    if not small:
        return []
    names = ", ".join(each.name for each in small[:4]) + (", ..." if len(small) > 4 else "")
    one, reason = len(small) == 1, small[0].reason
    count = "1 weight" if one else f"{len(small)} weights"
    why = reason if one else reason.replace("it has", "they have", 1)
    return [f"Left float: {count}, {size(sum(each.bytes for each in small))} ({names}): {why}"]


def _large_left_lines(proof: QuantizationProof) -> list[str]:
    left = proof.left_float
    if not left:
        return []
    rows = [
        [each.name, ", ".join(each.of) or "nothing", _sizes(each.shape), each.dtype, size(each.bytes),
         each.reason or "not covered"]
        for each in left
    ]  # fmt: skip
    count = "1 large tensor" if len(left) == 1 else f"{len(left)} large tensors"
    return [
        f"Left float: {count}; of all large weights' bytes {percent(proof.covered_ratio)} became int8",
        table(["left float", "read by", "shape", "type", "size", "why"], rows, left=4),
    ]


def _prepared_lines(result: QuantizeResult) -> list[str]:
    """What was changed before weights became int8."""
    inlined = ["1 function was inlined" if result.inlined == 1 else f"{result.inlined} functions were inlined"]
    folded = (
        "1 weight was computed or lay in a node or subgraph, and became an initializer"
        if result.folded == 1
        else f"{result.folded} weights were computed or lay in nodes or subgraphs, and became initializers"
    )
    done = [*(inlined if result.inlined else []), *([folded] if result.folded else [])]
    return [f"Prepared: {'; '.join(done)}"] if done else []


def _raised_lines(raised: Raised | None, scheme: str) -> list[str]:
    if raised is None:
        return []
    (opset, new_opset), (ir, new_ir) = raised.opset, raised.ir_version
    least = (
        "int4 needs opset 21 and IR version 10" if scheme == "int4-weights" else "edgekit needs opset 13, IR version 4"
    )
    return [f"Raised from opset {opset}, IR version {ir} to opset {new_opset}, IR version {new_ir}; {least} or newer"]


def _outputs_lines(outputs: OutputCheck | None) -> list[str]:
    """What came of opening and running both files."""
    if outputs is None:
        return []
    if outputs.sizes is None or (outputs.max_abs_difference is None and not outputs.labels):
        return [f"Opened by ONNX Runtime; outputs were not compared: {outputs.reason}"]
    sizes = ", ".join(f"{name} {_sizes(shape) or 'scalar'}" for name, shape in outputs.sizes.items())
    note = f"; {outputs.reason}" if outputs.reason else ""
    takes = "1 take" if outputs.runs == 1 else f"{outputs.runs} takes"
    on = f"{takes} of {outputs.calibration}" if outputs.calibration else f"{outputs.runs} made-up inputs"
    ran = f"Opened and run by ONNX Runtime on {on} ({sizes or 'it has no input'}): "
    if outputs.max_abs_difference is None:
        return [f"{ran}{note[2:]}; {outputs.changed_labels} of {outputs.labels} whole numbers changed"]
    mean = "" if outputs.mean_abs_difference is None else f", {outputs.mean_abs_difference:.2g} on average"
    labels = f"; {outputs.changed_labels} of {outputs.labels} labels changed" if outputs.labels else ""
    return [
        f"{ran}outputs differ from the source's by"
        f" {outputs.max_abs_difference:.2g} at most, of {outputs.largest_output:.2g}{mean}{labels}{note}",
        *_session_lines(outputs),
    ]


def _session_lines(outputs: OutputCheck) -> list[str]:
    """Where a session with other options is further off, and what helps against a difference that is large."""
    own, plain, largest = outputs.edgekit_max_abs_difference, outputs.plain_max_abs_difference, outputs.largest_output
    lines = []
    if own is not None and plain is not None and plain > _FURTHER * own:
        lines.append(
            f"That is in a session with ONNX Runtime's own options, which may compute in int8; with"
            f" session.disable_quant_qdq, as edgekit opens files, {own:.2g}"
        )
    off, free = outputs.max_abs_difference, outputs.max_difference is None
    if free and off is not None and largest and off > _LARGE * largest:
        yours = "" if outputs.calibration else "--calibration shows what it is on takes of yours, and "
        lines.append(
            f"That is {percent(off / largest)} of the largest output: {yours}--max-difference keeps the weights to"
            " blame in float16"
        )
    return lines
