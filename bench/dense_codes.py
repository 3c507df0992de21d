"""How fine the codes have to be that a compiled INT8 model's dense layers read: 8 bits beside 13, both beside the ONNX
file's answers.

    python bench/dense_codes.py --data letters.npz people.npz stills.npz words.npz --results dense-codes.json

Codes are in steps of an input's largest number / 127, or / 4063, which two digits of 8 bits hold. Students are trained
for a few epochs on the training part (by session) of each recording, one a shape below and seed, exported and quantised
(int8-weights); the student in the box, pruned to 40 units, is read, too. Every model reads every take of every
recording. Of each: accuracy where the recording's classes are the model's, the labels that are not the ONNX file's, and
the largest difference of a logit. Many takes are what a model was trained on: this shows what compiling changes, not
how well strangers are read. All in the numpy twin of the compiled C, whose bits are the C code's for 8 bits; 13 bits
exist only here.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from edgekit.data import Recordings, canonical_takes, fit_normalisation, load_recordings, split_recordings
from edgekit.evaluate import predict_batches
from edgekit.export import export_onnx
from edgekit.model import Architecture, RecurrentClassifier
from edgekit.native import Network, read_network, reference
from edgekit.quantize import QuantizeConfig, quantize_onnx
from edgekit.runtime import open_predictor
from edgekit.shipped import open_box
from edgekit.train import SchedulerConfig, Takes, TrainingConfig, train_model

F32 = NDArray[np.float32]
FRAMES, BATCH = 30, 500
#: Largest code of each form.
FORMS = {"8 bits": 127, "13 bits": 4063}
#: Name to cell, hidden sizes, both directions, dense units, readout.
SHAPES: Mapping[str, tuple[str, tuple[int, ...], bool, int, str]] = {
    "LSTM 64": ("lstm", (64,), False, 256, "mean"),
    "LSTM 64, both directions": ("lstm", (64,), True, 256, "mean"),
    "LSTM 64, final state": ("lstm", (64,), False, 256, "final"),
    "LSTM 64x2": ("lstm", (64, 64), False, 256, "mean"),
    "GRU 64": ("gru", (64,), False, 256, "mean"),
    "GRU 64, both directions": ("gru", (64,), True, 256, "mean"),
    "LSTM 32, 128 dense": ("lstm", (32,), False, 128, "mean"),
}


@dataclass(frozen=True)
class Read:
    """One recording as models read it. takes: float32 (takes, 30, 63)."""

    name: str
    takes: F32
    recordings: Recordings


def read(path: Path) -> Read:
    """Takes of 30 frames, left hands in a 4:3 picture."""
    recordings = load_recordings(path)
    return Read(path.stem, canonical_takes(recordings, FRAMES), recordings)


def train(of: Read, shape: str, seed: int, epochs: int, folder: Path) -> Path:
    """An int8-weights file of that shape."""
    cell, hidden, both, dense, readout = SHAPES[shape]
    recordings, split = of.recordings, split_recordings(of.recordings)
    parts = [Takes(of.takes[index], recordings.labels[index]) for index in (split.train, split.validation)]
    names = recordings.class_names
    shape_of: Any = (cell, of.takes.shape[2], hidden, both, dense, len(names), 0.3, readout)
    torch.manual_seed(seed)
    normalisation = fit_normalisation(parts[0].x, "hand", True)
    model = RecurrentClassifier(Architecture(*shape_of), normalisation)
    cosine = SchedulerConfig(type="cosine")
    train_model(model, parts[0], parts[1], TrainingConfig(epochs=epochs, lr_scheduler=cosine, early_stopping=None))
    fp32 = folder / "fp32.onnx"
    export_onnx(model.eval(), fp32, class_names=names, sequence_length=FRAMES)
    return quantize_onnx(fp32, folder / "int8.onnx", QuantizeConfig(scheme="int8-weights")).target


def logits(network: Network, x: F32) -> dict[str, F32]:
    """Form to logits float32 (takes, classes)."""
    parts: dict[str, list[F32]] = {form: [] for form in FORMS}
    for k in range(0, len(x), BATCH):
        readout = reference.readout(network, x[k : k + BATCH])
        for form, widest in FORMS.items():
            parts[form].append(reference.dense_layers(network, readout, widest))
    return {form: np.concatenate(each) for form, each in parts.items()}


def compare(path: Path, of: Read) -> dict[str, Any]:
    """One model on one recording."""
    network = read_network(path)
    wanted = predict_batches(open_predictor(path), of.takes)
    labels = _labels(network.class_names, of.recordings)
    told: dict[str, Any] = {"takes": len(of.takes), "largest logit": float(np.abs(wanted).max())}
    for form, got in {"ONNX file": wanted, **logits(network, of.takes)}.items():
        changed = np.flatnonzero(wanted.argmax(axis=1) != got.argmax(axis=1))
        told[form] = {
            "accuracy": None if labels is None else float((got.argmax(axis=1) == labels).mean()),
            "changed": [_change(network.class_names, k, wanted[k], got[k]) for k in changed.tolist()],
            "largest difference": float(np.abs(wanted - got).max()),
        }
    return told


def _labels(names: Sequence[str], recordings: Recordings) -> NDArray[np.int64] | None:
    if set(recordings.class_names) != set(names):
        return None
    return np.array([names.index(name) for name in recordings.class_names])[recordings.labels]


def _change(names: Sequence[str], take: int, wanted: F32, got: F32) -> dict[str, Any]:
    """margin: between the ONNX file's two largest logits."""
    second, first = np.sort(wanted)[-2:].tolist()
    return {
        "take": take,
        "from": names[int(wanted.argmax())],
        "to": names[int(got.argmax())],
        "margin": round(first - second, 4),
    }


def models(recordings: Sequence[Read], seeds: int, epochs: int, folder: Path) -> Iterator[tuple[str, Path]]:
    """Name to file: the student in the box, then one of each recording, shape and seed."""
    yield "in the box", open_box().student
    for of in recordings:
        for shape in SHAPES:
            for seed in range(seeds):
                yield f"{shape}, {of.name}, seed {seed}", train(of, shape, seed, epochs, folder)


def show(model: str, recording: str, told: Mapping[str, Any]) -> None:
    """One row a form."""
    exact = told["ONNX file"]["accuracy"]
    for form in FORMS:
        of = told[form]
        points = "" if exact is None else f"{100 * exact:6.2f} % to {100 * of['accuracy']:6.2f} %"
        flips = f"{len(of['changed']):3} of {told['takes']:5,} labels changed"
        print(
            f"{model:48} {recording:12} {form:8} {points:22} {flips}  {of['largest difference']:.3f} of"
            f" {told['largest logit']:.1f}",
            flush=True,
        )


def summary(found: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Of each form, over all models and recordings: takes read, labels changed, and the worst of each figure."""
    rows = [one for of_model in found.values() for one in of_model.values()]
    told: dict[str, Any] = {}
    for form in FORMS:
        scored = [one for one in rows if one["ONNX file"]["accuracy"] is not None]
        points = [100 * (one[form]["accuracy"] - one["ONNX file"]["accuracy"]) for one in scored]
        told[form] = {
            "readings": sum(one["takes"] for one in rows),
            "changed": sum(len(one[form]["changed"]) for one in rows),
            "largest change of accuracy, points": [min(points), max(points)],
            "largest difference": max(one[form]["largest difference"] for one in rows),
            "largest difference, of the largest logit": max(
                one[form]["largest difference"] / one["largest logit"] for one in rows
            ),
        }
    return told


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, nargs="+", required=True)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--results", type=Path)
    given = parser.parse_args()
    torch.set_num_threads(1)
    recordings = [read(path) for path in given.data]
    found: dict[str, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory() as place:
        for name, path in models(recordings, given.seeds, given.epochs, Path(place)):
            found[name] = {}
            for one in recordings:
                found[name][one.name] = compare(path, one)
                show(name, one.name, found[name][one.name])
    told = {"epochs": given.epochs, "summary": summary(found), "models": found}
    print(json.dumps(told["summary"], indent=1))
    if given.results:
        given.results.write_text(json.dumps(told) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
