"""Tuning in a work directory: the study in `tune/study.db`, the best point in `tune/best.yaml`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import yaml

from edgekit.artifacts import write_text
from edgekit.errors import ConfigError, InterruptedRunError, StateError
from edgekit.report import duration, trial_line
from edgekit.results import Point, TrialResult, TuneResult
from edgekit.results.tuning import STATES
from edgekit.stages.names import train_stage_name
from edgekit.workdir.commands import next_command
from edgekit.workdir.differences import differences
from edgekit.workdir.extras import needs_extra
from edgekit.workdir.options import is_foreign
from edgekit.workdir.workspace import Workspace

if TYPE_CHECKING:
    from edgekit.model import ModelConfig
    from edgekit.stages.data import StageData
    from edgekit.train import Folds
    from edgekit.tune import Job, TuneConfig


#: Settings that decide no trial's numbers: what the grid sets, what tuning replaces, and how fast it is made.
UNDECIDED: Mapping[str, set[str]] = {
    "training": {"epochs", "min_epochs", "learning_rate", "early_stopping", "lr_scheduler", "prefetch"},
    "regularization": {"dropout"},
    "model": {"hidden_size", "num_layers", "dropout"},
    "tune": {"trials"},
}


def run_tune(
    workspace: Workspace, name: str | None = None, jobs: int = 1, cluster: str | None = None
) -> TuneResult | None:
    """Try the grid on a variant (default: the teacher's). None in a dry run.

    jobs: trials at a time on this machine. cluster: address of a Ray cluster, or "local". The test part is never read.
    Raises StateError when the work directory's study was made with other settings, unless force is given.
    """
    with needs_extra("tune"):
        from edgekit.stages.table import Stages
        from edgekit.tune import TuneConfig
        from edgekit.tune.board import study_key
    name = name or workspace.settings.teacher
    if is_foreign(name):
        raise ConfigError(f"tune: the teacher is {name}, which edgekit does not train; name a variant, such as base")
    model = workspace.settings.model(name)
    config = workspace.settings.section("tune", TuneConfig)
    if cluster and config.sampler == "tpe":
        raise ConfigError("--cluster: all points are handed out at once, which TPE can't; use tune.sampler=grid")
    stages, path = Stages(workspace), workspace.path / "tune" / "study.db"
    before = None if workspace.force else study_key(path)
    stages.keep(train_stage_name(name))
    data = stages.data
    data.kept_configs = [*([before] if before else []), *data.kept_configs]
    key = _key(data, name, config)
    _refuse_mismatch(path, before, key)
    job, folds = _job(data, model, config, alone=jobs == 1 and not cluster)
    if cluster:
        with needs_extra("tune --cluster"):
            from edgekit.tune.cluster import check_address
        check_address(cluster)
    if workspace.dry_run:
        _plan(workspace, job, config, path, jobs, cluster)
        return None
    workspace.remember(options=workspace.options.to_dict())
    if workspace.force:
        for old in (path, path.with_name("best.yaml")):
            old.unlink(missing_ok=True)
    workspace.watcher.stage("tune", "start", f"{config.size} points, {folds.rule}, {config.epochs} epochs each")
    trials = _search(workspace, job, config, path, key, jobs, cluster)
    return _result(workspace, data, name, config, folds, trials)


def _key(data: StageData, name: str, config: TuneConfig) -> dict[str, Any]:
    """What decides the trials' numbers and which are stopped."""
    from edgekit.train import LossConfig, RegularizationConfig, TrainingConfig

    settings = data.workspace.settings
    sections = {
        "training": settings.section("training", TrainingConfig),
        "loss": settings.section("loss", LossConfig),
        "regularization": settings.section("regularization", RegularizationConfig),
        "augmentation": data.augmentation,
        "model": settings.model(name),
        "tune": config,
        "data": data.config,
    }
    key: dict[str, Any] = {k: v.model_dump(mode="json", exclude=UNDECIDED.get(k)) for k, v in sections.items()}
    read = {**key.pop("data"), "sequence_length": data.sequence_length, "sha256": data.digest}
    return {**key, "data": read, "variant": name, "seed": settings.seed}


def _refuse_mismatch(path: Path, old: Mapping[str, Any] | None, new: Mapping[str, Any]) -> None:
    changes = [] if not old else differences(old, new)
    if changes:
        raise StateError(
            f"{path}: the study was made with other settings: {'; '.join(changes[:4])}. Leave these out to continue"
            " with it, give --force to start it over, or choose another --workdir"
        )


def _job(data: StageData, model: ModelConfig, config: TuneConfig, alone: bool = True) -> tuple[Job, Folds]:
    """The training and validation parts in folds; takes of the test part are not in it.

    alone: whether one trial has the machine, so that a core may be left for reading ahead.
    """
    from edgekit.train import LossConfig, RegularizationConfig, TrainingConfig, grouped_folds
    from edgekit.tune import Job

    dataset, settings = data.dataset, data.workspace.settings
    part = np.sort(np.concatenate([dataset.split.train, dataset.split.validation]))
    folds = grouped_folds(dataset.recordings, part, config.folds, config.by, settings.seed)
    training = settings.section("training", TrainingConfig)
    training = training.model_copy(
        update={
            "prefetch": False if training.prefetch == "auto" and not alone else training.prefetch,
            "epochs": config.epochs,
            "min_epochs": 1,
            "early_stopping": None,
            "lr_scheduler": config.lr_scheduler,
        }
    )
    pairs = tuple((np.searchsorted(part, a), np.searchsorted(part, b)) for a, b in folds.pairs)
    job = Job(
        x=dataset.x[part],
        labels=dataset.labels[part],
        folds=pairs,
        classes=len(dataset.class_names),
        kind=dataset.normalisation.kind,
        displacement=dataset.normalisation.displacement,
        model=model,
        training=training,
        loss=settings.section("loss", LossConfig),
        regularization=settings.section("regularization", RegularizationConfig),
        augmentation=data.augmented,
        seed=settings.seed,
    )
    return job, folds


def _plan(workspace: Workspace, job: Job, config: TuneConfig, path: Path, jobs: int, cluster: str | None) -> None:
    from edgekit.tune.board import points_over

    over = frozenset() if workspace.force else points_over(path)
    left = [point for point in config.points(job.seed) if point not in over][: max(config.size - len(over), 0)]
    done = f", {len(over)} of them done" if over else ""
    how_long = _how_long(left, job, jobs, cluster)
    workspace.watcher.stage("tune", "plan", f"{config.size} trials of {len(job.folds)} folds{done}; {how_long}")


def _how_long(left: Sequence[Point], job: Job, jobs: int, cluster: str | None) -> str:
    from edgekit.train.threads import usable_cores
    from edgekit.tune.guess import guess_s

    if not left:
        return "nothing is left to do"
    if cluster and cluster != "local":
        return f"how long the remaining {len(left)} will take there can't be estimated from here"
    at_once = min(max(jobs, 2) if cluster else jobs, usable_cores())
    seconds = max(guess_s(left, job) / at_once, 1.0)
    return f"the remaining {len(left)} take about {duration(seconds)} here if none is stopped"


def _search(
    workspace: Workspace,
    job: Job,
    config: TuneConfig,
    path: Path,
    key: Mapping[str, Any],
    jobs: int,
    cluster: str | None,
) -> tuple[TrialResult, ...]:
    from edgekit.tune import run_here
    from edgekit.tune.board import Board
    from edgekit.tune.trial import parameters

    def listen(trial: TrialResult, over: tuple[TrialResult, ...], elapsed_s: float) -> None:
        spent = sum(one.parameters for one in over[begun:])
        left = sum(sorted(parameters(point, job) for point in board.left()))
        left_s = elapsed_s * left / spent  # a model's time grows with its parameters, roughly
        best = max((one.accuracy or 0.0 for one in over if one.state == "finished"), default=None)
        line = trial_line(trial, len(over), config.size, best, left_s, len(job.folds))
        workspace.watcher.stage("tune", "trial", line)

    board = Board(path, config, key, job.seed, listen)
    begun = len(board.results)
    if begun:
        workspace.watcher.stage("tune", "skip", f"{begun} of {config.size} trials are done")
    try:
        if cluster:
            from edgekit.tune.cluster import run_on_cluster

            run_on_cluster(board, job, cluster, max(jobs, 2))
        else:
            run_here(board, job, jobs)
    except (KeyboardInterrupt, InterruptedRunError):
        kept = "interrupted; finished trials are kept, the same command continues from there"
        raise InterruptedRunError(kept) from None
    return board.results


def _result(
    workspace: Workspace, data: StageData, name: str, config: TuneConfig, folds: Folds, trials: tuple[TrialResult, ...]
) -> TuneResult:
    ranked = sorted(trials, key=lambda trial: (STATES.index(trial.state), -(trial.accuracy or 0.0), trial.parameters))
    finished = [trial for trial in ranked if trial.state == "finished"]
    count = len(folds.pairs)
    errors = [float(np.std(trial.accuracies, ddof=1)) / count**0.5 for trial in finished if count > 1]
    trained = sum(len(trial.accuracies) for trial in ranked if trial.state != "failed")
    possible = count * sum(trial.state != "failed" for trial in ranked)
    best_file, command = _write_best(workspace, name, finished[0]) if finished else (None, None)
    return TuneResult(
        variant=name,
        grouping=folds.grouping,
        rule=folds.rule,
        epochs=config.epochs,
        size=config.size,
        trials=tuple(ranked),
        noise=float(np.median(errors)) if errors else None,
        saved_folds_ratio=1.0 - trained / possible if possible else 0.0,
        best_file=best_file,
        train_command=command,
        data=data.dataset.describe(),
    )


def _write_best(workspace: Workspace, name: str, best: TrialResult) -> tuple[Path, str]:
    """The file, and the command that trains what it says.

    Where `model.type` was said, the file says the whole model, since one that is described in full has no variant.
    """
    from edgekit.train import RegularizationConfig

    settings, path = workspace.settings, workspace.path / "tune" / "best.yaml"
    point = best.point.to_dict()
    tree = {"training": {"learning_rate": point.pop("learning_rate")}, "model": point}
    variant: tuple[str, ...] = (name,)
    if "type" in workspace.options.settings.get("model", {}):
        tree["model"] = {**settings.model(name).model_dump(mode="json"), **point}
        variant = ()
    data = workspace.options.recordings
    command = next_command(workspace.path, "train", *variant, "--config", path, data=data)
    if settings.section("regularization", RegularizationConfig).dropout is not None:
        tree["regularization"] = {"dropout": point["dropout"]}  # its other name, said before
    head = f"# The best of {path.with_name('study.db').name}. Use: {command}\n"
    return write_text(path, head + yaml.safe_dump(tree)), command
