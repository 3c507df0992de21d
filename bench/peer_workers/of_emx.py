"""Generated scalar C: what emx-onnx-cgen writes of edgekit's ONNX file, compiled with `gcc -O3 -march=native`.

Timed in C. Memory and bytes are those of a whole C program around it, as for edgekit's.
"""

from __future__ import annotations

import ctypes
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
from serve import Runner

FLAGS = ("-std=c99", "-O3", "-march=native", "-ffast-math")
#: Weights in the C file, buffers on the stack.
ALL_INSIDE = ("--restrict-arrays", "--large-weight-threshold", "0", "--large-temp-threshold", "0")
PROGRAM = """
#include <stdio.h>
#include <string.h>
extern void FUNCTION(const void *, void *);
static float take[FRAMES * FEATURES], logits[4096];
int main(void)
{
    char line[256];
    FILE *status;
    int i, k;
    for (k = 0; k < 100; k++) {
        for (i = 0; i < FRAMES * FEATURES; i++)
            take[i] = 0.01f * (float)((i * 7 + k * 13) % 100);
        FUNCTION(take, logits);
    }
    printf("%f\\n", (double)logits[0]);
    status = fopen("/proc/self/status", "r");
    while (status && fgets(line, sizeof line, status))
        if (!strncmp(line, "VmHWM", 5))
            fputs(line, stdout);
    return 0;
}
"""


class Library(Runner):
    """A shared library whose one function reads a take and writes logits."""

    def __init__(self, folder: Path) -> None:
        told = json.loads((folder / "emx.json").read_text(encoding="utf-8"))
        self.version, self.about, self.program = told["version"], "timed in C; gcc " + " ".join(FLAGS), told["program"]
        self._timer: Any = ctypes.CDLL(str(folder / "emx.timer.so"))
        self._function: Any = getattr(ctypes.CDLL(str(folder / "emx.so")), told["function"])
        frames = np.load(folder / self.takes).shape[1:]
        self._take, self._out = np.zeros((1, *frames), np.float32), np.zeros((1, told["classes"]), np.float32)
        self._buffers = [ctypes.c_void_p(each.ctypes.data) for each in (self._take, self._out)]

    def set(self, take: Any) -> None:
        self._take[0] = take

    def run(self) -> None:
        self._function(*self._buffers)

    def logits(self) -> Any:
        return self._out

    def time(self, calls: int) -> list[int]:
        return self._in_c(self._function, calls)

    def time_empty(self, calls: int) -> list[int]:
        return self._in_c(None, calls)

    def _in_c(self, function: Any, calls: int) -> list[int]:
        found = (ctypes.c_longlong * calls)()
        self._timer.time_two_buffers(function, *self._buffers, ctypes.c_long(calls), found)
        return list(found)


def prepare(folder: Path, way: str) -> None:
    """emx.so, a program around it, and what the latter takes."""
    source = folder / "emx.c"
    command = [sys.executable, "-m", "emx_onnx_cgen", "compile", *ALL_INSIDE, str(folder / "network.onnx"), str(source)]
    subprocess.run(command, check=True)
    text = source.read_text(encoding="utf-8")
    function = re.findall(r"^void (\w+)\(", text, re.MULTILINE)[-1]
    frames, features = np.load(folder / "takes.npy", mmap_mode="r").shape[1:]
    main = PROGRAM.replace("FUNCTION", function).replace("FRAMES", str(frames)).replace("FEATURES", str(features))
    (folder / "emx.main.c").write_text(main, encoding="utf-8")
    parts = {
        "emx.so": ["-shared", "-fPIC", str(source)],
        "emx.timer.so": ["-shared", "-fPIC", str(Path(__file__).with_name("timer.c"))],
        "emx.program": ["-s", str(folder / "emx.main.c"), str(source)],
    }
    for name, rest in parts.items():
        subprocess.run(["gcc", *FLAGS, "-D_GNU_SOURCE", *rest, "-o", str(folder / name), "-lm"], check=True)
    program = folder / "emx.program"
    said = subprocess.run([str(program)], capture_output=True, text=True, check=True).stdout
    peak = 1024 * int(next(line for line in said.splitlines() if line.startswith("VmHWM")).split()[1])
    told = {
        "function": function,
        "classes": 26,
        "version": _version(),
        "program": {"peak_bytes": peak, "libraries": {}, "model": {"program": program.stat().st_size}},
    }
    (folder / "emx.json").write_text(json.dumps(told), encoding="utf-8")


def _version() -> str:
    from importlib.metadata import version

    return version("emx-onnx-cgen")


def load(folder: Path, way: str) -> Runner:
    """fp32"""
    return Library(folder)
