"""WebAssembly modules of `edgekit compile` beside onnxruntime-web in Node: latency of one take on one thread, size.

    python bench/wasm.py --rounds 1000 --results bench/results/wasm.json

The three models of bench/native.py: a student pruned to 40 units, one of 64 units, a teacher of 256x3; random weights.
Of each the fp32 file and both INT8 files with onnxruntime-web's wasm backend, and the modules of fp32 and of INT8.

It needs clang, wasm-ld, Node and npm, which installs onnxruntime-web for the run. All contenders take turns in one
process, round by round, in an order drawn anew, after each has run for half a second; each runs twice in its turn and
the second run counts; the teacher gets a tenth of the rounds. Both are called from JavaScript with a Float32Array and
give one: that is part of their figures. Every sample stands in the results. This host's figures: read ratios.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from native import fp32_files

from edgekit.measure.worker import cpu_model
from edgekit.native import compile_model, read_network
from edgekit.native.takes import golden_takes
from edgekit.quantize import QuantizeConfig, quantize_onnx

VERSION = "1.30.0"
TURNS = Path(__file__).with_suffix(".mjs")
TAKES = 16


def install(folder: Path) -> int:
    """onnxruntime-web in a folder; bytes of the module that a page would load with it."""
    (folder / "package.json").write_text("{}", encoding="utf-8")
    command = ["npm", "install", "--ignore-scripts", "--no-audit", "--no-fund", f"onnxruntime-web@{VERSION}"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    module = folder / "node_modules" / "onnxruntime-web" / "dist" / "ort-wasm-simd-threaded.wasm"
    return module.stat().st_size


def contenders(fp32: Path, folder: Path) -> tuple[dict[str, dict[str, str]], dict[str, int]]:
    """Files of every way to compute one model, by name, and their sizes in bytes."""
    files = {"fp32": fp32}
    for scheme in ("int8-weights", "int8-dynamic"):
        made = quantize_onnx(fp32, folder / f"{scheme}.onnx", QuantizeConfig(scheme=scheme))  # type: ignore[arg-type]
        files[scheme] = made.target
    found = {f"onnxruntime-web {scheme}": {"onnx": str(path)} for scheme, path in files.items()}
    sizes = {f"onnxruntime-web {scheme}": path.stat().st_size for scheme, path in files.items()}
    for arithmetic, source in (("fp32", fp32), ("int8", files["int8-weights"])):
        compiled = compile_model(source, folder / arithmetic, machine="wasm32")
        assert compiled.library is not None
        found[f"wasm {arithmetic}"] = {"module": str(compiled.library.with_suffix(".mjs"))}
        sizes[f"wasm {arithmetic}"] = compiled.library_bytes
    return found, sizes


def take_turns(folder: Path, ways: Mapping[str, Any], fp32: Path, rounds: int) -> dict[str, Any]:
    """What bench/wasm.mjs measured in one process. folder: where onnxruntime-web is installed."""
    takes = golden_takes(read_network(fp32).frames, TAKES)
    (folder / "takes").write_bytes(takes.tobytes())
    plan = {"takes": str(folder / "takes"), "shape": takes.shape, "rounds": rounds, "contenders": ways}
    (folder / "plan.json").write_text(json.dumps(plan), encoding="utf-8")
    done = subprocess.run(["node", str(TURNS), str(folder / "plan.json")], check=True, stdout=subprocess.PIPE)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def summary(found: Mapping[str, Any]) -> dict[str, dict[str, float]]:
    """p50 and p99 in microseconds, how many times onnxruntime-web's fastest p50 each is, and how far its logits of the
    first take are from onnxruntime-web's of fp32."""
    p50 = {name: float(np.percentile(values, 50)) / 1e3 for name, values in found["samples_ns"].items()}
    best = min(value for name, value in p50.items() if name.startswith("onnx"))
    exact = np.array(found["logits"]["onnxruntime-web fp32"])
    return {
        name: {
            "p50_us": p50[name],
            "p99_us": float(np.percentile(values, 99)) / 1e3,
            "times_faster": best / p50[name],
            "difference": float(np.abs(np.array(found["logits"][name]) - exact).max()),
        }
        for name, values in found["samples_ns"].items()
    }


def measure(rounds: int, results: Path | None) -> None:
    """Everything; results: the JSON, written again with every model that is finished."""
    told: dict[str, Any] = {"cpu": cpu_model(), "rounds": rounds, "models": {}}
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        told["onnxruntime_web_bytes"] = install(folder)
        for name, fp32 in fp32_files(folder).items():
            own = folder / f"of {fp32.stem}"
            own.mkdir()
            ways, sizes = contenders(fp32, own)
            found = take_turns(folder, ways, fp32, rounds // 10 if "teacher" in name else rounds)
            told["versions"] = found["versions"]
            samples = found["samples_ns"]
            told["models"][name] = {"summary": summary(found), "size_bytes": sizes, "samples_ns": samples}
            show(name, told["models"][name])
            if results:
                results.write_text(json.dumps(told) + "\n", encoding="utf-8")


def show(name: str, of_model: Mapping[str, Any]) -> None:
    """One model as text."""
    print(f"\n{name}\n{'':32}   p50 us   p99 us   times as fast as onnxruntime-web's fastest, KB, difference")
    for contender, figures in of_model["summary"].items():
        size = of_model["size_bytes"][contender] / 1e3
        timed = f"{figures['p50_us']:8.1f} {figures['p99_us']:8.1f} {figures['times_faster']:8.2f}"
        print(f"{contender:32} {timed} {size:8.1f} {figures['difference']:.2g}")


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=1000)
    parser.add_argument("--results", type=Path)
    given = parser.parse_args()
    measure(given.rounds, given.results)


if __name__ == "__main__":
    main()
