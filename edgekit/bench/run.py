"""Benches one ONNX file against a profile."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from edgekit.bench.emulated import cores_of, weigh
from edgekit.bench.result import BenchResult, Measurement
from edgekit.bench.settings import BenchConfig
from edgekit.bench.sustained import Sustained
from edgekit.bench.sweep import sweep_model
from edgekit.bench.verdict import judge
from edgekit.device import Estimate, estimate_latency, model_work
from edgekit.device.emulator import BY_NAME, Emulate
from edgekit.errors import ConfigError, ModelFileError, ShapeError, require_kind
from edgekit.evaluate.accuracy import Accuracy
from edgekit.measure import WorkerRequest, WorkerResult, run_worker, stop_rule
from edgekit.profiles import Profile, load_profile
from edgekit.reading import StrPath
from edgekit.runtime import ModelInfo, inspect_model, open_native, validate_input
from edgekit.runtime.guard import hunger
from edgekit.runtime.limits import model_memory_bytes

#: Real takes that a bench runs through, spread over those given: enough to vary, too few to count as memory.
TAKES_USED = 64

#: Runs of the memory pass: buffers are touched in the first, and nothing grows after a few. It holds a few takes only:
#: an application has one at a time, and the takes would count as memory of the model.
MEMORY_RUNS = 20
MEMORY_TAKES = 8

#: Length of a paced run for which no duration is given.
PACED_S = 10.0

HARD_LIMIT_RATIO = 2.0
HARD_LIMIT_LEAST_BYTES = 128_000_000

UNKNOWN_NATIVE = "estimates are of ONNX Runtime, and this was compiled; bench on the board"

Measure = Callable[[WorkerRequest], WorkerResult]


def bench_onnx(
    path: StrPath,
    profile: StrPath | Profile = "raspberry-pi",
    config: BenchConfig | None = None,
    takes: ArrayLike | None = None,
    *,
    accuracy: Accuracy | None = None,
    library: StrPath | None = None,
    measure: Measure = run_worker,
    emulate: Emulate | None = None,
    max_instructions: int | None = None,
) -> BenchResult:
    """Measure the model at `path` in processes of its own and hold it against the profile's limits.

    takes: float32 (takes, time, features), real input; without it the input is random, and the result says so.
    accuracy: of this file and its float32 parent, for a profile with `max_accuracy_drop`; `score_accuracy` measures it.
    library: what `edgekit compile` made of the model, to be run and sized in its place; boards are not estimated then,
    because the estimates are ONNX Runtime's. measure: what runs one worker request, for other places than this host.
    emulate: what runs one on emulated cores, which then stand for the profile's boards. max_instructions: what a
    prediction may take on each of them.

    Returns a BenchResult whatever the verdict is. Raises ModelFileError for a file that is no usable ONNX model, or,
    with a profile that does not limit memory, takes more than `edgekit.runtime.limits` allows; ShapeError for takes
    that don't fit it, ConfigError for an unknown profile, WeakEvidenceError when not one run ends in time.
    """
    require_kind(path, (str, os.PathLike), "bench_onnx: path", "the path of an ONNX file")
    require_kind(profile, (str, os.PathLike, Profile), "bench_onnx: profile", "a profile, its name, or a file's path")
    require_kind(config, (BenchConfig, type(None)), "bench_onnx: config", "a BenchConfig, or None")
    config = config or BenchConfig()
    profile = profile if isinstance(profile, Profile) else load_profile(profile)
    info = inspect_model(Path(path))
    chosen = None if takes is None else choose_takes(takes)
    cores = cores_of(profile)
    if emulate is not None and not cores:
        raise ConfigError(
            f"profile {profile.name}: none of its boards has a core that can be emulated ({', '.join(BY_NAME)}); leave"
            " out --emulate"
        )
    if library is not None and config.sweep:
        raise ConfigError("a sweep is of threads and batches, and a compiled model has one of each; leave out --sweep")
    native = None if library is None else open_native(library).info
    measurement = _measure(info, profile, config, chosen, measure, None if native is None else native.path)
    if measurement.stopped is not None and memory_limit_bytes(profile) is None:
        raise ModelFileError(f"{info.path}: {hunger(measurement.memory_limit_bytes or 0, measurement.stopped)}")
    sizes = {item.name: item.shape for item in measurement.inputs}
    work = model_work(info, {**config.shapes, **sizes}, config.values)
    estimates = [
        estimate_latency(work, board) if native is None else Estimate(board.name, None, None, UNKNOWN_NATIVE)
        for board in profile.boards
    ]
    emulation = None
    if emulate is not None and measurement.stopped is None:  # what took too much memory here is not run again
        request = latency_request(info, profile, config, chosen, None if native is None else native.path)
        emulated = emulate(request, cores)
        emulation = weigh(
            emulated, info, work, profile, max_instructions, integers=native is not None and _integers(info)
        )
    rows = judge(profile, config, (native or info).size_bytes, measurement, estimates, accuracy, emulation)
    return BenchResult(
        info, profile, config, measurement.threads, measurement, rows, accuracy, library=native, emulation=emulation
    )


def _integers(info: ModelInfo) -> bool:
    """Whether a compiled model reckons in integers, whose answers are the same bits everywhere."""
    return info.metadata is not None and info.metadata.scheme.startswith("int8")


def choose_takes(takes: ArrayLike) -> NDArray[np.float32]:
    """At most `TAKES_USED` of the takes, evenly spread. Raises ShapeError for none or values not finite."""
    try:
        given = np.asarray(takes)
    except ValueError:
        raise ShapeError("takes: of unequal length; expected one array (takes, time, features)") from None
    if given.ndim < 2 or len(given) == 0:
        raise ShapeError(f"takes: shape {given.shape}; expected (takes, time, features) with at least one take")
    index = np.linspace(0, len(given) - 1, min(len(given), TAKES_USED)).round().astype(np.int64)
    return validate_input(given[index], (None,) * given.ndim, "takes")


def latency_request(
    info: ModelInfo, profile: Profile, config: BenchConfig, takes: NDArray[np.float32] | None, library: Path | None
) -> WorkerRequest:
    """What one process that measures latency is asked for."""
    return WorkerRequest(
        model=info.path,
        mode="latency",
        takes=takes,
        shapes=config.shapes,
        values=config.values,
        sequence_length=info.metadata.sequence_length if info.metadata else None,
        seed=config.seed,
        threads=config.threads or profile.threads,
        warmup=config.warmup,
        repeats=config.repeats,
        min_time_s=config.min_time_s,
        max_time_s=config.time_limit_s / config.processes,
        stop=stop_rule(profile.latency_percentile, config.repeats, profile.max_latency_s),
        memory_limit_bytes=memory_limit_bytes(profile) or model_memory_bytes(),
        library=library,
    )


def _measure(
    info: ModelInfo,
    profile: Profile,
    config: BenchConfig,
    takes: NDArray[np.float32] | None,
    measure: Measure,
    library: Path | None,
) -> Measurement:
    """Memory first: a model that the limit stops is not run any further."""
    latency = latency_request(info, profile, config, takes, library)
    few = None if takes is None else takes[:MEMORY_TAKES]
    memory = _until_stopped(replace(latency, mode="memory", takes=few, repeats=MEMORY_RUNS, stop=None), config, measure)
    stopped = memory[-1].stopped is not None
    measured = () if stopped else _until_stopped(latency, config, measure)
    return Measurement(
        latency=measured,
        memory=memory,
        threads=latency.threads,
        memory_limit_bytes=latency.memory_limit_bytes,
        sustained=None if stopped else _sustain(latency, config, measure),
        sweep=sweep_model(info, measured[0], latency, measure) if config.sweep and measured else None,
    )


def memory_limit_bytes(profile: Profile) -> int | None:
    """What a process may allocate beyond its imports: so much that a model that is stopped is certainly too large.

    Twice the profile's least limit, as ONNX Runtime asks for up to twice what it needs; 128 MB at the least, so that a
    model can be measured that violates a small limit. None for a profile without a limit.
    """
    limit = profile.ram_limit_bytes()
    return None if limit is None else max(round(HARD_LIMIT_RATIO * limit), HARD_LIMIT_LEAST_BYTES)


def _until_stopped(request: WorkerRequest, config: BenchConfig, measure: Measure) -> tuple[WorkerResult, ...]:
    found: list[WorkerResult] = []
    while len(found) < config.processes and not (found and found[-1].stopped):
        found.append(measure(request))
    return tuple(found)


def _sustain(latency: WorkerRequest, config: BenchConfig, measure: Measure) -> Sustained | None:
    if config.rate_hz is None and config.duration_s is None:
        return None
    duration_s = config.duration_s or PACED_S
    request = replace(latency, mode="sustained", max_time_s=duration_s, rate_hz=config.rate_hz, stop=None)
    return Sustained(duration_s, config.rate_hz, measure(request))
