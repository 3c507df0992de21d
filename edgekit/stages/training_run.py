"""What every stage that trains a model shares: what surrounds the run, who watches it, what it leaves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from edgekit.artifacts import sha256_file, write_text
from edgekit.config import StageConfig
from edgekit.errors import StateError
from edgekit.export import Standardisation, export_onnx
from edgekit.model import RecurrentClassifier, predict_logits, save_model
from edgekit.prune import PruneResult
from edgekit.prune.model import layer_zeros_ratio
from edgekit.results import PruningFigures, TeacherDescription, TrainingFigures, UsedHardware
from edgekit.runtime import Rejection
from edgekit.stages.accelerator import stage_hardware
from edgekit.stages.data import StageData
from edgekit.stages.start import Origin
from edgekit.train import (
    CSV_NAME,
    Epoch,
    FitResult,
    Fitted,
    Listener,
    LogConfig,
    RunLogs,
    RunSetup,
    Takes,
    class_accuracies,
    csv_text,
    diagnose,
    live_findings,
    unseal,
)
from edgekit.workdir.dataset import Dataset
from edgekit.workdir.updates import Outcome
from edgekit.workdir.workspace import Watcher, Workspace

#: Settings of trainings that there have not always been, and the values that say what was done before.
YOUNGER: Mapping[str, Any] = {"warmup_epochs": 0, "keep": "best", "states": 0.0}


def deciding(config: StageConfig) -> dict[str, Any]:
    """A stage's config, JSON-ready, without what changes how fast it is made and not what is made, and without younger
    settings that say what has always been done: an older edgekit's work directory doesn't know them."""

    def kept(tree: dict[str, Any]) -> dict[str, Any]:
        decides = {key: v for key, v in tree.items() if key != "prefetch" and (key, v) not in YOUNGER.items()}
        return {key: kept(v) if isinstance(v, dict) else v for key, v in decides.items()}

    return kept(config.model_dump(mode="json"))


def run_setup(
    workspace: Workspace,
    dataset: Dataset,
    stage: str,
    key: Mapping[str, Any],
    model: torch.nn.Module,
    *,
    section: str,
    batch_size: int,
) -> RunSetup:
    """What surrounds a stage's run. All that the stage computes belongs into `setup.hardware.applied()`.

    key: what decides the outcome; a run interrupted under another one is not gone on with. section: of the settings,
    where the stage's TrainingConfig stands; batch_size: what that says.
    """
    resume_file = sound_resume_file(workspace, stage, key)
    shape = (batch_size, *dataset.x.shape[1:])
    going_on = resume_file.exists() or sound_resume_file(workspace, pretraining_of(stage), key).exists()
    hardware = stage_hardware(workspace, stage, model, shape, going_on=going_on)
    return RunSetup(
        resume_file,
        watch(workspace.watcher, stage),
        section,
        hardware,
        _logs(workspace, stage, dataset.class_names),
        keep_resume_file=True,
    )


def pretraining_setup(
    workspace: Workspace, stage: str, key: Mapping[str, Any], setup: RunSetup, class_names: tuple[str, ...]
) -> RunSetup:
    """Of the run before the stage's own, which is `setup`'s: with a name, a resume file and logs of its own."""
    name = pretraining_of(stage)
    return replace(
        setup,
        resume_file=sound_resume_file(workspace, name, key),
        listener=watch(workspace.watcher, name),
        section="pretrain",
        logs=_logs(workspace, name, class_names),
    )


def pretraining_of(stage: str) -> str:
    """How people know the run on synthetic hands before a stage's own: `pretrain accurate`, `pretrain student`."""
    return f"pretrain {'student' if stage == 'distill' else stage.removeprefix('train ')}"


def sound_resume_file(workspace: Workspace, stage: str, key: Mapping[str, Any]) -> Path:
    """Where a run goes on. One that is damaged is told and deleted: going on from it would end elsewhere."""
    path = workspace.resume_file(stage, key)
    try:
        if path.exists():
            unseal(path)
    except StateError as error:
        workspace.watcher.stage(stage, "note", f"{error}; it starts over")
        path.unlink()
    return path


def _logs(workspace: Workspace, stage: str, class_names: tuple[str, ...]) -> RunLogs:
    folder = workspace.path / "logs" / stage.replace(" ", "-")
    return RunLogs(folder, workspace.settings.section("logging", LogConfig), class_names)


def watch(watcher: Watcher, stage: str) -> Listener:
    """Shows every epoch, and what is wrong with the run as soon as it is clear, once."""
    history: list[Epoch] = []
    noted: set[str] = set()

    def listener(epoch: Epoch) -> None:
        history.append(epoch)
        watcher.epoch(stage, epoch)
        for finding in live_findings(history):
            if finding.name not in noted:
                watcher.note(f"{stage}: {finding.name}: {finding.fact}; {finding.advice}")
            noted.add(finding.name)

    return listener


def leave_model(
    dataset: Dataset, folder: Path, model: RecurrentClassifier, result: FitResult, figures: TrainingFigures
) -> Outcome:
    """Weights, description and log of a fitted model in `folder`, and its figures."""
    files = save_model(model, folder, dataset.class_names)
    log = write_text(folder / CSV_NAME, csv_text(result.history))
    return Outcome((*files, log), figures)


def training_figures(
    data: StageData,
    model: RecurrentClassifier,
    result: FitResult,
    setup: RunSetup,
    teacher: TeacherDescription | None = None,
) -> TrainingFigures:
    """Figures of a fitted model. teacher: of a student, where edgekit did not train it."""
    fitted, hardware = fitted_figures(model, data.train_takes(), result), setup.hardware
    return TrainingFigures(
        parameters=model.architecture.parameters,
        data=data.describe(),
        epochs=len(result.history),
        best_epoch=result.best_epoch,
        val_accuracy=result.val_accuracy,
        val_loss=result.val_loss,
        elapsed_s=result.elapsed_s,
        stopped_early=result.stopped_early,
        val_per_class=class_accuracies(torch.tensor(result.val_confusion), data.dataset.class_names),
        train_accuracy=fitted.train_accuracy,
        train_loss=fitted.train_loss,
        diagnosis=diagnose(result.history, fitted),
        hardware=UsedHardware(**hardware.to_dict()),
        teacher=teacher,
    )


def pruning_figures(recovery: TrainingFigures, result: PruneResult) -> PruningFigures:
    """Figures of a pruned model. recovery: of its training."""
    return PruningFigures(
        **vars(recovery),
        method=result.method,
        scope=result.scope,
        sparsity=result.sparsity,
        parameters_before=result.before.parameters,
        parameters_after=result.after.parameters,
        zeros=result.zeros,
        layer_zeros_ratio=layer_zeros_ratio(result.model),
        hidden_sizes=result.after.hidden_sizes,
        dense=result.after.dense,
    )


def export_model(
    data: StageData,
    model: RecurrentClassifier,
    weights: Path,
    target: Path,
    origin: Origin,
    standardisation: Standardisation = "explicit",
    no_sign: Rejection | None = None,
) -> Path:
    """Write the fp32 ONNX file of a model, whose weights are in the file `weights`, to `target`; returns that.
    no_sign: the rule that its answers follow."""
    dataset = data.dataset
    export_onnx(
        model,
        target,
        class_names=dataset.class_names,
        sequence_length=dataset.x.shape[1],
        standardisation=standardisation,
        parents=(sha256_file(weights), *origin.parents),
        trained_on=", ".join((data.name_for_people(), *origin.words)),
        data_sha256=dataset.digest,
        split=dataset.split_settings,
        no_sign=no_sign,
    )
    return target


def fitted_figures(model: torch.nn.Module, train: Takes, result: FitResult) -> Fitted:
    """The kept weights' figures on the training takes as they are, beside those on validation takes."""
    logits, labels = torch.from_numpy(predict_logits(model, train.x)), torch.from_numpy(train.labels)
    accuracy = float((logits.argmax(dim=1) == labels).float().mean())
    loss = float(torch.nn.functional.cross_entropy(logits, labels))
    return Fitted(accuracy, loss, result.val_accuracy, result.val_loss)
