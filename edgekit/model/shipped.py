"""Models that start from the weights that edgekit comes with.

The statistics of the preprocessing come along with the weights, in place of those of the recordings. That keeps the
function exactly: before any training, such a model answers as the shipped one does. Scaling the first layer by the
ratio of both statistics would give the same function, too, but other weights than were trained, and wild ones for
numbers that hardly vary in few takes of one person; and five takes a letter are less to take statistics from than what
the weights were made from.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch

from edgekit.artifacts import parse_json
from edgekit.data.preprocess import Kind
from edgekit.model.architecture import Architecture
from edgekit.model.classifier import Preprocess, RecurrentClassifier
from edgekit.model.saving import SAVED, load_model
from edgekit.reading import parsing, read_text
from edgekit.shipped import MODELS, Box


def shipped_shapes(box: Box) -> dict[str, Architecture]:
    """Of "teacher" and "student", as their files describe them. Raises ModelFileError."""
    found = {}
    for name in MODELS:
        path = box.path(f"{name}/model.json")
        with parsing(path, SAVED):
            shape = parse_json(read_text(path, SAVED))["architecture"]
            found[name] = Architecture(**{**shape, "hidden_sizes": tuple(shape["hidden_sizes"])})
    return found


def shipped_like(box: Box, shape: Architecture) -> str | None:
    """The shipped model whose weights have this shape, whatever the classes and the dropout; None for none."""
    wanted = _of_weights(shape)
    return next((name for name, one in shipped_shapes(box).items() if _of_weights(one) == wanted), None)


def _of_weights(shape: Architecture) -> Architecture:
    return replace(shape, classes=1, dropout=0.0)


def start_from_shipped(model: RecurrentClassifier, class_names: Sequence[str], box: Box, name: str) -> int:
    """Give `model` the weights and the preprocessing of a shipped one of its shape, in place; returns how many classes
    keep a row of the output layer.

    Classes are called by the shipped ones' names, in either case; those of other names start afresh. model: reads what
    the shipped one reads (see `shipped_like`, `same_preprocessing`). Raises ModelFileError.
    """
    shipped, names = load_model(box.model(name))
    own = model.output
    rows = [names.index(each.upper()) if each.upper() in names else None for each in class_names]
    with torch.no_grad():
        for k, row in enumerate(rows):
            if row is not None:
                own.weight[k], own.bias[k] = shipped.output.weight[row], shipped.output.bias[row]
    model.recurrent.load_state_dict(shipped.recurrent.state_dict())
    model.dense.load_state_dict(shipped.dense.state_dict())
    model.preprocess = Preprocess(shipped.normalisation)
    return sum(row is not None for row in rows)


def same_preprocessing(box: Box, name: str, kind: Kind, displacement: bool) -> bool:
    """Whether a shipped model reads its takes so. Raises ModelFileError."""
    path = box.path(f"{name}/model.json")
    with parsing(path, SAVED):
        told = parse_json(read_text(path, SAVED))["preprocessing"]
        return bool(told == {"kind": kind, "displacement": displacement})
