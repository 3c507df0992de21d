"""What pruning and INT8 do to the speed: two files take turns in one process, run by run, on the same take.

    python bench/pruning_speed.py --workdir edgekit-work

Compares student with pruned student (fp32 both) and pruned fp32 with INT8, and prints the median of the pairwise time
ratios with a distribution-free 99 % interval of that median. Repeated in fresh processes: memory layout is luck.
"""

from __future__ import annotations

import argparse
import json
import math
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

PAIRS = (("student/model.onnx", "model.onnx"), ("model.onnx", "model.int8.onnx"))
RUNS = 4000
PROCESSES = 5


def paired_ratios(first: Path, second: Path, runs: int) -> list[float]:
    """time(second) / time(first) of `runs` pairs; who goes first alternates."""
    from edgekit.runtime import inspect_model
    from edgekit.runtime.session import open_session

    sessions = [open_session(path.read_bytes(), path) for path in (first, second)]
    shape = inspect_model(first).inputs[0].shape
    take = np.random.default_rng(0).random((1, *shape[1:]), dtype=np.float32)
    ratios = []
    for k in range(runs + 200):
        elapsed_ns = [0, 0]
        for which in (0, 1) if k % 2 else (1, 0):
            started = time.perf_counter_ns()
            sessions[which].run(None, {"landmarks": take})
            elapsed_ns[which] = time.perf_counter_ns() - started
        if k >= 200:
            ratios.append(elapsed_ns[1] / elapsed_ns[0])
    return ratios


def median_interval(values: list[float], z: float = 2.576) -> tuple[float, float, float]:
    """Median and the order statistics that hold it with 99 % (binomial, normal approximation)."""
    ordered, n = sorted(values), len(values)
    half = z * math.sqrt(n) / 2
    return ordered[n // 2], ordered[max(0, math.floor(n / 2 - half))], ordered[min(n - 1, math.ceil(n / 2 + half))]


def main() -> None:
    """See the module's text."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workdir", type=Path, default=Path("edgekit-work"))
    parser.add_argument("--pair", nargs=2, type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.pair:
        print(json.dumps(paired_ratios(*arguments.pair, RUNS)))
        return
    for first, second in PAIRS:
        medians = []
        for _ in range(PROCESSES):
            pair = [str(arguments.workdir / name) for name in (first, second)]
            done = subprocess.run([sys.executable, __file__, "--pair", *pair], stdout=subprocess.PIPE, check=True)
            medians.append(median_interval(json.loads(done.stdout)))
        shown = "  ".join(f"{middle:.3f} ({low:.3f} to {high:.3f})" for middle, low, high in medians)
        print(f"time of {second} / {first}, per process: {shown}")


if __name__ == "__main__":
    main()
