"""Wrong labels found, right ones suspected, by each finder: `python tests/data/wrong_labels.py FILE ...`"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from edgekit.data import I64, Recordings, load_recordings
from edgekit.data.disagreement import Disagreement, find_disagreements
from edgekit.data.mislabels import Mislabel, join_finders
from edgekit.data.validation import runs_of


@dataclass(frozen=True)
class Score:
    """planted: takes with a wrong label. found: those listed; named: with their true class. suspected: right takes that
    are listed."""

    planted: int
    found: int
    named: int
    suspected: int


Finder = Callable[[Recordings], Sequence[Any]]


def neighbours(recordings: Recordings) -> Sequence[Disagreement]:
    """Takes that nearest neighbours name."""
    return find_disagreements(recordings).found


def out_of_fold(recordings: Recordings) -> Sequence[Mislabel]:
    """Takes that predictions out of fold name."""
    from edgekit.train import predict_out_of_fold

    return join_finders(recordings, (), predict_out_of_fold(recordings))


def either(recordings: Recordings) -> Sequence[Mislabel]:
    """What `edgekit data check --out-of-fold` lists."""
    from edgekit.train import predict_out_of_fold

    return join_finders(recordings, neighbours(recordings), predict_out_of_fold(recordings))


def plant(recordings: Recordings, takes: I64, labels: I64, find: Finder = neighbours) -> Score:
    """What is found after `takes` got the wrong `labels`."""
    wrong = recordings.labels.copy()
    wrong[takes] = labels
    found = find(replace(recordings, labels=wrong))
    truth = {int(take): recordings.class_names[recordings.labels[take]] for take in takes}
    hits = [one for one in found if one.take in truth]
    named = sum(one.looks_like == truth[one.take] for one in hits)
    return Score(len(takes), len(hits), named, len(found) - len(hits))


def plant_takes(recordings: Recordings, seed: int, ratio: float = 0.02, find: Finder = neighbours) -> Score:
    """Single takes at random, each with another class at random."""
    rng = np.random.default_rng(seed)
    takes = rng.choice(recordings.takes, round(ratio * recordings.takes), replace=False)
    return plant(recordings, takes, _other(recordings, takes, rng.integers(1, recordings.classes, len(takes))), find)


def plant_run(recordings: Recordings, run: int, seed: int, find: Finder = neighbours) -> Score:
    """All takes of one recording run with one other class at random."""
    takes = np.flatnonzero(runs_of(recordings) == run)
    shift = np.random.default_rng([seed, run]).integers(1, recordings.classes, 1)
    return plant(recordings, takes, _other(recordings, takes, shift), find)


def _other(recordings: Recordings, takes: I64, shift: I64) -> I64:
    """A class that the takes do not have: `shift` places on among those that have takes."""
    labels: I64 = (recordings.labels[takes] + shift) % recordings.classes
    return labels


def total(scores: list[Score]) -> str:
    """Sums as a line."""
    planted, found, named, suspected = (
        sum(getattr(score, name) for score in scores) for name in ("planted", "found", "named", "suspected")
    )
    return (
        f"{found} of {planted} found ({found / planted:.1%}), {named} of them with the true class;"
        f" {suspected / len(scores):.1f} right takes suspected a time"
    )


def main(paths: list[str]) -> None:
    """Print the figures of each file. Every fifth run is planted; three seeds of single takes."""
    for path in paths:
        recordings = load_recordings(Path(path))
        runs = int(runs_of(recordings).max())
        print(f"{path}: {recordings.takes} takes in {runs} runs")
        for find in (neighbours, out_of_fold, either):
            start = time.perf_counter()
            print(f"{find.__name__}, as it is: {len(find(recordings))} suspected, {time.perf_counter() - start:.1f} s")
            print("  2 % at random, 3 seeds:", total([plant_takes(recordings, k, find=find) for k in range(3)]))
            print("  one run, each fifth:", total([plant_run(recordings, k, 0, find) for k in range(1, runs + 1, 5)]))


if __name__ == "__main__":
    main(sys.argv[1:])
