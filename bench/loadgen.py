"""edgekit's worker against MLPerf LoadGen (SingleStream, performance mode) on the same files: do they agree?

    pip install mlcommons-loadgen
    python bench/loadgen.py student.onnx teacher.onnx

Both open the file through the worker's own `open_session` and run it on the worker's own input. They take turns, each
in fresh processes, as often as --alternations says; who goes first is drawn. LoadGen's percentiles are those of its
own summary. Its latency includes a call from C++ into Python and back, which is its price and not the model's: a clock
inside that call tells what the run itself took, and so what LoadGen adds to it ("inside" below).

A percentile agrees when the distribution-free 99 % interval of the ratio LoadGen : edgekit, one pair an alternation,
holds 1, or lies within 2 % of it: copies of one file differ by as much from process to process. An interval that is
wide says little, so it stands beside the word. MLPerf asks for 600 seconds a run; these are shorter and more.
"""

from __future__ import annotations

import argparse
import gc
import json
import math
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from edgekit.measure import WorkerRequest, percentile, ratio_interval, run_worker, worker

KINDS = ("loadgen", "edgekit")
PERCENTS = (50, 90)
CONFIDENCE = 0.99
LEAST_PAIRS = 8
SAME_RATIO = 0.02
WARMUP = 50


def open_model(model: str) -> tuple[Any, list[dict[str, Any]]]:
    """(session, feeds), as the worker opens and feeds it."""
    import onnxruntime

    session = worker.open_session(onnxruntime, model, 1, 0)
    feeds, inputs = worker.make_feeds(np, session, {})
    return worker.carry_states([session], inputs, {})[0], feeds


def serve_loadgen(model: str, samples: int) -> None:
    """Let LoadGen measure in this process; prints its percentiles, and those of the runs alone, as JSON."""
    import mlperf_loadgen as loadgen

    session, feeds = open_model(model)
    for _ in range(WARMUP):
        session.run(None, feeds[0])
    run, feed, clock, inside = session.run, feeds[0], time.perf_counter_ns, []

    def issue(queries: Sequence[Any]) -> None:
        for query in queries:
            start = clock()
            run(None, feed)
            inside.append(clock() - start)
            loadgen.QuerySamplesComplete([loadgen.QuerySampleResponse(query.id, 0, 0)])

    settings = loadgen.TestSettings()
    settings.scenario = loadgen.TestScenario.SingleStream
    settings.mode = loadgen.TestMode.PerformanceOnly
    settings.min_duration_ms = 0
    settings.min_query_count = settings.max_query_count = samples
    with tempfile.TemporaryDirectory(prefix="edgekit-loadgen-") as folder:
        logs = loadgen.LogSettings()
        logs.enable_trace = False
        output = loadgen.LogOutputSettings()
        output.outdir, output.prefix, output.copy_summary_to_stdout = folder, "", False
        logs.log_output = output
        system, library = loadgen.ConstructSUT(issue, lambda: None), loadgen.ConstructQSL(1, 1, _ignore, _ignore)
        gc.collect()
        gc.disable()  # as in the worker
        loadgen.StartTestWithLogSettings(system, library, settings, logs, "")
        loadgen.DestroyQSL(library)
        loadgen.DestroySUT(system)
        found = read_summary(Path(folder) / "summary.txt")
    found["inside_ns"] = {str(percent): percentile(inside, percent) for percent in PERCENTS}
    print(json.dumps(found))


def _ignore(_: Sequence[int]) -> None:
    """Loads or unloads nothing: the input is in memory."""


def read_summary(path: Path) -> dict[str, Any]:
    """LoadGen's percentiles in nanoseconds, and how it called the run."""
    pairs = (line.split(":", 1) for line in path.read_text().splitlines() if ":" in line)
    summary = {name.strip(): value.strip() for name, value in pairs}
    return {
        "percentiles_ns": {
            str(percent): float(summary[f"{percent}.00 percentile latency (ns)"]) for percent in PERCENTS
        },
        "summary": {name: summary[name] for name in ("Scenario", "Mode", "Result is")},
    }


def ask(kind: str, model: str, samples: int) -> dict[str, Any]:
    """One fresh process that measures with a harness: "loadgen" or "edgekit"."""
    if kind == "edgekit":
        found = run_worker(WorkerRequest(Path(model), "latency", warmup=WARMUP, repeats=samples, max_time_s=120))
        return {"samples_ns": found.samples_ns, "machine": found.machine.to_dict()}
    command = [sys.executable, __file__, model, "--serve", "--samples", str(samples)]
    finished = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    answer: dict[str, Any] = json.loads(finished.stdout.splitlines()[-1])
    return answer


def alternate(model: str, alternations: int, samples: int) -> list[dict[str, dict[str, Any]]]:
    """Both harnesses in turn; who goes first is drawn."""
    rounds = []
    for _ in range(alternations):
        order = random.sample(KINDS, len(KINDS))
        rounds.append({kind: ask(kind, model, samples) for kind in order})
    return rounds


def percentile_interval(samples: Sequence[int], percent: float) -> tuple[float, float]:
    """Two of the samples that enclose the percentile of what they were drawn from, with CONFIDENCE.

    Exact, from the binomial distribution of how many samples lie below it; independent draws are assumed.
    Source: David and Nagaraja, Order Statistics, 3rd edition, section 7.1.
    """
    ordered, count, share = sorted(samples), len(samples), percent / 100
    below, low, high = 0.0, 0, count - 1
    for k in range(count + 1):
        ways = math.lgamma(count + 1) - math.lgamma(k + 1) - math.lgamma(count - k + 1)
        chance = math.exp(ways + k * math.log(share) + (count - k) * math.log1p(-share))
        if below + chance <= (1 - CONFIDENCE) / 2:
            low = k
        below += chance
        if below >= 1 - (1 - CONFIDENCE) / 2:
            high = min(k, count - 1)
            break
    return float(ordered[low]), float(ordered[high])


def compare(rounds: list[dict[str, dict[str, Any]]], percent: int) -> dict[str, Any]:
    """One percentile by both harnesses, and by the clock inside LoadGen's call."""
    key = str(percent)
    edgekit = [percentile(each["edgekit"]["samples_ns"], percent) for each in rounds]
    loadgen = [each["loadgen"]["percentiles_ns"][key] for each in rounds]
    inside = [each["loadgen"]["inside_ns"][key] for each in rounds]
    return {
        "percent": percent,
        "edgekit_ns": edgekit,
        "edgekit_intervals_ns": [percentile_interval(each["edgekit"]["samples_ns"], percent) for each in rounds],
        "loadgen_ns": loadgen,
        "inside_ns": inside,
        "loadgen": verdict(edgekit, loadgen),
        "inside": verdict(edgekit, inside),
    }


def verdict(edgekit: Sequence[float], other: Sequence[float]) -> dict[str, Any]:
    """The ratio other : edgekit with its interval, and whether that agrees."""
    ratio = ratio_interval(edgekit, other, CONFIDENCE)
    return {"ratio": ratio.to_dict(), "agrees": agrees(ratio.low, ratio.high)}


def agrees(low: float, high: float) -> bool:
    """Whether an interval of ratios holds 1, or lies within SAME_RATIO of it."""
    return low <= 1 <= high or (low >= 1 - SAME_RATIO and high <= 1 + SAME_RATIO)


def main() -> None:
    """See the module's text."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="+", help="ONNX files")
    parser.add_argument("--alternations", type=int, default=40)
    parser.add_argument("--samples", type=int, default=1000, help="of each process")
    parser.add_argument("--output", type=Path, default=Path("loadgen.json"))
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.alternations < LEAST_PAIRS:
        parser.error(f"--alternations: at least {LEAST_PAIRS}; an interval of {CONFIDENCE:.0%} takes as many pairs")
    if arguments.serve:
        serve_loadgen(arguments.models[0], arguments.samples)
    else:
        report(arguments)


def report(arguments: argparse.Namespace) -> None:
    """Measure, write the result, print a table."""
    found = []
    for model in arguments.models:
        rounds = alternate(model, arguments.alternations, arguments.samples)
        compared = [compare(rounds, percent) for percent in PERCENTS]
        found.append({"model": Path(model).name, "size_bytes": Path(model).stat().st_size, "percentiles": compared,
                      "loadgen_summaries": [each["loadgen"]["summary"] for each in rounds],
                      "machine": rounds[0]["edgekit"]["machine"]})  # fmt: skip
        print(*(line(Path(model).name, each) for each in compared), sep="\n", flush=True)
    content = {
        "schema_version": 1,
        "loadgen": version("mlcommons-loadgen"),
        "confidence": CONFIDENCE,
        "same_ratio": SAME_RATIO,
        "alternations": arguments.alternations,
        "samples": arguments.samples,
        "models": found,
    }
    arguments.output.write_text(json.dumps(content, indent=1) + "\n")


def line(name: str, found: dict[str, Any]) -> str:
    """One percentile of one model for people."""
    parts = [f"{name:<28} p{found['percent']} edgekit {np.median(found['edgekit_ns']) / 1e3:7.1f} us"]
    for kind in ("loadgen", "inside"):
        ratio, word = found[kind]["ratio"], "agrees" if found[kind]["agrees"] else "DIFFERS"
        measured = f"{kind} {np.median(found[f'{kind}_ns']) / 1e3:7.1f} us"
        parts.append(f"{measured}, ratio {ratio['median']:.3f} [{ratio['low']:.3f}, {ratio['high']:.3f}] {word}")
    return "; ".join(parts)


if __name__ == "__main__":
    main()
