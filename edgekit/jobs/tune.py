"""Tuning in a work directory: the study in `tune/study.db`, the best point in `tune/best.yaml`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edgekit.errors import ConfigError
from edgekit.jobs.study import Study, prepare_study, read_before, tune_config
from edgekit.jobs.study_result import study_result
from edgekit.jobs.takes import refuse_said_mix
from edgekit.jobs.where import Where, run_trials
from edgekit.report import duration, trial_line
from edgekit.results import Point, TrialResult, TuneResult
from edgekit.stages.names import train_stage_name
from edgekit.workdir.extras import needs_extra
from edgekit.workdir.options import is_foreign
from edgekit.workdir.workspace import Workspace

if TYPE_CHECKING:
    from edgekit.tune import Job, TuneConfig
    from edgekit.tune.board import Board


def run_tune(
    workspace: Workspace, name: str | None = None, jobs: int = 1, cluster: str | None = None
) -> TuneResult | None:
    """Try the grid on a variant (default: the teacher's). None in a dry run.

    jobs: trials at a time on this machine. cluster: address of a Ray cluster, or "local". The test part is never read.
    Raises StateError when the work directory's study was made with other settings, unless force is given.
    """
    where = Where(jobs, cluster)
    study = _study(workspace, name or workspace.settings.teacher, where)
    where.reach("tune")
    if workspace.dry_run:
        _plan(workspace, study, where)
        return None
    workspace.remember(options=workspace.options.to_dict())
    if workspace.force:
        study.remove()
    points = f"{study.config.size} points, {study.folds.rule}, {study.config.epochs} epochs each"
    mixed = "" if study.data.mix is None else ", with takes by new synthetic people (data.mix)"
    workspace.watcher.stage("tune", "start", points + mixed)
    return study_result(workspace, study, _search(workspace, study, where))


def _study(workspace: Workspace, name: str, where: Where) -> Study:
    """Checked, and with the data that its trials read. Raises ConfigError, StateError."""
    with needs_extra("tune"):
        from edgekit.stages.table import Stages
    if is_foreign(name):
        raise ConfigError(f"tune: the teacher is {name}, which edgekit does not train; name a variant, such as base")
    workspace.settings.model(name)  # an unknown or contradictory name is an error now
    _refuse_tpe(tune_config(workspace), where)
    refuse_said_mix(workspace)
    before = read_before(workspace)
    stages = Stages(workspace)
    stages.keep(train_stage_name(name))
    return prepare_study(stages.data, name, before, alone=where.alone)


def _refuse_tpe(config: TuneConfig, where: Where) -> None:
    """Raises ConfigError for a cluster whose trials can't be chosen one after another."""
    if where.cluster and config.sampler == "tpe":
        raise ConfigError("--cluster: all points are handed out at once, which TPE can't; use tune.sampler=grid")


def _plan(workspace: Workspace, study: Study, where: Where) -> None:
    from edgekit.study.board import results_over

    before = () if workspace.force else results_over(study.path, study.job.read_result)
    over = {result.point for result in before}
    left = [point for point in study.config.points(study.job.seed) if point not in over]
    left = left[: max(study.config.size - len(over), 0)]
    done = f", {len(over)} of them done" if over else ""
    how_long = _how_long(workspace, left, study.job, where)
    trials = f"{study.config.size} trials of {len(study.job.folds)} folds{done}"
    workspace.watcher.stage("tune", "plan", f"{trials}; {how_long}")


def _how_long(workspace: Workspace, left: Sequence[Point], job: Job, where: Where) -> str:
    from edgekit.train.threads import usable_cores
    from edgekit.tune.guess import guess_s, shapes

    if not left:
        return "nothing is left to do"
    if where.elsewhere:
        return f"how long the remaining {len(left)} will take there can't be estimated from here"
    workspace.watcher.stage("tune", "trial", _measuring(len(shapes(left))))
    seconds = max(guess_s(left, job) / min(where.workers, usable_cores()), 1.0)
    return f"the remaining {len(left)} take about {duration(seconds)} here if none is stopped"


def _measuring(sizes: int) -> str:
    from edgekit.stages.guess import measuring

    return measuring("one size of model" if sizes == 1 else f"{sizes} sizes of models")


@dataclass
class _Progress:
    """Tells the watcher of every trial that is over. begun: trials that were over before this command."""

    workspace: Workspace
    study: Study
    board: Board | None = None
    begun: int = 0

    def __call__(self, trial: TrialResult, over: tuple[TrialResult, ...], elapsed_s: float) -> None:
        config, folds = self.study.config, len(self.study.job.folds)
        best = max((one.accuracy or 0.0 for one in over if one.state == "finished"), default=None)
        line = trial_line(trial, len(over), config.size, best, self._left_s(over, elapsed_s), folds)
        self.workspace.watcher.stage("tune", "trial", line)

    def _left_s(self, over: tuple[TrialResult, ...], elapsed_s: float) -> float:
        """A model's time grows with its parameters, roughly."""
        from edgekit.tune.trial import parameters

        points = () if self.board is None else self.board.left()
        left = sum(sorted(parameters(point, self.study.job) for point in points))
        return elapsed_s * left / sum(one.parameters for one in over[self.begun :])


def _search(workspace: Workspace, study: Study, where: Where) -> tuple[TrialResult, ...]:
    """Results of all trials of the study, those of earlier commands first."""
    from edgekit.tune.board import Board

    progress = _Progress(workspace, study)
    board = Board(study.path, study.config, study.key, study.job.seed, progress)
    progress.board, progress.begun = board, len(board.results)
    if progress.begun:
        workspace.watcher.stage("tune", "skip", f"{progress.begun} of {study.config.size} trials are done")
    run_trials(board, study.job, where)
    return board.results
