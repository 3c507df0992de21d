"""Compares ONNX files and compiled models by letting them take turns: each file's time against the first one's."""

from __future__ import annotations

import os
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from numpy.typing import ArrayLike

from edgekit.bench.result import describe_model
from edgekit.bench.run import Measure, choose_takes
from edgekit.bench.settings import ON_DEVICE, ON_HOST, CompareConfig
from edgekit.bench.verdict import this_board
from edgekit.errors import InputError, ModelFileError, require_kind
from edgekit.measure import (
    LatencySummary,
    Machine,
    MedianInterval,
    WorkerRequest,
    WorkerResult,
    ratio_interval,
    run_worker,
    summarise,
)
from edgekit.profiles import list_profiles
from edgekit.reading import StrPath
from edgekit.runtime import ModelInfo, inspect_any
from edgekit.runtime.guard import hunger
from edgekit.runtime.limits import model_memory_bytes

SCHEMA_VERSION = 1

Speed = Literal["faster", "slower", "same", "undecided"]


@dataclass(frozen=True)
class TimeRatio:
    """One file's time over the first file's, below 1 when it is faster.

    processes: the median ratio of each process with its interval, at least one.
    """

    processes: tuple[MedianInterval, ...]
    smallest_effect_ratio: float

    @property
    def ratio(self) -> float:
        """Median of the processes' medians."""
        return statistics.median(process.median for process in self.processes)

    @property
    def low(self) -> float:
        """The lowest end of any process's interval."""
        return min(process.low for process in self.processes)

    @property
    def high(self) -> float:
        """The highest end of any process's interval; infinite where one had too few rounds."""
        return max(process.high for process in self.processes)

    @property
    def verdict(self) -> Speed:
        """What can be said.

        "faster" or "slower": every process's interval lies on the same side of 1, and `ratio` is at least the
        smallest effect away from it. "same": every interval lies within the smallest effect of 1. "undecided":
        neither.

        An interval tells what luck there was from round to round in its own process, and not that in each process
        one of two equal files lies better in memory all the time. Of copies of one file two intervals in three exclude
        1, each to a side of its own, and five of five to the same side by chance up to once in sixteen times. So all
        have to agree, and by more than copies differ: hence the smallest effect. With both, 60 comparisons of copies
        on a busy machine gave 59 times "same", once "undecided", never a faster one. The smallest effect is a factor:
        0.02 reaches from 1/1.02 to 1.02, so that exchanging the files exchanges "faster" and "slower", and nothing
        else.
        """
        least = 1 + self.smallest_effect_ratio
        if self.high < 1 and self.ratio <= 1 / least:
            return "faster"
        if self.low > 1 and self.ratio >= least:
            return "slower"
        return "same" if 1 / least <= self.low and self.high <= least else "undecided"

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready; an end that is infinite is None."""
        overall = MedianInterval(self.ratio, self.low, self.high).to_dict()
        return {
            "verdict": self.verdict,
            "ratio": overall["median"],
            "low": overall["low"],
            "high": overall["high"],
            "processes": [process.to_dict() for process in self.processes],
        }


@dataclass(frozen=True)
class CompareResult:
    """Several files, measured in turn. infos: the files, the one to compare with first. measured: one a process."""

    infos: tuple[ModelInfo, ...]
    config: CompareConfig
    measured: tuple[WorkerResult, ...]

    @property
    def ratios(self) -> tuple[TimeRatio, ...]:
        """One for each file after the first."""
        return tuple(self._ratio(index) for index in range(len(self.infos) - 1))

    @property
    def latency(self) -> tuple[LatencySummary, ...]:
        """Latency of each file, over all processes."""
        return tuple(
            summarise([sample for result in self.measured for sample in _samples(result)[index]])
            for index in range(len(self.infos))
        )

    @property
    def machine(self) -> Machine:
        """The machine that measured."""
        return self.measured[0].machine

    @property
    def board(self) -> str | None:
        """The known board that the machine is; None for a host, whose times are not a device's."""
        board = this_board([board for profile in list_profiles() for board in profile.boards], self.machine)
        return None if board is None else board.name

    def _ratio(self, index: int) -> TimeRatio:
        processes = (
            ratio_interval(result.samples_ns, result.others_ns[index], self.config.confidence)
            for result in self.measured
        )
        return TimeRatio(tuple(processes), self.config.smallest_effect_ratio)

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready, every sample included; nanoseconds, seconds and bytes. Ratios are time over the first file's."""
        return {
            "schema_version": SCHEMA_VERSION,
            "kind": "compare",
            "baseline": str(self.infos[0].path),
            "models": [
                {**_described(info), "latency": latency.to_dict()}
                for info, latency in zip(self.infos, self.latency, strict=True)
            ],
            "comparisons": [
                {"model": str(info.path), **found.to_dict()}
                for info, found in zip(self.infos[1:], self.ratios, strict=True)
            ],
            "config": self.config.model_dump(mode="json"),
            "evidence": ON_DEVICE if self.board else ON_HOST,
            "board": self.board,
            "machine": self.machine.to_dict(),
            "processes": [result.to_dict() for result in self.measured],
        }


def _described(info: ModelInfo) -> dict[str, Any]:
    """JSON-ready: runtime "native" and the variant for a library, whose scheme is not known; else "onnxruntime"."""
    if info.compiled:
        return {**describe_model(info), "runtime": "native", "variant": info.variant, "scheme": None}
    return {**describe_model(info), "runtime": "onnxruntime", "variant": None}


def _samples(result: WorkerResult) -> tuple[tuple[int, ...], ...]:
    return (result.samples_ns, *result.others_ns)


def compare_onnx(
    paths: Sequence[StrPath],
    config: CompareConfig | None = None,
    takes: ArrayLike | None = None,
    *,
    measure: Measure = run_worker,
) -> CompareResult:
    """Which of the files is faster than the first, by how much, or that it can't be told.

    paths: two or more ONNX files whose inputs have the same types and shapes; their names may differ. A shared library
    of `edgekit compile`, or the folder with it, can stand for any of them, and is called from Python as ONNX Runtime
    is; a library is a program, so name only what you have compiled. In each process all of them take turns on the same
    input, round by round, in an order drawn anew; which one is opened first changes with the process. takes: float32
    (takes, time, features), real input; without it the input is random, and the result says so. measure: what runs one
    worker request, for other places than this host.

    Returns a CompareResult whatever it says. Raises InputError for fewer than two files, ModelFileError for one that is
    no usable ONNX model or library, or takes more memory than `edgekit.runtime.limits` allows, ShapeError for takes
    that don't fit or inputs that differ, WeakEvidenceError when not one round ends in time.
    """
    if isinstance(paths, str | os.PathLike):
        raise InputError(f"models to compare: only {paths}; give a list of two files or more, ONNX or compiled")
    require_kind(config, (CompareConfig, type(None)), "compare_onnx: config", "a CompareConfig, or None")
    if len(paths) < 2:
        raise InputError(
            f"models to compare: {len(paths)}; give two files or more, ONNX or compiled, the one to compare with first"
        )
    config = config or CompareConfig()
    infos = tuple(inspect_any(path) for path in paths)
    chosen = None if takes is None else choose_takes(takes)
    lengths = [info.metadata.sequence_length for info in infos if info.metadata]
    limit_bytes = model_memory_bytes()
    requests = (
        WorkerRequest(
            model=infos[0].path,
            mode="compare",
            others=tuple(info.path for info in infos[1:]),
            opened_first=process % len(infos),
            compiled=tuple(index for index, info in enumerate(infos) if info.compiled),
            takes=chosen,
            shapes=config.shapes,
            values=config.values,
            sequence_length=lengths[0] if lengths else None,
            seed=config.seed,
            threads=config.threads,
            warmup=config.warmup,
            repeats=config.repeats,
            max_time_s=config.time_limit_s / config.processes,
            memory_limit_bytes=limit_bytes,
        )
        for process in range(config.processes)
    )
    return CompareResult(infos, config, tuple(_measured(measure(request), infos, limit_bytes) for request in requests))


def _measured(result: WorkerResult, infos: Sequence[ModelInfo], limit_bytes: int) -> WorkerResult:
    """The result. Raises ModelFileError for a file that the memory limit stopped."""
    if result.stopped is not None:
        raise ModelFileError(f"{infos[result.stopped_model].path}: {hunger(limit_bytes, result.stopped)}")
    return result
