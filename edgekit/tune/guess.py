"""How long a study may take, before it has begun."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from edgekit.data import fit_normalisation
from edgekit.model import build_model
from edgekit.results import Point
from edgekit.train import ALONE, Pace, RunSetup, Takes, measure_pace
from edgekit.tune.trial import Job, model_config


def shapes(points: Iterable[Point]) -> frozenset[tuple[int, int]]:
    """Hidden size and layers of the points: what their time depends on."""
    return frozenset((point.hidden_size, point.num_layers) for point in points)


def guess_s(points: Iterable[Point], job: Job) -> float:
    """Seconds of all folds of `points`, one after another with one thread, none of them stopped early.

    Measured on a few batches of each width and depth.
    """
    known: dict[tuple[int, int], Pace] = {}
    total_s = 0.0
    for point in points:
        shape = (point.hidden_size, point.num_layers)
        pace = known[shape] if shape in known else _pace(point, job)
        known[shape] = pace
        total_s += sum(pace.training_s(_takes(train, job), len(held), job.training.epochs) for train, held in job.folds)
    return total_s


def _pace(point: Point, job: Job) -> Pace:
    train = job.folds[0][0]
    normalisation = fit_normalisation(job.x[train], job.kind, job.displacement)
    model = build_model(model_config(point, job), normalisation, job.classes, job.seed)
    takes = Takes(job.x[train], job.labels[train])
    return measure_pace(model, takes, job.training, job.augmentation, RunSetup(hardware=ALONE), mix=job.mix)


def _takes(train: NDArray[np.int64], job: Job) -> int:
    """Of an epoch."""
    return len(train) if job.mix is None else sum(job.mix.counts(job.labels[train]))
