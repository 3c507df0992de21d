"""Runs the worker in a process of its own and turns what happens to it into results or clear errors."""

from __future__ import annotations

import io
import os
import py_compile
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from edgekit.artifacts import json_text, parse_json, scratch_folder
from edgekit.errors import EdgekitError, InputError, ModelFileError, ShapeError, WeakEvidenceError
from edgekit.measure.result import WorkerResult
from edgekit.measure.stopping import StopRule
from edgekit.reading import StrPath
from edgekit.runtime.axes import time_axes
from edgekit.runtime.deciding import decided_by
from edgekit.runtime.guard import death, last_line
from edgekit.runtime.inspection import inspect_bytes, read_model, require_numbers

WORKER = Path(__file__).with_name("worker.py")
SCHEMA_VERSION = 1

#: What a process may need beyond the time it was given to measure: imports, the session, one long run.
START_ALLOWANCE_S = 60.0

_KINDS: Mapping[str, type[EdgekitError]] = {"model": ModelFileError, "shape": ShapeError}


#: What fills an input: one number, or all of them, row by row.
Value: TypeAlias = float | Sequence[float]


@dataclass(frozen=True, eq=False)
class WorkerRequest:
    """What one worker process shall measure.

    others: models that take turns with `model` on the same input; at least one in mode "compare", none in the other
    modes. opened_first: the model whose session is opened first, 0 for `model`, k for the k-th of `others`: memory that
    is given out first may be faster. takes: float32 (takes, ...) real input, one take a run, or None for random numbers
    from `seed`. shapes: sizes an input of `model`, where it leaves them open. values: what fills an input, such as a
    sampling rate. sequence_length: for a symbolic second axis of three. repeats: samples wanted of each model;
    min_time_s, max_time_s: of measuring. stop: in mode "latency", when the latency is known, instead of `repeats`.
    rate_hz: in mode "sustained", which measures for `max_time_s`: takes per second, or None for back to back.
    memory_limit_bytes: what the process may allocate beyond what it has after its imports. compiled: indices of the
    models that are shared libraries of `edgekit compile`, not ONNX files. library: one that runs in the place of
    `model`, of which it was made; not in mode "compare".
    """

    model: Path
    mode: Literal["latency", "memory", "sustained", "compare", "count"]
    others: tuple[Path, ...] = ()
    opened_first: int = 0
    takes: NDArray[np.float32] | None = None
    shapes: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    values: Mapping[str, Value] = field(default_factory=dict)
    sequence_length: int | None = None
    seed: int = 0
    threads: int = 1
    warmup: int = 50
    repeats: int = 1000
    min_time_s: float = 0.0
    max_time_s: float = 30.0
    stop: StopRule | None = None
    rate_hz: float | None = None
    memory_limit_bytes: int | None = None
    compiled: tuple[int, ...] = ()
    library: Path | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "model", Path(self.model))
        object.__setattr__(self, "others", tuple(map(Path, self.others)))

    @property
    def models(self) -> tuple[Path, ...]:
        """`model`, then `others`."""
        return (self.model, *self.others)


def run_worker(
    request: WorkerRequest,
    *,
    worker: StrPath = WORKER,
    python: Sequence[str] = (sys.executable,),
    environment: Mapping[str, str] | None = None,
) -> WorkerResult:
    """Measure in a fresh process whose working directory is empty but for a copy of each model.

    python: the command that runs the worker's file, this Python or another, even an emulator's. environment: all of its
    variables, where they are not this process's.

    Nothing outside that directory can be reached by a relative path, so external tensor data is never found.
    Raises ModelFileError when a model is refused or brings the process down (the signal is reported),
    ShapeError when its inputs can't be made, decide how much work a run is and were not given, or are not those of the
    model that it takes turns with,
    WeakEvidenceError when not one run ends within the time limit.
    """
    worker = Path(worker)
    contents = [None if index in request.compiled else _checked(model) for index, model in enumerate(request.models)]
    if request.takes is not None and not np.isfinite(request.takes).all():
        raise ShapeError(f"{request.model}: the takes hold NaN or infinity; check the recordings first")
    with scratch_folder("bench") as folder:
        message = {**_prepare(request, folder), **_told(contents)}
        program = _program(worker, folder, own=tuple(python) == (sys.executable,))
        try:
            finished = subprocess.run(
                [*python, str(program)],
                input=json_text(message),
                capture_output=True,
                text=True,
                errors="replace",
                cwd=folder,
                env=environment,
                timeout=request.max_time_s + START_ALLOWANCE_S,
            )
        except subprocess.TimeoutExpired as error:
            raise WeakEvidenceError(
                f"{_named(request.models)}: no result within {error.timeout:.0f} s; a run of it may never end, or needs"
                " a longer time limit"
            ) from None
        if request.memory_limit_bytes is not None and finished.returncode < 0 and "bad_alloc" in finished.stderr:
            return WorkerResult.died(_last_line(finished.stderr))
        return _interpret(finished, request.models, [message["model"], *message["others"]])


def _program(worker: Path, folder: Path, own: bool) -> Path:
    """What another Python reads as it is, and this one compiled: without that, it would count as time."""
    if not own:
        return worker
    program = folder / "worker.pyc"
    py_compile.compile(str(worker), cfile=str(program), doraise=True)
    return program


def _checked(model: Path) -> bytes:
    """Its bytes. Raises ModelFileError for a file that is refused."""
    content = read_model(model)
    require_numbers(inspect_bytes(content, model))
    return content


def _told(contents: Sequence[bytes | None]) -> dict[str, Any]:
    """What the models' graphs say of their inputs: which must not be made up, and which begin with time. None: of a
    library, which has one input that takes nothing but takes."""
    axes = {} if contents[0] is None else time_axes(contents[0])
    steps = {name: [axis.layer, axis.certain] for name, axis in axes.items()}
    return {"decides": [{} if content is None else decided_by(content) for content in contents], "steps": steps}


def _prepare(request: WorkerRequest, folder: Path) -> dict[str, Any]:
    compiled = request.compiled if request.library is None else (0,)
    models = request.models if request.library is None else (request.library,)
    copies = [folder / f"model{index}{'.so' if index in compiled else '.onnx'}" for index in range(len(models))]
    for model, copy in zip(models, copies, strict=True):
        shutil.copyfile(model, copy)
    takes = None
    if request.takes is not None:
        takes = folder / "takes.npy"
        content = io.BytesIO()  # numpy's own writing to a file tells no reason where the disk is full
        np.save(content, np.ascontiguousarray(request.takes, dtype=np.float32), allow_pickle=False)
        takes.write_bytes(content.getbuffer())
    return {
        "schema_version": SCHEMA_VERSION,
        "mode": request.mode,
        "model": str(copies[0]),
        "others": [str(copy) for copy in copies[1:]],
        "opened_first": request.opened_first,
        "takes": None if takes is None else str(takes),
        "shapes": {name: list(sizes) for name, sizes in request.shapes.items()},
        "values": {
            name: list(value) if isinstance(value, Sequence) else value for name, value in request.values.items()
        },
        "sequence_length": request.sequence_length,
        "compiled": list(compiled),
        "seed": request.seed,
        "threads": request.threads,
        "warmup": request.warmup,
        "repeats": request.repeats,
        "min_time_s": request.min_time_s,
        "max_time_s": request.max_time_s,
        "stop": None if request.stop is None else request.stop.to_dict(),
        "rate_hz": request.rate_hz,
        "memory_limit_bytes": request.memory_limit_bytes,
        "parent": os.getpid(),
    }


def _interpret(
    finished: subprocess.CompletedProcess[str], models: Sequence[Path], aliases: Sequence[str]
) -> WorkerResult:
    lines = finished.stdout.strip().splitlines()
    if finished.returncode < 0:
        how = death(-finished.returncode, finished.stderr)
        raise ModelFileError(f"{_suspects(lines, models)}: the measuring process was ended by {how}")
    try:
        answer = parse_json(lines[-1]) if lines else None
    except ValueError:
        answer = None
    if not isinstance(answer, dict):
        detail = _last_line(finished.stderr)
        name = _named(models)
        raise EdgekitError(f"{name}: the measuring process ended with {finished.returncode} and no result{detail}")
    if "error" in answer:
        error = answer["error"]
        model, alias = models[error["model"]], aliases[error["model"]]
        raise _KINDS.get(error["kind"], InputError)(f"{model}: {error['message'].replace(alias, str(model))}")
    return WorkerResult.from_dict(answer)


def _suspects(lines: Sequence[str], models: Sequence[Path]) -> str:
    """The model that the worker was trying when it died, by its last word; all of them when it did not say."""
    found = re.fullmatch(r"(?:opening|running) model (\d+)", lines[-1]) if lines else None
    return str(models[int(found[1])]) if found else _named(models)


def _named(models: Sequence[Path]) -> str:
    return ", ".join(map(str, models))


def _last_line(stderr: str) -> str:
    said = last_line(stderr)
    return f" (it said: {said})" if said else ""
