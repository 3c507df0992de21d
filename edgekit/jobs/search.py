"""A search in a work directory: its study, its files, and what came of it are in the folder `search`."""

from __future__ import annotations

import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from edgekit.errors import ConfigError, GateError
from edgekit.jobs.study import refuse_mismatch
from edgekit.jobs.takes import refuse_said_mix
from edgekit.jobs.where import Where, run_trials
from edgekit.profiles import Profile, load_profile
from edgekit.report import duration, student_line
from edgekit.results.searching import RuledOut, SearchResult, StudentPoint, StudentTrial
from edgekit.workdir.extras import needs_extra
from edgekit.workdir.workspace import Workspace

if TYPE_CHECKING:
    from edgekit.jobs.search_task import Search
    from edgekit.search.board import SearchBoard
    from edgekit.stages.table import Stages


def run_search(
    workspace: Workspace,
    profile: str,
    jobs: int = 1,
    cluster: str | None = None,
    budget_s: float | None = None,
) -> SearchResult | None:
    """Try students under the work directory's teacher; trains that first when it is missing. None in a dry run.

    profile: whose limits count. jobs, cluster: see `Where`. budget_s: seconds after which no student is begun; None for
    no end. The test part is never read. Raises GateError where nothing can fit the profile, before anything is trained;
    StateError when the study was made with other settings, unless force is given.
    """
    checked, where = load_profile(profile), Where(jobs, cluster)
    if budget_s is not None and cluster:
        raise ConfigError("--budget: a cluster is handed all students at once; limit their number with --points")
    search = _prepare(workspace, checked, profile, where)
    before = _read_before(search)
    where.reach("search")
    if _has_teacher(search.stages):
        _key(search, before)
    if not _ensure_teacher(search):
        _plan(search, where)
        return None
    key = _key(search, before)
    if workspace.force and search.folder.exists():
        shutil.rmtree(search.folder)
    over = _try_students(search, key, where, budget_s)
    from edgekit.jobs.search_result import search_result

    return search_result(search, over)


def _prepare(workspace: Workspace, profile: Profile, said: str, where: Where) -> Search:
    """Checked, and with what can't fit ruled out."""
    refuse_said_mix(workspace)
    with needs_extra("search"):
        import optuna  # noqa: F401  (the study needs it, an hour later)

        from edgekit.jobs.search_task import Search, search_task
        from edgekit.search import SearchConfig
        from edgekit.search.fitting import rule_out
        from edgekit.search.settings import in_order
        from edgekit.stages.table import Stages
    config = workspace.settings.section("search", SearchConfig)
    stages = Stages(workspace)
    stages.keep(*stages.teacher.stages)
    _ = stages.teacher.foreign  # one that can't be used is an error now
    task = search_task(stages, config, alone=where.alone)
    wanted, ruled_out = rule_out(task, profile)
    _tell_ruled_out(workspace, ruled_out, len(config.students) * len(config.recipes), profile)
    task = replace(task, wanted=wanted)
    points = in_order(list(wanted), [task.costs(point)[1] for point in wanted])
    return Search(workspace, stages, profile, said, config, task, points, ruled_out)


def _tell_ruled_out(workspace: Workspace, out: Sequence[RuledOut], files: int, profile: Profile) -> None:
    """Raises GateError where it is all of them, ConfigError where none could be made at all."""
    from edgekit.report import ruled_out_text

    if not out:
        return
    if len(out) == files == sum(one.kind == "impossible" for one in out):
        raise ConfigError(f"search: nothing that it would try is possible; {ruled_out_text(out, files)}")
    if len(out) == files:
        raise GateError(f"search: nothing that it would try fits {profile.name}; {ruled_out_text(out, files)}")
    workspace.watcher.stage("search", "note", f"not trained: {ruled_out_text(out, files)}")


def _has_teacher(stages: Stages) -> bool:
    """Whether there is nothing to train before its files are known."""
    return all(stages.workspace.record(name) is not None for name in stages.teacher.stages)


def _read_before(search: Search) -> Mapping[str, Any] | None:
    from edgekit.study.board import study_key

    return None if search.workspace.force else study_key(search.study)


def _key(search: Search, before: Mapping[str, Any] | None) -> Mapping[str, Any]:
    """What decides the numbers. Raises StateError where those of the study that is there were decided otherwise."""
    from edgekit.jobs.search_task import search_key

    key = search_key(search.stages, search.task, search.config)
    refuse_mismatch(search.study, before, key)
    return key


def _ensure_teacher(search: Search) -> bool:
    """Whether there is one to learn from, trained now if need be; in a dry run there is none."""
    workspace, stages = search.workspace, search.stages
    if not stages.teacher.stages:
        _ = stages.teacher.check
        workspace.remember(options=workspace.options.to_dict())
    for name in stages.teacher.stages:
        stages.ensure(name, frozenset())
    return not workspace.dry_run


def _plan(search: Search, where: Where) -> None:
    from edgekit.study.board import results_over

    plan = [] if search.workspace.force else results_over(search.study, search.task.read_result)
    over = {trial.point for trial in plan}
    left = [point for point in search.points if point not in over][: search.config.points]
    done = f", {len(over)} of them done" if over else ""
    size = search.config.size(len(search.points))
    files = sum(len(search.task.wanted[point]) for point in search.points)
    text = f"{size} students of {search.config.epochs} epochs{done}, {files} files of all {len(search.points)}"
    text += f"; {_how_long(search, left, where)}"
    search.workspace.watcher.stage("search", "plan", text)


def _how_long(search: Search, left: Sequence[StudentPoint], where: Where) -> str:
    from edgekit.search.guess import guess_s
    from edgekit.stages.guess import measuring
    from edgekit.train.threads import usable_cores

    if not left:
        return "nothing is left to do"
    if where.elsewhere:
        return f"how long the remaining {len(left)} will take there can't be estimated from here"
    search.workspace.watcher.stage("search", "trial", measuring("the smallest and the largest student"))
    seconds = max(guess_s(left, search.task) / min(where.workers, usable_cores()), 1.0)
    return f"the remaining {len(left)} take about {duration(seconds)} here if none is given up"


def _try_students(
    search: Search, key: Mapping[str, Any], where: Where, budget_s: float | None
) -> tuple[StudentTrial, ...]:
    """All students of the study that are over, those of earlier commands first."""
    from edgekit.jobs.search_task import with_answers

    watcher, started_s = search.workspace.watcher, time.monotonic()
    board = search.board(key, lambda: budget_s is None or time.monotonic() - started_s < budget_s, None)
    size, begun = board.plan.size, len(board.results)
    if begun:
        watcher.stage("search", "skip", f"{begun} of {size} students are done")
    if begun < size and board.remaining():
        watcher.stage("search", "start", f"{size} students, {search.config.epochs} epochs each")
        watcher.stage("search", "trial", "the teacher answers for all students, once")
        task = with_answers(search.task, search.stages)
        board.listener = _Told(search, board)
        run_trials(board, task, where)
    left = size - len(board.results)
    if left > 0 and budget_s is not None:
        watcher.stage("search", "note", f"--budget is over: {left} of {size} students are left for the same command")
    return board.results


@dataclass
class _Told:
    """Tells the watcher of every student that is over."""

    search: Search
    board: SearchBoard

    def __call__(self, trial: StudentTrial, over: tuple[StudentTrial, ...], elapsed_s: float) -> None:
        best = max((one.accuracy or 0.0 for one in over), default=0.0)
        line = student_line(trial, len(over), self.board.plan.size, best)
        self.search.workspace.watcher.stage("search", "trial", line)
