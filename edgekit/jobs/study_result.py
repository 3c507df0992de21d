"""What a study found, and its best point as a settings file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import yaml

from edgekit.artifacts import write_text
from edgekit.config import Tree
from edgekit.jobs.study import Study
from edgekit.results import Point, TrialResult, TuneResult
from edgekit.results.tuning import STATES
from edgekit.workdir.commands import next_command
from edgekit.workdir.workspace import Workspace

if TYPE_CHECKING:
    from edgekit.workdir.settings import Settings


def study_result(workspace: Workspace, study: Study, trials: Sequence[TrialResult]) -> TuneResult:
    """All trials ranked, with the best point's file written where one finished."""
    ranked = sorted(trials, key=_rank)
    best_file, command = None, None
    if ranked and ranked[0].state == "finished":
        command = _train_command(workspace, study)
        best_file = _write_best(workspace, study, ranked[0].point, command)
    return TuneResult(
        variant=study.variant,
        grouping=study.folds.grouping,
        rule=study.folds.rule,
        epochs=study.config.epochs,
        size=study.config.size,
        trials=tuple(ranked),
        noise=_noise(ranked),
        saved_folds_ratio=_saved_folds_ratio(ranked, len(study.folds.pairs)),
        best_file=best_file,
        train_command=command,
        data=study.data.dataset.describe(),
    )


def _rank(trial: TrialResult) -> tuple[int, float, int]:
    """Finished ones first, the most accurate first, the smallest of those first."""
    return STATES.index(trial.state), -(trial.accuracy or 0.0), trial.parameters


def _noise(trials: Sequence[TrialResult]) -> float | None:
    """See `TuneResult`."""
    finished = [trial.accuracies for trial in trials if trial.state == "finished" and len(trial.accuracies) > 1]
    errors = [float(np.std(accuracies, ddof=1)) / len(accuracies) ** 0.5 for accuracies in finished]
    return float(np.median(errors)) if errors else None


def _saved_folds_ratio(trials: Sequence[TrialResult], folds: int) -> float:
    """Part of the folds that trials which were stopped did not train, of `folds` each."""
    trained = [len(trial.accuracies) for trial in trials if trial.state != "failed"]
    return 1.0 - sum(trained) / (folds * len(trained)) if trained else 0.0


def _describes_type(workspace: Workspace) -> bool:
    """Whether `model.type` was said: the file then says the whole model, since one that is described in full has no
    variant."""
    return "type" in workspace.options.settings.get("model", {})


def _train_command(workspace: Workspace, study: Study) -> str:
    """What trains the best point."""
    variant = () if _describes_type(workspace) else (study.variant,)
    recordings = workspace.options.recordings
    return next_command(workspace.path, "train", *variant, "--config", study.best_file, data=recordings)


def _write_best(workspace: Workspace, study: Study, best: Point, command: str) -> Path:
    whole = workspace.settings.model(study.variant).model_dump(mode="json") if _describes_type(workspace) else {}
    head = f"# The best of {study.path.name}. Use: {command}\n"
    return write_text(study.best_file, head + yaml.safe_dump(_best_tree(workspace.settings, best, whole)))


def _best_tree(settings: Settings, best: Point, whole: dict[str, Any]) -> Tree:
    """A settings tree of a point. whole: the model that it is a point of, or nothing."""
    from edgekit.train import RegularizationConfig

    size: Tree = {"hidden_size": best.hidden_size, "num_layers": best.num_layers, "dropout": best.dropout}
    tree: Tree = {"training": {"learning_rate": best.learning_rate}, "model": {**whole, **size}}
    if settings.section("regularization", RegularizationConfig).dropout is not None:
        tree["regularization"] = {"dropout": best.dropout}  # its other name, said before
    return tree
