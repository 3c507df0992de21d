"""What `distill.states` is worth: the same student under the same teacher, with and without intermediate states.

    python bench/distill_states.py --data asl-letters.npz --weights 0 1 10 --seeds 0 1 2 --results distill-states.jsonl

Split by session; small settings: a teacher of LSTM 96x2 and a student of LSTM 32, so that it takes minutes. Every seed
has a teacher and fresh weights of its own. Appends a JSON line a student; prints them.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from edgekit.data import (
    AugmentConfig,
    canonical_takes,
    choose_kind,
    choose_length,
    fit_normalisation,
    load_recordings,
    split_recordings,
)
from edgekit.distill import DistillConfig, distill_model
from edgekit.model import ModelConfig, RecurrentClassifier, build_model, predict_logits
from edgekit.train import Hardware, RunSetup, SchedulerConfig, Takes, TrainingConfig, train_model

TEACHER = ModelConfig(type="lstm", hidden_size=96, num_layers=2, dense=96)
STUDENT = ModelConfig(type="lstm", hidden_size=32, num_layers=1, dense=64)


def training(epochs: int) -> TrainingConfig:
    """Cosine, the weights of the best epoch on validation takes."""
    scheduler = SchedulerConfig(type="cosine")
    return TrainingConfig(epochs=epochs, learning_rate=0.003, lr_scheduler=scheduler, early_stopping=None)


def right(model: RecurrentClassifier, takes: Takes) -> float:
    """Its accuracy."""
    return float((predict_logits(model, takes.x).argmax(axis=1) == takes.labels).mean())


def main() -> None:
    """See the module's text."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--weights", type=float, nargs="+", default=[0.0, 1.0, 10.0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--epochs", type=int, nargs=2, default=[20, 20], help="of the teacher, of each student")
    parser.add_argument("--results", type=Path, default=Path("distill-states.jsonl"))
    given = parser.parse_args()
    recordings = load_recordings(given.data)
    x = canonical_takes(recordings, choose_length(recordings))
    split = split_recordings(recordings, by="session")
    train, validation, test = (
        Takes(x[part], recordings.labels[part]) for part in (split.train, split.validation, split.test)
    )
    normalisation = fit_normalisation(train.x, choose_kind("auto", recordings.features), displacement=True)
    setup = RunSetup(hardware=Hardware(threads=1))
    for seed in given.seeds:
        teacher = build_model(TEACHER, normalisation, recordings.classes, seed)
        train_model(
            teacher, train, validation, training(given.epochs[0]),
            augmentation=AugmentConfig(), seed=seed, setup=setup,
        )  # fmt: skip
        taught = {"teacher": right(teacher, test)}
        for weight in given.weights:
            student = build_model(STUDENT, normalisation, recordings.classes, seed)
            config = DistillConfig(states=weight, training=training(given.epochs[1]))
            fit = distill_model(
                teacher, student, train, validation, config, augmentation=AugmentConfig(), seed=seed, setup=setup
            )
            found = {"seed": seed, "states": weight, **taught, "test": right(student, test), "test_takes": len(test),
                     "validation": fit.val_accuracy, "elapsed_s": fit.elapsed_s}  # fmt: skip
            print(json.dumps(found), flush=True)
            with given.results.open("a") as file:
                file.write(json.dumps({"schema_version": 1, **found}) + "\n")


if __name__ == "__main__":
    main()
