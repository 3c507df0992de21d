"""An ONNX file to its int8 form, one file after another in a folder, so that no two models are in memory for long."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import onnx
from onnx import helper

from edgekit import __version__
from edgekit.errors import ModelFileError
from edgekit.quantize.coverage import recurrent_left_float
from edgekit.quantize.dynamic import check_recurrent, lstm_nodes, quantize_lstms
from edgekit.quantize.folding import fold_weights
from edgekit.quantize.functions import inline_functions
from edgekit.quantize.large import free_models, read_large, write_large
from edgekit.quantize.outputs import EXPECTED, PREPARED, RESULT, SOURCE
from edgekit.quantize.proof import prove_models, require_int8, write_expected
from edgekit.quantize.scopes import Scopes
from edgekit.quantize.settings import QuantizeConfig
from edgekit.quantize.soundness import check_readable, check_sound, check_unquantised, nothing_to_quantise
from edgekit.quantize.storing import ALL_INT8, Kept, halve_weights
from edgekit.quantize.versions import INT4_OPSET, LEAST_OPSET, raise_version
from edgekit.quantize.weights import find_weights, quantize_weights, replace_items, weights_of_scheme
from edgekit.results import QuantizationProof, Raised
from edgekit.runtime import ModelInfo, ModelMetadata
from edgekit.runtime.inspection import require_numbers

#: Keys of a node's metadata that say where in somebody's source it came from.
_TRACES = ("pkg.torch.onnx.", "namespace")


class Folder(Mapping[str, Path]):
    """The files of one quantisation by what they are: `outputs.SOURCE` and its kin."""

    def __init__(self, place: Path) -> None:
        self._place = place
        self._names: list[str] = []

    def path(self, name: str) -> Path:
        """Where a file is to be; it counts as being there from now on."""
        if name not in self._names:
            self._names.append(name)
        return self[name]

    def load(self, name: str) -> onnx.ModelProto:
        """A file that onnx has read before, or written."""
        return read_large(self[name])

    def __getitem__(self, name: str) -> Path:
        if name not in self._names:
            raise KeyError(name)
        return self._place / f"{name}.onnx"

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


@dataclass(frozen=True)
class Prepared:
    """A source whose weights are all initializers of the main graph. base: SOURCE where it was so already, or PREPARED.
    target: of its int8 form, for messages. inlined: functions; folded: weights that became initializers."""

    files: Folder
    config: QuantizeConfig
    target: Path
    info: ModelInfo
    base: str
    raised: Raised | None
    inlined: int
    folded: int


@dataclass(frozen=True)
class Made:
    """A result that is proven as far as its bytes go. metadata: None for files that edgekit did not export."""

    proof: QuantizationProof
    metadata: ModelMetadata | None


def prepare(files: Folder, info: ModelInfo, config: QuantizeConfig, target: Path) -> Prepared:
    """Raise, inline and fold SOURCE, and write PREPARED where that changed it. Raises ModelFileError for what can't be
    read, raised or used, InputError where it is quantised already."""
    name = str(info.path)
    model = _load(files[SOURCE], info.path)
    check_readable(model, name)
    model, inlined = inline_functions(model)
    check_unquantised(model, name)
    model, raised = raise_version(model, name, LEAST_OPSET if config.bits == 8 else INT4_OPSET)
    check_sound(model, name)
    require_numbers(info)
    folded = fold_weights(model, config.min_elements, info.path)
    changed = bool(inlined or raised or folded)
    if changed:
        write_large(model, files.path(PREPARED))
    del model
    free_models(files[SOURCE])
    return Prepared(files, config, target, info, PREPARED if changed else SOURCE, raised, inlined, folded)


def convert(prepared: Prepared, kept: Kept = ALL_INT8) -> Made:
    """Write RESULT, and EXPECTED beside it where the scheme has such a file. kept: weights that are not to be int8.
    Raises GateError where the proof fails, and what `_quantize` raises."""
    files = prepared.files
    model = files.load(prepared.base)
    _quantize(model, prepared.config, str(prepared.info.path), kept)
    metadata = _set_metadata(model, prepared.info, prepared.config)
    files.path(RESULT).write_bytes(model.SerializeToString(deterministic=True))
    del model
    free_models(files[prepared.base])
    proof = _prove(prepared, kept)
    free_models(files[prepared.base])
    return Made(proof, metadata)


def _prove(prepared: Prepared, kept: Kept) -> QuantizationProof:
    files, config, name = prepared.files, prepared.config, str(prepared.target)
    before, after = files.load(prepared.base), files.load(RESULT)
    proof = prove_models(before, after, config, name, kept)
    if config.scheme != "int8-dynamic":
        write_expected(before, after, config, name, files.path(EXPECTED), kept)
    return replace(proof, source_size_bytes=prepared.info.size_bytes, size_bytes=files[RESULT].stat().st_size)


def _quantize(model: onnx.ModelProto, config: QuantizeConfig, name: str, kept: Kept) -> None:
    """Into the scheme's form, in place. Raises GateError where a recurrent weight would stay float whatever its size
    and the scheme, InputError where there is nothing to quantise or the scheme does not fit."""
    every = Scopes(model, int8={weight.name for weight in find_weights(model, 1)})
    require_int8(recurrent_left_float(every, config.min_elements), name)
    dynamic = config.scheme == "int8-dynamic"
    if dynamic:
        _require_other_scheme(model, config, name)
        check_recurrent(model, name)
    weights = [weight for weight in weights_of_scheme(model, config) if weight.name not in kept.names]
    if not weights:
        raise nothing_to_quantise(model, config, name)
    stored = [weight for weight in weights if not (dynamic and weight.op_type == "LSTM")]
    halve_weights(model, kept.half)
    quantize_weights(model, stored, config.bits)
    for item in model.opset_import:  # of version 0, ONNX Runtime's own rewriting finds no operators
        item.version = max(item.version, 1)
    if dynamic:
        quantize_lstms(model)
    _forget_traces(model)


def _forget_traces(model: onnx.ModelProto) -> None:
    """Without what PyTorch's exporter notes at every node: its author's source lines, with the paths of their files. In
    small files that is a tenth of what int8 leaves."""
    for scope in Scopes(model).all:
        for node in scope.nodes:
            kept = [item for item in node.metadata_props if not item.key.startswith(_TRACES)]
            if len(kept) < len(node.metadata_props):
                replace_items(node.metadata_props, kept)


def _require_other_scheme(model: onnx.ModelProto, config: QuantizeConfig, name: str) -> None:
    """Raises InputError where int8-weights, which the refusals of int8-dynamic advise, has nothing to quantise either;
    an LSTM that int8-dynamic covers is never that, however small."""
    other = config.model_copy(update={"scheme": "int8-weights"})
    if not lstm_nodes(model) and not weights_of_scheme(model, other):
        raise nothing_to_quantise(model, other, name)


def _load(file: Path, path: Path) -> onnx.ModelProto:
    try:
        return onnx.load_from_string(file.read_bytes())
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
