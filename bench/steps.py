"""What a frame of a stream costs: one step beside a window of 30 frames, in ONNX Runtime and compiled.

    python bench/steps.py --rounds 1000 --results bench/results/steps.json

Three models of random weights, in INT8: a student of the shipped one's shape (pruned to 40 units), an unpruned one of
64 units, and a teacher of three layers of 256 units that reads forwards only. ONNX Runtime in this process: a run of
the file on a whole window; a run of its step model whose states are handed over in Python, as a program does it that
knows nothing but the file; the same with states that are bound once, as edgekit's streams do it; and with two states,
as they restart. Compiled: window and step timed in C, then through edgekit's classes. `edgekit`: its classes with ONNX
Runtime, which runs in a process of its own. Needs gcc.

All take turns round by round as in bench/native.py. This host's figures: read ratios, never a Raspberry Pi's latency.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnxruntime
from native import CLASSES, F32, PRUNED, Run, session_run, take_turns

from edgekit.data import Normalisation
from edgekit.export import export_onnx
from edgekit.measure.worker import cpu_model
from edgekit.model import Architecture, RecurrentClassifier
from edgekit.native import compile_model, read_network
from edgekit.native.takes import golden_takes
from edgekit.quantize import quantize_onnx
from edgekit.runtime import ModelMetadata, StepPredictor, inspect_model, open_native, open_predictor, open_stream
from edgekit.runtime.child import Stream, session_options
from edgekit.stepping import write_step_model

RESTART = 20
TIMER = """
#include <stddef.h>
#include <time.h>
typedef int (*predict)(int, void *, const float *, size_t, size_t, float *, size_t);
typedef int (*stepping)(int, void *, const float *, size_t, float *, size_t);
static long long since(struct timespec a)
{
    struct timespec b;
    clock_gettime(CLOCK_MONOTONIC, &b);
    return (b.tv_sec - a.tv_sec) * 1000000000LL + (b.tv_nsec - a.tv_nsec);
}
long long window(predict f, int v, void *c, const float *x, size_t frames, size_t features, float *y, size_t classes)
{
    struct timespec a;
    clock_gettime(CLOCK_MONOTONIC, &a);
    f(v, c, x, frames, features, y, classes);
    return since(a);
}
long long step(stepping f, int v, void *c, const float *x, size_t features, float *y, size_t classes)
{
    struct timespec a;
    clock_gettime(CLOCK_MONOTONIC, &a);
    f(v, c, x, features, y, classes);
    return since(a);
}
"""
MODELS = {
    "student pruned to 40 units": PRUNED,
    "student, 64 units": Architecture("lstm", 63, (64,), False, 256, 26),
    "teacher, 256x3, forwards": Architecture("lstm", 63, (256, 256, 256), False, 256, 26),
}


def int8_file(shape: Architecture, folder: Path) -> Path:
    """A model of random weights as edgekit quantises it."""
    normalisation = Normalisation("hand", True, np.zeros(63, np.float32), np.ones(63, np.float32))
    model = RecurrentClassifier(shape, normalisation).eval()
    export_onnx(model, folder / "model.onnx", class_names=CLASSES, sequence_length=30)
    return quantize_onnx(folder / "model.onnx", folder / "model.int8.onnx").target


def timed(call: Callable[[F32], object], of_take: Callable[[F32], F32]) -> Run:
    """Nanoseconds of a call on what it reads of a take float32 (1, frames, features)."""

    def run(take: F32) -> int:
        given = of_take(take)
        started = time.perf_counter_ns()
        call(given)
        return time.perf_counter_ns() - started

    return run


def first_frame(take: F32) -> F32:
    """float32 (features,)"""
    return take[0, 0]


def handed_over(session: Any, metadata: ModelMetadata) -> Callable[[F32], object]:
    """A step whose states this process hands over."""
    states = {state.name: state.zeros(1) for state in metadata.states}

    def step(frame: F32) -> None:
        _, *new = session.run(None, {"frame": frame[None], **states})
        states.update(zip(states, new, strict=True))

    return step


def bound(session: Any, metadata: ModelMetadata, rows: int) -> Callable[[F32], object]:
    """A step whose states are bound once."""
    ports = [["frame", [rows, metadata.features]], ["logits", [rows, len(metadata.class_names)]]]
    states = [
        [state.name, state.next_name, list(state.zeros(rows).shape), state.shape.index("batch")]
        for state in metadata.states
    ]
    model: Any = SimpleNamespace(numpy=np, session=session)
    stream = Stream(model, {"ports": ports, "states": states})

    def step(frame: F32) -> None:
        stream.frame[:] = frame
        stream.step()

    return step


def compiled_in_c(library: Path, folder: Path) -> Mapping[str, Run]:
    """A window and a step of a library, timed in C."""
    (folder / "timer.c").write_text(TIMER, encoding="utf-8")
    timer_place = folder / "timer.so"
    subprocess.run(["gcc", "-O2", "-shared", "-fPIC", "-o", timer_place, folder / "timer.c"], check=True)
    timer, predictor = ctypes.CDLL(str(timer_place)), open_native(library)
    timer.window.restype = timer.step.restype = ctypes.c_longlong
    call: Any = predictor._call
    stream, size = predictor.stream(), ctypes.c_size_t
    step = (stream._library.ek_step_with, stream._variant, stream._rows[0].pointer, stream._places[0])

    def window(take: F32) -> int:
        np.copyto(predictor._take, take[0])
        return int(timer.window(call.func, *call.args))

    def one(take: F32) -> int:
        np.copyto(stream._frame, take[0, 0])
        return int(timer.step(*step, size(stream.features), stream._places[1], size(stream.classes)))

    return {"in C, window": window, "in C, step": one}


def contenders(file: Path, folder: Path) -> Mapping[str, Run]:
    """Every way to answer a frame."""
    made = write_step_model(file, folder / "step.onnx").path
    metadata = inspect_model(made).metadata
    library = compile_model(file, folder / "native").folder
    stepping, native = open_predictor(made), open_native(library)
    if metadata is None or not isinstance(stepping, StepPredictor):
        raise SystemExit(f"{made}: no step model")
    options = session_options(onnxruntime, 1)
    session = onnxruntime.InferenceSession(made, options, providers=["CPUExecutionProvider"])
    whole: Callable[[F32], F32] = np.asarray
    return {
        "ONNX Runtime, window": session_run(file),
        "ONNX Runtime, step": timed(handed_over(session, metadata), first_frame),
        "ONNX Runtime, step, states bound": timed(bound(session, metadata, 1), first_frame),
        "ONNX Runtime, two states, bound": timed(bound(session, metadata, 2), first_frame),
        **compiled_in_c(library, folder),
        "compiled, window": timed(native, whole),
        "compiled, step": timed(native.stream().step, first_frame),
        "compiled, two states": timed(open_stream(native, RESTART).step, first_frame),
        "edgekit, ONNX window": timed(open_predictor(file), whole),
        "edgekit, ONNX step": timed(stepping.stream().step, first_frame),
        "edgekit, ONNX two states": timed(open_stream(stepping, RESTART).step, first_frame),
    }


def measure(rounds: int, results: Path | None) -> None:
    """All models."""
    found: dict[str, Any] = {"cpu": cpu_model(), "onnxruntime": onnxruntime.__version__, "rounds": rounds, "models": {}}
    for name, shape in MODELS.items():
        with tempfile.TemporaryDirectory() as place:
            file = int8_file(shape, Path(place))
            takes = golden_takes(read_network(file).frames, 16)
            samples = take_turns(
                contenders(file, Path(place)), takes, rounds if max(shape.hidden_sizes) < 200 else rounds // 5
            )
            found["models"][name] = {"samples_ns": samples, "frames": 30}
        show(name, samples)
        if results:
            results.write_text(json.dumps(found) + "\n", encoding="utf-8")


def show(name: str, samples: Mapping[str, list[int]]) -> None:
    """Medians, and how many times as fast as the same program's window each is."""
    p50 = {way: float(np.percentile(values, 50)) / 1e3 for way, values in samples.items()}
    print(f"\n{name}")
    for way, value in p50.items():
        window = p50[f"{way.partition(',')[0]}, {'ONNX ' * way.startswith('edgekit')}window"]
        print(f"{way:36} {value:9.1f} us {window / value:6.2f}")


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=1000)
    parser.add_argument("--results", type=Path)
    given = parser.parse_args()
    measure(given.rounds, given.results)


if __name__ == "__main__":
    main()
