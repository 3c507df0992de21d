"""The headline claims, measured: what the student keeps, what INT8 and pruning cost and gain, over several seeds.

    python bench/headline.py --data my-signs.npz --split session --seeds 0 1 2

Runs `edgekit run` once a seed in work directories of its own (finished ones are reused, interrupted ones go on), and
writes the figures and every closing report to --output as they come. Latencies are this host's: read the ratio.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any


def run_seed(arguments: argparse.Namespace, seed: int) -> dict[str, Any]:
    """The report of one seed. Gate and constraint failures (exit 3, 4, 5) still have one."""
    workdir = arguments.workdir / f"{arguments.split}-seed{seed}"
    command = [sys.executable, "-m", "edgekit", "run", "--workdir", str(workdir), "--split", arguments.split]
    command += ["--preset", arguments.preset, "--seed", str(seed), "--json"]
    if arguments.threads:
        command += ["--threads", str(arguments.threads)]
    if arguments.data:
        command += ["--data", str(arguments.data)]
    finished = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if finished.returncode not in (0, 3, 4, 5):
        sys.exit(f"seed {seed}: edgekit ended with exit code {finished.returncode}")
    report: dict[str, Any] = json.loads(finished.stdout)
    quantization, machine = report["quantization"], report["bench"]["machine"]
    return {
        "seed": seed,
        "exit_code": finished.returncode,
        "data": {**report["data"], "source": Path(report["data"]["source"]).name},
        "models": report["models"],
        "parity": quantization["parity"],
        "int8": quantization["int8"],
        "proof": quantization["quantized"]["proof"],
        "machine": machine,
    }


def figures(report: dict[str, Any]) -> dict[str, float]:
    """The claims of one run. Accuracies on test takes; retention and sizes as ratios."""
    teacher, student, _, fp32, int8 = report["models"]
    return {
        "teacher_accuracy": teacher["accuracy"],
        "student_accuracy": student["accuracy"],
        "pruned_accuracy": fp32["accuracy"],
        "int8_accuracy": int8["accuracy"],
        "student_retention": student["accuracy"] / teacher["accuracy"],
        "int8_retention": int8["accuracy"] / teacher["accuracy"],
        "int8_drop_points": 100 * (fp32["accuracy"] - int8["accuracy"]),
        "weights_smaller": report["proof"]["weight_reduction_ratio"],
        "file_smaller": report["proof"]["file_reduction_ratio"],
        "int8_bytes": int8["size_bytes"],
    }


def spread(rows: list[dict[str, float]]) -> dict[str, dict[str, float]]:
    """Mean, least and greatest of each figure."""
    return {
        name: {
            "mean": statistics.fmean(row[name] for row in rows),
            "min": min(row[name] for row in rows),
            "max": max(row[name] for row in rows),
        }
        for name in rows[0]
    }


def main() -> None:
    """See the module's text."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="recordings; default: the embedded synthetic hands")
    parser.add_argument("--split", choices=["session", "signer"], default="session")
    parser.add_argument("--preset", default="standard")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--threads", type=int, help="for training; 1 where several seeds run side by side")
    parser.add_argument("--workdir", type=Path, default=Path("edgekit-work/headline"))
    parser.add_argument("--output", type=Path, default=Path("headline.json"))
    arguments = parser.parse_args()
    reports: list[dict[str, Any]] = []
    for seed in arguments.seeds:
        reports.append(run_seed(arguments, seed))
        summary = spread([figures(report) for report in reports])
        arguments.output.write_text(json.dumps({"figures": summary, "runs": reports}, indent=1) + "\n")
        print(f"after seed {seed}:")
        for name, value in summary.items():
            print(f"  {name:<20} {value['mean']:10.4g}   {value['min']:.4g} to {value['max']:.4g}")


if __name__ == "__main__":
    main()
