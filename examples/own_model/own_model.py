"""A PyTorch model of your own teaches a small one, which becomes an ONNX file with a verdict for the Raspberry Pi.

`python examples/own_model/own_model.py --data my-signs.npz`; without --data on synthetic hands, in less than a minute.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from edgekit.bench import bench_onnx
from edgekit.data import (
    Recordings,
    SynthConfig,
    canonical_takes,
    choose_kind,
    choose_length,
    fit_normalisation,
    load_recordings,
    split_recordings,
    synthesise_hands,
)  # fmt: skip
from edgekit.distill import DistillConfig, distill_model
from edgekit.evaluate import evaluate_model
from edgekit.export import export_onnx
from edgekit.model import VARIANTS, build_model, predict_logits
from edgekit.prune import PruneConfig, prune_model
from edgekit.quantize import quantize_onnx
from edgekit.runtime import open_predictor
from edgekit.train import Takes, TrainingConfig


class OwnModel(nn.Module):
    """Any module from landmarks (batch, time, features) to logits (batch, classes): here a small convolution."""

    def __init__(self, features: int, classes: int) -> None:
        super().__init__()
        self.time = nn.Conv1d(features, 64, kernel_size=5, padding=2)
        self.answer = nn.Linear(64, classes)

    def forward(self, x: Tensor) -> Tensor:
        centred = x - x[..., :3].repeat(1, 1, x.shape[2] // 3)  # relative to the wrist
        hands = 20 * centred / (centred.norm(dim=2, keepdim=True) + 1e-3)  # as if all were of one size
        answer: Tensor = self.answer(torch.relu(self.time(hands.transpose(1, 2))).mean(dim=2))
        return answer


def train_own(model: OwnModel, takes: Takes, epochs: int) -> None:
    """Your own training, however it looks."""
    optimiser = torch.optim.Adam(model.parameters(), lr=3e-3)
    x, labels = torch.from_numpy(takes.x), torch.from_numpy(takes.labels)
    for _ in range(epochs):
        for batch in torch.randperm(len(x)).split(32):
            loss = nn.functional.cross_entropy(model(x[batch]), labels[batch])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
    model.eval()


@dataclass(frozen=True)
class Parts:
    """Takes to train on, to choose the weights to keep by, and to score: those of another day."""

    train: Takes
    validation: Takes
    test: Takes

    @classmethod
    def of(cls, recordings: Recordings) -> Parts:
        """All takes at one length, split by day."""
        x = canonical_takes(recordings, choose_length(recordings))
        split = split_recordings(recordings, by="session")
        return cls(*(Takes(x[part], recordings.labels[part]) for part in (split.train, split.validation, split.test)))

    def tell(self, name: str, model: nn.Module) -> None:
        """A model's accuracy on the test takes, on stderr: results go to stdout."""
        right = predict_logits(model, self.test.x).argmax(axis=1) == self.test.labels
        print(f"{name}: {100 * right.mean():.1f} % of {len(right)} test takes", file=sys.stderr, flush=True)


def make_file(recordings: Recordings, parts: Parts, target: Path, epochs: int) -> None:
    """From recordings to the INT8 file, with the fp32 one beside it."""
    teacher = OwnModel(recordings.features, recordings.classes)
    train_own(teacher, parts.train, 3 * epochs)
    parts.tell("own model", teacher)

    normalisation = fit_normalisation(parts.train.x, choose_kind("auto", recordings.features), displacement=True)
    student = build_model(VARIANTS["edge"], normalisation, classes=recordings.classes)
    schedule = DistillConfig(copies=4, training=TrainingConfig(epochs=epochs, early_stopping=None))
    distill_model(teacher, student, parts.train, parts.validation, schedule)
    parts.tell("student", student)
    pruned = prune_model(student, teacher, parts.train, parts.validation, PruneConfig(recovery=schedule)).model
    parts.tell("pruned to half", pruned)

    source = target.with_name("own.onnx")
    export_onnx(pruned, source, class_names=recordings.class_names)
    quantize_onnx(source, target)


def judge_file(recordings: Recordings, test: Takes, file: Path) -> int:
    """Says how accurate it is and whether it fits; returns the exit code of `edgekit bench`."""
    names = recordings.class_names
    score = evaluate_model(open_predictor(file), test.x, test.labels, names, names)
    result = bench_onnx(file, "raspberry-pi", takes=test.x[:50])
    kind = "synthetic" if recordings.synthetic else "real"
    print(f"{file}: {file.stat().st_size / 1000:.1f} KB")
    print(f"accuracy: {100 * score.accuracy:.1f} % of {score.takes} {kind} takes of another day, people it knows")
    for row in result.rows:
        print(f"{row.board or 'here'}: {row.quantity}: {row.verdict} ({row.evidence})")
    print(f"verdict: {result.verdict}")
    return result.exit_code


def main() -> int:
    """Read the command line and do it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, help="recordings; without it synthetic hands")
    parser.add_argument("--folder", type=Path, default=Path(), help="where the files go")
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--people", type=int, default=8, help="synthetic ones")
    given = parser.parse_args()
    torch.manual_seed(0)
    recordings = load_recordings(given.data) if given.data else synthesise_hands(SynthConfig(people=given.people))
    given.folder.mkdir(parents=True, exist_ok=True)
    parts, target = Parts.of(recordings), given.folder / "own.int8.onnx"
    make_file(recordings, parts, target, given.epochs)
    return judge_file(recordings, parts.test, target)


if __name__ == "__main__":
    sys.exit(main())
