"""How does a model know that nobody signs? Ways to find out, side by side, on people and idle hands not trained on.

    python bench/strangers.py run LETTERS STILLS PEOPLE --within 0 --only-scratch --workdir STUDY ...
    python bench/no_sign.py run FOLDER STUDY/mix-seed0-fold0 ... --results bench/results/no-sign.jsonl
    python bench/no_sign.py show bench/results/no-sign.jsonl

FOLDER holds asl-letters.npz, asl-stills.npz, asl-people.npz and asl-idle.npz. STUDY/NAME-foldK is a work directory of
bench/strangers.py: a student `edge` (64 units) that has seen neither the recorders of the study's fold 0 nor those of
fold K within. The one find the threshold, the other are the test, and the other way round. The ways:

    finished    the student as it is
    shift       the same; a linear function of what its last layer reads, fitted on training takes and synthetic hands
                that sign and that sign nothing, is added to all logits alike: no answer changes, their energy does
    plain       trained on for EPOCHS epochs on half recordings, half synthetic people, as a control
    class       the same, with a 27th class of synthetic hands that sign nothing
    class+real  the same, with real idle takes of other sessions among them
    uniform     26 classes; for synthetic hands that sign nothing, the uniform distribution is right
    zero        26 classes and a 27th logit that is always 0, right for synthetic hands that sign nothing

Every model's answers are judged by every score. Its threshold is the highest that costs COST of the validation takes,
counting those that were read rightly before. Takes without any hand are left out everywhere: nothing has to be learned
to tell them. The generator of idle hands was written after looking at pictures of idle takes, and not changed after the
first run.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from commands import command_line, obey
from numpy.typing import NDArray
from strangers import deal, joined, without

from edgekit.data import AugmentConfig, Mix, augment, canonical_takes, join_recordings, load_recordings
from edgekit.model import RecurrentClassifier, load_model
from edgekit.train.no_sign import fit_shift, takes_to_fit_on
from edgekit.train.no_sign import shifted as with_shift

F32, I64 = NDArray[np.float32], NDArray[np.int64]

LETTERS, IDLE = 26, 26
WAYS = ("finished", "shift", "plain", "class", "class+real", "uniform", "zero")
FILES = ("asl-letters", "asl-stills", "asl-people")
#: Part of the validation takes that a threshold may cost.
COST = 0.01
#: Part of the training takes that one costs which is found on these.
TRAIN_COST = 0.005
EPOCHS, BATCH, RATE, SMOOTHING = 8, 128, 2e-3, 0.1
#: Recorded takes of an epoch, drawn anew, and as many synthetic ones; synthetic takes that sign nothing beside them.
TAKES, NOTHING = 3000, 1000
#: Of the study.
VARIED = AugmentConfig(
    probability=1.0, mirror=0.5, aspect_min=9 / 16, aspect_max=16 / 9, milestones=(), milestone_probabilities=()
)
#: Sessions of idle takes that `class+real` may train on, by parity of the run; the others are its test.
REAL = (("2022-03-07-451940e", "2022-03-06-9d80190"), ("2022-03-07-79b9a82",))


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


def synthetic(takes: int, nothing: int, seed: int) -> tuple[F32, I64, F32]:
    """Takes by new people that sign, their labels, and such that sign nothing."""
    x, labels = Mix(tuple(range(LETTERS)), alone=True).new_takes(takes, 30, seed, 0)
    signs = (*range(LETTERS), *([IDLE] * LETTERS))  # half of each person's takes
    idle, own = Mix(signs, alone=True, stream=1).new_takes(2 * nothing, 30, seed, 0)
    return x, labels, idle[own >= LETTERS]


def epoch_of(way: str, train: Part, real: Part, seed: int, epoch: int) -> tuple[F32, I64]:
    """Takes and labels of one epoch, varied; 26 is no sign."""
    rng = np.random.default_rng((seed, epoch))
    chosen = rng.permutation(len(train.x))[:TAKES]
    x, labels, idle = synthetic(TAKES, NOTHING, 1000 * seed + epoch)
    parts = [(train.x[chosen], train.labels[chosen]), (x, labels)]
    if way != "plain":
        parts.append((idle, np.full(len(idle), IDLE)))
    if way == "class+real":
        parts += [(real.x, real.labels)] * 5  # few, so each several times, varied otherwise
    x, labels = (np.concatenate(each) for each in zip(*parts, strict=True))
    order = rng.permutation(len(x))
    return augment(x[order], VARIED, rng), labels[order]


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


def widened(model: RecurrentClassifier) -> None:
    """One output more, in place, as unsure as can be."""
    old = model.output
    model.output = torch.nn.Linear(old.in_features, LETTERS + 1)
    with torch.no_grad():
        model.output.weight[:LETTERS], model.output.bias[:LETTERS] = old.weight, old.bias
        model.output.weight[LETTERS:], model.output.bias[LETTERS:] = old.weight.mean(dim=0), old.bias.mean()


def train_on(model: RecurrentClassifier, way: str, train: Part, real: Part, seed: int) -> RecurrentClassifier:
    """Adam, cosine to zero, from what it has learned."""
    if way.startswith("class"):
        widened(model)
    optimiser = torch.optim.Adam(model.parameters(), RATE)
    model.train()
    for epoch in range(EPOCHS):
        x, labels = epoch_of(way, train, real, seed, epoch)
        parts = np.array_split(np.arange(len(x)), math.ceil(len(x) / BATCH))
        for k, part in enumerate(parts):
            done = (epoch + k / len(parts)) / EPOCHS
            optimiser.param_groups[0]["lr"] = RATE * 0.5 * (1.0 + math.cos(math.pi * done))
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


def cut_of(found: Answers, score: F32, labels: I64) -> float:
    """As edgekit finds it: from takes that were trained on."""
    right = found.logits.argmax(axis=1) == labels
    return float(np.sort(score[right])[int(TRAIN_COST * len(score))])


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
    trained = found["train"]
    for name in ("probability", "energy"):
        cuts.append((f"{name}, {TRAIN_COST:.1%} of training takes", name, cut_of(trained, by["train"][name], labels)))
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


def shifted(model: RecurrentClassifier, train: Part, seed: int) -> RecurrentClassifier:
    """With edgekit's own shift of its logits."""
    signs, nothing = takes_to_fit_on(train.x, Mix(tuple(range(LETTERS))), VARIED, seed)
    shift = fit_shift(model, signs, nothing)
    return model if shift is None else with_shift(model, shift)


def run(given: argparse.Namespace) -> None:
    """Judge what is asked for; results are appended as they come."""
    torch.set_num_threads(1)
    letters, idle = letters_of(given.folder), idle_of(given.folder)
    everybody = joined([given.folder / f"{name}.npz" for name in FILES], [])
    outer = deal(everybody)[0]
    for number, place in enumerate(given.models):
        inner = deal(without(everybody, outer))[int(place.name[-1])]
        train = letters.take(~np.isin(letters.who, [*inner, *outer]))
        for way in given.ways:
            own = np.isin(idle.who, REAL[number % len(REAL)])
            begin, model = time.monotonic(), load_model(place / "models" / "edge")[0]
            if way == "shift":
                model = shifted(model, train, number)
            elif way != "finished":
                model = train_on(model, way, train, idle.take(own), number)
            model.eval()
            for validation, test in ((inner, outer), (outer, inner)):
                parts = {"train": train, "idle": idle if way != "class+real" else idle.take(~own)}
                parts["validation"] = letters.take(np.isin(letters.who, validation))
                parts["test"] = letters.take(np.isin(letters.who, test))
                row = {
                    "way": way,
                    "model": place.name,
                    "test": test,
                    "takes": {name: len(part.x) for name, part in parts.items()},
                }
                row["scores"] = judged(model, parts)
                with given.results.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(row) + "\n")
            print(f"{place.name}, {way}: {time.monotonic() - begin:.0f} s", flush=True)


#: Scores that ask for a logit of no sign, and the ways that have one.
OF_NOTHING = ("against nothing", "energy against nothing", "argmax of 27", "half of all")
KNOW_NOTHING = ("class", "class+real", "zero")
HEADERS = ("way", "score", "tests", "idle called a letter", "accuracy", "with rejection", "points lost", "AUROC")


def show(given: argparse.Namespace) -> None:
    """A row a way and score: means over models and tests, each in brackets."""
    rows = [json.loads(line) for line in given.results.read_text(encoding="utf-8").splitlines()]
    print(f"| {' | '.join(HEADERS)} |\n|---|---|{'---:|' * 6}")
    for way in dict.fromkeys(row["way"] for row in rows):
        own = [row["scores"] for row in rows if row["way"] == way]
        for name in own[0]:
            if way not in KNOW_NOTHING and name in OF_NOTHING:
                continue
            print(f"| {way} | {name} | {' | '.join(cells([one[name] for one in own]))} |")


def cells(found: Sequence[Mapping[str, Any]]) -> list[str]:
    """Of one way and score."""
    before, after = ([one[key] for one in found] for key in ("accuracy", "accuracy_kept"))
    lost = [one - other for one, other in zip(before, after, strict=True)]
    shares = [f"{100 * statistics.mean(part):.1f} %" for part in (before, after)]
    auroc_ = statistics.mean(one["auroc"] for one in found)
    return [str(len(found)), each([one["idle_called"] for one in found]), *shares, each(lost), f"{auroc_:.3f}"]


def each(values: Sequence[float]) -> str:
    """Mean, least and most, in percent."""
    return f"{100 * statistics.mean(values):.1f} ({100 * min(values):.1f} to {100 * max(values):.1f})"


def main() -> None:
    """The command line."""
    parser, commands = command_line(__doc__, run=run, show=show)
    commands["run"].add_argument("folder", type=Path)
    commands["run"].add_argument("models", nargs="+", type=Path, help="work directories of the study")
    commands["run"].add_argument("--ways", nargs="+", choices=WAYS, default=WAYS)
    commands["run"].add_argument("--results", type=Path, required=True)
    obey(parser)


if __name__ == "__main__":
    main()
