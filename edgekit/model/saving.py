"""A model on disk: its weights, and a description from which it is built again."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors.torch import load, save
from torch import Tensor

from edgekit.artifacts import parse_json, write_bytes, write_json
from edgekit.data import Normalisation
from edgekit.errors import ModelFileError
from edgekit.model.architecture import Architecture
from edgekit.model.classifier import RecurrentClassifier
from edgekit.reading import FileKind, StrPath, parsing, read_file, read_text

#: The files of `save_model`.
SAVED = FileKind("a model that edgekit saved", ModelFileError, 2**31 - 1, "train it again", "train the model again")


def save_model(
    model: RecurrentClassifier, folder: StrPath, class_names: tuple[str, ...], *, half: bool = False
) -> tuple[Path, Path]:
    """Write `model.safetensors` and `model.json` (shape, preprocessing, class names, sequence length) to `folder`;
    returns the paths.

    half: weights are rounded to float16, in half of the bytes; the preprocessing's statistics are not. `load_model`
    makes float32 of them again.
    """
    folder = Path(folder)
    weights = {name: _stored(name, tensor, half) for name, tensor in model.state_dict().items()}
    description = {
        "architecture": model.architecture.to_dict(),
        "preprocessing": {"kind": model.preprocess.kind, "displacement": model.preprocess.displacement},
        "class_names": list(class_names),
        "sequence_length": model.sequence_length,
        "parameters": model.architecture.parameters,
    }
    paths = (folder / "model.safetensors", folder / "model.json")
    write_bytes(paths[0], save(weights))
    write_json(paths[1], description)
    return paths


def _stored(name: str, tensor: Tensor, half: bool) -> Tensor:
    return (tensor.half() if half and not name.startswith("preprocess.") else tensor).contiguous()


def load_model(folder: StrPath) -> tuple[RecurrentClassifier, tuple[str, ...]]:
    """The model that `save_model` wrote, in evaluation mode, and its class names. Raises ModelFileError."""
    folder = Path(folder)
    text, content = read_text(folder / "model.json", SAVED), read_file(folder / "model.safetensors", SAVED)
    with parsing(folder, SAVED):
        description, weights = parse_json(text), load(content)
        shape = description["architecture"]
        architecture = Architecture(**{**shape, "hidden_sizes": tuple(shape["hidden_sizes"])})
        normalisation = Normalisation(
            description["preprocessing"]["kind"],
            description["preprocessing"]["displacement"],
            weights["preprocess.mean"].numpy(),
            weights["preprocess.std"].numpy(),
        )
        model = RecurrentClassifier(architecture, normalisation, _length_in(description))
        model.load_state_dict(weights)
        class_names = tuple(str(name) for name in description["class_names"])
        if len(class_names) != architecture.classes:
            raise ValueError(f"{len(class_names)} class names for {architecture.classes} outputs")
    return model.eval(), class_names


def _length_in(description: Mapping[str, Any]) -> int | None:
    """What a description says; None in files of an edgekit that did not say it."""
    length = description.get("sequence_length")
    if length is not None and (type(length) is not int or length < 1):
        raise ValueError(f"sequence_length {length!r}")
    return length
