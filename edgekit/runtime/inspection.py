"""Looks at an ONNX file's bytes and refuses what must not reach ONNX Runtime."""

from __future__ import annotations

import contextlib
import hashlib
import math
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from edgekit.artifacts import StrPath
from edgekit.errors import ModelFileError, require_kind
from edgekit.reading import FileKind, read_file
from edgekit.runtime.finite import damage
from edgekit.runtime.metadata import ModelMetadata
from edgekit.runtime.summary import ModelSummary, TensorInfo, summarise
from edgekit.runtime.wire import WireError

_DYNAMIC = "DynamicQuantize"  # ...Linear of ONNX; ...LSTM and ...MatMul of ONNX Runtime
#: Protobuf's limit: larger models need external data, which edgekit refuses.
_MAX_BYTES = 2**31 - 1
MODEL = FileKind("an ONNX model", ModelFileError, _MAX_BYTES, "export or copy the model again")

#: Numbers that a declared input or output may have, its open axes left out: 1 GB of float32.
MAX_DECLARED = 2**28


@dataclass(frozen=True)
class ModelInfo:
    """What a model file's bytes say.

    opsets: domain ("" is ONNX's own) to version. op_types: nodes a type, in all graphs and functions.
    metadata: None when edgekit did not write the file. spoiled: tensors damaged by NaN or
    infinity, in words. variant: of a library of `edgekit compile`, the one of its variants that runs here; "" for an
    ONNX file.
    """

    path: Path
    size_bytes: int
    sha256: str
    metadata: ModelMetadata | None
    ir_version: int
    opsets: Mapping[str, int]
    producer: str
    inputs: tuple[TensorInfo, ...]
    outputs: tuple[TensorInfo, ...]
    op_types: Mapping[str, int]
    spoiled: tuple[str, ...] = ()
    variant: str = ""

    @property
    def compiled(self) -> bool:
        """Whether it is a library, not an ONNX file. Its metadata then has class names, sizes and the parent alone."""
        return bool(self.variant)

    @property
    def steps(self) -> bool:
        """Whether it is a step model of edgekit's, which reads one frame a run."""
        return self.metadata is not None and self.metadata.steps

    @property
    def take_shape(self) -> tuple[int | str | None, ...] | None:
        """Of the takes that it reads, (batch, time, features): of its only input; of a step model, which reads them
        frame by frame, what the metadata says. None where there is neither."""
        if self.metadata is not None and self.metadata.steps:
            return "batch", self.metadata.sequence_length, self.metadata.features
        return self.inputs[0].shape if len(self.inputs) == 1 else None

    @property
    def batch_dependent(self) -> tuple[str, ...]:
        """Operators that quantise all takes of a batch with one scale: a take's result depends on the others."""
        return tuple(sorted(name for name in self.op_types if name.startswith(_DYNAMIC)))


def inspect_model(path: StrPath) -> ModelInfo:
    """Describe the ONNX file at `path` from its bytes alone: no session, no onnx, nothing is run.

    Raises ModelFileError when it is missing, unreadable, empty, truncated, no ONNX model, keeps tensors in other files
    (in initializers, attributes, subgraphs, functions or sparse tensors), holds a tensor whose dimensions are not those
    of its numbers, declares an input or output beyond `MAX_DECLARED`, has metadata that is damaged or is not what
    its input is, or holds NaN or infinity where it damages the file (`edgekit.runtime.finite`).
    """
    info = inspect_bytes(read_model(path), Path(path))
    require_numbers(info)
    return info


def read_model(path: StrPath) -> bytes:
    """The file's bytes. Raises ModelFileError for what is no regular file, empty or beyond the limit."""
    require_kind(path, (str, os.PathLike), "model", "the path of an ONNX file")
    content = read_file(Path(path), MODEL)
    if not content:
        raise ModelFileError(f"{path}: empty file; export or copy the model again")
    return content


def inspect_bytes(content: bytes, path: Path) -> ModelInfo:
    """`inspect_model` for bytes that were read from `path` already; NaN and infinity are found and not refused."""
    with _whole(path):
        summary = summarise(content)
    _check(summary, path)
    try:
        metadata = ModelMetadata.from_props(summary.metadata)
    except ModelFileError as error:
        raise ModelFileError(f"{path}: {error}") from None
    if metadata is not None:
        _check_metadata(metadata, summary.inputs, path)
    with _whole(path):
        spoiled = damage(content, summary.spoiled, own=metadata is not None and metadata.preprocessing != "own")
    return ModelInfo(
        path=Path(path),
        size_bytes=len(content),
        sha256=hashlib.sha256(content).hexdigest(),
        metadata=metadata,
        ir_version=summary.ir_version,
        opsets=dict(summary.opsets),
        producer=summary.producer,
        inputs=tuple(summary.inputs),
        outputs=tuple(summary.outputs),
        op_types=dict(summary.op_types),
        spoiled=spoiled,
    )


@contextlib.contextmanager
def _whole(path: Path) -> Iterator[None]:
    try:
        yield
    except WireError as error:
        raise ModelFileError(
            f"{path}: not a whole ONNX file (truncated, damaged or of another format): {error};"
            " export or copy the model again"
        ) from None


def require_numbers(info: ModelInfo) -> None:
    """Raises ModelFileError for a file that NaN or infinity damages: recurrent layers turn them into finite answers."""
    if info.spoiled:
        listed = "; ".join(info.spoiled[:3]) + ("; ..." if len(info.spoiled) > 3 else "")
        raise ModelFileError(
            f"{info.path}: {listed}; it is damaged: train the model again, or export it from a good checkpoint"
        )


def _check(summary: ModelSummary, path: Path) -> None:
    lacking = {
        "an IR version": summary.ir_version,
        "a graph": summary.graphs,
        "an opset": summary.opsets,
        "an output": summary.outputs,
    }
    for name, value in lacking.items():
        if not value:
            raise ModelFileError(f"{path}: not an ONNX model (it lacks {name}); give an .onnx file, or export it again")
    if summary.external:
        names = ", ".join(repr(name) for name in summary.external[:3])
        raise ModelFileError(
            f"{path}: {len(summary.external)} of its tensors are kept in other files ({names}),"
            " which edgekit refuses; save it as one file:"
            " onnx.save_model(onnx.load(path), target, save_as_external_data=False)"
        )
    for kind, tensors in (("input", summary.inputs), ("output", summary.outputs)):
        for tensor in tensors:
            _check_declared(kind, tensor, path)


def _check_declared(kind: str, tensor: TensorInfo, path: Path) -> None:
    numbers = math.prod(size for size in tensor.shape or () if isinstance(size, int) and size)
    if numbers > MAX_DECLARED:
        raise ModelFileError(
            f"{path}: {kind} '{tensor.name}' is declared with {numbers:,} numbers, allowed {MAX_DECLARED:,};"
            " the file may be damaged; export it again with the sizes that it is used at"
        )


def _check_metadata(metadata: ModelMetadata, inputs: list[TensorInfo], path: Path) -> None:
    """The sizes in the metadata against those of the only input, (batch, time, features), where it states them."""
    if len(inputs) != 1 or len(inputs[0].shape or ()) != 3:
        return
    declared = (inputs[0].shape or ())[1:]
    said = (metadata.sequence_length, metadata.features)
    if any(isinstance(got, int) and got != want for got, want in zip(declared, said, strict=True)):
        raise ModelFileError(
            f"{path}: its metadata says {said[0]} frames of {said[1]} numbers, its input is {inputs[0].shape}; export"
            " it again"
        )
