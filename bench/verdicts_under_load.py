"""Twenty benches of one file while every core is busy: a wrong verdict is an error, "can't decide" is none.

    python bench/verdicts_under_load.py edgekit-work/model.int8.onnx

First the file is benched at rest, three times; the least p95 is what it takes. The limits are ten times that, a tenth
of it, and near it: once and a half, and two thirds. They are taken in turn, --benches altogether. One busy loop a
core runs meanwhile, each for --load-limit seconds at most, whatever becomes of this script.

The file fits the limits above what it takes at rest, and those below it does not: exit 3 is wrong for the former, for
what made it slow was the load, and exit 0 for the latter. Ends with 1 when any verdict is wrong.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

#: The limit as a multiple of the latency at rest, and the exit code that is wrong there.
LIMITS = {"well above": (10.0, 3), "well below": (0.1, 0), "near above": (1.5, 3), "near below": (2 / 3, 0)}
REST_BENCHES = 3
PERCENTILE = 95


def burn(until_s: float) -> None:
    """Keep one core busy until the clock says so."""
    while time.monotonic() < until_s:
        sum(range(10_000))


def bench(model: Path, limit_ms: float, repeats: int, folder: Path) -> dict[str, Any]:
    """One `edgekit bench` against a latency limit: exit code, latency and verdict of the latency row."""
    profile = folder / "limit.yaml"
    profile.write_text(f"max_latency_ms: {limit_ms!r}\nlatency_percentile: {PERCENTILE}\n")
    command = [sys.executable, "-m", "edgekit", "bench", str(model), "--profile", str(profile), "--json"]
    command += ["--workdir", str(folder / "work"), "--repeats", str(repeats), "--time-limit", "20"]
    begun = time.monotonic()
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode not in (0, 3, 4) or not done.stdout:
        sys.exit(f"edgekit ended with exit code {done.returncode}: {done.stderr.strip()}")
    content = json.loads(done.stdout)
    row = next(row for row in content["rows"] if row["constraint"] == "max_latency_ms")
    return {
        "exit_code": done.returncode,
        "limit_ms": limit_ms,
        "p50_ms": _milliseconds(content["latency"]["p50_s"]),
        "measured_ms": _milliseconds(row["measured"]),
        "note": row["note"],
        "wall_s": round(time.monotonic() - begun, 1),
        "load_1min": content["machine"]["load_1min"],
        "machine": content["machine"],
    }


def _milliseconds(seconds: float | None) -> float | None:
    return None if seconds is None else seconds * 1e3


def bench_under_load(
    model: Path, rest_ms: float, benches: int, repeats: int, load_limit_s: float, folder: Path
) -> list[dict[str, Any]]:
    """`benches` benches, the limits in turn, while a busy loop runs for each core."""
    until_s = time.monotonic() + load_limit_s
    loops = [multiprocessing.Process(target=burn, args=(until_s,), daemon=True) for _ in range(os.cpu_count() or 1)]
    found: list[dict[str, Any]] = []
    for loop in loops:
        loop.start()
    try:
        for number in range(benches):
            name = list(LIMITS)[number % len(LIMITS)]
            factor, wrong = LIMITS[name]
            if time.monotonic() > until_s:
                sys.exit(f"the load ended after {load_limit_s:g} s and {number} benches; raise --load-limit")
            each = bench(model, rest_ms * factor, repeats, folder)
            del each["machine"]
            found.append({"limit": name, "wrong": each["exit_code"] == wrong, **each})
            print(line(found[-1]), flush=True)
    finally:
        for loop in loops:
            loop.terminate()
            loop.join()
    return found


def line(found: dict[str, Any]) -> str:
    """One bench for people."""
    measured = "no figure" if found["measured_ms"] is None else f"{found['measured_ms']:.3f} ms"
    word = "  WRONG" if found["wrong"] else ""
    return f"  limit {found['limit']:<10} {found['limit_ms']:8.3f} ms: {measured:>11}, exit {found['exit_code']}{word}"


def table(found: Sequence[dict[str, Any]]) -> dict[str, dict[str, int]]:
    """How often each exit code came at each limit."""
    counts = {name: Counter(f"exit {each['exit_code']}" for each in found if each["limit"] == name) for name in LIMITS}
    return {name: dict(sorted(count.items())) for name, count in counts.items()}


def main() -> int:
    """See the module's text."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path, help="ONNX file")
    parser.add_argument("--benches", type=int, default=20)
    parser.add_argument("--repeats", type=int, default=1000, help="samples of each")
    parser.add_argument("--load-limit", type=float, default=300, help="seconds after which the load stops")
    parser.add_argument("--output", type=Path, default=Path("verdicts-under-load.json"))
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="edgekit-load-") as name:
        folder, model = Path(name), arguments.model.resolve()
        rests = [bench(model, 1e6, arguments.repeats, folder) for _ in range(REST_BENCHES)]
        measured = [each["measured_ms"] for each in rests if each["measured_ms"] is not None]
        if not measured:
            sys.exit(f"no latency at rest: {rests[0]['note']}")
        rest_ms = min(measured)
        print(f"at rest: p{PERCENTILE} {rest_ms:.3f} ms; now with {os.cpu_count()} busy loops:", flush=True)
        found = bench_under_load(model, rest_ms, arguments.benches, arguments.repeats, arguments.load_limit, folder)
    content = {
        "schema_version": 1,
        "model": {"name": model.name, "size_bytes": model.stat().st_size},
        "percentile": PERCENTILE,
        "busy_loops": os.cpu_count(),
        "machine": rests[0]["machine"],
        "at_rest_ms": measured,
        "table": table(found),
        "wrong": sum(each["wrong"] for each in found),
        "benches": found,
    }
    arguments.output.write_text(json.dumps(content, indent=1) + "\n")
    for limit, codes in content["table"].items():
        print(f"{limit:<10} {codes}")
    print(f"{content['wrong']} of {len(found)} verdicts are wrong")
    return 1 if content["wrong"] else 0


if __name__ == "__main__":
    sys.exit(main())
