"""When a student that is being taught is not worth going on with."""

from __future__ import annotations

from collections.abc import Sequence

from edgekit.results.searching import StudentTrial
from edgekit.search.settings import StoppingConfig


def hopeless(
    accuracies: Sequence[float],
    costs: tuple[int, int],
    finished: Sequence[StudentTrial],
    floor: float | None,
    config: StoppingConfig | None,
) -> bool:
    """accuracies: of a student at its looks so far, at least one. costs: its parameters and multiply-adds. finished:
    students that were taught to the end. floor: the least accuracy that is asked for. See `StoppingConfig`."""
    if config is None or len(finished) < config.least_trials:
        return False
    here, look = accuracies[-1], len(accuracies) - 1
    comparable = [trial for trial in finished if len(trial.accuracies) > look]
    return _beaten(here, look, costs, comparable, config.margin) or _too_low(
        here, look, comparable, floor, config.margin
    )


def _beaten(here: float, look: int, costs: tuple[int, int], finished: Sequence[StudentTrial], margin: float) -> bool:
    """By a cheaper one, at the same look."""
    cheaper = [t for t in finished if t.parameters <= costs[0] and t.macs <= costs[1]]
    return any(trial.accuracies[look] > here + margin for trial in cheaper)


def _too_low(here: float, look: int, finished: Sequence[StudentTrial], floor: float | None, margin: float) -> bool:
    """To reach the floor with as much as any has gained from here to its best file."""
    if floor is None or not finished:
        return False
    gain = max((trial.accuracy or 0.0) - trial.accuracies[look] for trial in finished)
    return here + gain + margin < floor
