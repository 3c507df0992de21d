"""What synthetic hands teach about real ones: train on generated takes, test on recorded ones.

    python bench/synthetic_to_real.py tune   LETTERS.npz                     # signer-1's first day: what the generator was tuned on
    python bench/synthetic_to_real.py report LETTERS.npz --stills STILLS.npz # everything else, once, at the end

LETTERS.npz is the recordings called asl-letters in the repository's issue on data: 3 signers, sessions named by day.
Only the session TUNING was looked at while the generator was made. J and Z, which move, are reported apart.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from edgekit.data import AugmentConfig, Recordings, SynthConfig, fit_length, fit_normalisation, load_recordings
from edgekit.data import synthesise_hands
from edgekit.model import RecurrentClassifier, build_model, variant
from edgekit.train import SchedulerConfig, Takes, TrainingConfig, train_model

#: The one session that the generator was tuned on.
TUNING = "2022-03-07-451940e"
MOVING = ("J", "Z")


@dataclass(frozen=True)
class Recipe:
    """How a model is trained."""

    epochs: int = 8
    batch_size: int = 128
    learning_rate: float = 3e-3
    variant: str = "edge"


def takes_of(recordings: Recordings, index: NDArray[Any] | None = None) -> Takes:
    """Takes of 30 frames with labels by letter."""
    x = fit_length(recordings.sequences, recordings.lengths)
    names = np.array(recordings.class_names)[recordings.labels]
    labels = np.array([ord(name) - ord("A") for name in names], dtype=np.int64)
    chosen = np.arange(len(x)) if index is None else np.flatnonzero(index)
    return Takes(x[chosen], labels[chosen])


def joined(*parts: Takes) -> Takes:
    """All takes in one."""
    return Takes(np.concatenate([p.x for p in parts]), np.concatenate([p.labels for p in parts]))


def train(
    takes: Takes, validation: Takes, recipe: Recipe, seed: int, start: RecurrentClassifier | None = None
) -> RecurrentClassifier:
    """A model trained on `takes`, from `start`'s weights where given."""
    normalisation = fit_normalisation(takes.x, "hand", True) if start is None else start.normalisation
    model = build_model(variant(recipe.variant), normalisation, 26, seed)
    if start is not None:
        model.load_state_dict(start.state_dict())
    config = TrainingConfig(
        epochs=recipe.epochs,
        batch_size=recipe.batch_size,
        learning_rate=recipe.learning_rate,
        lr_scheduler=SchedulerConfig(type="cosine"),
        early_stopping=None,
    )
    train_model(model, takes, validation, config, augmentation=AugmentConfig(), seed=seed)
    return model


def predict(model: RecurrentClassifier, takes: Takes) -> NDArray[np.int64]:
    """The letter of each take."""
    with torch.no_grad():
        parts = [model(torch.from_numpy(part)).argmax(dim=1) for part in np.array_split(takes.x, len(takes) // 500 + 1)]
    return torch.cat(parts).numpy()


def scores(said: NDArray[np.int64], takes: Takes) -> dict[str, Any]:
    """Accuracy of the 24 letters that hold, recall of J and Z, recall and commonest confusion of each letter."""
    right = said == takes.labels
    moving = np.isin(takes.labels, [ord(name) - 65 for name in MOVING])
    letters = {}
    for k in np.unique(takes.labels):
        wrong = said[(takes.labels == k) & ~right]
        counts = np.bincount(wrong, minlength=26)
        mistakes = {chr(65 + j): int(counts[j]) for j in counts.argsort()[::-1][:3] if counts[j]}
        letters[chr(65 + k)] = {
            "takes": int((takes.labels == k).sum()),
            "recall": round(float(right[takes.labels == k].mean()), 3),
            "read_as": mistakes,
        }
    return {
        "takes": len(takes),
        "all": float(right.mean()),
        "static_24": float(right[~moving].mean()),
        **{name: letters[name]["recall"] for name in MOVING if name in letters},
        "letters": letters,
    }


def show(name: str, found: dict[str, Any]) -> None:
    """For people."""
    print(f"{name}: static {found['static_24']:.3f}, all {found['all']:.3f} of {found['takes']} takes")
    for letter, row in found["letters"].items():
        print(f"  {letter} {row['recall']:.2f} {row['read_as'] or ''}")


def synthetic(people: int, takes_per_letter: int, seed: int) -> tuple[Takes, Takes]:
    """Training takes and those of a tenth more people, for validation."""
    made = synthesise_hands(SynthConfig(people=people, takes_per_letter=takes_per_letter, seed=seed))
    held = synthesise_hands(SynthConfig(people=max(2, people // 10), takes_per_letter=2, seed=seed + 1000))
    return takes_of(made), takes_of(held)


def tune(real: Recordings, options: argparse.Namespace) -> None:
    """Train on synthetic takes, test on the tuning day."""
    test = takes_of(real, real.session == TUNING)
    for seed in range(options.seeds):
        begin = time.monotonic()
        train_takes, validation = synthetic(options.people, options.takes, seed)
        model = train(train_takes, validation, Recipe(epochs=options.epochs), seed)
        held = float((predict(model, validation) == validation.labels).mean())
        print(f"seed {seed}: {len(train_takes)} synthetic takes, {time.monotonic() - begin:.0f} s, synthetic people {held:.3f}")
        show("tuning day", scores(predict(model, test), test))


def main() -> None:
    """See the module's text."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("mode", choices=["tune", "report"])
    parser.add_argument("letters", type=Path)
    parser.add_argument("--stills", type=Path)
    parser.add_argument("--people", type=int, default=200)
    parser.add_argument("--takes", type=int, default=4, help="of each letter by each person")
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(1)
    {"tune": tune}[options.mode](load_recordings(options.letters), options)


if __name__ == "__main__":
    main()
