"""Does it pay to make the next epoch's takes in a thread while this one trains? Seconds an epoch, off and on.

    python bench/prefetch.py --data my-signs.npz --variants edge accurate --threads 1 2 --copies 1 10

The same weights come out either way, and that is checked. Off and on take turns; the least of the rounds counts, as
the one least disturbed. copies: the data set repeated so many times. Times are those of the machine that ran it.
"""

from __future__ import annotations

import argparse
import json
import platform
from pathlib import Path

import numpy as np
import torch

from edgekit.data import AugmentConfig, DataConfig, SynthConfig, load_recordings, synthesise_hands
from edgekit.model import RecurrentClassifier, build_model, variant
from edgekit.train import Takes, TrainingConfig, train_model
from edgekit.workdir.dataset import Dataset, prepare_dataset


def read(path: Path | None, frames: int = 30) -> Dataset:
    """The recordings, or the synthetic hands, split by session."""
    recordings = synthesise_hands(SynthConfig()) if path is None else load_recordings(path)
    return prepare_dataset(recordings, DataConfig(sequence_length=frames), "")


def takes_of(dataset: Dataset, copies: int) -> tuple[Takes, Takes]:
    """Training takes, repeated, and a few to validate, so that training is what is timed."""
    x, labels = dataset.part(dataset.split.train)
    few_x, few_labels = dataset.part(dataset.split.validation[:32])
    return Takes(np.tile(x, (copies, 1, 1)), np.tile(labels, copies)), Takes(few_x, few_labels)


def run(dataset: Dataset, takes: tuple[Takes, Takes], name: str, epochs: int, on: bool) -> tuple[float, list[float]]:
    """Seconds an epoch after the first one, and the losses of all."""
    model: RecurrentClassifier = build_model(variant(name), dataset.normalisation, len(dataset.class_names), 0)
    config = TrainingConfig(epochs=epochs, prefetch=on, early_stopping=None)
    history = train_model(model, *takes, config, augmentation=AugmentConfig(probability=1.0, milestones=(),
                          milestone_probabilities=())).history  # fmt: skip
    return (history[-1].elapsed_s - history[0].elapsed_s) / (epochs - 1), [epoch.loss for epoch in history]


def compare(dataset: Dataset, name: str, threads: int, copies: int, epochs: int, rounds: int) -> dict[str, object]:
    """One row. Ends the program when the losses are not the same."""
    torch.set_num_threads(threads)
    takes = takes_of(dataset, copies)
    found = {on: [run(dataset, takes, name, epochs, on) for _ in range(rounds)] for on in (False, True)}
    if len({tuple(losses) for runs in found.values() for _, losses in runs}) != 1:
        raise SystemExit(f"{name}: not the same numbers with and without")
    off_s, on_s = (min(seconds for seconds, _ in found[on]) for on in (False, True))
    return {
        "variant": name, "threads": threads, "takes": len(takes[0]), "off_s": round(off_s, 3), "on_s": round(on_s, 3),
        "on_to_off_ratio": round(on_s / off_s, 3),
    }  # fmt: skip


def main() -> None:
    """Prints one JSON line a row."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="recordings; default: the synthetic hands")
    parser.add_argument("--variants", nargs="+", default=["edge", "accurate"])
    parser.add_argument("--threads", nargs="+", type=int, default=[1, 2])
    parser.add_argument("--copies", nargs="+", type=int, default=[1])
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    dataset = read(arguments.data)
    for name in arguments.variants:
        for threads in arguments.threads:
            for copies in arguments.copies:
                row = compare(dataset, name, threads, copies, arguments.epochs, arguments.rounds)
                print(json.dumps({**row, "machine": platform.machine()}), flush=True)


if __name__ == "__main__":
    main()
