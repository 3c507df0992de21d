"""One runtime with one model, in a process of its own, for bench/peers.py.

    PYTHON serve.py of_ncnn int8 FOLDER prepare      writes what the way needs into FOLDER, once, and ends
    PYTHON serve.py of_ncnn int8 FOLDER serve        loads it, says so, and answers messages

It needs the standard library, numpy and the runtime. `of_NAME.py` has `prepare(folder, way)` and `load(folder, way)`,
which gives a `Runner`.

Messages are lines of JSON on stdin, answers lines on stdout; nothing else is written there:

- (once loaded) {"about": settings that were chosen, "version"}
- {"do": "answer", "logits": a file of numpy to write, an answer a take}: {"first": index of the first answer}
- {"do": "time", "take": index, "warm": calls before, "calls": calls to time}: {"ns": [nanoseconds]}
- {"do": "empty", "warm", "calls"}: the same of a call that computes nothing; {"ns": []} where there is none
- {"do": "size"}: {"peak_bytes": of memory so far, "libraries": {name: bytes} that came with the runtime and are loaded,
  "model": {name: bytes}}

It ends when stdin does.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

#: Loaded libraries below these names are Python's or numpy's, and needed by no program that does without Python.
NOT_OF_A_RUNTIME = ("numpy", "numpy.libs", "lib-dynload")


class Runner:
    """A loaded model. Subclasses set `files`, and define `set`, `run` and `logits`.

    files: what has to be shipped beside the runtime's libraries. about: settings, for people. version: of the runtime.
    takes: the file of takes that it reads. program: what "size" answers where that is another program's.
    """

    files: tuple[Path, ...] = ()
    about = ""
    version = ""
    takes = "takes.npy"
    program: Any = None

    def set(self, take: Any) -> None:
        """Make a take float32 (frames, features) the input of the next runs."""
        raise NotImplementedError

    def run(self) -> None:
        """What is timed."""
        raise NotImplementedError

    def logits(self) -> Any:
        """Of the last run, float32 (classes,)."""
        raise NotImplementedError

    def empty(self) -> Any:
        """A function without arguments that does what `run` does of a model that computes nothing; None without."""
        return None

    def time(self, calls: int) -> list[int]:
        """Nanoseconds of each of so many runs."""
        return timed(self.run, calls)

    def time_empty(self, calls: int) -> list[int]:
        """The same of the empty call; none where there is no such thing."""
        if not hasattr(self, "nothing"):
            self.nothing = self.empty()
        return timed(self.nothing, calls) if self.nothing is not None else []


def timed(call: Any, calls: int) -> list[int]:
    """Nanoseconds of each of so many calls, with what reading the clock takes."""
    clock, found = time.perf_counter_ns, []
    for _ in range(calls):
        started = clock()
        call()
        found.append(clock() - started)
    return found


def fastest(ways: dict[str, Any], calls: int = 30) -> str:
    """The name of the call that is the fastest in the median."""
    times = {}
    for name, call in ways.items():
        timed(call, calls)
        times[name] = float(np.median(timed(call, calls)))
    return min(times, key=lambda name: times[name])


class Server:
    """Answers messages about one runner."""

    def __init__(self, runner: Runner, folder: Path) -> None:
        self.runner, self.takes = runner, np.load(folder / runner.takes)

    def answer(self, logits: str) -> dict[str, Any]:
        """Logits of every take into a file."""
        rows = []
        for take in self.takes:
            self.runner.set(take)
            self.runner.run()
            rows.append(np.array(self.runner.logits(), np.float32).reshape(-1))
        np.save(logits, np.stack(rows))
        return {"first": int(rows[0].argmax())}

    def time(self, take: int, warm: int, calls: int) -> dict[str, Any]:
        """Runs of one take."""
        self.runner.set(self.takes[take])
        self.runner.time(warm)
        return {"ns": self.runner.time(calls)}

    def empty(self, warm: int, calls: int) -> dict[str, Any]:
        """Runs of nothing."""
        self.runner.time_empty(warm)
        return {"ns": self.runner.time_empty(calls)}

    def size(self) -> dict[str, Any]:
        """Memory and files."""
        if self.runner.program is not None:
            return dict(self.runner.program)
        status = Path("/proc/self/status").read_text(encoding="utf-8")
        peak = next(line for line in status.splitlines() if line.startswith("VmHWM"))
        model = {path.name: path.stat().st_size for path in self.runner.files}
        return {"peak_bytes": 1024 * int(peak.split()[1]), "libraries": libraries(model), "model": model}


def libraries(model: Any) -> dict[str, int]:
    """Shared libraries in this process that are neither the system's, nor Python's, nor numpy's, nor a model's."""
    mapped = {line.split(maxsplit=5)[5] for line in Path("/proc/self/maps").read_text().splitlines() if "/" in line}
    found = {}
    for path in (Path(name) for name in sorted(mapped) if ".so" in Path(name).name):
        own = "site-packages" in path.parts and not set(path.parts) & set(NOT_OF_A_RUNTIME)
        if own and path.name not in model and path.is_file():
            found[path.name] = path.stat().st_size
    return found


def main(runtime: str, way: str, place: str, task: str) -> None:
    """The command line."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what runtimes print goes with their warnings
    if "PEERS_CPU" in os.environ and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {int(os.environ["PEERS_CPU"])})
    folder, module = Path(place), importlib.import_module(runtime)
    if task == "prepare":
        module.prepare(folder, way)
        return
    runner = module.load(folder, way)
    server = Server(runner, folder)
    gc.disable()
    print(json.dumps({"about": runner.about, "version": runner.version}), file=answers, flush=True)
    for line in sys.stdin:
        message = json.loads(line)
        print(json.dumps(getattr(server, message.pop("do"))(**message)), file=answers, flush=True)


if __name__ == "__main__":
    sys.modules["serve"] = sys.modules["__main__"]
    main(*sys.argv[1:])
