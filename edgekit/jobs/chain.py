"""What the commands that make models do."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from edgekit.artifacts import write_json, write_text
from edgekit.config import Tree
from edgekit.data.pretraining import PretrainConfig, refuse_pretraining
from edgekit.errors import ConfigError, EdgekitError, GateError, WeakEvidenceError
from edgekit.jobs.bench import bench_model
from edgekit.jobs.curves import read_curves
from edgekit.jobs.evaluate import evaluate_file
from edgekit.jobs.takes import refuse_said_mix
from edgekit.profiles import load_profile
from edgekit.report import can_draw, chain_markdown, chain_page
from edgekit.results import (
    ChainResult,
    PruningFigures,
    QuantizationFigures,
    StageResult,
    TrainingFigures,
    VariantFigures,
)
from edgekit.stages.names import PRUNED, QUANTIZED, STUDENT, train_stage_name
from edgekit.workdir.environment import describe_environment
from edgekit.workdir.extras import needs_extra
from edgekit.workdir.options import Options, is_foreign
from edgekit.workdir.settings import Settings
from edgekit.workdir.workspace import Workspace

if TYPE_CHECKING:
    from edgekit.stages.table import Stages

F = TypeVar("F")


def _stages(workspace: Workspace, command: str) -> Stages:
    pretrain = workspace.settings.section("pretrain", PretrainConfig)
    if pretrain.source != "none" and workspace.options.recordings is not None:
        refuse_pretraining(pretrain, workspace.recordings)  # before PyTorch is loaded
    refuse_said_mix(workspace)
    with needs_extra(command):
        from edgekit.stages.table import Stages
    return Stages(workspace)


def run_train(workspace: Workspace, name: str | None = None) -> StageResult[TrainingFigures] | None:
    """Train a variant (default: the teacher's). None in a dry run."""
    stages = _stages(workspace, "train")
    with needs_extra("train"):
        from edgekit.model import VARIANTS
    name = name or workspace.settings.teacher
    if is_foreign(name):
        known = ", ".join(VARIANTS)
        raise ConfigError(f"train: the teacher is {name}, which edgekit does not train; name one of {known}")
    workspace.settings.model(name)  # an unknown or contradictory name is an error now
    return _make(workspace, stages, train_stage_name(name), TrainingFigures)


def run_distill(workspace: Workspace) -> StageResult[TrainingFigures] | None:
    """Teach the student; trains the teacher when there is none. None in a dry run."""
    return _make(workspace, _stages(workspace, "distill"), STUDENT, TrainingFigures)


def run_prune(workspace: Workspace) -> StageResult[PruningFigures] | None:
    """Prune the student; makes it when there is none. None in a dry run."""
    return _make(workspace, _stages(workspace, "prune"), PRUNED, PruningFigures)


def _make(workspace: Workspace, stages: Stages, name: str, kind: type[F]) -> StageResult[F] | None:
    """Bring a stage up to date. kind: of its figures."""
    made = stages.ensure(name, frozenset({name}))
    if made is None:
        return None
    result = workspace.result(name, kind)
    return result and replace(result, failure=_retention_failure(stages, (name,)))


def run_quantize(workspace: Workspace) -> ChainResult | None:
    """fp32 ONNX and its rounded form with their gates; prunes first when that is missing. None in a dry run."""
    stages = _stages(workspace, "quantize")
    return _finish(workspace, stages, frozenset({QUANTIZED}))


def run_chain(workspace: Workspace, profile: str) -> ChainResult | None:
    """Everything in order, then the bench of the file for the device against a profile, and the report as a page, as
    Markdown and as JSON. None in a dry run.
    """
    checked = load_profile(profile)  # a misspelt name is an error now, not after the training
    stages = _stages(workspace, "run")
    result = _finish(workspace, stages, frozenset(stages.table))
    if result is None:
        return None
    workspace.watcher.stage("bench", "start", f"profile {profile}")
    bench = bench_model(workspace, None, checked)
    picture = workspace.path / "confusion.png" if can_draw() else None
    evaluation = evaluate_file(workspace, None, "test", picture)
    evaluation = replace(evaluation, picture=picture.name if picture else None)
    result = replace(result, bench=bench, evaluation=evaluation, curves=read_curves(workspace.path, result.trained))
    write_text(workspace.path / "report.html", chain_page(result))
    write_json(workspace.path / "report.json", result.to_dict())
    write_text(workspace.path / "report.md", chain_markdown(result))
    workspace.watcher.stage("report", "start", f"{workspace.path / 'report.html'}, report.md, report.json")
    return result


def _finish(workspace: Workspace, stages: Stages, owned: frozenset[str]) -> ChainResult | None:
    from edgekit.jobs.scores import generalisation, score_models

    stages.quantized.check_scheme()
    made = stages.ensure(QUANTIZED, owned)
    if made is None or workspace.dry_run:
        return None
    quantized = workspace.finished(QUANTIZED, QuantizationFigures)
    failure = _retention_failure(stages, (STUDENT, PRUNED)) or _gate_failure(stages, quantized.figures)
    workspace.watcher.stage("score", "start", "all models on the test takes")
    scores = score_models(stages)
    return ChainResult(
        data=stages.data.describe(),
        scores=scores,
        trained=_trained(workspace, stages),
        quantized=quantized,
        settings=workspace.settings.resolved(),
        environment=describe_environment(),
        failure=failure,
        generalisation=generalisation(stages, scores),
    )


def _trained(workspace: Workspace, stages: Stages) -> tuple[StageResult[TrainingFigures], ...]:
    """The stages before INT8, in order."""
    kinds = {name: PruningFigures if name == PRUNED else TrainingFigures for name in stages.chain[:-1]}
    return tuple(workspace.finished(name, kind) for name, kind in kinds.items())


def _retention_failure(stages: Stages, names: Iterable[str]) -> GateError | None:
    """Where `gates.min_retention` is said: the first of these models that keeps less of the teacher's accuracy on
    validation takes."""
    least = stages.context.gates.min_retention
    students = {STUDENT: stages.student, PRUNED: stages.pruned}
    judged = [students[name] for name in names if name in students]
    if least is None or not judged:
        return None
    from edgekit.distill import measure_retention, require_retention

    takes, teacher = stages.data.validation_takes(), stages.teacher.module()
    try:
        for stage in judged:
            found = measure_retention(stage.load(), teacher, takes)
            require_retention(found, least, "student" if stage is stages.student else "pruned student")
    except GateError as error:
        return error
    return None


def _gate_failure(stages: Stages, figures: QuantizationFigures) -> EdgekitError | None:
    from edgekit.quantize.gates import check_gates

    form = "INT4" if figures.scheme == "int4-weights" else "INT8"
    try:
        check_gates(stages.context.gates, figures.parity, None if figures.int8 is None else figures.int8.flips, form)
    except (GateError, WeakEvidenceError) as error:
        return error
    return None


def show_settings(workspace: Workspace) -> Tree:
    """Every resolved setting, as `run` would use it, JSON-ready; where the recordings are not here, as if models
    started from nothing. Raises MissingExtraError without the training extra."""
    data = workspace.options.recordings
    if data is not None and Path(data).exists():
        stages = _stages(workspace, "config")
        stages.fine_tune(stages.chain)
    return workspace.settings.resolved()


def show_variants(measure: bool) -> tuple[VariantFigures, ...]:
    """Every variant's figures. Raises MissingExtraError without the training extra."""
    with needs_extra("variants"):
        from edgekit.jobs.variants import describe_variants
    return describe_variants(measure)


def default_settings(preset: str | None) -> tuple[Tree, dict[str, str]]:
    """Every setting where nothing is said but the preset, JSON-ready, and what each is for, by its full name."""
    settings = Settings(Options(preset=preset))
    return settings.resolved(), settings.descriptions()
