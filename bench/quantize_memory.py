"""Memory that `edgekit quantize MODEL` takes at most, in a child of this process, and of the file's size.

    python bench/quantize_memory.py                    # a made-up LSTM 1024x5 of 168 MB
    python bench/quantize_memory.py mine.onnx --max-difference 0.1

Prints and appends to --results, a JSON line a file: the largest of the processes by the kernel's own count
(`ru_maxrss`, which each process has for itself), and the largest sum over all processes at one time, looked at every
10 ms. ONNX Runtime runs the files in processes of their own, so the two differ. Linux.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import onnx
import psutil
from onnx import TensorProto, helper, numpy_helper

LOOK_S = 0.01


def large_model(path: Path, units: int = 1024, layers: int = 5, inputs: int = 512) -> Path:
    """LSTM layers and a dense one, as PyTorch's TorchScript exporter leaves them: weights are plain initializers."""
    rng = np.random.default_rng(0)
    nodes, tensors, read = [], [], "x"
    for layer in range(layers):
        width = inputs if layer == 0 else units
        for name, columns in ((f"W{layer}", width), (f"R{layer}", units)):
            values = rng.uniform(-0.03, 0.03, (1, 4 * units, columns)).astype(np.float32)
            tensors.append(numpy_helper.from_array(values, name))
        nodes.append(helper.make_node("LSTM", [read, f"W{layer}", f"R{layer}"], [f"y{layer}"], hidden_size=units))
        nodes.append(helper.make_node("Squeeze", [f"y{layer}", "axis"], [f"s{layer}"]))
        read = f"s{layer}"
    tensors += [
        numpy_helper.from_array(np.array([1]), "axis"),
        numpy_helper.from_array(rng.uniform(-0.03, 0.03, (units, 2000)).astype(np.float32), "dense"),
    ]
    nodes.append(helper.make_node("MatMul", [read, "dense"], ["logits"]))
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["time", 1, size])
            for name, size in (("x", inputs), ("logits", 2000))]  # fmt: skip
    graph = helper.make_graph(nodes, "large", ends[:1], ends[1:], tensors)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), path)
    return path


def peak(command: list[str]) -> dict[str, float]:
    """Run a command to its end. Returns megabytes and seconds; raises CalledProcessError where it fails."""
    started = time.monotonic()
    process = subprocess.Popen(command)
    root, largest = psutil.Process(process.pid), 0
    while not (ended := os.wait4(process.pid, os.WNOHANG))[0]:
        with contextlib.suppress(psutil.Error):
            tree = [root, *root.children(recursive=True)]
            largest = max(largest, sum(each.memory_info().rss for each in tree))
        time.sleep(LOOK_S)
    process.returncode = os.waitstatus_to_exitcode(ended[1])
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    own = ended[2].ru_maxrss * 1024  # of the process and those that it has waited for
    return {"largest_process_mb": own / 1e6, "all_processes_mb": largest / 1e6, "wall_s": time.monotonic() - started}


def main() -> None:
    """See the module's text."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", nargs="?", type=Path, help="an ONNX file; left out: a made-up one")
    parser.add_argument("--results", type=Path, default=Path("quantize-memory.jsonl"))
    parser.add_argument("--make", type=Path, help=argparse.SUPPRESS)
    arguments, options = parser.parse_known_args()
    if arguments.make:
        large_model(arguments.make)
        return
    with tempfile.TemporaryDirectory(prefix="edgekit-bench-") as folder:
        if arguments.model is None:  # in a process of its own: a child starts with its parent's maximum
            made = Path(folder) / "large.onnx"
            subprocess.run([sys.executable, __file__, "--make", str(made)], check=True)
        source, target = arguments.model or made, Path(folder) / "int8.onnx"
        command = [sys.executable, "-m", "edgekit", "quantize", str(source), "-o", str(target), "--quiet", *options]
        found = {
            "file": source.name,
            "bytes": source.stat().st_size,
            **peak(command),
            "int8_bytes": target.stat().st_size,
        }
    found["times_of_file"] = found["all_processes_mb"] * 1e6 / found["bytes"]
    print(json.dumps(found))
    with arguments.results.open("a") as file:
        file.write(json.dumps({"schema_version": 1, **found}) + "\n")


if __name__ == "__main__":
    main()
