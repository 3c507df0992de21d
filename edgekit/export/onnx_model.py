"""torch to ONNX: one file with preprocessing, layers and metadata inside."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from edgekit import __version__
from edgekit.artifacts import sha256_bytes, write_bytes
from edgekit.data import Normalisation
from edgekit.errors import ConfigError, require_kind
from edgekit.export.builder import GraphBuilder
from edgekit.export.layers import add_linear, add_readout, add_recurrent, add_sequence
from edgekit.export.preprocessing import add_preprocessing
from edgekit.model import RecurrentClassifier, require_finite
from edgekit.reading import StrPath
from edgekit.runtime import ModelMetadata
from edgekit.runtime.metadata import MAX_FRAMES

Standardisation = Literal["explicit", "fold"]


@dataclass(frozen=True)
class ExportResult:
    """An exported model. path: None when it was not written. nodes: of the graph."""

    path: Path | None
    size_bytes: int
    sha256: str
    nodes: int
    metadata: ModelMetadata
    content: bytes = field(repr=False)


def export_onnx(
    model: RecurrentClassifier,
    path: StrPath | None,
    *,
    class_names: Sequence[str],
    sequence_length: int | None = None,
    standardisation: Standardisation = "explicit",
    parents: tuple[str, ...] = (),
    trained_on: str = "",
    data_sha256: str = "",
    split: str = "",
) -> ExportResult:
    """Write `model` as ONNX (opset 17, IR 9): `landmarks` float32 (batch, sequence_length, features), as
    recorded, to `logits` float32 (batch, classes).

    path: written atomically; None gives the bytes only. sequence_length: None stands for the frames of the takes that
    the model was trained on. standardisation: "explicit" keeps zero mean and unit
    variance as two nodes, "fold" puts them into the first layer's weights (two nodes less; columns of one
    weight row then differ in size, which costs int8 accuracy). parents: SHA-256 of the files that the model
    came from. trained_on, data_sha256, split: see `ModelMetadata`. Raises InputError for a model of another kind or
    with NaN in it, ConfigError when class_names do not match, or no length is known.
    """
    expected = "edgekit's own RecurrentClassifier; torch.onnx.export exports other modules"
    require_kind(model, RecurrentClassifier, "export_onnx: model", expected)
    require_kind(path, (str, os.PathLike, type(None)), "export_onnx: path", "a path, or None")
    require_finite(model, "export_onnx: model")
    frames = _known_length(model, sequence_length)
    metadata = replace(
        _describe(model, class_names, frames, parents),
        trained_on=trained_on,
        data_sha256=data_sha256,
        split=split,
    )
    graph = GraphBuilder()
    _add_model(graph, model, frames, standardisation)
    proto = graph.model(
        {"landmarks": ["batch", frames, metadata.features]},
        {"logits": ["batch", len(class_names)]},
        metadata.to_props(),
        __version__,
    )
    content: bytes = proto.SerializeToString(deterministic=True)
    if path is not None:
        path = write_bytes(Path(path), content)
    return ExportResult(path, len(content), sha256_bytes(content), len(graph.nodes), metadata, content)


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


def _describe(
    model: RecurrentClassifier,
    class_names: Sequence[str],
    sequence_length: int,
    parents: tuple[str, ...],
) -> ModelMetadata:
    shape = model.architecture
    if isinstance(class_names, str) or not all(isinstance(name, str) for name in class_names):
        raise ConfigError(f"class_names: {class_names!r:.80}; expected a list of names, one per output")
    if len(class_names) != shape.classes or len(set(class_names)) != shape.classes:
        raise ConfigError(
            f"class_names: {len(set(class_names))} different names for {shape.classes} outputs; give one each"
        )
    if type(sequence_length) is not int or not 1 <= sequence_length <= MAX_FRAMES:
        raise ConfigError(f"sequence_length: {sequence_length}; expected a whole number of 1 to {MAX_FRAMES:,}")
    return ModelMetadata(
        class_names=tuple(class_names),
        sequence_length=sequence_length,
        features=shape.features,
        preprocessing=preprocessing_name(model.normalisation),
        parents=parents,
        version=__version__,
        parameters=shape.parameters,
        macs=shape.macs(sequence_length),
    )


def preprocessing_name(normalisation: Normalisation) -> str:
    """How the metadata calls it: standard, hand or hand+displacement."""
    if normalisation.kind == "standard":
        return "standard"
    return "hand+displacement" if normalisation.displacement else "hand"
