"""Wrong labels that `data check` finds, right ones that it suspects: `python tests/data/wrong_labels.py FILE ...`"""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from edgekit.data import I64, Recordings, load_recordings
from edgekit.data.disagreement import find_disagreements
from edgekit.data.validation import runs_of


@dataclass(frozen=True)
class Score:
    """planted: takes with a wrong label. found: those listed; named: with their true class. suspected: right takes that
    are listed."""

    planted: int
    found: int
    named: int
    suspected: int


def plant(recordings: Recordings, takes: I64, labels: I64) -> Score:
    """What is found after `takes` got the wrong `labels`."""
    wrong = recordings.labels.copy()
    wrong[takes] = labels
    found = find_disagreements(replace(recordings, labels=wrong)).disagreements
    truth = {int(take): recordings.class_names[recordings.labels[take]] for take in takes}
    hits = [one for one in found if one.take in truth]
    named = sum(one.looks_like == truth[one.take] for one in hits)
    return Score(len(takes), len(hits), named, len(found) - len(hits))


def plant_takes(recordings: Recordings, seed: int, ratio: float = 0.02) -> Score:
    """Single takes at random, each with another class at random."""
    rng = np.random.default_rng(seed)
    takes = rng.choice(recordings.takes, round(ratio * recordings.takes), replace=False)
    return plant(recordings, takes, _other(recordings, takes, rng.integers(1, recordings.classes, len(takes))))


def plant_run(recordings: Recordings, run: int, seed: int) -> Score:
    """All takes of one recording run with one other class at random."""
    takes = np.flatnonzero(runs_of(recordings) == run)
    shift = np.random.default_rng([seed, run]).integers(1, recordings.classes, 1)
    return plant(recordings, takes, _other(recordings, takes, shift))


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
    """Print the figures of each file."""
    for path in paths:
        recordings = load_recordings(Path(path))
        clean = find_disagreements(recordings)
        runs = int(runs_of(recordings).max())
        print(f"{path}: {recordings.takes} takes in {runs} runs")
        print(f"  as it is: {len(clean.disagreements)} suspected, {clean.judged} judged")
        print("  2 % at random, 10 seeds:", total([plant_takes(recordings, seed) for seed in range(10)]))
        print("  one run, each in turn:", total([plant_run(recordings, run, 0) for run in range(1, runs + 1)]))


if __name__ == "__main__":
    main(sys.argv[1:])
