"""edgekit's worker against MLPerf LoadGen (SingleStream, performance mode) on the same files: do they agree?

    pip install mlcommons-loadgen
    python bench/loadgen.py student.onnx teacher.onnx

Both open the file through the worker's own `open_session` and run it on the worker's own input. They take turns, each
in fresh processes, as often as --alternations says, who goes first being drawn. LoadGen's samples are its own, from its
trace; the percentiles in its summary are kept beside them. What either harness takes for a run that does nothing is
measured in the same way: LoadGen's includes a call from C++ into Python and back, its price and not the model's.

A percentile agrees when the distribution-free 99 % interval of the ratio LoadGen : edgekit, one pair an alternation,
holds 1, or lies within 2 % of it: copies of one file differ by as much from process to process.
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
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from edgekit.measure import WORKER, WorkerRequest, percentile, ratio_interval, run_worker, worker

KINDS = ("loadgen", "edgekit")
PERCENTS = (50, 90)
CONFIDENCE = 0.99
SAME_RATIO = 0.02
WARMUP = 50
NOTHING = "-"


class NoModel:
    """A session that does nothing: what is left is the harness."""

    def run(self, names: None, feed: dict[str, Any]) -> list[Any]:
        """No outputs."""
        return []


def open_model(model: str) -> tuple[Any, list[dict[str, Any]]]:
    """(session, feeds), as the worker opens and feeds it."""
    if model == NOTHING:
        return NoModel(), [{}]
    import onnxruntime

    session = worker.open_session(onnxruntime, model, 1, 0)
    feeds, inputs = worker.make_feeds(np, session, {})
    return worker.carry_states([session], inputs, {})[0], feeds


def serve_loadgen(model: str, samples: int) -> None:
    """Let LoadGen measure in this process; prints its samples in nanoseconds and its summary as JSON."""
    import mlperf_loadgen as loadgen

    session, feeds = open_model(model)
    for _ in range(WARMUP):
        session.run(None, feeds[0])

    def issue(queries: Sequence[Any]) -> None:
        for query in queries:
            session.run(None, feeds[0])
            loadgen.QuerySamplesComplete([loadgen.QuerySampleResponse(query.id, 0, 0)])

    settings = loadgen.TestSettings()
    settings.scenario = loadgen.TestScenario.SingleStream
    settings.mode = loadgen.TestMode.PerformanceOnly
    settings.min_duration_ms = 0
    settings.min_query_count = settings.max_query_count = samples
    with tempfile.TemporaryDirectory(prefix="edgekit-loadgen-") as folder:
        logs = loadgen.LogSettings()
        logs.enable_trace = True
        output = loadgen.LogOutputSettings()
        output.outdir, output.prefix, output.copy_summary_to_stdout = folder, "", False
        logs.log_output = output
        system, library = loadgen.ConstructSUT(issue, lambda: None), loadgen.ConstructQSL(1, 1, _ignore, _ignore)
        gc.collect()
        gc.disable()  # as in the worker
        loadgen.StartTestWithLogSettings(system, library, settings, logs, "")
        loadgen.DestroyQSL(library)
        loadgen.DestroySUT(system)
        print(json.dumps(read_logs(Path(folder))))


def _ignore(_: Sequence[int]) -> None:
    """Loads or unloads nothing: the input is in memory."""


def read_logs(folder: Path) -> dict[str, Any]:
    """LoadGen's latencies in nanoseconds, in order, and what its summary says."""
    trace = (folder / "trace.json").read_text()
    events = [json.loads(line.rstrip(",\n")) for line in trace.splitlines() if '"complete_ns"' in line]
    summary = (folder / "summary.txt").read_text().splitlines()
    kept = ("Scenario", "Mode", "Result", "50.00 percentile", "90.00 percentile")
    pairs = (line.split(":", 1) for line in summary if line.startswith(kept))
    return {
        "samples_ns": [event["args"]["complete_ns"] - event["args"]["issue_start_ns"] for event in events],
        "summary": {name.strip(): value.strip() for name, value in pairs},
    }


def serve_edgekit(samples: int) -> None:
    """The worker's own measuring function on a model that does nothing; prints its samples as JSON."""
    session, feeds = open_model(NOTHING)
    request = {"warmup": WARMUP, "repeats": samples}
    print(json.dumps({"samples_ns": worker.measure_latency([(session, feeds)], request)["samples_ns"]}))


def ask(kind: str, model: str, samples: int) -> dict[str, Any]:
    """One fresh process that measures with a harness: "loadgen" or "edgekit"."""
    if kind == "edgekit" and model != NOTHING:
        found = run_worker(WorkerRequest(Path(model), "latency", warmup=WARMUP, repeats=samples, max_time_s=120))
        return {"samples_ns": list(found.samples_ns), "machine": dict(found.machine)}
    command = [sys.executable, __file__, model, "--serve", kind, "--samples", str(samples)]
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


def compare(rounds: list[dict[str, dict[str, Any]]], percent: int, own: dict[str, float]) -> dict[str, Any]:
    """One percentile by both harnesses, raw and less what each takes for nothing (`own`, nanoseconds)."""
    loadgen, edgekit = ([percentile(each[kind]["samples_ns"], percent) for each in rounds] for kind in KINDS)
    raw = ratio_interval(edgekit, loadgen, CONFIDENCE)
    less = ratio_interval(
        [value - own["edgekit"] for value in edgekit], [value - own["loadgen"] for value in loadgen], CONFIDENCE
    )
    return {
        "percent": percent,
        "loadgen_ns": loadgen,
        "edgekit_ns": edgekit,
        "loadgen_intervals_ns": [percentile_interval(each["loadgen"]["samples_ns"], percent) for each in rounds],
        "edgekit_intervals_ns": [percentile_interval(each["edgekit"]["samples_ns"], percent) for each in rounds],
        "ratio": raw.to_dict(),
        "ratio_less_harness": less.to_dict(),
        "agrees": agrees(raw.low, raw.high),
        "agrees_less_harness": agrees(less.low, less.high),
    }


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
    parser.add_argument("--serve", choices=["loadgen", "edgekit"], help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.serve == "loadgen":
        serve_loadgen(arguments.models[0], arguments.samples)
    elif arguments.serve == "edgekit":
        serve_edgekit(arguments.samples)
    else:
        report(arguments)


def report(arguments: argparse.Namespace) -> None:
    """Measure, write the result, print a table."""
    harness = alternate(NOTHING, arguments.alternations, arguments.samples)
    own = {kind: float(np.median([percentile(each[kind]["samples_ns"], 50) for each in harness])) for kind in KINDS}
    print("a run that does nothing takes", ", ".join(f"{kind} {value / 1e3:.2f} us" for kind, value in own.items()))
    found = []
    for model in arguments.models:
        rounds = alternate(model, arguments.alternations, arguments.samples)
        compared = [compare(rounds, percent, own) for percent in PERCENTS]
        found.append({"model": Path(model).name, "size_bytes": Path(model).stat().st_size, "percentiles": compared,
                      "loadgen_summaries": [each["loadgen"]["summary"] for each in rounds],
                      "machine": rounds[0]["edgekit"]["machine"]})  # fmt: skip
        for each in compared:
            print(line(Path(model).name, each))
    content = {
        "schema_version": 1,
        "loadgen": version("mlcommons-loadgen"),
        "worker": WORKER.name,
        "confidence": CONFIDENCE,
        "same_ratio": SAME_RATIO,
        "alternations": arguments.alternations,
        "samples": arguments.samples,
        "harness_ns": own,
        "models": found,
    }
    arguments.output.write_text(json.dumps(content, indent=1) + "\n")


def line(name: str, found: dict[str, Any]) -> str:
    """One percentile of one model for people."""
    raw, less = found["ratio"], found["ratio_less_harness"]
    return (
        f"{name:<24} p{found['percent']}: LoadGen {np.median(found['loadgen_ns']) / 1e3:9.1f} us,"
        f" edgekit {np.median(found['edgekit_ns']) / 1e3:9.1f} us,"
        f" ratio {raw['median']:.3f} [{raw['low']:.3f}, {raw['high']:.3f}]"
        f" {'agrees' if found['agrees'] else 'DIFFERS'};"
        f" less the harness {less['median']:.3f} [{less['low']:.3f}, {less['high']:.3f}]"
        f" {'agrees' if found['agrees_less_harness'] else 'DIFFERS'}"
    )


if __name__ == "__main__":
    main()
