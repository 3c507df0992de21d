"""Compares ONNX files by letting them take turns."""

from __future__ import annotations

import os
from collections.abc import Sequence

from numpy.typing import ArrayLike

from edgekit.bench.comparison import CompareResult
from edgekit.bench.run import Measure, choose_takes
from edgekit.bench.settings import CompareConfig
from edgekit.errors import InputError, ModelFileError, require_kind
from edgekit.measure import WorkerRequest, WorkerResult, run_worker
from edgekit.reading import StrPath
from edgekit.runtime import ModelInfo, inspect_model
from edgekit.runtime.guard import hunger
from edgekit.runtime.limits import model_memory_bytes


def compare_onnx(
    paths: Sequence[StrPath],
    config: CompareConfig | None = None,
    takes: ArrayLike | None = None,
    *,
    measure: Measure = run_worker,
) -> CompareResult:
    """Which of the files is faster than the first, by how much, or that it can't be told.

    paths: two or more ONNX files whose inputs have the same types and shapes; their names may differ. In each process
    all of them take turns on the same input, round by round, in an order drawn anew; which one is opened first changes
    with the process. takes: float32 (takes, time, features), real input; without it the input is random, and the result
    says so. measure: what runs one worker request, for other places than this host.

    Returns a CompareResult whatever it says. Raises InputError for fewer than two files, ModelFileError for one that is
    no usable ONNX model or takes more memory than `edgekit.runtime.limits` allows, ShapeError for takes that don't fit
    or inputs that differ, WeakEvidenceError when not one round ends in time.
    """
    if isinstance(paths, str | os.PathLike):
        raise InputError(f"models to compare: only {paths}; give a list of two ONNX files or more")
    require_kind(config, (CompareConfig, type(None)), "compare_onnx: config", "a CompareConfig, or None")
    if len(paths) < 2:
        raise InputError(f"models to compare: {len(paths)}; give two ONNX files or more, the one to compare with first")
    config = config or CompareConfig()
    infos = tuple(inspect_model(path) for path in paths)
    chosen = None if takes is None else choose_takes(takes)
    lengths = [info.metadata.sequence_length for info in infos if info.metadata]
    limit_bytes = model_memory_bytes()
    requests = (
        WorkerRequest(
            model=infos[0].path,
            mode="compare",
            others=tuple(info.path for info in infos[1:]),
            opened_first=process % len(infos),
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
