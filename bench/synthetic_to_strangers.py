"""What synthetic hands alone teach about strangers: trained on no recording, tested recorder by recorder.

    python bench/synthetic_to_strangers.py FOLDER --part development --seeds 2
    python bench/synthetic_to_strangers.py FOLDER --part report --seeds 3 --output found.json

FOLDER holds asl-letters.npz, asl-stills.npz and asl-people.npz, the recordings of the repository's issue on data. The
generator's poses were corrected by looking at DEVELOPMENT; everybody else was tested once, at the end. Each epoch has
new people; each take is mirrored with chance 1/2 and squeezed in x and z by 1/SQUEEZE to SQUEEZE, both always on.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from synthetic_to_real import predict, scores, takes_of

from edgekit.data import AugmentConfig, SynthConfig, augment, fit_length, fit_normalisation, synthesise_hands
from edgekit.model import RecurrentClassifier, build_model, variant
from edgekit.train import Takes

#: Recorders looked at while the generator's poses were corrected.
DEVELOPMENT = ("p01", "p02", "p03", "p04", "p05", "p11", "p14", "recorder-1", "signer-2")
FILES = ("asl-letters", "asl-stills", "asl-people")
#: Shape of the picture that x and z are put to, and by how much they are squeezed in training.
ASPECT, SQUEEZE = 4 / 3, (0.6, 1.4)
BATCH, RATE = 128, 3e-3
#: Of every other seed's epochs: people never share a seed.
SEEDS_APART = 1000


def canonical(x: NDArray[Any], aspect: NDArray[Any], hand: NDArray[Any]) -> NDArray[Any]:
    """Takes (n, time, 63) about the wrist, x and z in one unit where the picture's `aspect` (n,) is known (else NaN),
    hands said to be "R" mirrored."""
    points = np.array(x, dtype=np.float32).reshape(*x.shape[:2], 21, 3)
    seen = (points != 0).any(axis=(2, 3))
    factor = np.where(np.isnan(aspect), 1.0, aspect / ASPECT)[:, None, None].astype(np.float32)
    side = np.where(hand == "R", -1.0, 1.0)[:, None, None].astype(np.float32)
    wrist = points[:, :, :1, 0].copy()
    points[..., 0] = wrist + (points[..., 0] - wrist) * factor * side
    points[..., 2] *= factor
    points[~seen] = 0.0
    return points.reshape(x.shape)


def recorders(folder: Path, development: bool) -> dict[str, Takes]:
    """Canonical takes of 30 frames by recorder."""
    found: dict[str, Takes] = {}
    for name in FILES:
        with np.load(folder / f"{name}.npz") as file:
            arrays = dict(file)
        n = len(arrays["labels"])
        x = canonical(arrays["sequences"], arrays.get("aspect", np.full(n, np.nan)), arrays.get("hand", np.full(n, "")))
        x = fit_length(x, arrays.get("lengths", np.full(n, x.shape[1])), 30)
        labels = np.array([ord(letter) - ord("A") for letter in arrays["class_names"]])[arrays["labels"]]
        for who in np.unique(arrays["signer"]):
            chosen = arrays["signer"] == who
            if (who in DEVELOPMENT) == development:
                found[str(who)] = Takes(x[chosen], labels[chosen])
    return found


def both_ways(x: NDArray[Any], rng: np.random.Generator) -> NDArray[Any]:
    """Takes (n, time, 63), half of them mirrored, all squeezed in x and z about the wrist."""
    points = x.reshape(*x.shape[:2], 21, 3).copy()
    seen = (points != 0).any(axis=(2, 3))
    low, high = map(math.log, SQUEEZE)
    squeeze = np.exp(rng.uniform(low, high, len(x))).astype(np.float32)[:, None, None]
    side = np.where(rng.random(len(x)) < 0.5, -1.0, 1.0).astype(np.float32)[:, None, None]
    points[..., 0] *= squeeze * side
    points[..., 2] *= squeeze
    points[~seen] = 0.0
    return points.reshape(x.shape)


def epoch_of(people: int, takes: int, seed: int) -> Takes:
    """New people's takes, varied as in training."""
    made = takes_of(synthesise_hands(SynthConfig(people=people, takes_per_letter=takes, seed=seed)))
    rng = np.random.default_rng(seed)
    return Takes(both_ways(augment(made.x, AugmentConfig(), rng), rng), made.labels)


def train(options: argparse.Namespace, seed: int) -> RecurrentClassifier:
    """The model `edge`, trained on new people each epoch: Adam, cosine to zero."""
    first = epoch_of(options.people, options.takes, SEEDS_APART * seed)
    model = build_model(variant("edge"), fit_normalisation(first.x, "hand", True), 26, seed)
    optimiser = torch.optim.Adam(model.parameters(), RATE)
    steps = options.epochs * math.ceil(len(first) / BATCH)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    model.train()
    for epoch in range(options.epochs):
        takes = first if not epoch else epoch_of(options.people, options.takes, SEEDS_APART * seed + epoch)
        order = np.random.default_rng(SEEDS_APART * seed + epoch).permutation(len(takes))
        for part in np.array_split(order, math.ceil(len(order) / BATCH)):
            logits = model(torch.from_numpy(takes.x[part]))
            loss = torch.nn.functional.cross_entropy(logits, torch.from_numpy(takes.labels[part]))
            optimiser.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimiser.step()
            schedule.step()
    return model.eval()


def summary(run: dict[str, Any]) -> dict[str, float]:
    """Means over recorders."""
    return {name: float(np.mean([found[name] for found in run.values()])) for name in ("static_24", "all")}


def show_letters(runs: list[dict[str, Any]]) -> None:
    """Recall of each letter, mean over runs and recorders, and what it is read as."""
    for letter in map(chr, range(65, 91)):
        rows = [found["letters"][letter] for run in runs for found in run.values() if letter in found["letters"]]
        wrong: dict[str, float] = {}
        for row in rows:
            for name, count in row["read_as"].items():
                wrong[name] = wrong.get(name, 0.0) + count / row["takes"] / len(rows)
        most = sorted(wrong.items(), key=lambda item: -item[1])[:4]
        recall = np.mean([row["recall"] for row in rows])
        print(f"  {letter} {recall:.2f} " + " ".join(f"{name} {part:.2f}" for name, part in most if part >= 0.01))


def main() -> None:
    """See the module's text."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--part", choices=["development", "report"], default="development")
    parser.add_argument("--people", type=int, default=60, help="new ones each epoch")
    parser.add_argument("--takes", type=int, default=2, help="of each letter by each person")
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--first-seed", type=int, default=1)
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(1)
    parts, runs = recorders(options.folder, options.part == "development"), []
    for seed in range(options.first_seed, options.first_seed + options.seeds):
        begin = time.monotonic()
        model = train(options, seed)
        runs.append({name: scores(predict(model, part), part) for name, part in parts.items()})
        means = summary(runs[-1])
        each = " ".join(f"{name} {found['all']:.2f}" for name, found in runs[-1].items())
        print(f"seed {seed}, {time.monotonic() - begin:.0f} s: static {means['static_24']:.3f} all {means['all']:.3f}"
              f" | {each}", flush=True)  # fmt: skip
    show_letters(runs)
    if options.output:
        said = {name: getattr(options, name) for name in ("part", "people", "takes", "epochs", "first_seed", "seeds")}
        options.output.write_text(json.dumps({"options": said, "runs": runs}) + "\n")


if __name__ == "__main__":
    main()
