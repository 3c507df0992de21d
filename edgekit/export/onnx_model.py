"""torch to ONNX: one file with preprocessing, layers and metadata inside."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from torch import nn

from edgekit import __version__
from edgekit.artifacts import sha256_bytes, write_bytes
from edgekit.data import Normalisation
from edgekit.errors import ConfigError, require_kind
from edgekit.export.builder import GraphBuilder
from edgekit.export.layers import add_linear, add_readout, add_recurrent, add_sequence
from edgekit.export.module import RANDOM_TAKES, module_file, prove_file, random_takes
from edgekit.export.preprocessing import add_preprocessing
from edgekit.model import (
    RecurrentClassifier,
    count_parameters,
    refuse_projections,
    refuse_scripted,
    require_finite,
    require_float32,
    try_module,
    unwrapped,
)
from edgekit.reading import StrPath
from edgekit.results import Parity
from edgekit.runtime import ModelMetadata, validate_input
from edgekit.runtime.metadata import MAX_FEATURES, MAX_FRAMES

Standardisation = Literal["explicit", "fold"]


@dataclass(frozen=True)
class ExportResult:
    """An exported model. path: None when it was not written. nodes: of the graph. parity: of a module of the user's
    with torch; edgekit's own classifier is compared by `verify_parity`."""

    path: Path | None
    size_bytes: int
    sha256: str
    nodes: int
    metadata: ModelMetadata
    content: bytes = field(repr=False)
    parity: Parity | None = None


def export_onnx(
    model: nn.Module,
    path: StrPath | None,
    *,
    class_names: Sequence[str],
    sequence_length: int | None = None,
    features: int | None = None,
    takes: ArrayLike | None = None,
    standardisation: Standardisation = "explicit",
    parents: tuple[str, ...] = (),
    trained_on: str = "",
    data_sha256: str = "",
    split: str = "",
) -> ExportResult:
    """Write `model` as ONNX (opset 17, IR 9): `landmarks` float32 (batch, sequence_length, features), as
    recorded, to `logits` float32 (batch, classes).

    A module of the user's is any that maps such takes to logits; it is put into evaluation mode meanwhile. What it
    reads is said with takes float32 (takes, sequence_length, features), or with sequence_length and features. Its file
    is proven before it is written: torch and ONNX Runtime answer the same to random takes, and to `takes`.

    path: written atomically; None gives the bytes only. sequence_length: None stands for the frames of the takes that
    the model was trained on. standardisation: "explicit" keeps zero mean and unit
    variance as two nodes, "fold" puts them into the first layer's weights (two nodes less; columns of one
    weight row then differ in size, which costs int8 accuracy); of edgekit's own classifier only. parents: SHA-256 of
    the files that the model came from. trained_on, data_sha256, split: see `ModelMetadata`. Raises InputError for what
    is no module or has NaN in it, ConfigError when class_names do not match, what the model reads is not known, or
    torch can't export it, ShapeError for a module that does not give logits, GateError when the file does not compute
    the same; nothing is written then.
    """
    require_kind(model, nn.Module, "export_onnx: model", "a torch.nn.Module")
    require_kind(path, (str, os.PathLike, type(None)), "export_onnx: path", "a path, or None")
    model = unwrapped(model)
    require_finite(model, "export_onnx: model")
    about = {"parents": parents, "trained_on": trained_on, "data_sha256": data_sha256, "split": split}
    if isinstance(model, RecurrentClassifier):
        if features is not None or takes is not None:
            raise ConfigError("export_onnx: features and takes are for modules of your own; edgekit's knows its own")
        return _export_own(model, path, class_names, sequence_length, standardisation, about)
    if standardisation != "explicit":
        raise ConfigError("export_onnx: standardisation is of edgekit's own classifier; other modules do it themselves")
    return _export_module(model, path, class_names, _Reads.told(sequence_length, features, takes), about)


def _export_own(
    model: RecurrentClassifier,
    path: StrPath | None,
    class_names: Sequence[str],
    sequence_length: int | None,
    standardisation: Standardisation,
    about: Mapping[str, Any],
) -> ExportResult:
    frames = _known_length(model, sequence_length)
    metadata = replace(_describe(model, class_names, frames), **about)
    graph = GraphBuilder()
    _add_model(graph, model, frames, standardisation)
    proto = graph.model(
        {"landmarks": ["batch", frames, metadata.features]},
        {"logits": ["batch", len(class_names)]},
        metadata.to_props(),
        __version__,
    )
    content: bytes = proto.SerializeToString(deterministic=True)
    return _left(path, content, len(graph.nodes), metadata)


def _left(
    path: StrPath | None, content: bytes, nodes: int, metadata: ModelMetadata, parity: Parity | None = None
) -> ExportResult:
    written = None if path is None else write_bytes(Path(path), content)
    return ExportResult(written, len(content), sha256_bytes(content), nodes, metadata, content, parity)


@dataclass(frozen=True)
class _Reads:
    """What a module of the user's reads: frames of so many features. takes: to prove its file on, beside random ones;
    float32 (takes, frames, features)."""

    frames: int
    features: int
    takes: NDArray[np.float32]

    @classmethod
    def told(cls, frames: int | None, features: int | None, takes: ArrayLike | None) -> _Reads:
        """From what export_onnx was given. Raises ConfigError where that is not enough, ShapeError for other takes."""
        if takes is not None:
            x = validate_input(takes, (None, frames, features), "export_onnx: takes")
            frames, features = x.shape[1:]
        if frames is None or features is None:
            raise ConfigError(
                "export_onnx: what this module reads is not known: give takes, such as those that it was validated on,"
                " or sequence_length (frames) and features (numbers per frame)"
            )
        _require_count("sequence_length", frames, MAX_FRAMES)
        _require_count("features", features, MAX_FEATURES)
        random = random_takes(RANDOM_TAKES, frames, features)
        return cls(frames, features, random if takes is None else np.concatenate([random, x]))


def _export_module(
    model: nn.Module, path: StrPath | None, class_names: Sequence[str], reads: _Reads, about: Mapping[str, Any]
) -> ExportResult:
    """macs: 0, not known; the bench counts the graph's."""
    refuse_projections(model, "export_onnx: model")
    refuse_scripted(model, "export_onnx: model", whole=True)
    require_float32(model, "export_onnx: model")
    classes = try_module(model, reads.takes, "export_onnx: model")[1]
    metadata = ModelMetadata(
        class_names=_checked_names(class_names, classes),
        sequence_length=reads.frames,
        features=reads.features,
        preprocessing="own",
        version=__version__,
        parameters=count_parameters(model),
        **about,
    )
    made = module_file(model, reads.frames, reads.features, metadata)
    parity = prove_file(model, made, reads.takes, "export_onnx" if path is None else str(path))
    return _left(path, made.content, made.nodes, metadata, parity)


def _known_length(model: RecurrentClassifier, said: int | None) -> int:
    length = model.sequence_length if said is None else said
    if length is None:
        raise ConfigError(
            "export_onnx: how many frames the model shall read is not known, since it was not trained here; give"
            " sequence_length, such as that of the takes it will see"
        )
    return length


def _add_model(graph: GraphBuilder, model: RecurrentClassifier, frames: int, standardisation: str) -> None:
    if standardisation not in ("explicit", "fold"):
        raise ConfigError(f"standardisation: '{standardisation}'; expected explicit or fold")
    explicit = standardisation == "explicit"
    normalisation = model.normalisation
    x = add_preprocessing(graph, "landmarks", normalisation, frames, explicit)
    shape = model.architecture
    last = len(shape.hidden_sizes) - 1
    for index, layer in enumerate(model.recurrent):
        folded = normalisation if index == 0 and not explicit else None
        outputs, state = add_recurrent(graph, x, layer, index, folded)  # type: ignore[arg-type]
        if index < last:
            x = add_sequence(graph, outputs, index, shape.directions(index))
    read = add_readout(graph, outputs, state, model.readout, shape.directions(last))
    hidden = graph.add("Relu", [add_linear(graph, read, model.dense, "dense", "dense")], "hidden")
    add_linear(graph, hidden, model.output, "output", "logits")


def _checked_names(class_names: Sequence[str], classes: int) -> tuple[str, ...]:
    if isinstance(class_names, str) or not all(isinstance(name, str) for name in class_names):
        raise ConfigError(f"class_names: {class_names!r:.80}; expected a list of names, one per output")
    if len(class_names) != classes or len(set(class_names)) != classes:
        raise ConfigError(f"class_names: {len(set(class_names))} different names for {classes} outputs; give one each")
    return tuple(class_names)


def _require_count(name: str, value: object, most: int) -> None:
    if type(value) is not int or not 1 <= value <= most:
        raise ConfigError(f"{name}: {value}; expected a whole number of 1 to {most:,}")


def _describe(model: RecurrentClassifier, class_names: Sequence[str], sequence_length: int) -> ModelMetadata:
    shape = model.architecture
    names = _checked_names(class_names, shape.classes)
    _require_count("sequence_length", sequence_length, MAX_FRAMES)
    return ModelMetadata(
        class_names=names,
        sequence_length=sequence_length,
        features=shape.features,
        preprocessing=preprocessing_name(model.normalisation),
        version=__version__,
        parameters=shape.parameters,
        macs=shape.macs(sequence_length),
    )


def preprocessing_name(normalisation: Normalisation) -> str:
    """How the metadata calls it: standard, hand or hand+displacement."""
    if normalisation.kind == "standard":
        return "standard"
    return "hand+displacement" if normalisation.displacement else "hand"
