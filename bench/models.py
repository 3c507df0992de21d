"""Models that fit, or really are too large, too slow or too hungry for a Raspberry Pi's profile. Needs onnx.

    python bench/models.py FOLDER

writes fits.onnx (an LSTM of 64 units, 130 KB), large.onnx (more than 10 MB), slow.onnx (40 products of 1000 x 1000
matrices, far more than 100 ms on any core, 4 MB) and hungry.onnx (some hundred bytes that take 1.6 GB).
"""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

FRAMES, FEATURES = 30, 63


def fits(path: Path, hidden: int = 64, seed: int = 0) -> Path:
    """One LSTM from `landmarks` (1, 30, 63) to its last state, (1, 1, hidden)."""
    rng = np.random.default_rng(seed)
    arrays = {
        "W": rng.normal(0, 0.1, (1, 4 * hidden, FEATURES)).astype(np.float32),
        "R": rng.normal(0, 0.1, (1, 4 * hidden, hidden)).astype(np.float32),
    }
    nodes = [
        helper.make_node("Transpose", ["landmarks"], ["x"], perm=[1, 0, 2]),
        helper.make_node("LSTM", ["x", "W", "R"], ["", "logits"], hidden_size=hidden),
    ]
    return save(path, nodes, [1, FRAMES, FEATURES], arrays)


def large(path: Path, size: int = 1600) -> Path:
    """One product with a (size, size) matrix: 4 size^2 bytes, all the same to the clock."""
    weights = np.random.default_rng(0).normal(0, 0.01, (size, size)).astype(np.float32)
    return save(path, [helper.make_node("MatMul", ["landmarks", "w"], ["logits"])], [1, size], {"w": weights})


def slow(path: Path, products: int = 40, size: int = 1000) -> Path:
    """products x size^3 multiply-adds in a file of 4 size^2 bytes; the weights keep the numbers' size."""
    weights = np.random.default_rng(0).normal(0, size**-0.5, (size, size)).astype(np.float32)
    names = [f"x{index}" for index in range(products)] + ["logits"]
    pairs = itertools.pairwise(names)
    nodes = [helper.make_node("Expand", ["landmarks", "rows"], [names[0]])]
    nodes += [helper.make_node("MatMul", [first, "w"], [second]) for first, second in pairs]
    return save(path, nodes, [1, size], {"w": weights, "rows": np.array([size, 1])})


def hungry(path: Path, memory_bytes: int = 1_600_000_000) -> Path:
    """One number, spread over `memory_bytes` and summed up again."""
    nodes = [
        helper.make_node("Expand", ["landmarks", "size"], ["much"]),
        helper.make_node("ReduceSum", ["much"], ["logits"], keepdims=0),
    ]
    return save(path, nodes, [1, 1], {"size": np.array([memory_bytes // 4000, 1000])})


def save(path: Path, nodes: Sequence[onnx.NodeProto], shape: Sequence[int], arrays: Mapping[str, NDArray[Any]]) -> Path:
    """Write a model with the float32 input `landmarks` and the output `logits`."""
    graph = helper.make_graph(
        list(nodes),
        path.stem,
        [helper.make_tensor_value_info("landmarks", TensorProto.FLOAT, list(shape))],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(value, name) for name, value in arrays.items()],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), path)
    return path


def main() -> None:
    """See the module's text."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    for make in (fits, large, slow, hungry):
        path = make(folder / f"{make.__name__}.onnx")
        print(f"{path}: {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
