"""Benches one ONNX file against a profile."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from edgekit.bench.accuracy import Accuracy
from edgekit.bench.result import BenchResult, Measurement
from edgekit.bench.settings import BenchConfig
from edgekit.bench.verdict import judge
from edgekit.device import estimate_latency, model_work
from edgekit.errors import ShapeError
from edgekit.measure import WorkerRequest, WorkerResult, run_worker
from edgekit.profiles import Profile, load_profile
from edgekit.runtime import ModelInfo, inspect_model, validate_input

#: Real takes that a bench runs through, spread over those given: enough to vary, too few to count as memory.
TAKES_USED = 64

#: Runs of the memory pass: buffers are touched in the first, and nothing grows after a few. It holds a few takes only:
#: an application has one at a time, and the takes would count as memory of the model.
MEMORY_RUNS = 20
MEMORY_TAKES = 8

Measure = Callable[[WorkerRequest], WorkerResult]


def bench_onnx(
    path: str | Path,
    profile: str | Path | Profile = "raspberry-pi",
    config: BenchConfig | None = None,
    takes: ArrayLike | None = None,
    *,
    accuracy: Accuracy | None = None,
    measure: Measure = run_worker,
) -> BenchResult:
    """Measure the model at `path` in processes of its own and hold it against the profile's limits.

    takes: float32 (takes, time, features), real input; without it the input is random, and the result says so.
    accuracy: of this file and its float32 parent, for a profile with `max_accuracy_drop`; `score_accuracy` measures it.
    measure: what runs one worker request, for
    other places than this host.

    Returns a BenchResult whatever the verdict is. Raises ModelFileError for a file that is no usable ONNX
    model, ShapeError for takes that don't fit it, ConfigError for an unknown profile, WeakEvidenceError when not
    one run ends in time.
    """
    config = config or BenchConfig()
    profile = profile if isinstance(profile, Profile) else load_profile(profile)
    info = inspect_model(Path(path))
    threads = config.threads or profile.threads
    chosen = None if takes is None else choose_takes(takes)
    measurement = _measure(info, config, threads, chosen, measure)
    work = model_work(info, config.shapes)
    estimates = [estimate_latency(work, board) for board in profile.boards]
    rows = judge(profile, config, info.size_bytes, measurement, estimates, accuracy)
    return BenchResult(info, profile, config, threads, measurement, rows, accuracy)


def choose_takes(takes: ArrayLike) -> NDArray[np.float32]:
    """At most `TAKES_USED` of the takes, evenly spread. Raises ShapeError for none or values not finite."""
    given = np.asarray(takes)
    if given.ndim < 2 or len(given) == 0:
        raise ShapeError(f"takes: shape {given.shape}; expected (takes, time, features) with at least one take")
    index = np.linspace(0, len(given) - 1, min(len(given), TAKES_USED)).round().astype(np.int64)
    return validate_input(given[index], (None,) * given.ndim, "takes")


def _measure(
    info: ModelInfo,
    config: BenchConfig,
    threads: int,
    takes: NDArray[np.float32] | None,
    measure: Measure,
) -> Measurement:
    def request(mode: Literal["latency", "memory"], repeats: int, takes: NDArray[np.float32] | None) -> WorkerRequest:
        return WorkerRequest(
            model=info.path,
            mode=mode,
            takes=takes,
            shapes=config.shapes,
            sequence_length=info.metadata.sequence_length if info.metadata else None,
            seed=config.seed,
            threads=threads,
            warmup=config.warmup,
            repeats=repeats,
            max_time_s=config.time_limit_s / config.processes,
        )

    latency = request("latency", config.repeats, takes)
    memory = request("memory", MEMORY_RUNS, None if takes is None else takes[:MEMORY_TAKES])
    return Measurement(
        latency=tuple(measure(latency) for _ in range(config.processes)),
        memory=tuple(measure(memory) for _ in range(config.processes)),
    )
