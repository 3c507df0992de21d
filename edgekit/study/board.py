"""The study in SQLite, Optuna's: which points are done, which is next. Needs the extra `tune`."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic

import optuna
from optuna.distributions import BaseDistribution
from optuna.exceptions import StorageInternalError
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy.exc import SQLAlchemyError

from edgekit.artifacts import json_text, parse_json, refuse_link
from edgekit.errors import InputError, StateError
from edgekit.study.task import P, R

STUDY = "edgekit"
KEY, RESULT = "key", "result"
#: How often TPE may propose points that are done before the next of the plan is taken.
PROPOSALS = 20

_STATES = {"finished": TrialState.COMPLETE, "pruned": TrialState.PRUNED, "failed": TrialState.FAIL}


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


def results_over(path: Path, read: Callable[[Mapping[str, Any]], R]) -> tuple[R, ...]:
    """Of the trials at `path` that are over, in their order; none where there is no study."""
    if not path.exists():
        return ()
    trials = _open(path).get_trials(deepcopy=False)
    return tuple(read(trial.user_attrs[RESULT]) for trial in trials if _over(trial))


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


@dataclass(frozen=True)
class Plan(Generic[P, R]):
    """What shall be tried. points: in their order. size: trials in all. space: what Optuna is told of a point's fields.
    read_point, read_result: see `Task`. goes_on: of a running trial's point, its accuracies so far and the trials that
    are over, whether it is worth going on. counts: whether a trial that is over in the study still is, under this plan.
    tpe: whether Optuna's TPE proposes points, with this seed, or they come in their order."""

    points: tuple[P, ...]
    size: int
    space: Mapping[str, BaseDistribution]
    read_point: Callable[[Mapping[str, Any]], P]
    read_result: Callable[[Mapping[str, Any]], R]
    goes_on: Callable[[P, tuple[float, ...], Sequence[R]], bool]
    counts: Callable[[R], bool] = lambda result: True
    tpe: bool = False
    seed: int = 0


class Board(Generic[P, R]):
    """Hands out every point once, and keeps what came of it. Only one process opens it: the work directory is locked.

    Trials that an interruption left running are closed as failed; their points are handed out again. listener: called
    after every trial with it, all that are over, and seconds since this process began.
    """

    def __init__(
        self,
        path: Path,
        plan: Plan[P, R],
        key: Mapping[str, Any],
        listener: Callable[[R, tuple[R, ...], float], None] | None = None,
    ) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self.plan = plan
        self.listener = listener
        with _storing(path):
            self.study = _open(path)
            self.study.set_user_attr(KEY, parse_json(json_text(key)))
        self._started_s = time.monotonic()
        self._open_trials: dict[int, tuple[optuna.Trial, P]] = {}
        self._reported: dict[int, set[int]] = {}
        self._distributions = dict(plan.space)
        with _storing(path):
            self._close_interrupted()
        found = (plan.read_result(trial.user_attrs[RESULT]) for trial in self._trials() if _over(trial))
        self.results: tuple[R, ...] = tuple(result for result in found if plan.counts(result))
        # Another seed after each interruption, or TPE's random numbers would begin anew.
        tpe = optuna.samplers.TPESampler(seed=plan.seed + len(self._trials()), constant_liar=False)
        self.study.sampler = tpe

    def _trials(self) -> list[FrozenTrial]:
        return self.study.get_trials(deepcopy=False)

    def _close_interrupted(self) -> None:
        while any(trial.state == TrialState.WAITING for trial in self._trials()):
            self.study.ask()
        for trial in self._trials():
            if trial.state == TrialState.RUNNING:
                found = trial.user_attrs.get(RESULT)
                self._tell(trial.number, self.plan.read_result(found) if found else None)

    def _tell(self, number: int, result: R | None) -> None:
        state = TrialState.FAIL if result is None else _STATES[result.state]
        value = result.accuracy if result is not None and state == TrialState.COMPLETE else None
        self.study.tell(number, value, state=state)

    def remaining(self) -> tuple[P, ...]:
        """Points of the plan that are neither done nor running, in their order."""
        taken = {result.point for result in self.results} | {point for _, point in self._open_trials.values()}
        return tuple(point for point in self.plan.points if point not in taken)

    def left(self) -> tuple[P, ...]:
        """Points that this study will still run or is running, as far as is known."""
        running = tuple(point for _, point in self._open_trials.values())
        return running + self.remaining()[: self.plan.size - len(self.results) - len(running)]

    def next(self) -> tuple[int, P] | None:
        """A trial's number and its point; None when there is none left."""
        left = self.remaining()
        if not left or len(self.results) + len(self._open_trials) >= self.plan.size:
            return None
        with _storing(self.path):
            trial = self._ask(left)
        point = self.plan.read_point(trial.params)
        self._open_trials[trial.number] = trial, point
        return trial.number, point

    def _ask(self, left: tuple[P, ...]) -> optuna.Trial:
        for _ in range(PROPOSALS if self.plan.tpe else 0):
            trial = self.study.ask(self._distributions)
            if self.plan.read_point(trial.params) in left:
                return trial
            self._tell(trial.number, None)
        self.study.enqueue_trial(left[0].to_dict())
        return self.study.ask(self._distributions)

    def step(self, number: int, accuracies: tuple[float, ...]) -> bool:
        """Keep the mean so far; answers whether to go on."""
        trial, point = self._open_trials[number]
        reported = self._reported.setdefault(number, set())
        if len(accuracies) not in reported:  # a trial whose worker died tells its steps again
            with _storing(self.path):
                trial.report(sum(accuracies) / len(accuracies), len(accuracies))
            reported.add(len(accuracies))
        return self.plan.goes_on(point, accuracies, self.results)

    def finish(self, number: int, result: R) -> None:
        """Keep what came of a trial."""
        with _storing(self.path):
            self._open_trials[number][0].set_user_attr(RESULT, result.to_dict())
        self.lose(number, result)

    def lose(self, number: int, result: R) -> None:
        """Count a trial as over in this process only: its point is handed out again by the next one."""
        del self._open_trials[number]
        with _storing(self.path):
            self._tell(number, result)
        self.results += (result,)
        if self.listener is not None:
            self.listener(result, self.results, time.monotonic() - self._started_s)


def _over(trial: FrozenTrial) -> bool:
    return RESULT in trial.user_attrs
