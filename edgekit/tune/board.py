"""The study of a grid. Needs the extra `tune`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from optuna.distributions import CategoricalDistribution

from edgekit.results import Point, TrialResult
from edgekit.study.board import Board as StudyBoard
from edgekit.study.board import Plan
from edgekit.tune.settings import TuneConfig
from edgekit.tune.trial import hopeless, read_point

#: Called after every trial: it, all that are over, and seconds since this process began.
Listener = Callable[[TrialResult, tuple[TrialResult, ...], float], None]


class Board(StudyBoard[Point, TrialResult]):
    """See `edgekit.study.board.Board`."""

    def __init__(
        self, path: Path, config: TuneConfig, key: Mapping[str, Any], seed: int = 0, listener: Listener | None = None
    ) -> None:
        super().__init__(path, plan_of(config, seed), key, listener)
        self.config = config


def plan_of(config: TuneConfig, seed: int) -> Plan[Point, TrialResult]:
    """What a grid says shall be tried."""

    def goes_on(point: Point, accuracies: tuple[float, ...], over: Sequence[TrialResult]) -> bool:
        finished = [result.accuracies for result in over if result.state == "finished"]
        return not hopeless(accuracies, finished, config.pruning)

    return Plan(
        points=config.points(seed),
        size=config.size,
        space={name: CategoricalDistribution(getattr(config, name)) for name in Point.__dataclass_fields__},
        read_point=read_point,
        read_result=TrialResult.from_dict,
        goes_on=goes_on,
        tpe=config.sampler == "tpe",
        seed=seed,
    )
