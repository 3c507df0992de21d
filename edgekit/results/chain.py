"""What `run` and `quantize` leave: every model's score, what each stage found, and the verdict."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from edgekit.bench import BenchResult
from edgekit.errors import EdgekitError, worst
from edgekit.results.data import DataDescription
from edgekit.results.quantization_stage import QuantizationFigures
from edgekit.results.stage import StageResult
from edgekit.results.training import LearningCurve, StageFinding, TrainingFigures


@dataclass(frozen=True)
class ModelScore:
    """One model on the test takes.

    accuracy: ratio of right answers on `takes` test takes, with its 95 % interval. retention: accuracy as a share of
    the teacher's, with the 95 % interval of the paired answers; None where the teacher has none right. accuracy_seen:
    accuracy without the takes whose class its signer did not record in training; None where there are no such takes.
    parameters, zeros, macs: of the model; zeros are parameters that are exactly 0, macs those of batch 1. size_bytes,
    gzip_bytes: of the ONNX file, as it is and compressed. latency_p50_s: of one take on this host, through ONNX
    Runtime, one thread, in turn with the other files, in the best of four processes. None: not known, as of a teacher
    that is no ONNX file.
    """

    name: str
    form: str
    accuracy: float
    accuracy_low: float
    accuracy_high: float
    takes: int
    retention: float | None
    retention_low: float | None
    retention_high: float | None
    accuracy_seen: float | None
    takes_seen: int
    parameters: int
    zeros: int | None
    macs: int | None
    size_bytes: int | None
    gzip_bytes: int | None
    latency_p50_s: float | None

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return asdict(self)


@dataclass(frozen=True)
class Verdict:
    """Whether the file for the device fits, what that was judged by, and how accurate it is, which is no part of
    fitting.

    fits: None without a bench. judged: names of the constraints. The rest is as in `ModelScore`, of that file.
    """

    fits: str | None
    judged: tuple[str, ...]
    accuracy: float
    accuracy_low: float
    accuracy_high: float
    takes: int
    retention: float | None
    retention_low: float | None
    retention_high: float | None
    teacher_accuracy: float
    synthetic: bool
    form: str

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {**vars(self), "judged": list(self.judged)}


@dataclass(frozen=True)
class ChainResult:
    """What `run` or `quantize` leaves.

    scores: the teacher's first, the last are of the file for the device. trained: the stages that train, in order;
    quantized: the one after them. settings: every resolved one. environment: this machine and its software.
    evaluation: of the file for the device on the test takes, an `Evaluation`. failure: of a gate, or that it can't
    tell, raised by the caller after everything has been shown. generalisation: findings of models that are good on
    validation takes and poor on test takes. curves: of the stages that train and whose logs are there; no part of the
    JSON, as they are files of their own.
    """

    data: DataDescription
    scores: tuple[ModelScore, ...]
    trained: tuple[StageResult[TrainingFigures], ...]
    quantized: StageResult[QuantizationFigures]
    settings: Mapping[str, Any]
    environment: Mapping[str, Any]
    bench: BenchResult | None = None
    evaluation: Any = None
    failure: EdgekitError | None = None
    generalisation: tuple[StageFinding, ...] = ()
    curves: tuple[LearningCurve, ...] = ()

    @property
    def stages(self) -> tuple[StageResult[TrainingFigures | QuantizationFigures], ...]:
        """The finished stages in order."""
        return (*self.trained, self.quantized)

    @property
    def diagnosis(self) -> tuple[StageFinding, ...]:
        """What is wrong with the trained models: each stage's findings, and what validation and test show together."""
        found = [StageFinding(stage.name, each) for stage in self.trained for each in stage.figures.diagnosis]
        return (*found, *self.generalisation)

    @property
    def exit_code(self) -> int:
        """0, or the worst of what failed."""
        codes = [self.failure.exit_code if self.failure else 0, self.bench.exit_code if self.bench else 0]
        return worst(codes)

    @property
    def verdict(self) -> Verdict:
        """Whether the file for the device fits, and how accurate it is."""
        teacher, last = self.scores[0], self.scores[-1]
        return Verdict(
            fits=self.bench.verdict if self.bench else None,
            judged=tuple(dict.fromkeys(row.constraint for row in self.bench.rows)) if self.bench else (),
            accuracy=last.accuracy,
            accuracy_low=last.accuracy_low,
            accuracy_high=last.accuracy_high,
            takes=last.takes,
            retention=last.retention,
            retention_low=last.retention_low,
            retention_high=last.retention_high,
            teacher_accuracy=teacher.accuracy,
            synthetic=self.data.synthetic,
            form=last.form,
        )

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {
            "schema_version": 1,
            "exit_code": self.exit_code,
            "verdict": self.verdict.to_dict(),
            "data": self.data.to_dict(),
            "models": [score.to_dict() for score in self.scores],
            "quantization": self.quantized.record.metrics,
            "diagnosis": [finding.to_dict() for finding in self.diagnosis],
            "stages": {stage.name: stage.to_dict() for stage in self.stages},
            "settings": self.settings,
            "environment": self.environment,
            "bench": self.bench.to_dict() if self.bench else None,
            "evaluation": self.evaluation.to_dict() if self.evaluation else None,
            "failure": str(self.failure) if self.failure else None,
        }
