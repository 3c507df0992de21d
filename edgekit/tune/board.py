"""The study in SQLite, Optuna's: which points are done, which is next. Needs the extra `tune`."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution
from optuna.exceptions import StorageInternalError
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy.exc import SQLAlchemyError

from edgekit.artifacts import json_text, parse_json, refuse_link
from edgekit.errors import InputError, StateError
from edgekit.results import Point, TrialResult
from edgekit.tune.settings import TuneConfig
from edgekit.tune.trial import hopeless

STUDY = "edgekit"
KEY, RESULT = "key", "result"
#: How often TPE may propose points that are done before the next of the grid is taken.
PROPOSALS = 20

_STATES = {"finished": TrialState.COMPLETE, "pruned": TrialState.PRUNED, "failed": TrialState.FAIL}
#: Called after every trial: it, all that are over, and seconds since this process began.
Listener = Callable[[TrialResult, tuple[TrialResult, ...], float], None]


def study_key(path: Path) -> dict[str, Any] | None:
    """What the trials at `path` were made with; None when none is over. Raises StateError when it is damaged."""
    if not os.path.lexists(path):
        return None
    try:
        study = _open(path)
        begun = any(_over(trial) for trial in study.get_trials(deepcopy=False))
        return dict(study.user_attrs.get(KEY, {})) if begun else None
    except InputError:
        raise
    except Exception as error:  # SQLAlchemy, alembic and Optuna each have their own
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise StateError(f"{path}: the study can't be read ({reason}); --force starts it over") from None


def points_over(path: Path) -> frozenset[Point]:
    """Those of the study at `path` that need not be tried any more; none where there is no study."""
    if not path.exists():
        return frozenset()
    return frozenset(_point(trial) for trial in _open(path).get_trials(deepcopy=False) if _over(trial))


def _open(path: Path) -> optuna.Study:
    for name in ("", "-journal", "-wal", "-shm"):
        refuse_link(path.with_name(path.name + name))
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    storage = optuna.storages.RDBStorage(f"sqlite:///{path.absolute()}")
    return optuna.create_study(storage=storage, study_name=STUDY, direction="maximize", load_if_exists=True)


@contextlib.contextmanager
def _storing(path: Path) -> Iterator[None]:
    """Raises StateError where the study can't be written, as on a full disk."""
    try:
        yield
    except (StorageInternalError, SQLAlchemyError) as error:
        inner: BaseException = error
        while inner.__cause__ is not None:
            inner = inner.__cause__
        reason = str(getattr(inner, "orig", None) or inner).splitlines()[0]
        raise StateError(f"{path}: the study can't be written ({reason}); trials that are in it are kept") from None


class Board:
    """Hands out every point once, and keeps what came of it. Only one process opens it: the work directory is locked.

    Trials that an interruption left running are closed as failed; their points are handed out again.
    """

    def __init__(
        self, path: Path, config: TuneConfig, key: Mapping[str, Any], seed: int = 0, listener: Listener | None = None
    ) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self.config = config
        self.listener = listener
        with _storing(path):
            self.study = _open(path)
            self.study.set_user_attr(KEY, parse_json(json_text(key)))
        self._points = config.points(seed)
        self._started_s = time.monotonic()
        self._open_trials: dict[int, optuna.Trial] = {}
        self._reported: dict[int, set[int]] = {}
        self._distributions: dict[str, BaseDistribution] = {
            name: CategoricalDistribution(getattr(config, name)) for name in Point.__dataclass_fields__
        }
        with _storing(path):
            self._close_interrupted()
        self.results = tuple(TrialResult.from_dict(t.user_attrs[RESULT]) for t in self._trials() if _over(t))
        # Another seed after each interruption, or TPE's random numbers would begin anew.
        tpe = optuna.samplers.TPESampler(seed=seed + len(self._trials()), constant_liar=False)
        self.study.sampler = tpe

    def _trials(self) -> list[FrozenTrial]:
        return self.study.get_trials(deepcopy=False)

    def _close_interrupted(self) -> None:
        while any(trial.state == TrialState.WAITING for trial in self._trials()):
            self.study.ask()
        for trial in self._trials():
            if trial.state == TrialState.RUNNING:
                found = trial.user_attrs.get(RESULT)
                self._tell(trial.number, TrialResult.from_dict(found) if found else None)

    def _tell(self, number: int, result: TrialResult | None) -> None:
        state = TrialState.FAIL if result is None else _STATES[result.state]
        value = result.accuracy if result is not None and state == TrialState.COMPLETE else None
        self.study.tell(number, value, state=state)

    def remaining(self) -> tuple[Point, ...]:
        """Points of the grid that are neither done nor running, in their order."""
        taken = {result.point for result in self.results} | {_point(trial) for trial in self._open_trials.values()}
        return tuple(point for point in self._points if point not in taken)

    def left(self) -> tuple[Point, ...]:
        """Points that this study will still run or is running, as far as is known."""
        running = tuple(_point(trial) for trial in self._open_trials.values())
        return running + self.remaining()[: self.config.size - len(self.results) - len(running)]

    def next(self) -> tuple[int, Point] | None:
        """A trial's number and its point; None when there is none left."""
        left = self.remaining()
        if not left or len(self.results) + len(self._open_trials) >= self.config.size:
            return None
        with _storing(self.path):
            trial = self._ask(left)
        self._open_trials[trial.number] = trial
        return trial.number, _point(trial)

    def _ask(self, left: tuple[Point, ...]) -> optuna.Trial:
        for _ in range(PROPOSALS if self.config.sampler == "tpe" else 0):
            trial = self.study.ask(self._distributions)
            if _point(trial) in left:
                return trial
            self._tell(trial.number, None)
        self.study.enqueue_trial(left[0].to_dict())
        return self.study.ask(self._distributions)

    def folds(self, number: int, accuracies: tuple[float, ...]) -> bool:
        """Keep a fold's mean so far; answers whether to go on."""
        reported = self._reported.setdefault(number, set())
        if len(accuracies) not in reported:  # a trial whose worker died tells its folds again
            with _storing(self.path):
                self._open_trials[number].report(sum(accuracies) / len(accuracies), len(accuracies))
            reported.add(len(accuracies))
        finished = [result.accuracies for result in self.results if result.state == "finished"]
        return not hopeless(accuracies, finished, self.config.pruning)

    def finish(self, number: int, result: TrialResult) -> None:
        """Keep what came of a trial."""
        with _storing(self.path):
            self._open_trials[number].set_user_attr(RESULT, result.to_dict())
        self.lose(number, result)

    def lose(self, number: int, result: TrialResult) -> None:
        """Count a trial as over in this process only: its point is handed out again by the next one."""
        del self._open_trials[number]
        with _storing(self.path):
            self._tell(number, result)
        self.results += (result,)
        if self.listener is not None:
            self.listener(result, self.results, time.monotonic() - self._started_s)


def _over(trial: FrozenTrial) -> bool:
    return RESULT in trial.user_attrs


def _point(trial: optuna.Trial | FrozenTrial) -> Point:
    return Point(**trial.params)
