"""An fp32 ONNX file in, an int8 one out, with proof."""

from __future__ import annotations

import gc
import os
from dataclasses import dataclass, replace
from pathlib import Path

import onnx
from onnx import helper

from edgekit import __version__
from edgekit.artifacts import real_place, sha256_bytes, write_bytes
from edgekit.errors import InputError, ModelFileError, require_kind
from edgekit.quantize.coverage import recurrent_left_float
from edgekit.quantize.dynamic import check_recurrent, lstm_nodes, quantize_lstms
from edgekit.quantize.folding import fold_weights
from edgekit.quantize.functions import inline_functions
from edgekit.quantize.outputs import EXPECTED, PREPARED, RESULT, SOURCE, Proving, check_outputs
from edgekit.quantize.proof import expected_model, prove_quantization, require_int8
from edgekit.quantize.scopes import Scopes
from edgekit.quantize.settings import QuantizeConfig
from edgekit.quantize.soundness import check_readable, check_sound, nothing_to_quantise
from edgekit.quantize.versions import INT4_OPSET, LEAST_OPSET, raise_version
from edgekit.quantize.weights import find_weights, quantize_weights, weights_of_scheme
from edgekit.reading import StrPath
from edgekit.results import QuantizationProof, QuantizeResult, Raised
from edgekit.runtime import ModelInfo, ModelMetadata
from edgekit.runtime.inspection import inspect_bytes, read_model, require_numbers
from edgekit.runtime.session import open_session

_QUANTIZED_OPS = ("QuantizeLinear", "DequantizeLinear", "DynamicQuantize", "QLinear", "MatMulNBits")


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
    recurrent layer would stay float, naming each, or the proof fails; WeakEvidenceError where it can't be made.
    """
    for name, path in (("source", source), ("target", target)):
        require_kind(path, (str, os.PathLike), f"quantize_onnx: {name}", "the path of an ONNX file")
    require_kind(config, (QuantizeConfig, type(None)), "quantize_onnx: config", "a QuantizeConfig, or None")
    config = config or QuantizeConfig()
    source, target = Path(source), Path(target)
    if real_place(source) == real_place(target):
        raise InputError(f"{target}: source and target are the same file; give another target")
    content = read_model(source)
    info = inspect_bytes(content, source)
    _check_source(info)
    try:
        made = _make(content, info, config, target)
    except ModelFileError:
        raise
    except Exception:  # a graph that is not as ONNX has it, or a refusal whose advice needs a file that can be opened
        open_session(content, source).close()
        raise
    outputs = check_outputs(made.files, source, target, proving)
    result = made.files[RESULT]
    write_bytes(target, result)
    return QuantizeResult(
        source=source,
        target=target,
        scheme=config.scheme,
        source_size_bytes=len(content),
        size_bytes=len(result),
        source_sha256=info.sha256,
        sha256=sha256_bytes(result),
        metadata=made.metadata,
        proof=replace(made.proof, source_size_bytes=len(content)),
        raised=made.raised,
        inlined=made.inlined,
        folded=made.folded,
        outputs=outputs,
    )


@dataclass(frozen=True)
class _Made:
    """A result that is proven as far as its bytes go, with the files that `check_outputs` runs."""

    files: dict[str, bytes]
    metadata: ModelMetadata | None
    proof: QuantizationProof
    raised: Raised | None
    inlined: int
    folded: int


def _make(content: bytes, info: ModelInfo, config: QuantizeConfig, target: Path) -> _Made:
    name = str(info.path)
    model = _load(content, info.path)
    check_readable(model, name)
    model, inlined = inline_functions(model)
    model, raised = raise_version(model, name, LEAST_OPSET if config.bits == 8 else INT4_OPSET)
    check_sound(model, name)
    require_numbers(info)
    folded = fold_weights(model, config.min_elements, info.path)
    changed = bool(inlined or raised or folded)
    before = model.SerializeToString(deterministic=True) if changed else content
    _quantize(model, config, name)
    metadata = _set_metadata(model, info, config)
    result = model.SerializeToString(deterministic=True)
    files = {SOURCE: content, PREPARED: before} if changed else {SOURCE: content}
    del model
    gc.collect()  # scopes hold on to a model in cycles, and models may be large
    proof = prove_quantization(before, result, config, str(target))
    gc.collect()
    if config.scheme != "int8-dynamic":
        files[EXPECTED] = expected_model(before, result, config, str(target))
    return _Made({**files, RESULT: result}, metadata, proof, raised, inlined, folded)


def _quantize(model: onnx.ModelProto, config: QuantizeConfig, name: str) -> None:
    """Into the scheme's form, in place. Raises GateError where a recurrent weight would stay float whatever its size
    and the scheme, InputError where there is nothing to quantise or the scheme does not fit."""
    every = Scopes(model, int8={weight.name for weight in find_weights(model, 1)})
    require_int8(recurrent_left_float(every, config.min_elements), name)
    dynamic = config.scheme == "int8-dynamic"
    if dynamic:
        _require_other_scheme(model, config, name)
        check_recurrent(model, name)
    weights = weights_of_scheme(model, config)
    if not weights:
        raise nothing_to_quantise(model, config, name)
    stored = [weight for weight in weights if not (dynamic and weight.op_type == "LSTM")]
    quantize_weights(model, stored, config.bits)
    for item in model.opset_import:  # of version 0, ONNX Runtime's own rewriting finds no operators
        item.version = max(item.version, 1)
    if dynamic:
        quantize_lstms(model)


def _require_other_scheme(model: onnx.ModelProto, config: QuantizeConfig, name: str) -> None:
    """Raises InputError where int8-weights, which the refusals of int8-dynamic advise, has nothing to quantise either;
    an LSTM that int8-dynamic covers is never that, however small."""
    other = config.model_copy(update={"scheme": "int8-weights"})
    if not lstm_nodes(model) and not weights_of_scheme(model, other):
        raise nothing_to_quantise(model, other, name)


def _check_source(info: ModelInfo) -> None:
    found = sorted(name for name in info.op_types if name.startswith(_QUANTIZED_OPS) or name.endswith("Integer"))
    if found or (info.metadata is not None and info.metadata.scheme != "fp32"):
        reason = f"it holds {', '.join(found)}" if found else f"its scheme is {info.metadata and info.metadata.scheme}"
        raise InputError(f"{info.path}: quantised already ({reason}); give the fp32 file that it was made from")


def _load(content: bytes, path: Path) -> onnx.ModelProto:
    try:
        return onnx.load_from_string(content)
    except Exception as error:  # protobuf's DecodeError, whose module differs between its versions
        raise ModelFileError(f"{path}: onnx can't read it: {error}; export it again") from error


def _set_metadata(model: onnx.ModelProto, info: ModelInfo, config: QuantizeConfig) -> ModelMetadata | None:
    """Scheme and parents of an edgekit file; other files keep the metadata they have."""
    if info.metadata is None:
        return None
    parents = (info.sha256, *info.metadata.parents)
    metadata = replace(info.metadata, scheme=config.scheme, parents=parents, version=__version__)
    props = {item.key: item.value for item in model.metadata_props}
    helper.set_model_props(model, {**props, **metadata.to_props()})
    return metadata
