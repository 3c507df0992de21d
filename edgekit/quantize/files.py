"""An fp32 ONNX file in, an int8 one out, with proof."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import onnx
from onnx import helper

from edgekit import __version__
from edgekit.artifacts import sha256_bytes, write_bytes
from edgekit.errors import InputError, ModelFileError
from edgekit.quantize.dynamic import check_recurrent, quantize_lstms
from edgekit.quantize.proof import QuantizationProof, prove_quantization
from edgekit.quantize.settings import QuantizeConfig
from edgekit.quantize.weights import SUPPORTED, quantize_weights, weights_of_scheme
from edgekit.runtime import SCHEMES, ModelInfo, ModelMetadata, inspect_model

_LEAST_OPSET = 13  # DequantizeLinear with one scale a row
_QUANTIZED_OPS = ("QuantizeLinear", "DequantizeLinear", "DynamicQuantize", "QLinear", "MatMulNBits")


@dataclass(frozen=True)
class QuantizeResult:
    """What was written. metadata: the target's, None for files that edgekit did not export."""

    source: Path
    target: Path
    scheme: str
    source_size_bytes: int
    size_bytes: int
    source_sha256: str
    sha256: str
    metadata: ModelMetadata | None
    proof: QuantizationProof

    @property
    def arithmetic(self) -> str:
        """What is stored and what is computed in int8, for people."""
        return SCHEMES[self.scheme]

    @property
    def batch_dependent(self) -> bool:
        """Whether a take's logits depend on the rest of its batch: run such a file at batch 1."""
        return self.scheme == "int8-dynamic"

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        metadata = asdict(self.metadata) if self.metadata else None
        values = {**vars(self), "source": str(self.source), "target": str(self.target)}
        about = {"arithmetic": self.arithmetic, "batch_dependent": self.batch_dependent}
        return {**values, **about, "metadata": metadata, "proof": self.proof.to_dict()}


def quantize_onnx(source: Path, target: Path, config: QuantizeConfig | None = None) -> QuantizeResult:
    """Write the int8 form of the fp32 ONNX file `source` to `target`, atomically; `source` is untouched.

    Scheme int8-weights: int8 storage, fp32 arithmetic, one scale a row (see `quantize.weights`). Any ONNX
    file with LSTM, GRU, Gemm or MatMul weights in its main graph will do. Scheme int8-dynamic: LSTM layers
    computed in int8 at batch 1 (see `quantize.dynamic`). Nothing is written unless the result is proven.
    Raises ModelFileError for a source that is no ONNX model, InputError for one that is quantised already, has
    nothing to quantise, an opset below 13, or, with int8-dynamic, no LSTM or any GRU or RNN; GateError when the
    proof fails.
    """
    config = config or QuantizeConfig()
    source, target = Path(source), Path(target)
    if source.resolve() == target.resolve():
        raise InputError(f"{target}: source and target are the same file; give another target")
    info = inspect_model(source)
    content = source.read_bytes()
    _check_source(info)
    model = _load(content, source)
    quantized = _quantize(model, info, config)
    metadata = _set_metadata(quantized, info, config)
    result = _serialise(quantized, source)
    proof = prove_quantization(content, result, config, str(target))
    write_bytes(target, result)
    return QuantizeResult(
        source=source,
        target=target,
        scheme=config.scheme,
        source_size_bytes=len(content),
        size_bytes=len(result),
        source_sha256=info.sha256,
        sha256=sha256_bytes(result),
        metadata=metadata,
        proof=proof,
    )


def _quantize(model: onnx.ModelProto, info: ModelInfo, config: QuantizeConfig) -> onnx.ModelProto:
    """A copy in the scheme's form. Raises InputError where there is nothing to quantise or the scheme does not fit."""
    dynamic = config.scheme == "int8-dynamic"
    if dynamic:
        check_recurrent(model, info.op_types, str(info.path))
    weights = weights_of_scheme(model, config)
    if not weights:
        raise InputError(
            f"{info.path}: nothing to quantise: no float32 weights of {config.min_elements} elements or more"
            f" in its {', '.join(SUPPORTED)} nodes"
        )
    stored = [weight for weight in weights if not (dynamic and weight.op_type == "LSTM")]
    quantized = quantize_weights(model, stored)
    if dynamic:
        quantize_lstms(quantized)
    return quantized


def _check_source(info: ModelInfo) -> None:
    found = sorted(name for name in info.op_types if name.startswith(_QUANTIZED_OPS) or name.endswith("Integer"))
    if found or (info.metadata is not None and info.metadata.scheme != "fp32"):
        reason = f"it holds {', '.join(found)}" if found else f"its scheme is {info.metadata and info.metadata.scheme}"
        raise InputError(f"{info.path}: quantised already ({reason}); give the fp32 file that it was made from")
    opset = info.opsets.get("", info.opsets.get("ai.onnx", 0))
    if opset < _LEAST_OPSET:
        raise InputError(
            f"{info.path}: opset {opset}; int8 weights need {_LEAST_OPSET} or newer: export it again, or use"
            f" onnx.version_converter.convert_version(model, {_LEAST_OPSET})"
        )


def _load(content: bytes, path: Path) -> onnx.ModelProto:
    try:
        return onnx.load_from_string(content)
    except Exception as error:  # protobuf's DecodeError, whose module differs between its versions
        raise ModelFileError(f"{path}: onnx can't read it: {error}; export it again") from error


def _serialise(model: onnx.ModelProto, source: Path) -> bytes:
    """Bytes of the checked model."""
    try:
        onnx.checker.check_model(model)
    except onnx.checker.ValidationError as error:
        raise ModelFileError(f"{source}: not a valid ONNX model: {error}; export it again") from error
    content: bytes = model.SerializeToString(deterministic=True)
    return content


def _set_metadata(model: onnx.ModelProto, info: ModelInfo, config: QuantizeConfig) -> ModelMetadata | None:
    """Scheme and parents of an edgekit file; other files keep the metadata they have."""
    if info.metadata is None:
        return None
    parents = (info.sha256, *info.metadata.parents)
    metadata = replace(info.metadata, scheme=config.scheme, parents=parents, version=__version__)
    props = {item.key: item.value for item in model.metadata_props}
    helper.set_model_props(model, {**props, **metadata.to_props()})
    return metadata
