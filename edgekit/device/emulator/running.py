"""Runs a model as on one core: the worker that measures everywhere, under the emulator, and what the plugin counted."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from edgekit.artifacts import scratch_folder
from edgekit.device.emulator.cores import Core
from edgekit.device.emulator.home import Home
from edgekit.device.emulator.plugin import KINDS, Counts, Mark, between, read_marks
from edgekit.errors import EdgekitError, ModelFileError
from edgekit.measure import WorkerRequest, WorkerResult, run_worker

#: Runs that count, after as many as a session needs to come to rest.
RUNS, WARMUP = 8, 2
TAKES = 8


@dataclass(frozen=True)
class CoreRun:
    """What one core did with a model.

    core: its name. failure: why it did not start or end, in words; then the rest is empty. runs: of each counted run,
    in order. answers: of each, the numbers of all outputs. cold_start: instructions from the start of Python to the end
    of the first run. guest_bytes: the most memory that the program had at the end of a stage.
    """

    core: str
    failure: str = ""
    runs: tuple[Counts, ...] = ()
    answers: tuple[tuple[float | None, ...], ...] = ()
    cold_start: int = 0
    guest_bytes: int = 0

    @property
    def instructions(self) -> int:
        """Of the longest of the counted runs."""
        return max((run.instructions for run in self.runs), default=0)

    @property
    def least_instructions(self) -> int:
        """Of the shortest."""
        return min((run.instructions for run in self.runs), default=0)

    @property
    def missed_bytes(self) -> float:
        """Read from or written to main memory by a run, in the median, as the model of the last cache has it."""
        return 64 * statistics.median(run.missed for run in self.runs) if self.runs else 0.0

    @property
    def mix(self) -> dict[str, float]:
        """Kind to share of all instructions of the counted runs."""
        whole = sum(run.instructions for run in self.runs)
        return {kind: sum(run.kinds[kind] for run in self.runs) / whole for kind in KINDS} if whole else {}

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {
            "core": self.core,
            "failure": self.failure,
            "instructions": self.instructions,
            "least_instructions": self.least_instructions,
            "runs": [run.instructions for run in self.runs],
            "mix": self.mix,
            "missed_bytes": self.missed_bytes,
            "cold_start_instructions": self.cold_start,
            "guest_bytes": self.guest_bytes,
        }


def counting(request: WorkerRequest) -> WorkerRequest:
    """The request of a measurement as one that counts: one thread, few takes and runs."""
    takes = None if request.takes is None else request.takes[:TAKES]
    return replace(
        request, mode="count", takes=takes, threads=1, warmup=WARMUP, repeats=RUNS, stop=None, memory_limit_bytes=None
    )


def run_on_core(home: Home, core: Core, onnxruntime: str, request: WorkerRequest) -> CoreRun:
    """The counted runs of a model on that core. A model that dies there, or that this version of ONNX Runtime can't
    open there, is a result; what is wrong with the request anywhere raises as `run_worker` does."""
    with scratch_folder("emulated") as folder:
        counts = folder / "counts"
        try:
            result = run_worker(
                counting(request), python=home.command(core, onnxruntime, counts), environment=home.environment
            )
        except ModelFileError as error:
            return CoreRun(core.name, failure=str(error))
        return _read(core, result, read_marks(counts))


def _read(core: Core, result: WorkerResult, marks: Sequence[Mark]) -> CoreRun:
    stages = [mark for mark in marks if mark.name == "stage"]
    runs = tuple(between(marks))
    if len(runs) != RUNS or len(stages) < 4:
        raise EdgekitError(f"{core.name}: the emulator's plugin counted {len(runs)} runs, where there were {RUNS}")
    return CoreRun(
        core=core.name,
        runs=runs,
        answers=result.answers,
        cold_start=stages[2].counts.instructions,
        guest_bytes=max(mark.guest_bytes for mark in stages),
    )
