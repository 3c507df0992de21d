"""edgekit's worker with a clock and a memory of its own: models are opened and run as ever, all figures are made up.

Run as a file by `run_worker(request, worker=...)`, as the real one is: what it answers has the real one's form, so that
a golden text made from it changes where that form does, and nowhere else.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

RUN_NS = (40_000, 41_000, 42_000)
MACHINE = {
    "system": "Linux", "release": "6.1", "architecture": "x86_64", "cpu_model": "Test CPU", "cores": 4,
    "device_tree_model": None, "load_1min": 0.5, "python": "3.11.2", "numpy": "2.0.0", "onnxruntime": "1.20.0",
}  # fmt: skip


class Clock:
    """What the worker uses of `time`. It stands still but for runs and sleep, and a little at every look."""

    def __init__(self) -> None:
        self.now_ns = 0

    def perf_counter_ns(self) -> int:
        self.now_ns += 1_500
        return self.now_ns

    def thread_time_ns(self) -> int:
        return self.now_ns

    def sleep(self, seconds: float) -> None:
        self.now_ns += round(seconds * 1e9)


def load_worker() -> Any:
    """The real worker as a module, without the package around it."""
    package = importlib.util.find_spec("edgekit")
    assert package is not None
    assert package.origin is not None
    spec = importlib.util.spec_from_file_location("worker", Path(package.origin).parent / "measure" / "worker.py")
    assert spec is not None
    assert spec.loader is not None
    worker = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(worker)
    return worker


def make_steady(worker: Any, clock: Clock) -> None:
    """Let its runs take RUN_NS in turn, model `index` index/10 longer, and a tenth of it be spent waiting."""
    run_model, memory_now = worker.run_model, worker.memory_now
    describe_machine, use_so_far = worker.describe_machine, worker.use_so_far
    stages: list[str] = []

    def run(turns: list[Any], index: int, number: int) -> tuple[int, int]:
        run_model(turns, index, number)
        took = RUN_NS[number % 3] * (10 + index) // 10
        clock.now_ns += took
        return took, took * 9 // 10

    def memory(stage: str) -> dict[str, Any]:
        stages.append(stage)
        real, rss = memory_now(stage), len(stages) * 10_100_000
        made_up = {"rss_bytes": rss, "peak_rss_bytes": rss + 200_000, "pss_bytes": rss - 1, "uss_bytes": rss - 2}
        return {name: made_up.get(name, value) for name, value in real.items()}

    worker.time = clock
    worker.run_model, worker.memory_now = run, memory
    worker.describe_machine = lambda *runtime: {
        name: MACHINE.get(name, value) for name, value in describe_machine(*runtime).items()
    }
    worker.use_so_far = lambda: {**dict.fromkeys(use_so_far()), "elapsed_s": clock.now_ns / 1e9}
    worker.frequency = lambda: 1.8e9
    worker.temperature = lambda: 55.5


if __name__ == "__main__":
    steady = load_worker()
    make_steady(steady, Clock())
    steady.main()
