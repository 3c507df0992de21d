"""edgekit's compiled C: timed in C or through edgekit's Python class, with its preprocessing or without.

Memory and bytes of the ways that are timed in C are those of a whole C program, `gcc -O3 -march=native`, stripped,
glibc dynamic: what a program ships that has nothing else. "from Python" is a Python process with numpy and the library.
"""

from __future__ import annotations

import ctypes
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
from serve import Runner, timed

from edgekit.runtime import open_native

#: Way to the file that is compiled.
FILES = {
    "fp32": "network.onnx",
    "int8": "network.int8.onnx",
    "int8, from Python": "network.int8.onnx",
    "int8, with preprocessing": "whole.int8.onnx",
}
HERE = Path(__file__).resolve().parent


def build_timer(folder: Path) -> None:
    """timer.so in `folder`."""
    command = ["gcc", "-O2", "-shared", "-fPIC", "-o", str(folder / "timer.so"), str(HERE / "timer.c")]
    subprocess.run(command, check=True)


def place_of(folder: Path, way: str) -> Path:
    """Where a way's library is."""
    return folder / ("native." + way.replace(", ", ".").replace(" ", "-"))


class Library(Runner):
    """An open library; `time` in C unless the way is "from Python"."""

    def __init__(self, folder: Path, way: str) -> None:
        place = place_of(folder, way)
        self._native: Any = open_native(place)
        self._outside, self.version = way.endswith("from Python"), "this checkout"
        self.about = f"variant {self._native.variant}, " + ("from Python" if self._outside else "timed in C")
        self.takes = "landmarks.npy" if way.endswith("with preprocessing") else "takes.npy"
        call = self._native._call
        self.run = call  # type: ignore[method-assign]
        self._refused = _refused(call)
        self._timer: Any = ctypes.CDLL(str(folder / "timer.so"))
        self.files = tuple(place.glob("lib*.so")) if self._outside else ()
        program = json.loads((place / "program.json").read_text(encoding="utf-8"))
        self.program = None if self._outside else program

    def set(self, take: Any) -> None:
        np.copyto(self._native._take, take)

    def logits(self) -> Any:
        return self._native._logits

    def time(self, calls: int) -> list[int]:
        return timed(self.run, calls) if self._outside else self._in_c(self._native._call.args, calls)

    def _in_c(self, arguments: Any, calls: int) -> list[int]:
        found = (ctypes.c_longlong * calls)()
        self._timer.time_edgekit(self._native._call.func, *arguments, ctypes.c_long(calls), found)
        return list(found)

    def empty(self) -> Any:
        return self._refused

    def time_empty(self, calls: int) -> list[int]:
        return timed(self._refused, calls) if self._outside else self._in_c(self._refused.args, calls)


def _refused(call: Any) -> Any:
    """The same call with no classes, which is refused at once."""
    return type(call)(call.func, *call.args[:-1], ctypes.c_size_t(0))


def prepare(folder: Path, way: str) -> None:
    """The library, and what a program around it takes."""
    sys.path.insert(0, str(HERE.parent))
    from native import PROGRAM

    from edgekit.native import compile_model
    from edgekit.native.program import FAST, STRICT

    build_timer(folder)
    place = place_of(folder, way)
    compile_model(folder / FILES[way], place)
    (place / "main.c").write_text(PROGRAM, encoding="utf-8")
    built, flags = place / "program", [*STRICT, *FAST, "-march=native", "-s"]
    subprocess.run(["gcc", *flags, "-o", built, place / "main.c", place / "model.c", "-lm"], check=True)
    said = subprocess.run([built], capture_output=True, text=True, check=True).stdout
    peak = next(line for line in said.splitlines() if line.startswith("VmHWM"))
    told = {"peak_bytes": 1024 * int(peak.split()[1]), "libraries": {}, "model": {"program": built.stat().st_size}}
    (place / "program.json").write_text(json.dumps(told), encoding="utf-8")


def load(folder: Path, way: str) -> Runner:
    """One of FILES."""
    return Library(folder, way)
