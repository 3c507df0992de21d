"""What a bench found: measurements, a verdict a constraint, and what they come to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from edgekit.bench.accuracy import Accuracy
from edgekit.bench.settings import ON_HOST, BenchConfig, Evidence
from edgekit.errors import ConstraintError, WeakEvidenceError
from edgekit.measure import LatencySummary, WorkerResult, summarise
from edgekit.profiles import Profile
from edgekit.runtime import ModelInfo

SCHEMA_VERSION = 1

Verdict = Literal["pass", "fail", "undecided"]
Unit = Literal["bytes", "s", "ratio"]
Constraint = Literal["max_model_mb", "max_latency_ms", "max_ram_mb", "max_accuracy_drop", "max_regression"]

_SEVERITY: tuple[Verdict, ...] = ("pass", "undecided", "fail")


@dataclass(frozen=True)
class Row:
    """One constraint against one figure.

    constraint: the profile's key, or max_regression for a figure against an earlier bench's. quantity: the same for
    people, such as "latency p95". board: None for a figure of the machine that measured. measured, limit: in `unit`;
    measured is None where there is no figure. For an estimate it is the pessimistic bound, and floor what it can't be
    below. note: how it was found, or why it is undecided.
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
class Measurement:
    """What the worker processes returned: some for latency (at least one), some for memory (at least one)."""

    latency: tuple[WorkerResult, ...]
    memory: tuple[WorkerResult, ...]

    @property
    def samples_ns(self) -> tuple[int, ...]:
        """Every latency sample of all processes, in the order taken."""
        return tuple(sample for result in self.latency for sample in result.samples_ns)

    @property
    def summary(self) -> LatencySummary:
        """Of all samples together."""
        return summarise(self.samples_ns)

    @property
    def peak_rss_bytes(self) -> int | None:
        """The largest peak of the memory processes; None where the system does not tell."""
        peaks = [result.peak_rss_bytes for result in self.memory if result.peak_rss_bytes is not None]
        return max(peaks, default=None)

    @property
    def memory_reason(self) -> str:
        """Why there is no peak."""
        return next((result.memory_reason for result in self.memory if result.memory_reason), "not measured")

    @property
    def machine(self) -> Mapping[str, Any]:
        """The machine that measured."""
        return self.latency[0].machine


@dataclass(frozen=True)
class BenchResult:
    """A bench of one model file against one profile.

    rows: this machine's first, then each board's. accuracy: None where no labelled takes were scored.
    baseline: what `hold_against` compared with, JSON-ready.
    """

    info: ModelInfo
    profile: Profile
    config: BenchConfig
    threads: int
    measurement: Measurement
    rows: tuple[Row, ...]
    accuracy: Accuracy | None = None
    baseline: Mapping[str, Any] | None = None

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
        worst = self.worst_board
        return {
            "schema_version": SCHEMA_VERSION,
            "kind": "bench",
            "verdict": self.verdict,
            "exit_code": self.exit_code,
            "worst_board": None if worst is None else worst.board,
            "model": describe_model(self.info),
            "profile": self.profile.model_dump(mode="json"),
            "config": {**self.config.model_dump(mode="json"), "threads": self.threads},
            "machine": dict(self.measurement.machine),
            "latency": self.measurement.summary.to_dict(),
            "memory": {
                "peak_rss_bytes": self.measurement.peak_rss_bytes,
                "reason": None if self.measurement.peak_rss_bytes else self.measurement.memory_reason,
            },
            "accuracy": None if self.accuracy is None else self.accuracy.to_dict(),
            "baseline": None if self.baseline is None else dict(self.baseline),
            "rows": [row.to_dict() for row in self.rows],
            "processes": {
                "latency": [vars(result).copy() for result in self.measurement.latency],
                "memory": [vars(result).copy() for result in self.measurement.memory],
            },
        }


def _badness(row: Row) -> tuple[int, float]:
    ratio = row.margin_ratio
    return _SEVERITY.index(row.verdict), float("inf") if ratio is None else -ratio


def describe_model(info: ModelInfo) -> dict[str, Any]:
    """What a model file says about itself, JSON-ready."""
    return {
        "path": str(info.path),
        "size_bytes": info.size_bytes,
        "sha256": info.sha256,
        "scheme": info.metadata.scheme if info.metadata else None,
        "op_types": dict(info.op_types),
    }
