"""What the commands that make models do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from edgekit.artifacts import write_json, write_text
from edgekit.config import Tree
from edgekit.data.pretraining import PretrainConfig, refuse_pretraining
from edgekit.errors import ConfigError, EdgekitError, GateError, WeakEvidenceError, worst
from edgekit.evaluate import Evaluation
from edgekit.jobs.bench import bench_model
from edgekit.jobs.evaluate import evaluate_file
from edgekit.profiles import load_profile
from edgekit.report import can_draw, chain_markdown
from edgekit.workdir.environment import describe_environment
from edgekit.workdir.extras import needs_extra
from edgekit.workdir.options import Options, is_foreign
from edgekit.workdir.settings import Settings
from edgekit.workdir.workspace import Record, Workspace

if TYPE_CHECKING:
    from edgekit.bench import BenchResult
    from edgekit.jobs.scores import ModelScore
    from edgekit.jobs.variants import VariantFigures
    from edgekit.stages.table import Stages


@dataclass(frozen=True)
class ChainResult:
    """What `run` or `quantize` leaves.

    stages: the finished ones in order. settings: every resolved one. environment: this machine and its software.
    evaluation: of the INT8 file on the test takes. failure: of a gate, or that it can't tell, raised by the caller
    after everything has been shown. generalisation: findings of models that are good on validation takes and poor on
    test takes.
    """

    data: dict[str, Any]
    scores: tuple[ModelScore, ...]
    stages: Mapping[str, Record]
    settings: Tree
    environment: dict[str, Any]
    bench: BenchResult | None = None
    evaluation: Evaluation | None = None
    failure: EdgekitError | None = None
    generalisation: tuple[dict[str, str], ...] = ()

    @property
    def quantization(self) -> dict[str, Any]:
        """Parity, INT8's loss and the proof of what was quantised."""
        return self.stages["quantize"].metrics

    @property
    def diagnosis(self) -> list[dict[str, str]]:
        """What is wrong with the trained models: each stage's findings, and what validation and test show together."""
        found: list[dict[str, str]] = []
        for name, record in self.stages.items():
            found += [{"stage": name, **finding} for finding in record.metrics.get("diagnosis", ())]
        return found + list(self.generalisation)

    @property
    def exit_code(self) -> int:
        """0, or the worst of what failed."""
        codes = [self.failure.exit_code if self.failure else 0, self.bench.exit_code if self.bench else 0]
        return worst(codes)

    @property
    def verdict(self) -> dict[str, Any]:
        """Whether the INT8 file fits, what that was judged by, and how accurate it is, which is no part of fitting."""
        teacher, int8 = self.scores[0], self.scores[-1]
        names = ("accuracy", "accuracy_low", "accuracy_high", "takes", "retention", "retention_low", "retention_high")
        return {
            "fits": self.bench.verdict if self.bench else None,
            "judged": list(dict.fromkeys(row.constraint for row in self.bench.rows)) if self.bench else [],
            **{name: getattr(int8, name) for name in names},
            "teacher_accuracy": teacher.accuracy,
            "synthetic": self.data["synthetic"],
        }

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {
            "schema_version": 1,
            "exit_code": self.exit_code,
            "verdict": self.verdict,
            "data": self.data,
            "models": [score.to_dict() for score in self.scores],
            "quantization": self.quantization,
            "diagnosis": self.diagnosis,
            "stages": {name: record.to_dict() for name, record in self.stages.items()},
            "settings": self.settings,
            "environment": self.environment,
            "bench": self.bench.to_dict() if self.bench else None,
            "evaluation": self.evaluation.to_dict() if self.evaluation else None,
            "failure": str(self.failure) if self.failure else None,
        }


def _stages(workspace: Workspace, command: str) -> Stages:
    pretrain = workspace.settings.section("pretrain", PretrainConfig)
    if pretrain.source != "none" and workspace.options.recordings is not None:
        refuse_pretraining(pretrain, workspace.recordings)  # before PyTorch is loaded
    with needs_extra(command):
        from edgekit.stages.table import Stages
    return Stages(workspace)


def run_train(workspace: Workspace, name: str | None = None) -> Record | None:
    """Train a variant (default: the teacher's). None in a dry run."""
    stages = _stages(workspace, "train")
    with needs_extra("train"):
        from edgekit.model import VARIANTS
        from edgekit.stages.table import train_stage_name
    name = name or workspace.settings.teacher
    if is_foreign(name):
        known = ", ".join(VARIANTS)
        raise ConfigError(f"train: the teacher is {name}, which edgekit does not train; name one of {known}")
    workspace.settings.model(name)  # an unknown or contradictory name is an error now
    stage = train_stage_name(name)
    return stages.ensure(stage, frozenset({stage}))


def run_distill(workspace: Workspace) -> Record | None:
    """Teach the student; trains the teacher when there is none. None in a dry run."""
    return _stages(workspace, "distill").ensure("distill", frozenset({"distill"}))


def run_prune(workspace: Workspace) -> Record | None:
    """Prune the student; makes it when there is none. None in a dry run."""
    return _stages(workspace, "prune").ensure("prune", frozenset({"prune"}))


def run_quantize(workspace: Workspace) -> ChainResult | None:
    """fp32 and INT8 ONNX with their gates; prunes first when that is missing. None in a dry run."""
    stages = _stages(workspace, "quantize")
    return _finish(workspace, stages, frozenset({"quantize"}))


def run_chain(workspace: Workspace, profile: str) -> ChainResult | None:
    """Everything in order, then the bench of the INT8 file against a profile, and the report as Markdown and JSON.

    None in a dry run.
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
    result = replace(result, bench=bench, evaluation=replace(evaluation, picture=picture.name if picture else None))
    write_json(workspace.path / "report.json", result.to_dict())
    write_text(workspace.path / "report.md", chain_markdown(result))
    workspace.watcher.stage("report", "start", f"{workspace.path / 'report.md'}, report.json")
    return result


def _finish(workspace: Workspace, stages: Stages, owned: frozenset[str]) -> ChainResult | None:
    from edgekit.jobs.scores import generalisation, score_models
    from edgekit.quantize.gates import check_gates

    stages.check_scheme()
    record = stages.ensure("quantize", owned)
    if record is None or workspace.dry_run:
        return None
    failure = None
    try:
        check_gates(stages.gates, record.metrics)
    except (GateError, WeakEvidenceError) as error:
        failure = error
    workspace.watcher.stage("score", "start", "all models on the test takes")
    scores = score_models(stages)
    return ChainResult(
        data=stages.dataset.describe(),
        scores=scores,
        stages={name: made for name in stages.chain if (made := workspace.record(name))},
        settings=workspace.settings.resolved(),
        environment=describe_environment(),
        failure=failure,
        generalisation=generalisation(stages, scores),
    )


def show_settings(workspace: Workspace) -> Tree:
    """Every resolved setting, JSON-ready. Raises MissingExtraError without the training extra."""
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
