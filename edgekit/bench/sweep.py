"""What more threads and larger batches bring on this machine: information, no part of a verdict."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from edgekit.errors import EdgekitError
from edgekit.measure import LatencySummary, WorkerRequest, WorkerResult, summarise
from edgekit.runtime import ModelInfo

THREADS = (1, 2, 4)
BATCHES = (1, 4, 16)

#: Of each point, in one process: a survey, less than a verdict needs.
SWEEP_REPEATS = 200
SWEEP_TIME_S = 2.0


@dataclass(frozen=True)
class SweepPoint:
    """One process with so many threads and takes a run. latency: of a run; None where it failed, with the reason."""

    threads: int
    batch: int
    latency: LatencySummary | None
    reason: str = ""

    @property
    def takes_per_s(self) -> float | None:
        """At the median; None without one."""
        return None if self.latency is None or not self.latency.p50_s else self.batch / self.latency.p50_s

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        latency = None if self.latency is None else self.latency.to_dict()
        return {**vars(self), "latency": latency, "takes_per_s": self.takes_per_s}


@dataclass(frozen=True)
class Sweep:
    """Points on random input. batch_reason: why there is only batch 1, or ""."""

    points: tuple[SweepPoint, ...]
    batch_reason: str

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {"batch_reason": self.batch_reason, "points": [point.to_dict() for point in self.points]}


def sweep_model(
    info: ModelInfo, measured: WorkerResult, latency: WorkerRequest, measure: Callable[[WorkerRequest], WorkerResult]
) -> Sweep:
    """Every number of threads that this machine has cores for, by every batch that the model takes.

    measured: what the bench itself found, for the sizes of the inputs and the cores. latency: its request.
    """
    reason = one_batch_reason(info)
    points = []
    for threads, batch in _grid(measured, BATCHES[:1] if reason else BATCHES):
        shapes = {item.name: item.shape for item in measured.inputs}
        if not reason:
            shapes = {name: (batch, *sizes[1:]) for name, sizes in shapes.items()}
        request = replace(
            latency,
            takes=None,
            shapes=shapes,
            threads=threads,
            repeats=SWEEP_REPEATS,
            min_time_s=0.0,
            max_time_s=SWEEP_TIME_S,
            stop=None,
        )
        points.append(_point(request, batch, measure))
    return Sweep(tuple(points), reason)


def one_batch_reason(info: ModelInfo) -> str:
    """Why a model can't be given several takes at once, or ""."""
    if info.batch_dependent:
        return f"{', '.join(info.batch_dependent)} gives all takes of a batch one scale: results would change"
    if len(info.inputs) != 1:
        return f"it has {len(info.inputs)} inputs, and which axes of them are the batch is not known"
    shape = info.inputs[0].shape
    if not shape or isinstance(shape[0], int):
        return f"its input has a fixed first axis: {list(shape or ())}"
    return ""


def _grid(measured: WorkerResult, batches: tuple[int, ...]) -> Iterator[tuple[int, int]]:
    cores = measured.machine.cores or 1
    return ((threads, batch) for threads in THREADS if threads <= cores for batch in batches)


def _point(request: WorkerRequest, batch: int, measure: Callable[[WorkerRequest], WorkerResult]) -> SweepPoint:
    try:
        result = measure(request)
    except EdgekitError as error:
        return SweepPoint(request.threads, batch, None, str(error))
    if result.stopped is not None:
        return SweepPoint(request.threads, batch, None, f"stopped at the memory limit: {result.stopped}")
    return SweepPoint(request.threads, batch, summarise(result.samples_ns))
