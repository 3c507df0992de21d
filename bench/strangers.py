"""How well are people read whom no training has seen? Every recorder is tested once, by a chain trained on all others.

    python bench/strangers.py run LETTERS.npz STILLS.npz PEOPLE.npz --results bench/results/strangers.jsonl
    python bench/strangers.py show bench/results/strangers.jsonl
    python bench/strangers.py card bench/results/strangers.jsonl --recipe public --output study.json
    python bench/strangers.py test edgekit-work/model.int8.onnx LETTERS.npz STILLS.npz PEOPLE.npz

All recordings become one, its recorders are dealt to five folds, and for each fold and seed the real commands train the
chain on the other four (`edgekit run --split signer` with the fold's people named for testing) and a student from
scratch with the same data and search (`edgekit train edge`). Their ONNX files are then run on the fold's takes as they
are, mirrored, and as pictures of 1:1 and 16:9 would show them. Results are appended as they come, a line a fold and
seed, with what was right by recorder and letter; the same command goes on where it stopped.

Recipes are chosen by folds within the four (`--within FOLD` leaves that fold out of everything and deals the others
anew), never by the results that are reported. Accuracies are means over recorders, each recorder counting once. `test`
reads the recorders with one finished file, which has to be one that has not learned from them. `card` writes what
tools/make_weights.py wants to know for the model card.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.data import (
    AugmentConfig,
    Recordings,
    augment,
    canonical_takes,
    join_recordings,
    load_recordings,
    save_recordings,
)
from edgekit.evaluate import predict_batches
from edgekit.runtime import open_predictor

FOLDS = 5
#: These move; still pictures of them don't, so they are reported apart.
MOVING = ("J", "Z")
#: Files of a work directory, by what the closing table calls them.
MODELS = {
    "teacher": "models/accurate/model.onnx",
    "scratch": "models/edge/model.onnx",
    "distilled": "student/model.onnx",
    "pruned": "model.onnx",
    "int8": "model.int8.onnx",
}
#: Exit codes of a chain that came to its end: fits, a constraint missed, undecided, a gate missed.
FINISHED = (0, 3, 4, 5)


@dataclass(frozen=True)
class Shown:
    """Another way to see the same takes. augmentation: what makes it, with certainty."""

    name: str
    augmentation: AugmentConfig | None


def shown(aspect: float, mirror: float) -> AugmentConfig:
    """Nothing but another picture: of `aspect` (width / height; 4 / 3 is as recorded), mirrored or not."""
    off = dict.fromkeys(("rotation_deg", "tilt_deg", "scale_ratio", "stretch_ratio", "depth_ratio"), 0.0)
    still = dict.fromkeys(("translation", "noise", "time_warp_ratio"), 0.0)
    return AugmentConfig(probability=1.0, **off, **still, mirror=mirror, aspect_min=aspect, aspect_max=aspect)


WAYS = (
    Shown("as recorded", None),
    Shown("mirrored", shown(4 / 3, 1.0)),
    Shown("1:1", shown(1.0, 0.0)),
    Shown("16:9", shown(16 / 9, 0.0)),
)


def deal(recordings: Recordings, folds: int = FOLDS) -> list[list[str]]:
    """The recorders of each fold. Those with most takes are dealt first, each to the fold with the fewest takes so far,
    so that folds are of like size; of equals, the first by name."""
    names, takes = np.unique(signers_of(recordings), return_counts=True)
    dealt: list[list[str]] = [[] for _ in range(folds)]
    held = [0] * folds
    for k in np.lexsort((names, -takes)):
        fold = held.index(min(held))
        dealt[fold].append(str(names[k]))
        held[fold] += int(takes[k])
    return dealt


def joined(paths: Sequence[Path], left_out: Sequence[str]) -> Recordings:
    """All recordings as one, without the takes of `left_out`."""
    return without(join_recordings([load_recordings(path) for path in paths], "all recorders"), left_out)


def without(recordings: Recordings, signers: Sequence[str]) -> Recordings:
    """The takes of everybody else."""
    return recordings.take(~np.isin(signers_of(recordings), list(signers)))


def only(recordings: Recordings, signers: Sequence[str]) -> Recordings:
    """The takes of these."""
    return recordings.take(np.isin(signers_of(recordings), list(signers)))


def signers_of(recordings: Recordings) -> NDArray[np.str_]:
    """Who recorded each take; ends the study where that is unknown."""
    if recordings.signer is None:
        sys.exit(f"{recordings.source}: signers are unknown")
    return recordings.signer


def train(data: Path, workdir: Path, tested: Sequence[str], seed: int, arguments: argparse.Namespace) -> None:
    """The chain and the student from scratch, by the real commands; what is finished is kept."""
    told = ["--workdir", str(workdir), "--data", str(data), "--split", "signer", "--seed", str(seed)]
    told += ["--set", "pretrain.source=none", "--set", f"data.test_signers={json.dumps(list(tested))}"]
    told += arguments.settings
    scratch = [word for text in arguments.scratch for word in ("--set", text)]
    commands = [] if arguments.only_scratch else [["run", *told]]
    for command in (*commands, ["train", "edge", *told, *scratch]):
        finished = subprocess.run([sys.executable, "-m", "edgekit", *command], stdout=subprocess.DEVNULL, check=False)
        if finished.returncode not in FINISHED:
            sys.exit(f"{workdir}: edgekit {command[0]} ended with exit code {finished.returncode}")


def counts(answers: NDArray[Any], recordings: Recordings) -> dict[str, dict[str, list[int]]]:
    """By recorder and letter: [right, all]."""
    found: dict[str, dict[str, list[int]]] = {}
    for signer, label, answer in zip(signers_of(recordings), recordings.labels, answers, strict=True):
        letters = found.setdefault(str(signer), {})
        right_and_all = letters.setdefault(recordings.class_names[label], [0, 0])
        right_and_all[0] += int(answer == label)
        right_and_all[1] += 1
    return found


def judge(model: Path, recordings: Recordings) -> dict[str, Any]:
    """Of one file, in every way: what was right, by recorder and letter."""
    predictor = open_predictor(model)
    frames = predictor.info.metadata.sequence_length if predictor.info.metadata else 30
    x = canonical_takes(recordings, frames)
    found: dict[str, Any] = {}
    for way in WAYS:
        seen = x if way.augmentation is None else augment(x, way.augmentation, np.random.default_rng(0))
        found[way.name] = counts(predict_batches(predictor, seen).argmax(axis=1), recordings)
    return found


def accuracy(by_letter: dict[str, list[int]], moving: bool) -> float:
    """Of one recorder, over all letters or, for moving False, over those that don't move."""
    kept = [pair for letter, pair in by_letter.items() if moving or letter not in MOVING]
    return sum(right for right, _ in kept) / sum(all_ for _, all_ in kept)


def run(arguments: argparse.Namespace) -> None:
    """Train and judge what is not in the results yet."""
    recordings = joined(arguments.recordings, arguments.without)
    folds = deal(recordings)
    if arguments.within is not None:
        recordings = without(recordings, folds[arguments.within])
        folds = deal(recordings)
    arguments.workdir.mkdir(parents=True, exist_ok=True)
    data = arguments.workdir / "recordings.npz"
    if not data.exists():
        save_recordings(data, recordings)
    done = {(row["recipe"], row["within"], row["seed"], row["fold"]) for row in rows(arguments.results)}
    for seed in arguments.seeds:
        for fold in arguments.folds:
            if (arguments.recipe, arguments.within, seed, fold) in done:
                continue
            workdir = arguments.workdir / f"{arguments.recipe}-seed{seed}-fold{fold}"
            train(data, workdir, folds[fold], seed, arguments)
            tested = only(recordings, folds[fold])
            row = {"recipe": arguments.recipe, "settings": arguments.settings, "scratch": arguments.scratch}
            row |= {"within": arguments.within}
            made = {"scratch": MODELS["scratch"]} if arguments.only_scratch else MODELS
            models = {name: judge(workdir / file, tested) for name, file in made.items()}
            row |= {"seed": seed, "fold": fold, "tested": folds[fold], "models": models}
            with arguments.results.open("a") as file:
                file.write(json.dumps(row) + "\n")
            print(f"seed {seed}, fold {fold}: " + ", ".join(summary_of(row)), flush=True)


def rows(path: Path) -> list[dict[str, Any]]:
    """What has been measured."""
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def summary_of(row: dict[str, Any]) -> Iterator[str]:
    """Mean over the fold's recorders, by model, as recorded."""
    for name, ways in row["models"].items():
        yield f"{name} {statistics.mean(accuracy(letters, True) for letters in ways['as recorded'].values()):.3f}"


def figures(found: Sequence[dict[str, Any]], live: Sequence[str]) -> dict[str, dict[str, float]]:
    """Of one recipe and seed, over all folds: by model, means over recorders."""
    by_model: dict[str, dict[str, float]] = {}
    for name in found[0]["models"]:
        merged: dict[str, dict[str, dict[str, list[int]]]] = {}
        for row in found:
            for way, recorders in row["models"][name].items():
                merged.setdefault(way, {}).update(recorders)
        own = merged["as recorded"]
        table = {"static": statistics.mean(accuracy(letters, False) for letters in own.values())}
        alive = [accuracy(letters, True) for recorder, letters in own.items() if recorder in live]
        table |= {"live": statistics.mean(alive)} if alive else {}
        table |= {
            way: statistics.mean(accuracy(letters, True) for letters in recorders.values())
            for way, recorders in merged.items()
        }
        by_model[name] = table
    return by_model


def show(arguments: argparse.Namespace) -> None:
    """Mean over seeds and range, by recipe and model; only seeds whose folds are all there."""
    found = rows(arguments.results)
    for recipe in dict.fromkeys((row["recipe"], row["within"]) for row in found):
        own = [row for row in found if (row["recipe"], row["within"]) == recipe]
        seeds = sorted({row["seed"] for row in own})
        whole = [seed for seed in seeds if sum(row["seed"] == seed for row in own) == FOLDS]
        print(f"{recipe[0]}{'' if recipe[1] is None else f' within {recipe[1]}'}: seeds {whole} of {seeds}")
        each = [figures([row for row in own if row["seed"] == seed], arguments.live) for seed in whole]
        for name in each[0] if each else ():
            cells = []
            for column in each[0][name]:
                values = [table[name][column] for table in each]
                cells.append(f"{column} {statistics.mean(values):.3f} ({min(values):.3f} to {max(values):.3f})")
            print(f"  {name:9} " + "; ".join(cells))


def card(arguments: argparse.Namespace) -> None:
    """Of one recipe: what teacher and INT8 student read of each recorder, means over the seeds that have all folds, as
    JSON."""
    found = [row for row in rows(arguments.results) if row["recipe"] == arguments.recipe and row["within"] is None]
    folds = Counter(row["seed"] for row in found)
    found = [row for row in found if folds[row["seed"]] == FOLDS]
    if not found:
        sys.exit(f"{arguments.results}: no seed of {arguments.recipe} has all {FOLDS} folds")
    each: dict[str, dict[str, list[float]]] = {}
    takes: dict[str, int] = {}
    for row in found:
        for name in ("teacher", "int8"):
            for recorder, letters in row["models"][name]["as recorded"].items():
                each.setdefault(recorder, {}).setdefault(name, []).append(accuracy(letters, True))
                takes[recorder] = sum(all_ for _, all_ in letters.values())
    seeds = sorted({row["seed"] for row in found})
    command = f"bench/strangers.py, {FOLDS} folds, seed{'s' * (len(seeds) > 1)} {', '.join(map(str, seeds))}"
    means = {
        recorder: {"takes": takes[recorder], **{name: statistics.mean(values) for name, values in models.items()}}
        for recorder, models in sorted(each.items())
    }
    arguments.output.write_text(json.dumps({"command": command, "recorders": means}, indent=1) + "\n")


def test(arguments: argparse.Namespace) -> None:
    """One finished file on every recorder: a line each, and the means."""
    found = judge(arguments.model, joined(arguments.recordings, arguments.without))
    own = found["as recorded"]
    for recorder, letters in own.items():
        takes = sum(all_ for _, all_ in letters.values())
        static, all_letters = (accuracy(letters, moving) for moving in (False, True))
        print(f"{recorder:12} {takes:6,} takes, static {static:.3f}, all {all_letters:.3f}")
    print(f"mean of {len(own)}: static {statistics.mean(accuracy(letters, False) for letters in own.values()):.3f}")
    for way, recorders in found.items():
        print(f"  all, {way}: {statistics.mean(accuracy(letters, True) for letters in recorders.values()):.3f}")


def main() -> None:
    """Parse and go."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    running = commands.add_parser("run")
    running.add_argument("recordings", nargs="+", type=Path)
    running.add_argument("--results", type=Path, required=True)
    running.add_argument("--workdir", type=Path, default=Path("strangers-work"))
    running.add_argument("--recipe", default="standard", help="what these settings are called in the results")
    running.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    running.add_argument("--folds", nargs="+", type=int, default=list(range(FOLDS)))
    running.add_argument("--within", type=int, help="leave this fold out and deal the others anew: to choose recipes")
    running.add_argument("--without", nargs="*", default=[], help="recorders to leave out")
    running.add_argument("--scratch", nargs="*", default=[], help="KEY=VALUE: for the student from scratch alone")
    running.add_argument("--only-scratch", action="store_true", help="only the student from scratch")
    running.add_argument("--settings", nargs=argparse.REMAINDER, default=[], help="handed on to edgekit; comes last")
    running.set_defaults(command=run)
    showing = commands.add_parser("show")
    showing.add_argument("results", type=Path)
    showing.add_argument("--live", nargs="*", default=["signer-1", "signer-2", "signer-3", "p14", "p15"])
    showing.set_defaults(command=show)
    carding = commands.add_parser("card")
    carding.add_argument("results", type=Path)
    carding.add_argument("--recipe", default="standard")
    carding.add_argument("--output", type=Path, required=True)
    carding.set_defaults(command=card)
    testing = commands.add_parser("test")
    testing.add_argument("model", type=Path)
    testing.add_argument("recordings", nargs="+", type=Path)
    testing.add_argument("--without", nargs="*", default=[], help="recorders to leave out")
    testing.set_defaults(command=test)
    arguments = parser.parse_args()
    arguments.command(arguments)


if __name__ == "__main__":
    main()
