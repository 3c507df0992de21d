"""Models on emulated cores of the Raspberry Pis: instructions, answers, memory, and bands of latency.

    edgekit emulator setup
    edgekit hands setup
    python bench/emulated.py student dtln hands --results bench/results/emulated.json

The shipped student under ONNX Runtime and compiled, each twice, so that equal counts show; the hand tracker's two
networks; and DTLN, two networks of two LSTM layers of 128 units that read a block of 8 ms, with random weights, for
which others published latencies on a 3B+ under TensorFlow Lite: fp32 9.6 ms a block, quantised 2.2. Comparing these
with ONNX Runtime's counts is a comparison across runtimes.

Instructions are counted, latencies estimated; no board took part. Some ten minutes on two cores.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import QuantType, quantize_dynamic

from edgekit.bench.emulated import weigh
from edgekit.device import model_work
from edgekit.device.emulator import CORES, Core, Emulated, Home, emulate_model, find_home, running
from edgekit.errors import EdgekitError
from edgekit.hands import NETWORKS, find_network
from edgekit.measure import WorkerRequest
from edgekit.native import compile_model
from edgekit.native.counting import emulate_compiled
from edgekit.profiles import load_profile
from edgekit.runtime import inspect_model
from edgekit.shipped import open_box

UNITS = 128
RUNTIME = "1.32.0"


def weights(rng: np.random.Generator, name: str, *shape: int) -> onnx.TensorProto:
    """Random ones."""
    return numpy_helper.from_array(rng.normal(0, 0.1, shape).astype(np.float32), name)


def block(folder: Path, name: str, size: int, coded: int | None) -> Path:
    """One of DTLN's networks: two LSTM layers and a mask for `size` numbers. coded: between a 1x1 convolution to as
    many numbers and one back; None without them."""
    rng = np.random.default_rng(0)
    inner = coded or size
    nodes, tensors, source = [], [], "x"
    if coded:
        tensors += [weights(rng, "to", size, coded), weights(rng, "back", coded, size)]
        nodes.append(helper.make_node("MatMul", ["x", "to"], ["coded"]))
        source = "coded"
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 1, size])]
    outputs = [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 1, size])]
    before = source
    for layer, width in enumerate((inner, UNITS)):
        tensors += [
            weights(rng, f"W{layer}", 1, 4 * UNITS, width),
            weights(rng, f"R{layer}", 1, 4 * UNITS, UNITS),
            weights(rng, f"B{layer}", 1, 8 * UNITS),
        ]
        state = [f"{kind}{layer}" for kind in ("h_in", "c_in", "h_out", "c_out")]
        names = [before, f"W{layer}", f"R{layer}", f"B{layer}", "", *state[:2]]
        nodes.append(helper.make_node("LSTM", names, [f"Y{layer}", *state[2:]], hidden_size=UNITS))
        nodes.append(helper.make_node("Squeeze", [f"Y{layer}", "axis"], [f"out{layer}"]))
        shape = [1, 1, UNITS]
        inputs += [helper.make_tensor_value_info(each, TensorProto.FLOAT, shape) for each in state[:2]]
        outputs += [helper.make_tensor_value_info(each, TensorProto.FLOAT, shape) for each in state[2:]]
        before = f"out{layer}"
    tensors += [weights(rng, "mask", UNITS, inner), numpy_helper.from_array(np.array([1]), "axis")]
    nodes += [helper.make_node("MatMul", [before, "mask"], ["dense"]), helper.make_node("Sigmoid", ["dense"], ["gate"])]
    nodes.append(helper.make_node("Mul", ["gate", source], ["masked" if coded else "y"]))
    if coded:
        nodes.append(helper.make_node("MatMul", ["masked", "back"], ["y"]))
    graph = helper.make_graph(nodes, name, inputs, outputs, tensors)
    path = folder / f"{name}.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), path)
    return path


def dtln(folder: Path) -> dict[str, list[Path]]:
    """fp32 and dynamic INT8: two files each."""
    made = [block(folder, "dtln1", 257, None), block(folder, "dtln2", 512, 256)]
    small = [path.with_suffix(".int8.onnx") for path in made]
    for source, target in zip(made, small, strict=True):
        quantize_dynamic(source, target, weight_type=QuantType.QInt8)
    return {"DTLN, fp32": made, "DTLN, dynamic INT8": small}


def told(path: Path, emulated: Emulated, integers: bool = False) -> dict[str, Any]:
    """What the report shows, and the runs."""
    info = inspect_model(path)
    found = weigh(emulated, info, model_work(info), load_profile("raspberry-pi"), None, integers)
    return found.to_dict()


def largest_change(one: dict[str, Any], other: dict[str, Any]) -> float:
    """By how much any run of two emulations differs, as a ratio."""
    counts = [[count for run in each["runs"] for count in run["runs"]] for each in (one, other)]
    return max(abs(second / first - 1) for first, second in zip(*counts, strict=True))


def student(home: Home, folder: Path) -> dict[str, Any]:
    """The shipped one under ONNX Runtime and compiled, both twice."""
    path = open_box().student
    request = WorkerRequest(path, "latency", max_time_s=300)
    library = compile_model(path, folder / "native").library
    if library is None:
        raise EdgekitError("no C compiler is here")
    ways: dict[str, Callable[[Sequence[Core]], Emulated]] = {
        "shipped student, ONNX Runtime": lambda cores: emulate_model(home, RUNTIME, request, cores),
        "shipped student, compiled": lambda cores: emulate_compiled(home, library.parent, library, request, cores),
    }
    found: dict[str, Any] = {}
    for name, way in ways.items():
        twice = [told(path, way(CORES), integers=name.endswith("compiled")) for _ in range(2)]
        found[name] = {**twice[0], "second_run_ratio": largest_change(*twice)}
    return found


def large(home: Home, path: Path) -> dict[str, Any]:
    """A network whose runs take minutes under emulation: two of them count."""
    usual, running.RUNS = running.RUNS, 2
    try:
        return told(path, emulate_model(home, RUNTIME, WorkerRequest(path, "latency", max_time_s=540), CORES))
    finally:
        running.RUNS = usual


def recurrent(home: Home, folder: Path) -> dict[str, Any]:
    """DTLN's networks."""
    found = {}
    for name, files in dtln(folder).items():
        for path in files:
            request = WorkerRequest(path, "latency", max_time_s=300)
            found[f"{name}: {path.name}"] = told(path, emulate_model(home, RUNTIME, request, CORES))
    return found


def hands(home: Home, folder: Path) -> dict[str, Any]:
    """The tracker's networks."""
    return {network.name: large(home, find_network(network)) for network in NETWORKS}


PARTS: Mapping[str, Callable[[Home, Path], dict[str, Any]]] = {"student": student, "dtln": recurrent, "hands": hands}


def show(name: str, found: dict[str, Any]) -> None:
    """A line a core, and one a board."""
    again = found.get("second_run_ratio")
    print(name, "" if again is None else f"(a second time: within {100 * again:.2g} %)")
    for run in found["runs"]:
        print(f"  {run['core']}: {run['failure'] or format(run['instructions'], ',')}", end="")
        print(
            f", {run['missed_bytes'] / 1e6:.2f} MB missed, off by {found['agreements'][run['core']]['difference']:.1e}"
        )
    for board, band in found["bands"].items():
        low, likely, high = (1e3 * band[f"{end}_s"] for end in ("low", "likely", "high"))
        print(f"  {board}: {low:.3g} to {high:.3g} ms, likely {likely:.3g}")


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("parts", nargs="*", choices=list(PARTS), default=list(PARTS), help="what to count [all]")
    parser.add_argument("--results", type=Path, help="a JSON file to write; what it has of other parts stays")
    given = parser.parse_args()
    kept: dict[str, Any] = {}
    if given.results and given.results.exists():
        kept = json.loads(given.results.read_text(encoding="utf-8"))
    for part in given.parts:
        try:
            with tempfile.TemporaryDirectory() as place:
                found = PARTS[part](find_home(), Path(place))
        except EdgekitError as error:
            sys.exit(f"error: {error}")
        for name, one in found.items():
            show(name, one)
        kept |= found
        if given.results:
            given.results.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
