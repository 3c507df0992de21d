"""A compiled model on emulated cores: cross-compiled for each, run under the emulator, its instructions counted."""

from __future__ import annotations

import math
import os
import shutil
import signal
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from edgekit.artifacts import scratch_folder
from edgekit.device.emulator import Core, CoreRun, Emulated, Home, counting
from edgekit.device.emulator.programs import last_words
from edgekit.device.emulator.running import RUNS, TAKES, WARMUP, read_run, run_program_on_core
from edgekit.errors import EdgekitError, InputError
from edgekit.measure import WorkerRequest, run_worker
from edgekit.native.building import run_tool
from edgekit.native.network import F32
from edgekit.native.program import FAST, STRICT
from edgekit.native.reading import read_network
from edgekit.native.takes import golden_takes

#: A C compiler for 64-bit Arm, unless this variable names another.
CROSS_COMPILER, CROSS_VARIABLE = "aarch64-linux-gnu-gcc", "EDGEKIT_ARM_CC"

PROGRAM = """
#define _GNU_SOURCE
#include "model.h"
#include <sched.h>
#include <stdio.h>
#define NUMBERS (MODEL_FRAMES * MODEL_FEATURES)
/* Marks for the plugin of the emulator: see edgekit/device/emulator/plugin.c. */
enum { BEGIN = 3, END = 5, STAGE = 6 };
static float takes[@TAKES@][NUMBERS];
static model_context context;
static float logits[MODEL_CLASSES];

static int predicted(long take)
{
    return model_predict(&context, takes[take % @TAKES@], MODEL_FRAMES, MODEL_FEATURES, logits, MODEL_CLASSES);
}

int main(int count, char **arguments)
{
    FILE *const file = count == 2 ? fopen(arguments[1], "rb") : NULL;
    long wrong = !file || fread(takes, sizeof *takes, @TAKES@, file) != @TAKES@, run, k;
    wrong += predicted(0);
    sched_get_priority_max(STAGE);
    for (run = 0; run < @WARMUP@; run++)
        wrong += predicted(run);
    for (run = 0; run < @RUNS@; run++) {
        sched_get_priority_max(BEGIN);
        wrong += predicted(run);
        sched_get_priority_max(END);
        for (k = 0; k < MODEL_CLASSES; k++)
            printf("%.9g%c", (double)logits[k], k + 1 < MODEL_CLASSES ? ' ' : '\\n');
    }
    sched_get_priority_max(STAGE);
    return wrong != 0;
}
"""


def emulate_compiled(
    home: Home, folder: Path, library: Path, request: WorkerRequest, cores: Sequence[Core]
) -> Emulated:
    """What model.c in `folder` executes on each core, beside the answers of its `library` here.

    Takes are the request's, else made up as golden ones are. Raises InputError without a compiler for 64-bit Arm.
    """
    compiler = cross_compiler()
    takes = _takes(request)
    reference = run_worker(counting(replace(request, takes=takes, library=library))).answers
    text = PROGRAM
    for name, value in {"TAKES": len(takes), "WARMUP": WARMUP, "RUNS": RUNS}.items():
        text = text.replace(f"@{name}@", str(value))
    with scratch_folder("counted") as scratch:
        (scratch / "count.c").write_text(text, encoding="utf-8")
        (scratch / "takes").write_bytes(takes.tobytes())
        runs = tuple(_counted(home, compiler, folder, scratch, core) for core in cores)
    return Emulated("compiled", home.version, reference, runs)


def cross_compiler() -> str:
    """The C compiler for 64-bit Arm. Raises InputError where there is none."""
    name = os.environ.get(CROSS_VARIABLE) or CROSS_COMPILER
    if shutil.which(name) is None:
        raise InputError(
            f"{name} is not on the PATH, and a compiled model is counted for 64-bit Arm: install"
            f" gcc-aarch64-linux-gnu (Debian, Ubuntu), or name another compiler in {CROSS_VARIABLE}"
        )
    return name


def _takes(request: WorkerRequest) -> F32:
    if request.takes is not None:
        return np.ascontiguousarray(request.takes[:TAKES], np.float32)
    return np.ascontiguousarray(golden_takes(read_network(request.model).frames, TAKES), np.float32)


def _counted(home: Home, compiler: str, folder: Path, scratch: Path, core: Core) -> CoreRun:
    program = scratch / f"count-{core.cpu}"
    sources = [str(scratch / "count.c"), str(folder / "model.c")]
    options = [*STRICT, *FAST, f"-mcpu={core.cpu}", "-static", f"-I{folder}"]
    run_tool([compiler, *options, "-o", str(program), *sources, "-lm"])
    counts = scratch / f"counts-{core.cpu}"
    done = run_program_on_core(home, core, [program, scratch / "takes"], counts)
    if done.returncode > 0 or done.returncode == -signal.SIGKILL:
        # The emulator's own trouble, or somebody's who ended it: nothing is known of the model then.
        raise EdgekitError(f"{core.name}: the emulator ended with {done.returncode}: {last_words(done)}")
    if done.returncode:
        return CoreRun(core.name, failure=f"the compiled program ended with {done.returncode}")
    answers = tuple(tuple(map(_number, line.split())) for line in done.stdout.splitlines())
    return read_run(core, answers, counts, first=0)


def _number(word: str) -> float | None:
    """None for what is no number, as the worker's answers have it."""
    value = float(np.float32(word))
    return value if math.isfinite(value) else None
