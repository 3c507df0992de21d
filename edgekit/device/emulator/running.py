"""Runs a model as on one core: the worker that measures everywhere, under the emulator, and what the plugin counted."""

from __future__ import annotations

import statistics
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from edgekit.artifacts import scratch_folder
from edgekit.device.emulator.cores import Core
from edgekit.device.emulator.home import Home
from edgekit.device.emulator.plugin import KINDS, Counts, between, read_marks
from edgekit.device.emulator.programs import run_program
from edgekit.errors import EdgekitError, ModelFileError
from edgekit.measure import WorkerRequest, run_worker

#: Runs that count, after as many as a session needs to come to rest.
RUNS, WARMUP = 8, 2
TAKES = 8
#: Stages of the worker before it: the interpreter, imports and the session.
FIRST_RUN = 3

#: Of each run, the numbers of all outputs, None for one that is not finite.
Answers = tuple[tuple[float | None, ...], ...]


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
    answers: Answers = ()
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
            return CoreRun(core.name, failure=_why(error, request))
        return read_run(core, result.answers, counts, first=FIRST_RUN)


def _why(error: ModelFileError, request: WorkerRequest) -> str:
    """What went wrong, without the file's name and what the emulator has to say about itself."""
    said = str(error).removeprefix(f"{request.model}: ")
    return said.partition(" (it said: qemu:")[0]


def run_program_on_core(
    home: Home, core: Core, command: Sequence[str | Path], counts: Path
) -> subprocess.CompletedProcess[str]:
    """A program for 64-bit Arm, without libraries, on that core; what the plugin counts goes to the file `counts`."""
    start = [*home.emulator, *home.machine(core, counts)]
    return run_program([*start, *command], environment=home.environment)


def read_run(core: Core, answers: Answers, counts: Path, *, first: int) -> CoreRun:
    """What was counted. first: which stage, from 0, ends with the first run."""
    marks = read_marks(counts)
    stages = [mark for mark in marks if mark.name == "stage"]
    runs = tuple(between(marks))
    if len(runs) != RUNS or len(stages) <= first:
        raise EdgekitError(f"{core.name}: the emulator's plugin counted {len(runs)} runs, where there were {RUNS}")
    return CoreRun(
        core=core.name,
        runs=runs,
        answers=answers,
        cold_start=stages[first].counts.instructions,
        guest_bytes=max(mark.guest_bytes for mark in stages),
    )
