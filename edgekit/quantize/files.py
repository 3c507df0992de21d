"""An fp32 ONNX file in, an int8 one out, with proof."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from edgekit.artifacts import real_place, scratch_folder, sha256_bytes, write_bytes
from edgekit.errors import GateError, InputError, ModelFileError, require_kind
from edgekit.quantize.keeping import keep_within
from edgekit.quantize.making import Folder, Made, Prepared, convert, prepare
from edgekit.quantize.outputs import (
    RESULT,
    SOURCE,
    Proving,
    Reference,
    check_result,
    furthest,
    require_within,
    run_source,
)
from edgekit.quantize.settings import QuantizeConfig
from edgekit.reading import StrPath
from edgekit.results import OutputCheck, QuantizeResult
from edgekit.runtime import ModelInfo
from edgekit.runtime.inspection import inspect_bytes, read_model
from edgekit.runtime.session import open_session

_QUANTIZED_OPS = ("QuantizeLinear", "DequantizeLinear", "DynamicQuantize", "QLinear", "MatMulNBits")
#: How often weights to keep are chosen anew, how much nearer each time, and takes that are added.
_ROUNDS, _MARGIN, _MORE = 5, 0.98, 4


def quantize_onnx(
    source: StrPath, target: StrPath, config: QuantizeConfig | None = None, proving: Proving | None = None
) -> QuantizeResult:
    """Write the int8 form of the fp32 ONNX file `source` to `target`, atomically; `source` is untouched.

    Scheme int8-weights: int8 storage, fp32 arithmetic, one scale a row (see `quantize.weights`). Any ONNX file with
    LSTM, GRU, RNN, Gemm, MatMul or Conv weights will do, wherever they are: functions are inlined, files older than
    opset 13 raised to it, weights that constants compute or that subgraphs hold become initializers of the main graph.
    Scheme int4-weights: the same in int4, which needs opset 21 and ONNX Runtime 1.19. Scheme int8-dynamic: LSTM layers
    computed in int8 at batch 1 (see `quantize.dynamic`).

    Nothing is written unless the result is proven: what is int8 (`prove_quantization`), and that ONNX Runtime opens it
    and computes the same as from the floats that the int8 numbers stand for (`check_outputs`), on what `proving` says.
    Raises ModelFileError for a source that is no ONNX model, that ONNX Runtime can't open or that can't be raised, or
    that NaN or infinity damages; InputError for one that is quantised already, has nothing to quantise, or, with
    int8-dynamic, has no LSTM or any GRU or RNN, and for calibration takes that do not fit; GateError when a weight of a
    recurrent layer would stay float, naming each, when the file would not become smaller, or the proof fails;
    WeakEvidenceError where it can't be made.
    """
    for name, path in (("source", source), ("target", target)):
        require_kind(path, (str, os.PathLike), f"quantize_onnx: {name}", "the path of an ONNX file")
    require_kind(config, (QuantizeConfig, type(None)), "quantize_onnx: config", "a QuantizeConfig, or None")
    config = config or QuantizeConfig()
    source, target = Path(source), Path(target)
    if real_place(source) == real_place(target):
        raise InputError(f"{target}: source and target are the same file; give another target")
    with scratch_folder("quantize") as folder:
        files = Folder(folder)
        info = _read(source, files)
        try:
            prepared = prepare(files, info, config, target)
            made = convert(prepared)
        except ModelFileError:
            raise
        except Exception:  # a graph that is not as ONNX has it, or a refusal whose advice needs one that can be opened
            open_session(files[SOURCE], source).close()
            raise
        return _written(prepared, made, proving or Proving())


def _read(source: Path, files: Folder) -> ModelInfo:
    """Keep the source as it is now as SOURCE. Raises ModelFileError, and InputError where it is quantised already."""
    content = read_model(source)
    info = inspect_bytes(content, source)
    _check_source(info)
    files.path(SOURCE).write_bytes(content)
    return info


def _check_source(info: ModelInfo) -> None:
    found = sorted(name for name in info.op_types if name.startswith(_QUANTIZED_OPS) or name.endswith("Integer"))
    if found or (info.metadata is not None and info.metadata.scheme != "fp32"):
        reason = f"it holds {', '.join(found)}" if found else f"its scheme is {info.metadata and info.metadata.scheme}"
        raise InputError(f"{info.path}: quantised already ({reason}); give the fp32 file that it was made from")


def _written(prepared: Prepared, made: Made, proving: Proving) -> QuantizeResult:
    """Prove RESULT, make it anew where a limit asks for it, and write it to the target."""
    info, target = prepared.info, prepared.target
    reference = run_source(prepared.files, info.path, target, proving.calibration)
    made, outputs = _within(prepared, made, reference, proving.max_difference)
    result = prepared.files[RESULT].read_bytes()
    _require_smaller(info, len(result), target)
    write_bytes(target, result)
    return QuantizeResult(
        source=info.path,
        target=target,
        scheme=prepared.config.scheme,
        source_size_bytes=info.size_bytes,
        size_bytes=len(result),
        source_sha256=info.sha256,
        sha256=sha256_bytes(result),
        metadata=made.metadata,
        proof=made.proof,
        raised=prepared.raised,
        inlined=prepared.inlined,
        folded=prepared.folded,
        outputs=outputs,
    )


def _within(prepared: Prepared, made: Made, reference: Reference, limit: float | None) -> tuple[Made, OutputCheck]:
    """RESULT whose outputs differ by `limit` at most, with as few weights in more than int8 as that takes.

    Raises GateError where there is none, or the scheme is int8-dynamic, whose activations are int8, too;
    WeakEvidenceError where nothing can be compared.
    """
    files, target = prepared.files, prepared.target
    outputs, by_run = check_result(reference, files, target)
    if limit is not None and prepared.config.scheme != "int8-dynamic":
        aim, runs = limit, furthest(by_run)
        for _ in range(_ROUNDS):
            if outputs.max_abs_difference is None or outputs.max_abs_difference <= limit:
                break
            kept, off = keep_within(prepared, reference, runs, aim, limit)
            made = convert(prepared, kept)
            outputs, by_run = check_result(reference, files, target)
            aim = min(aim * _MARGIN, off)  # other takes are furthest off now, or a plain session is
            runs = list(dict.fromkeys([*furthest(by_run)[:_MORE], *runs]))
    require_within(outputs, limit, target)
    return made, replace(outputs, max_difference=limit)


def _require_smaller(info: ModelInfo, size_bytes: int, target: Path) -> None:
    if size_bytes >= info.size_bytes:
        raise GateError(
            f"{target}: would have {size_bytes:,} bytes, and {info.path} has {info.size_bytes:,}, so int8 saves nothing"
            " here; use the file as it is; nothing was written"
        )
