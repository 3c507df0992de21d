"""How long a search may take, before it has begun."""

from __future__ import annotations

from collections.abc import Sequence

from edgekit.results.searching import StudentPoint
from edgekit.search.trial import SearchTask
from edgekit.train import ALONE, RunSetup, measure_pace


def guess_s(points: Sequence[StudentPoint], task: SearchTask) -> float:
    """Seconds of all these students one after another with one thread, none of them given up, the teacher's answers and
    the files left out.

    Measured on a few batches of the one of least work and the one of most; between them time grows with work. A pruned
    student counts like a whole one.
    """
    macs = {point: task.costs(point)[1] for point in points}
    ends = min(points, key=macs.__getitem__), max(points, key=macs.__getitem__)
    (least, first_s), (most, last_s) = ((macs[point], _one_s(point, task)) for point in ends)
    slope = (last_s - first_s) / (most - least) if most > least else 0.0
    return sum(max(first_s + slope * (macs[point] - least), 0.0) for point in points)


def _one_s(point: StudentPoint, task: SearchTask) -> float:
    training = task.distillation.training
    pace = measure_pace(
        task.build(point), task.train, training, task.augmentation, RunSetup(hardware=ALONE), mix=task.mix
    )
    takes = len(task.train) if task.mix is None else sum(task.mix.counts(task.train.labels))
    prunings = len({recipe.sparsity for recipe in task.wanted[point]})
    runs = [training.epochs, *[task.pruning.recovery.training.epochs] * prunings]
    return sum(pace.training_s(takes, len(task.validation), epochs) for epochs in runs)
