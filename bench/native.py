"""Compiled models beside ONNX Runtime: latency of one take on one thread, memory and size of a whole C program.

    python bench/native.py --rounds 2000 --results bench/results/native.json

Three models: a student of the shipped one's shape (pruned to 40 units), an unpruned one of 64 units, and a teacher of
three layers of 256 units, the first in both directions; random weights, because time does not depend on them. Of each
the fp32 file, both INT8 files, and compiled C in every variant that this CPU has.

All contenders take turns in one process, round by round, in an order drawn anew; each runs twice in its turn and the
second run counts, as in `edgekit compare`; the teacher gets a fifth of the rounds. ONNX Runtime is called from Python:
`call` is what a model that does nothing takes there, and is part of its figures. Compiled code is timed in C, around
each call; `through ctypes` is the same from Python. Every sample stands in the results. This host's figures: read
ratios, never a Raspberry Pi's latency.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import random
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import TensorProto, helper

from edgekit.data import Normalisation
from edgekit.export import export_onnx
from edgekit.measure.worker import cpu_model
from edgekit.model import Architecture, RecurrentClassifier, build_model, variant
from edgekit.native import compile_model, read_network
from edgekit.native.program import STRICT
from edgekit.native.takes import golden_takes
from edgekit.quantize import QuantizeConfig, quantize_onnx
from edgekit.runtime import open_native
from edgekit.runtime.child import session_options

F32 = NDArray[np.float32]
Run = Callable[[F32], int]
#: Of the student that edgekit comes with.
PRUNED = Architecture("lstm", 63, (40,), False, 160, 26)
CLASSES = tuple("ABCDEFGHIJKLMNOPQRSTUVWXYZ")

TIMER = """
#include <stddef.h>
#include <time.h>
long long timed(int (*predict)(int, void *, const float *, size_t, size_t, float *, size_t), int variant, void *context,
                const float *take, size_t frames, size_t features, float *logits, size_t classes)
{
    struct timespec a, b;
    clock_gettime(CLOCK_MONOTONIC, &a);
    predict(variant, context, take, frames, features, logits, classes);
    clock_gettime(CLOCK_MONOTONIC, &b);
    return (b.tv_sec - a.tv_sec) * 1000000000LL + (b.tv_nsec - a.tv_nsec);
}
"""

PROGRAM = """
#include "model.h"
#include <stdio.h>
#include <string.h>
static model_context context;
static float landmarks[MODEL_FRAMES * MODEL_FEATURES], logits[MODEL_CLASSES];
int main(void)
{
    char line[256];
    FILE *status;
    int i, k;
    for (k = 0; k < 100; k++) {
        for (i = 0; i < MODEL_FRAMES * MODEL_FEATURES; i++)
            landmarks[i] = 0.01f * (float)((i * 7 + k * 13) % 100);
        if (model_predict(&context, landmarks, MODEL_FRAMES, MODEL_FEATURES, logits, MODEL_CLASSES))
            return 1;
    }
    printf("%s\\n", model_class_name(model_largest(logits)));
    status = fopen("/proc/self/status", "r");
    while (status && fgets(line, sizeof line, status))
        if (!strncmp(line, "VmHWM", 5) || !strncmp(line, "RssAnon", 7))
            fputs(line, stdout);
    return 0;
}
"""


def fp32_files(folder: Path) -> Mapping[str, Path]:
    """Name to an fp32 file of each model."""
    mean, std = np.zeros(63, np.float32), np.ones(63, np.float32)
    normalisation = Normalisation("hand", True, mean, std)
    models = {
        "student pruned to 40 units": RecurrentClassifier(PRUNED, normalisation).eval(),
        "student, 64 units": build_model(variant("edge"), normalisation, 26, seed=1),
        "teacher, 256x3": build_model(variant("accurate"), normalisation, 26, seed=1),
    }
    return {
        name: export_onnx(model, folder / f"{k}.onnx", class_names=CLASSES, sequence_length=30).path or folder
        for k, (name, model) in enumerate(models.items())
    }


def session_run(path: Path) -> Run:
    """A run of ONNX Runtime with the options of edgekit's own sessions, in nanoseconds."""
    session = onnxruntime.InferenceSession(path, session_options(onnxruntime, 1), providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name

    def run(take: F32) -> int:
        feed = {name: take}
        started = time.perf_counter_ns()
        session.run(None, feed)
        return time.perf_counter_ns() - started

    return run


def native_runs(library: Path, variant_name: str, timer: ctypes.CDLL) -> Mapping[str, Run]:
    """A run of a variant timed in C, and one as Python sees it."""
    predictor = open_native(library, variant_name)
    call: Any = predictor._call
    arguments = call.args

    def inside(take: F32) -> int:
        np.copyto(predictor._take, take[0])
        return int(timer.timed(call.func, *arguments))

    def outside(take: F32) -> int:
        started = time.perf_counter_ns()
        np.copyto(predictor._take, take[0])
        predictor.run()
        return time.perf_counter_ns() - started

    return {"": inside, " through ctypes": outside}


def nothing(folder: Path) -> Path:
    """A model that does nothing to one number of each take."""
    node = helper.make_node("ReduceMax", ["landmarks"], ["logits"], axes=[1, 2], keepdims=0)
    sizes = {"landmarks": [1, 1, 1], "logits": [1]}
    infos = [helper.make_tensor_value_info(name, TensorProto.FLOAT, size) for name, size in sizes.items()]
    graph = helper.make_graph([node], "nothing", infos[:1], infos[1:])
    path = folder / "nothing.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), path)
    return path


def take_turns(runs: Mapping[str, Run], takes: F32, rounds: int) -> dict[str, list[int]]:
    """Nanoseconds of each contender, round by round; the first tenth is thrown away."""
    samples: dict[str, list[int]] = {name: [] for name in runs}
    order = list(runs)
    for number in range(rounds + rounds // 10):
        random.shuffle(order)
        take = takes[number % len(takes)][None]
        for name in order:
            runs[name](take)
            took = runs[name](take)
            if number >= rounds // 10:
                samples[name].append(took)
    return samples


def contenders(fp32: Path, folder: Path, timer: ctypes.CDLL) -> dict[str, Run]:
    """Every way to compute one model."""
    runs = {"ONNX Runtime fp32": session_run(fp32)}
    for scheme in ("int8-weights", "int8-dynamic"):
        made = quantize_onnx(fp32, folder / f"{scheme}.onnx", QuantizeConfig(scheme=scheme))  # type: ignore[arg-type]
        runs[f"ONNX Runtime {scheme}"] = session_run(made.target)
    for arithmetic, source in (("fp32", fp32), ("int8", folder / "int8-weights.onnx")):
        made_c = compile_model(source, folder / arithmetic)
        for name in open_native(folder / arithmetic).variants:
            for how, run in native_runs(made_c.library or folder, name, timer).items():
                runs[f"native {arithmetic} {name}{how}"] = run
    return runs


def program(folder: Path) -> dict[str, Any]:
    """Size in bytes and peak memory of whole C programs around folder/model.c, by how they are linked."""
    (folder / "main.c").write_text(PROGRAM, encoding="utf-8")
    linked = "-Wl,--gc-sections,-z,noseparate-code,-z,norelro"
    small = ("-Os", "-ffunction-sections", "-fdata-sections", linked, "-no-pie", "-s", "-march=x86-64-v3")
    ways = {"musl, static": ("musl-gcc", "-static"), "glibc, static": ("gcc", "-static"), "glibc, dynamic": ("gcc",)}
    found = {}
    for name, (compiler, *flags) in ways.items():
        if shutil.which(compiler) is None:
            found[name] = {"missing": compiler}
            continue
        built = folder / "program"
        sources = [str(folder / "main.c"), str(folder / "model.c")]
        subprocess.run([compiler, *STRICT, *small, *flags, "-o", str(built), *sources, "-lm"], check=True)
        said = subprocess.run([str(built)], capture_output=True, text=True, check=True).stdout
        kilobytes = {line.split(":")[0]: int(line.split()[1]) for line in said.splitlines() if ":" in line}
        found[name] = {
            "size_bytes": built.stat().st_size,
            "peak_rss_bytes": 1024 * kilobytes["VmHWM"],
            "anonymous_bytes": 1024 * kilobytes["RssAnon"],
        }
    return found


def summary(samples: Mapping[str, list[int]]) -> dict[str, dict[str, float]]:
    """p50 and p99 in microseconds, and how many times ONNX Runtime's fastest p50 each is."""
    p50 = {name: float(np.percentile(values, 50)) / 1e3 for name, values in samples.items()}
    best = min(value for name, value in p50.items() if name.startswith("ONNX"))
    return {
        name: {"p50_us": p50[name], "p99_us": float(np.percentile(values, 99)) / 1e3, "times_faster": best / p50[name]}
        for name, values in samples.items()
    }


def measure(rounds: int, results: Path | None) -> None:
    """Everything; results: the JSON, written again with every model that is finished."""
    found: dict[str, Any] = {"cpu": cpu_model(), "onnxruntime": onnxruntime.__version__, "rounds": rounds, "models": {}}
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        (folder / "timer.c").write_text(TIMER, encoding="utf-8")
        command = ["gcc", "-O2", "-shared", "-fPIC", "-o", str(folder / "timer.so"), str(folder / "timer.c")]
        subprocess.run(command, check=True)
        timer = ctypes.CDLL(str(folder / "timer.so"))
        timer.timed.restype = ctypes.c_longlong
        for name, fp32 in fp32_files(folder).items():
            own = folder / f"of {fp32.stem}"
            own.mkdir()
            takes = golden_takes(read_network(fp32).frames, 16)
            runs = {"call": session_run(nothing(folder)), **contenders(fp32, own, timer)}
            turns = rounds // 5 if "teacher" in name else rounds
            samples = take_turns({**runs, "call": lambda take, run=runs["call"]: run(take[:, :1, :1])}, takes, turns)
            programs = {arithmetic: program(own / arithmetic) for arithmetic in ("fp32", "int8")}
            found["models"][name] = {"summary": summary(samples), "programs": programs, "samples_ns": samples}
            show(name, found["models"][name])
            if results:
                results.write_text(json.dumps(found) + "\n", encoding="utf-8")


def show(name: str, of_model: Mapping[str, Any]) -> None:
    """One model as text."""
    print(f"\n{name}\n{'':44}   p50 us   p99 us   times as fast as ONNX Runtime's fastest")
    for contender, figures in of_model["summary"].items():
        print(f"{contender:44} {figures['p50_us']:8.2f} {figures['p99_us']:8.1f} {figures['times_faster']:8.2f}")
    for arithmetic, programs in of_model["programs"].items():
        for way, figures in programs.items():
            print(f"C program, {arithmetic}, {way}: {figures}")


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=2000)
    parser.add_argument("--results", type=Path)
    given = parser.parse_args()
    measure(given.rounds, given.results)


if __name__ == "__main__":
    main()
