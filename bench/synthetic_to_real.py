"""What synthetic hands teach about real ones: train on generated takes, test on recorded ones.

    python bench/synthetic_to_real.py tune LETTERS.npz                       # signer-1's first day
    python bench/synthetic_to_real.py report LETTERS.npz --stills STILLS.npz # everything else, once, at the end

    python bench/synthetic_to_real.py few LETTERS.npz --output few.npz       # the maker's case, for the commands:
    edgekit train edge --data few.npz --split session --pretrain synthetic --preset standard

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

from edgekit.data import (
    AugmentConfig,
    Recordings,
    SynthConfig,
    canonical_takes,
    fit_normalisation,
    load_recordings,
    save_recordings,
    synthesise_hands,
)
from edgekit.model import RecurrentClassifier, build_model, variant
from edgekit.train import SchedulerConfig, Takes, TrainingConfig, train_model

#: The one session that the generator was tuned on.
TUNING = "2022-03-07-451940e"
MOVING = ("J", "Z")


@dataclass(frozen=True)
class Recipe:
    """How a model is trained; varied: chance of each variation of a take."""

    epochs: int
    batch_size: int
    learning_rate: float
    varied: float


REAL = Recipe(epochs=40, batch_size=32, learning_rate=1e-3, varied=1.0)
TUNED = Recipe(epochs=8, batch_size=64, learning_rate=1e-3, varied=1.0)
FEW_TAKES = 5


def synthetic_recipe(epochs: int) -> Recipe:
    """For many takes."""
    return Recipe(epochs, batch_size=128, learning_rate=3e-3, varied=0.5)


def takes_of(recordings: Recordings, index: NDArray[Any] | None = None) -> Takes:
    """Takes of 30 frames with labels by letter."""
    x = canonical_takes(recordings, 30)
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
    """A model trained on `takes`, from `start`'s weights and statistics where given."""
    normalisation = fit_normalisation(takes.x, "hand", True) if start is None else start.normalisation
    model = build_model(variant("edge"), normalisation, 26, seed)
    if start is not None:
        model.load_state_dict(start.state_dict())
    config = TrainingConfig(
        epochs=recipe.epochs,
        batch_size=recipe.batch_size,
        learning_rate=recipe.learning_rate,
        lr_scheduler=SchedulerConfig(type="cosine"),
        early_stopping=None,
    )
    train_model(model, takes, validation, config, augmentation=AugmentConfig(probability=recipe.varied), seed=seed)
    return model


def mixture(real: Takes, made: Takes, takes: int, seed: int) -> Takes:
    """Half recorded takes, each repeated as often as it needs, half synthetic ones."""
    rng = np.random.default_rng(seed)
    recorded = np.resize(rng.permutation(len(real)), takes // 2)
    chosen = rng.permutation(len(made))[: takes // 2]
    return joined(Takes(real.x[recorded], real.labels[recorded]), Takes(made.x[chosen], made.labels[chosen]))


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


def five_takes(takes: Takes, seed: int) -> tuple[Takes, Takes]:
    """Five takes of each letter, drawn, and the rest."""
    order = np.random.default_rng(seed).permutation(len(takes))
    few = np.concatenate([order[takes.labels[order] == k][:FEW_TAKES] for k in range(26)])
    rest = np.setdiff1d(order, few)
    return Takes(takes.x[few], takes.labels[few]), Takes(takes.x[rest], takes.labels[rest])


def adapted(start: RecurrentClassifier, real: Takes, made: Takes, seed: int, mixed: bool = True) -> RecurrentClassifier:
    """A model trained on synthetic takes, trained on with recorded ones, among synthetic ones or alone."""
    size = max(2 * len(real), 3000)
    return train(mixture(real, made, size, seed) if mixed else real, real, TUNED, seed, start)


def pretrained(options: argparse.Namespace, seed: int) -> tuple[RecurrentClassifier, Takes, Takes]:
    """A model trained on synthetic takes alone, those takes, and takes of other synthetic people."""
    made, held = synthetic(options.people, options.takes, seed)
    begin = time.monotonic()
    model = train(made, held, synthetic_recipe(options.epochs), seed)
    right = float((predict(model, held) == held.labels).mean())
    print(f"seed {seed}: {len(made)} synthetic takes, {time.monotonic() - begin:.0f} s, synthetic people {right:.3f}")
    return model, made, held


def tune(real: Recordings, options: argparse.Namespace) -> None:
    """Train on synthetic takes, test on the tuning day; five of its takes a letter, test on its others."""
    day = takes_of(real, real.session == TUNING)
    for seed in range(options.first_seed, options.first_seed + options.seeds):
        model, made, _ = pretrained(options, seed)
        show("tuning day", scores(predict(model, day), day))
        few, rest = five_takes(day, seed)
        for mixed in (True, False) if options.few else ():
            found = scores(predict(adapted(model, few, made, seed, mixed), rest), rest)
            print(f"five takes, {'among synthetic ones' if mixed else 'alone'}: all {found['all']:.3f}", flush=True)


def few(real: Recordings, options: argparse.Namespace) -> None:
    """Store five takes of each letter of the tuning day and all of the same signer's other days."""
    day = np.flatnonzero(real.session == TUNING)
    order = np.random.default_rng(options.first_seed).permutation(day)
    chosen = np.sort(np.concatenate([order[real.labels[order] == k][:FEW_TAKES] for k in range(26)]))
    later = np.flatnonzero((real.signer == "signer-1") & (real.session != TUNING))
    save_recordings(options.output, real.take(np.concatenate([chosen, later])))


def report(real: Recordings, options: argparse.Namespace) -> None:
    """Everything that the generator was not tuned on, once."""
    first = real.signer == "signer-1"
    day = takes_of(real, real.session == TUNING)
    parts = {"letters, not the tuning day": takes_of(real, real.session != TUNING)}
    for name in ("signer-1", "signer-2", "signer-3"):
        parts[name] = takes_of(real, (real.signer == name) & (real.session != TUNING))
    if options.stills:
        stills = load_recordings(options.stills)
        for name in np.unique(stills.signer):
            parts[f"stills, {name}"] = takes_of(stills, stills.signer == name)
    one, others = takes_of(real, first), takes_of(real, ~first)
    later = takes_of(real, first & (real.session != TUNING))
    runs = []
    for seed in range(options.first_seed, options.first_seed + options.seeds):
        run: dict[str, Any] = {}

        def measure(name: str, model: RecurrentClassifier, part: Takes, run: dict[str, Any] = run) -> None:
            run[name] = found = scores(predict(model, part), part)
            moving = " ".join(f"{letter} {found[letter]}" for letter in MOVING if letter in found)
            print(f"  {name}: static {found['static_24']:.3f} all {found['all']:.3f} {moving}", flush=True)

        model, made, _ = pretrained(options, seed)
        for name, part in parts.items():
            measure(f"synthetic -> {name}", model, part)
        measure("synthetic + signer-1 -> others", adapted(model, one, made, seed), others)
        measure("signer-1 -> others", train(one, one, REAL, seed), others)
        for draw in range(options.draws):
            few, _ = five_takes(day, 10 * seed + draw)
            measure(f"five takes, draw {draw} -> other day", adapted(model, few, made, seed), later)
        bare = train(mixture(few, few, 3000, seed), few, TUNED, seed)
        measure("five takes without synthetic -> other day", bare, later)
        runs.append(run)
        if options.output:
            said = {name: getattr(options, name) for name in ("people", "takes", "epochs", "first_seed", "draws")}
            options.output.write_text(json.dumps({"options": said, "runs": runs}) + "\n")
    show("first seed, synthetic only", runs[0]["synthetic -> letters, not the tuning day"])
    for name in runs[0]:
        static = np.array([run[name]["static_24"] for run in runs])
        every = np.array([run[name]["all"] for run in runs])
        print(f"{name}: static {static.mean():.3f} ({static.min():.3f}-{static.max():.3f}), all {every.mean():.3f}"
              f" ({every.min():.3f}-{every.max():.3f})")  # fmt: skip


def main() -> None:
    """See the module's text."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("mode", choices=["tune", "report", "few"])
    parser.add_argument("letters", type=Path)
    parser.add_argument("--stills", type=Path)
    parser.add_argument("--people", type=int, default=200)
    parser.add_argument("--takes", type=int, default=4, help="of each letter by each person")
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--draws", type=int, default=2, help="of five takes a letter, a seed")
    parser.add_argument("--few", action="store_true", help="tune: five takes a letter, too")
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(1)
    {"tune": tune, "report": report, "few": few}[options.mode](load_recordings(options.letters), options)


if __name__ == "__main__":
    main()
