"""The study of a search: what is left to try, and where its files go. Needs the extra `tune`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from optuna.distributions import CategoricalDistribution, IntDistribution

from edgekit.artifacts import sha256_file, write_bytes
from edgekit.results.searching import SearchedModel, StudentPoint, StudentTrial
from edgekit.search.settings import SearchConfig
from edgekit.search.stopping import hopeless
from edgekit.search.trial import SearchTask
from edgekit.study.board import Board, Plan

#: Whatever a search may ever be asked to try: Optuna refuses a study whose choices change.
SPACE = {
    "type": CategoricalDistribution(("lstm", "gru")),
    "hidden_size": IntDistribution(1, 4096),
    "num_layers": IntDistribution(1, 16),
    "bidirectional": CategoricalDistribution((False, True)),
}
Listener = Callable[[StudentTrial, tuple[StudentTrial, ...], float], None]


class SearchBoard(Board[StudentPoint, StudentTrial]):
    """See `edgekit.study.board.Board`. folder: where the files of finished trials go, before the study knows of them.
    in_time: whether there is time for another trial."""

    def __init__(
        self,
        path: Path,
        plan: Plan[StudentPoint, StudentTrial],
        key: Mapping[str, Any],
        folder: Path,
        in_time: Callable[[], bool] = lambda: True,
        listener: Listener | None = None,
    ) -> None:
        super().__init__(path, plan, key, listener)
        self.folder = folder
        self.in_time = in_time

    def next(self) -> tuple[int, StudentPoint] | None:
        """None when the time is over, too."""
        return super().next() if self.in_time() else None

    def finish(self, number: int, result: StudentTrial) -> None:
        """Keep its files, then what came of it."""
        for model in result.models:
            if model.content is not None:
                write_bytes(place_of(model, self.folder), model.content)
        models = tuple(replace(model, content=None) for model in result.models)
        super().finish(number, replace(result, models=models))


def place_of(model: SearchedModel, folder: Path) -> Path:
    """Where a file is kept."""
    return folder / f"{model.name}.onnx"


def plan_of(
    config: SearchConfig, points: Sequence[StudentPoint], task: SearchTask, folder: Path
) -> Plan[StudentPoint, StudentTrial]:
    """points: to try, in their order. folder: of the files. A trial that is over still is when all files that are
    wanted of it are there as they were left; one that was given up, when no lower accuracy will do now."""

    def counts(trial: StudentTrial) -> bool:
        if trial.point not in task.wanted:
            return False
        if trial.state == "pruned":
            return config.stopping is not None and (task.floor or 0.0) >= (trial.floor or 0.0)
        whole = {model.recipe for model in trial.models if _is_there(model, folder)}
        return trial.state == "failed" or whole.issuperset(task.wanted[trial.point])

    def goes_on(point: StudentPoint, accuracies: tuple[float, ...], over: Sequence[StudentTrial]) -> bool:
        finished = [trial for trial in over if trial.state == "finished"]
        return not hopeless(accuracies, task.costs(point), finished, task.floor, config.stopping)

    return Plan(
        points=tuple(points),
        size=config.size(len(points)),
        space=SPACE,
        read_point=task.read_point,
        read_result=task.read_result,
        goes_on=goes_on,
        counts=counts,
    )


def _is_there(model: SearchedModel, folder: Path) -> bool:
    file = place_of(model, folder)
    return file.is_file() and sha256_file(file) == model.sha256
