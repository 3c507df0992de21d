"""ncnn: the network written as its .param and .bin, fp32 and with its dynamic INT8 of recurrent layers; one thread.

Layout of files: ncnn's LSTM and InnerProduct, gates in the order i, f, o, g. INT8 is what its tool ncnn2int8 makes
without calibration: recurrent layers in INT8, dense layers in fp32.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, BinaryIO

import ncnn
import numpy as np
from serve import Runner
from weights import Weights

#: Before a block of weights: what it holds.
FP32, INT8 = np.uint32(0), np.uint32(0x000D4B38)


class Net(Runner):
    """An extractor for each call, as ncnn wants it."""

    version = ncnn.__version__

    def __init__(self, path: Path, frames: int, features: int) -> None:
        self.files, self._net = (path, path.with_suffix(".bin")), ncnn.Net()
        options = self._net.opt
        options.num_threads, options.use_vulkan_compute, options.lightmode = 1, False, True
        options.use_fp16_storage = options.use_fp16_packed = options.use_fp16_arithmetic = False
        options.use_bf16_storage = False
        self._net.load_param(str(path))
        self._net.load_model(str(path.with_suffix(".bin")))
        self._array = np.zeros((frames, features), np.float32)
        self._take = ncnn.Mat(self._array)
        self.about = "one thread, fp16 and bf16 off"

    def set(self, take: Any) -> None:
        self._array[:] = take
        self._take = ncnn.Mat(self._array)

    def run(self) -> None:
        extractor = self._net.create_extractor()
        extractor.input("x", self._take)
        self._out = extractor.extract("logits")[1]

    def logits(self) -> Any:
        return np.array(self._out)

    def empty(self) -> Any:
        path = self.files[0].with_name("ncnn.nothing.param")
        path.write_text(_text(["Input x 0 1 x", "Reduction none 1 1 x logits 0=3 1=1 4=0 5=1"]), encoding="utf-8")
        path.with_suffix(".bin").write_bytes(bytes(4))
        return Net(path, 1, 1).run


def prepare(folder: Path, way: str) -> None:
    """ncnn.fp32 or ncnn.int8, .param and .bin."""
    weights, lines, name = Weights(folder), ["Input x 0 1 x"], "x"
    path = folder / f"ncnn.{way}.param"
    with path.with_suffix(".bin").open("wb") as file:
        inputs = weights.features
        for k, (units, directions) in enumerate(weights.layers):
            numbers = 4 * units * inputs * directions
            kind = f"0={units} 1={numbers} 2={2 if directions == 2 else 0} 8={2 if way == 'int8' else 0}"
            lines.append(f"LSTM lstm{k} 1 1 {name} h{k} {kind}")
            _write_layer(weights, k, directions, file, way)
            name, inputs = f"h{k}", units * directions
        lines.append(f"Reduction mean 1 1 {name} mean 0=3 1=0 -23303=1,0 4=0 5=1")
        name = "mean"
        for k in range(weights.dense):
            rows, columns = weights[f"dense{k}.weights"].shape
            last = k == weights.dense - 1
            kind = f"0={rows} 1=1 2={rows * columns} 9={0 if last else 1}"
            lines.append(f"InnerProduct dense{k} 1 1 {name} {'logits' if last else f'd{k}'} {kind}")
            _put(file, weights[f"dense{k}.weights"])
            file.write(weights[f"dense{k}.bias"].astype(np.float32).tobytes())
            name = f"d{k}"
    path.write_text(_text(lines), encoding="utf-8")


def _text(lines: list[str]) -> str:
    return "\n".join(["7767517", f"{len(lines)} {len(lines)}", *lines]) + "\n"


def _write_layer(weights: Weights, layer: int, directions: int, file: BinaryIO, way: str) -> None:
    """Input weights, four biases a unit, recurrent weights; with INT8 codes a step of each row, input weights first."""
    of = [f"layer{layer}.{direction}" for direction in range(directions)]
    ends = ".codes" if way == "int8" else ""
    _put(file, np.stack([weights.gates(f"{one}.weights{ends}", "ifog") for one in of]))
    _put(file, np.stack([weights.gates(f"{one}.bias", "ifog") for one in of]))
    _put(file, np.stack([weights.gates(f"{one}.recurrent{ends}", "ifog") for one in of]))
    if way == "int8":
        for part in ("weights", "recurrent"):
            for one in of:
                file.write((1 / weights.gates(f"{one}.{part}.scale", "ifog")).astype(np.float32).tobytes())


def _put(file: BinaryIO, values: Any) -> None:
    whole = values.dtype == np.int8
    data = values.tobytes() if whole else values.astype(np.float32).tobytes()
    file.write((INT8 if whole else FP32).tobytes() + data + bytes(-len(data) % 4))


def load(folder: Path, way: str) -> Runner:
    """fp32 or int8."""
    weights = Weights(folder)
    return Net(folder / f"ncnn.{way}.param", weights.frames, weights.features)
