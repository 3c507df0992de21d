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
    within_reach = _within_reach(accuracies, finished)
    return within_reach is not None and within_reach + config.margin < _asked(costs, finished, floor)


def _within_reach(accuracies: Sequence[float], finished: Sequence[StudentTrial]) -> float | None:
    """Accuracy that its best file would have if its error fell from here as far as any student's has, as a part of the
    error at the same look. None where nobody tells."""
    look = len(accuracies) - 1
    known = [trial for trial in finished if len(trial.accuracies) > look and trial.accuracies[look] < 1.0]
    parts = [(1.0 - (trial.accuracy or 0.0)) / (1.0 - trial.accuracies[look]) for trial in known]
    return 1.0 - (1.0 - accuracies[-1]) * min(parts) if parts else None


def _asked(costs: tuple[int, int], finished: Sequence[StudentTrial], floor: float | None) -> float:
    """What it has to reach: the floor, and as much as the best file of a student that costs no more."""
    cheaper = [trial for trial in finished if trial.parameters <= costs[0] and trial.macs <= costs[1]]
    return max([floor or 0.0, *(trial.accuracy or 0.0 for trial in cheaper)])
