"""How does a model know that nobody signs? Ways to find out, side by side, on people and idle hands not trained on.

    python bench/no_sign.py run FOLDER --ways plain class class+real uniform zero --folds 0 1 2 --results FILE.jsonl
    python bench/no_sign.py show FILE.jsonl

FOLDER holds asl-letters.npz, asl-stills.npz, asl-people.npz and asl-idle.npz. Each run trains the model `edge` (64
units) on all recorders but those of the fold's validation and test, and as many takes by new synthetic people, with
edgekit's own augmentation. The ways:

    plain       letters alone
    class       a 27th class from synthetic hands that sign nothing
    class+real  the same, with real idle takes of other sessions among them
    uniform     26 classes; for synthetic hands that sign nothing, the uniform distribution is right
    zero        26 classes and a 27th logit that is always 0, right for synthetic hands that sign nothing

Every model's answers are then judged by every score; each score's threshold is the one that costs COST of the
validation takes, which were read rightly before. Then the test letters, of a recorder in neither part, and the idle
takes. Takes without any hand are left out everywhere: nothing has to be learned to tell them.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from edgekit.data import (
    AugmentConfig,
    Mix,
    augment,
    canonical_takes,
    fit_normalisation,
    join_recordings,
    load_recordings,
)
from edgekit.model import RecurrentClassifier, build_model, variant

F32, I64 = NDArray[np.float32], NDArray[np.int64]

LETTERS, IDLE = 26, 26
WAYS = ("plain", "class", "class+real", "uniform", "zero")
FILES = ("asl-letters", "asl-stills", "asl-people")
#: Part of the validation takes that a threshold may cost.
COST = 0.01
EPOCHS, BATCH, RATE, SMOOTHING = 20, 128, 4e-3, 0.1
#: Other synthetic people in so many epochs, then the same again, varied anew.
POOL = 10
#: Synthetic takes that sign nothing, as a part of those that sign.
IDLE_SHARE = 0.25


@dataclass(frozen=True)
class Fold:
    """Who is read in the test, who finds the threshold, and which sessions of idle takes may be trained on."""

    test: tuple[str, ...]
    validation: tuple[str, ...]
    idle: tuple[str, ...]


FOLDS = (
    Fold(("signer-2",), ("signer-3", "p10", "p15", "recorder-1"), ("2022-03-07-451940e", "2022-03-06-9d80190")),
    Fold(("signer-3",), ("signer-2", "p09", "p14", "recorder-2"), ("2022-03-07-79b9a82",)),
    Fold(("signer-1",), ("signer-3", "p08", "p15", "recorder-1"), ("2022-03-10-62ac0fb", "2022-03-06-9d80190")),
)


@dataclass(frozen=True, eq=False)
class Part:
    """Takes as models read them, float32 (takes, 30, 63), their labels (takes,), and who, or which session, each is."""

    x: F32
    labels: I64
    who: NDArray[np.str_]

    def take(self, chosen: NDArray[np.bool_]) -> Part:
        """Some of them."""
        return Part(self.x[chosen], self.labels[chosen], self.who[chosen])


def letters_of(folder: Path) -> Part:
    """All letters with a hand."""
    whole = join_recordings([load_recordings(folder / f"{name}.npz") for name in FILES], "letters")
    if whole.signer is None or len(whole.class_names) != LETTERS:
        sys.exit(f"{folder}: not the recordings that this bench is for")
    return seen(Part(canonical_takes(whole, 30), whole.labels, whole.signer))


def idle_of(folder: Path) -> Part:
    """All idle takes with a hand, by session."""
    idle = load_recordings(folder / "asl-idle.npz")
    if idle.session is None:
        sys.exit(f"{folder}: sessions are unknown")
    return seen(Part(canonical_takes(idle, 30), np.full(idle.takes, IDLE), idle.session))


def seen(part: Part) -> Part:
    """Takes in which a hand was found."""
    return part.take((part.x != 0).any(axis=(1, 2)))


# Training.


def pool(folder: Path, seed: int, takes: int) -> None:
    """Synthetic takes of POOL epochs as files, unless they are there."""
    folder.mkdir(parents=True, exist_ok=True)
    for epoch in range(POOL):
        if not (folder / f"{seed}-{epoch}.npz").exists():
            signing, _ = Mix(tuple(range(LETTERS)), alone=True), None
            x, labels = signing.new_takes(takes, 30, seed, epoch)
            signs = (*range(LETTERS), *([IDLE] * 9))  # so that each person has many idle takes
            idle, own = Mix(signs, alone=True, stream=1).new_takes(int(takes * IDLE_SHARE * 35 / 9), 30, seed, epoch)
            idle = idle[own >= IDLE]
            np.savez(folder / f"{seed}-{epoch}.npz", x=x, labels=labels, idle=idle)


def epoch_of(way: str, train: Part, real: Part, cache: Path, seed: int, epoch: int) -> tuple[F32, I64]:
    """Takes and labels of one epoch, varied; 26 is no sign."""
    with np.load(cache / f"{seed}-{epoch % POOL}.npz") as made:
        parts = [(train.x, train.labels), (made["x"], made["labels"])]
        if way != "plain":
            parts.append((made["idle"], np.full(len(made["idle"]), IDLE)))
    if way == "class+real":
        parts += [(real.x, real.labels)] * 5  # few, so each several times, varied otherwise
    x, labels = (np.concatenate(each) for each in zip(*parts, strict=True))
    rng = np.random.default_rng((seed, epoch))
    order = rng.permutation(len(x))
    return augment(x[order], AugmentConfig(), rng), labels[order]


def targets(labels: torch.Tensor, way: str) -> torch.Tensor:
    """What is right, as probabilities (takes, 26 or 27), smoothed over the letters."""
    classes = LETTERS if way in ("plain", "uniform") else LETTERS + 1
    if way == "uniform":
        sure = torch.nn.functional.one_hot(labels.clamp_max(LETTERS - 1), LETTERS).float()
        sure[labels == IDLE] = 1.0 / LETTERS
    else:
        sure = torch.nn.functional.one_hot(labels, classes).float()
    return sure * (1.0 - SMOOTHING) + SMOOTHING / classes


def full(logits: torch.Tensor, way: str) -> torch.Tensor:
    """Logits with the 27th that is always 0, where there is one."""
    return torch.nn.functional.pad(logits, (0, 1)) if way == "zero" else logits


def train_model(way: str, train: Part, real: Part, cache: Path, seed: int) -> RecurrentClassifier:
    """Adam, cosine to zero."""
    outputs = LETTERS + 1 if way.startswith("class") else LETTERS
    model = build_model(variant("edge"), fit_normalisation(train.x, "hand", True), outputs, seed)
    optimiser = torch.optim.Adam(model.parameters(), RATE)
    model.train()
    for epoch in range(EPOCHS):
        x, labels = epoch_of(way, train, real, cache, seed, epoch)
        parts = np.array_split(np.arange(len(x)), math.ceil(len(x) / BATCH))
        for k, part in enumerate(parts):
            done = (epoch + k / len(parts)) / EPOCHS
            optimiser.param_groups[0]["lr"] = RATE * 0.5 * (1.0 + math.cos(math.pi * done)) * min(1.0, 20 * done + 0.01)
            right = targets(torch.from_numpy(labels[part]), way)
            loss = torch.nn.functional.cross_entropy(full(model(torch.from_numpy(x[part])), way), right)
            optimiser.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimiser.step()
    return model.eval()


# Judging.


@dataclass(frozen=True, eq=False)
class Answers:
    """Of a model: logits (takes, 26), the logit of no sign (takes,) where it has one, and what the last layer reads."""

    logits: F32
    nothing: F32
    features: F32


def answers(model: RecurrentClassifier, x: F32) -> Answers:
    """Of the takes."""
    kept: list[torch.Tensor] = []
    last = [module for module in model.modules() if isinstance(module, torch.nn.Linear)][-1]
    hook = last.register_forward_hook(lambda module, given, made: kept.append(given[0]))
    with torch.no_grad():
        logits = torch.cat([model(torch.from_numpy(x[k : k + 256])) for k in range(0, len(x), 256)]).numpy()
    hook.remove()
    nothing = logits[:, LETTERS] if logits.shape[1] > LETTERS else np.zeros(len(x), np.float32)
    return Answers(logits[:, :LETTERS], nothing, torch.cat(kept).numpy())


def logsumexp(logits: F32) -> F32:
    """Over classes."""
    most = logits.max(axis=1)
    found: F32 = most + np.log(np.exp(logits - most[:, None]).sum(axis=1))
    return found


def scores(found: Answers, means: F32) -> dict[str, F32]:
    """How much each take looks like a sign, by kind. means: of the features of each letter, (26, features)."""
    top = np.sort(found.logits, axis=1)
    apart = np.square(found.features[:, None] - means).sum(axis=2).min(axis=1)
    return {
        "probability": np.exp(top[:, -1] - logsumexp(found.logits)),
        "margin": top[:, -1] - top[:, -2],
        "largest logit": top[:, -1],
        "energy": logsumexp(found.logits),
        "feature distance": -apart,
        "against nothing": top[:, -1] - found.nothing,
        "energy against nothing": logsumexp(found.logits) - found.nothing,
    }


def auroc(signs: F32, others: F32) -> float:
    """Chance that a take with a sign has the higher score."""
    order = np.concatenate([signs, others]).argsort(kind="stable").argsort() + 1
    return float((order[: len(signs)].sum() - len(signs) * (len(signs) + 1) / 2) / (len(signs) * len(others)))


def threshold(score: F32, right: NDArray[np.bool_]) -> float:
    """The highest that costs at most COST of the takes (takes,), of those that are read rightly."""
    most = int(COST * len(score))
    return float(np.sort(score[right])[most])


def judged(model: RecurrentClassifier, parts: Mapping[str, Part]) -> dict[str, Any]:
    """By score: letters kept and idle takes called a letter. parts: train, validation, test, idle."""
    found = {name: answers(model, part.x) for name, part in parts.items()}
    labels = parts["train"].labels
    means = np.stack([found["train"].features[labels == k].mean(axis=0) for k in range(LETTERS)])
    by = {name: scores(one, means) for name, one in found.items()}
    right = {name: found[name].logits.argmax(axis=1) == parts[name].labels for name in ("validation", "test")}
    rows: dict[str, Any] = {}
    cuts: list[tuple[str, str, float]] = [
        (name, name, threshold(by["validation"][name], right["validation"])) for name in by["test"]
    ]
    cuts += [("argmax of 27", "against nothing", 0.0), ("half of all", "energy against nothing", 0.0)]
    for name, score, cut in cuts:
        kept = by["test"][score] >= cut
        called = by["idle"][score] >= cut
        rows[name] = {
            "threshold": cut,
            "validation_lost": float((right["validation"] & (by["validation"][score] < cut)).mean()),
            "accuracy": float(right["test"].mean()),
            "accuracy_kept": float((right["test"] & kept).mean()),
            "idle_called": float(called.mean()),
            "idle_by_session": {
                str(s): [int(called[parts["idle"].who == s].sum()), int((parts["idle"].who == s).sum())]
                for s in np.unique(parts["idle"].who)
            },
            "auroc": auroc(by["test"][score], by["idle"][score]),
        }
    return rows


def run(given: argparse.Namespace) -> None:
    """Train and judge what is asked for; results are appended as they come."""
    torch.set_num_threads(1)
    letters, idle = letters_of(given.folder), idle_of(given.folder)
    for k in given.folds:
        fold = FOLDS[k]
        held = np.isin(letters.who, fold.test + fold.validation)
        train = letters.take(~held)
        pool(given.cache, k, len(train.x))
        for way in given.ways:
            begin = time.monotonic()
            own = np.isin(idle.who, fold.idle)
            model = train_model(way, train, idle.take(own), given.cache, k)
            parts = {
                "train": train,
                "validation": letters.take(np.isin(letters.who, fold.validation)),
                "test": letters.take(np.isin(letters.who, fold.test)),
                "idle": idle.take(~own),
            }
            row = {"way": way, "fold": k, "takes": {name: len(part.x) for name, part in parts.items()}}
            row |= {"seconds": round(time.monotonic() - begin), "scores": judged(model, parts)}
            with given.results.open("a", encoding="utf-8") as file:
                file.write(json.dumps(row) + "\n")
            if given.models:
                given.models.mkdir(parents=True, exist_ok=True)
                torch.save(model.state_dict(), given.models / f"{way}-{k}.pt")
            print(f"{way}, fold {k}: {row['seconds']} s", flush=True)


def show(given: argparse.Namespace) -> None:
    """Means over folds."""
    rows = [json.loads(line) for line in given.results.read_text(encoding="utf-8").splitlines()]
    print(
        "| way | score | folds | idle called a letter | accuracy | after | lost, points | AUROC |\n|---|---|---:|---:|---:|---:|---:|---:|"
    )
    for way in dict.fromkeys(row["way"] for row in rows):
        own = [row["scores"] for row in rows if row["way"] == way]
        for name in own[0]:
            each = [one[name] for one in own]
            mean: Callable[[str], float] = lambda key, each=each: statistics.mean(one[key] for one in each)  # type: ignore[misc]
            idle = " / ".join(f"{100 * one['idle_called']:.1f}" for one in each)
            lost = " / ".join(f"{100 * (one['accuracy'] - one['accuracy_kept']):.1f}" for one in each)
            print(
                f"| {way} | {name} | {len(each)} | {100 * mean('idle_called'):.1f} % ({idle}) | {100 * mean('accuracy'):.1f} | {100 * mean('accuracy_kept'):.1f} | {lost} | {mean('auroc'):.3f} |"
            )


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    running = commands.add_parser("run")
    running.add_argument("folder", type=Path)
    running.add_argument("--ways", nargs="+", choices=WAYS, default=WAYS)
    running.add_argument("--folds", nargs="+", type=int, default=list(range(len(FOLDS))))
    running.add_argument("--cache", type=Path, default=Path("no-sign-cache"), help="synthetic takes, made once")
    running.add_argument("--models", type=Path, help="where trained weights are kept")
    running.add_argument("--results", type=Path, required=True)
    running.set_defaults(do=run)
    showing = commands.add_parser("show")
    showing.add_argument("results", type=Path)
    showing.set_defaults(do=show)
    given = parser.parse_args()
    given.do(given)


if __name__ == "__main__":
    main()
