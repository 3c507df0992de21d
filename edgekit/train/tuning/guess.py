"""How long a study may take, before it has begun."""

from __future__ import annotations

import time
from collections.abc import Iterable

import torch

from edgekit.data import fit_normalisation
from edgekit.model import build_model
from edgekit.train.tuning.settings import Point
from edgekit.train.tuning.trial import Job, model_config

STEPS = 2


def guess_s(points: Iterable[Point], job: Job) -> float:
    """Seconds of all folds of `points`, one after another with one thread, none of them stopped early.

    Measured on a few steps of each width and depth; augmentation and the disturbances of hours are not in it.
    """
    torch.set_num_threads(1)
    takes = sum(len(train) for train, _ in job.folds) * job.training.epochs
    steps = takes / job.training.batch_size
    known: dict[tuple[int, int], float] = {}
    total_s = 0.0
    for point in points:
        shape = (point.hidden_size, point.num_layers)
        if shape not in known:
            known[shape] = _step_s(point, job)
        total_s += known[shape] * steps
    return total_s


def _step_s(point: Point, job: Job) -> float:
    normalisation = fit_normalisation(job.x[job.folds[0][0]], job.kind, job.displacement)
    model = build_model(model_config(point, job), normalisation, job.classes)
    x = torch.from_numpy(job.x[: job.training.batch_size])
    times_s = []
    for _ in range(STEPS + 1):  # the first one warms up
        started_s = time.perf_counter()
        model(x).square().mean().backward()
        times_s.append(time.perf_counter() - started_s)
    return min(times_s[1:])
