"""What a bench found: measurements, a verdict a constraint, and what they come to."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from edgekit.bench.changes import BaselineChanges
from edgekit.bench.emulated import Emulation
from edgekit.bench.intervals import process_interval
from edgekit.bench.settings import ON_HOST, BenchConfig, Evidence, Verdict
from edgekit.bench.sustained import Sustained
from edgekit.bench.sweep import Sweep
from edgekit.errors import ConstraintError, WeakEvidenceError
from edgekit.evaluate.accuracy import Accuracy
from edgekit.measure import (
    Disturbance,
    FedInput,
    LatencySummary,
    Machine,
    PercentileInterval,
    WorkerResult,
    find_disturbances,
    summarise,
)
from edgekit.profiles import Profile
from edgekit.runtime import ModelInfo

SCHEMA_VERSION = 2

Unit = Literal["bytes", "s", "ratio", "number", "instructions"]
Constraint = Literal[
    "max_model_mb", "max_latency_ms", "max_ram_mb", "max_accuracy_drop", "max_regression", "answers", "max_instructions"
]

_SEVERITY: tuple[Verdict, ...] = ("pass", "undecided", "fail")


@dataclass(frozen=True)
class Row:
    """One constraint against one figure.

    constraint: the profile's key, max_regression for a figure against an earlier bench's, max_instructions for one
    against a budget, answers for those of an emulated core against this machine's. quantity: the same for
    people, such as "latency p95". board: None for a figure of the machine that measured. measured, limit: in `unit`;
    measured is None where there is no figure. For an estimate it is the pessimistic bound, and floor what it can't be
    below. note: how it was found, or why it is undecided. low, high: of the interval that holds the figure, where it
    has one; None for an open end.
    """

    constraint: Constraint
    quantity: str
    board: str | None
    measured: float | None
    limit: float
    unit: Unit
    evidence: Evidence
    verdict: Verdict
    floor: float | None = None
    note: str = ""
    low: float | None = None
    high: float | None = None

    @property
    def margin(self) -> float | None:
        """limit - measured, in `unit`; negative when violated."""
        return None if self.measured is None else self.limit - self.measured

    @property
    def margin_ratio(self) -> float | None:
        """The margin as a share of the limit."""
        return None if self.measured is None else 1 - self.measured / self.limit if self.limit else None

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {**vars(self), "margin": self.margin, "margin_ratio": self.margin_ratio}


@dataclass(frozen=True)
class ColdStart:
    """Seconds from nothing to the first answer: medians over the processes, with the files in the system's cache.

    None where no process got so far.
    """

    import_s: float | None
    session_s: float | None
    first_run_s: float | None


@dataclass(frozen=True)
class Measurement:
    """What the worker processes returned: some for memory (at least one), some for latency.

    latency is empty where the memory limit stopped the model. threads: that the model ran on.
    """

    latency: tuple[WorkerResult, ...]
    memory: tuple[WorkerResult, ...]
    threads: int = 1
    memory_limit_bytes: int | None = None
    sustained: Sustained | None = None
    sweep: Sweep | None = None

    @property
    def samples_ns(self) -> tuple[int, ...]:
        """Every latency sample of all processes, in the order taken."""
        return tuple(sample for result in self.latency for sample in result.samples_ns)

    @property
    def summary(self) -> LatencySummary | None:
        """Latency over all samples together; None for none."""
        return summarise(self.samples_ns) if self.samples_ns else None

    @property
    def cpu_summary(self) -> LatencySummary | None:
        """CPU time of the calling thread in the same runs; None for none."""
        taken = [sample for result in self.latency for sample in result.thread_cpu_ns]
        return summarise(taken) if taken else None

    def intervals(self, percent: float) -> tuple[PercentileInterval, ...]:
        """A percentile of each latency process that has samples, in seconds, with its interval."""
        return tuple(process_interval(result.samples_ns, percent) for result in self.latency if result.samples_ns)

    @property
    def disturbances(self) -> tuple[Disturbance, ...]:
        """What disturbed the latency, process by process."""
        return tuple(
            found
            for process, result in enumerate(self.latency)
            if result.samples_ns
            for found in find_disturbances(result, process, self.threads)
        )

    @property
    def cold_start(self) -> ColdStart:
        """Cold start of the latency processes, or of those for memory where there is none."""
        results = self.latency or self.memory
        return ColdStart(
            import_s=_median_s([result.import_ns for result in results]),
            session_s=_median_s([result.session_ns for result in results]),
            first_run_s=_median_s([result.first_run_ns for result in results]),
        )

    @property
    def largest(self) -> WorkerResult:
        """The memory process with the largest peak."""
        return max(self.memory, key=lambda result: result.peak_rss_bytes or 0)

    @property
    def peak_rss_bytes(self) -> int | None:
        """The largest peak of the memory processes; None where the system does not tell or the model was stopped."""
        return None if self.stopped else self.largest.peak_rss_bytes

    @property
    def own_bytes(self) -> int | None:
        """The model's own share of that peak: what came on top of Python and its imports."""
        before = next((stage.rss_bytes for stage in self.largest.stages if stage.stage == "imports"), None)
        return None if before is None or self.peak_rss_bytes is None else self.peak_rss_bytes - before

    @property
    def stopped(self) -> str | None:
        """What the model said when the memory limit stopped it."""
        return next((result.stopped for result in (*self.memory, *self.latency) if result.stopped), None)

    @property
    def memory_reason(self) -> str:
        """Why there is no peak."""
        if self.stopped and self.memory_limit_bytes:
            limit = f"{self.memory_limit_bytes / 1e6:.0f} MB beyond its imports (RLIMIT_DATA)"
            return f"stopped at the limit of {limit}: {self.stopped}"
        return next((result.memory_reason for result in self.memory if result.memory_reason), "not measured")

    @property
    def machine(self) -> Machine:
        """The machine that measured."""
        return (self.latency or self.memory)[0].machine

    @property
    def inputs(self) -> tuple[FedInput, ...]:
        """How each input was fed; empty where the model was stopped before."""
        return (self.latency or self.memory)[0].inputs

    def memory_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {
            "peak_rss_bytes": self.peak_rss_bytes,
            "own_bytes": self.own_bytes,
            "reason": None if self.peak_rss_bytes else self.memory_reason,
            "stopped": self.stopped is not None,
            "limit_kind": None if self.memory_limit_bytes is None else "RLIMIT_DATA",
            "limit_beyond_imports_bytes": self.memory_limit_bytes,
            "stages": [stage.to_dict() for stage in self.largest.stages],
        }


def _median_s(values_ns: Sequence[int | None]) -> float | None:
    known = [value for value in values_ns if value is not None]
    return statistics.median(known) / 1e9 if known else None


@dataclass(frozen=True)
class BenchResult:
    """A bench of one model file against one profile.

    rows: this machine's first, then each board's. accuracy: None where no labelled takes were scored.
    baseline: what `hold_against` found; None without an earlier bench. library: of `edgekit compile`, where that was
    measured; None for ONNX Runtime. emulation: what emulated cores did; None where
    none were.
    """

    info: ModelInfo
    profile: Profile
    config: BenchConfig
    threads: int
    measurement: Measurement
    rows: tuple[Row, ...]
    accuracy: Accuracy | None = None
    baseline: BaselineChanges | None = None
    library: ModelInfo | None = None
    emulation: Emulation | None = None

    @property
    def verdict(self) -> Verdict:
        """fail when any constraint is violated, else undecided when any that counts is, else pass."""
        return max((row.verdict for row in self.rows if self.counts(row)), key=_SEVERITY.index, default="pass")

    @property
    def exit_code(self) -> int:
        """0 within budget, 3 violated, 4 undecided."""
        return {"pass": 0, "fail": ConstraintError.exit_code, "undecided": WeakEvidenceError.exit_code}[self.verdict]

    @property
    def worst_board(self) -> Row | None:
        """The row of the board that comes closest to a limit or goes furthest beyond; None without boards."""
        rows = [row for row in self.rows if row.board is not None]
        return max(rows, key=_badness, default=None)

    def counts(self, row: Row) -> bool:
        """Whether a row has a say in the verdict: an undecided board has none where this host is enough."""
        return row.board is None or row.verdict == "fail" or self.config.evidence != ON_HOST

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready, every sample included; seconds and bytes."""
        worst, sustained = self.worst_board, self.measurement.sustained
        return {
            "schema_version": SCHEMA_VERSION,
            "kind": "bench",
            "verdict": self.verdict,
            "exit_code": self.exit_code,
            "worst_board": None if worst is None else worst.board,
            "model": describe_model(self.info),
            "library": None if self.library is None else describe_library(self.library),
            "profile": self.profile.model_dump(mode="json"),
            "config": {**self.config.model_dump(mode="json"), "threads": self.threads},
            "machine": self.measurement.machine.to_dict(),
            "latency": _optional(self.measurement.summary),
            "latency_processes": [
                _interval_dict(found, self.profile.latency_percentile)
                for found in self.measurement.intervals(self.profile.latency_percentile)
            ],
            "thread_cpu": _optional(self.measurement.cpu_summary),
            "disturbances": [found.to_dict() for found in self.measurement.disturbances],
            "cold_start": vars(self.measurement.cold_start).copy(),
            "memory": self.measurement.memory_dict(),
            "sustained": _optional(self.measurement.sustained),
            "accuracy": None if self.accuracy is None else self.accuracy.to_dict(),
            "baseline": None if self.baseline is None else self.baseline.to_dict(),
            "emulation": None if self.emulation is None else self.emulation.to_dict(),
            "sweep": _optional(self.measurement.sweep),
            "rows": [row.to_dict() for row in self.rows],
            "processes": {
                "latency": [result.to_dict() for result in self.measurement.latency],
                "memory": [result.to_dict() for result in self.measurement.memory],
                "sustained": None if sustained is None else sustained.result.to_dict(),
            },
        }


def _interval_dict(found: PercentileInterval, percent: float) -> dict[str, float | None]:
    content = found.to_dict()
    ends = {f"{name}_s": content.pop(name) for name in ("value", "low", "high")}
    return {"percent": percent, **ends, **content}


def _optional(part: LatencySummary | Sustained | Sweep | None) -> dict[str, Any] | None:
    return None if part is None else part.to_dict()


def _badness(row: Row) -> tuple[int, float]:
    """How bad its verdict is, then how much of its limit is used, which a limit of 0 has no part of."""
    ratio = row.margin_ratio
    unknown = float("-inf") if row.verdict == "pass" else float("inf")
    return _SEVERITY.index(row.verdict), unknown if ratio is None else -ratio


def describe_library(library: ModelInfo) -> dict[str, Any]:
    """A compiled model, JSON-ready."""
    return {"path": str(library.path), "size_bytes": library.size_bytes, "sha256": library.sha256}


def describe_model(info: ModelInfo) -> dict[str, Any]:
    """What a model file says about itself, JSON-ready."""
    return {
        "path": str(info.path),
        "size_bytes": info.size_bytes,
        "sha256": info.sha256,
        "scheme": info.metadata.scheme if info.metadata else None,
        "op_types": dict(info.op_types),
    }
