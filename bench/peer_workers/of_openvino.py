"""OpenVINO: edgekit's ONNX files as they are, one thread, hinted to latency and to fp32."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import openvino
from serve import Runner, fastest

FILES = {"fp32": "network.onnx", "int8-weights": "network.int8.onnx"}
SETTINGS = {
    "PERFORMANCE_HINT": "LATENCY",
    "INFERENCE_NUM_THREADS": 1,
    "NUM_STREAMS": 1,
    "INFERENCE_PRECISION_HINT": "f32",
}


class Request(Runner):
    """One inference request whose input is a buffer of ours, called in the fastest of three ways."""

    version = openvino.__version__.partition("-")[0]

    def __init__(self, path: Path) -> None:
        compiled = openvino.Core().compile_model(str(path), "CPU", SETTINGS)
        self.files = (path,)
        self._request = request = compiled.create_infer_request()
        self._take = np.zeros(list(compiled.input(0).shape), np.float32)
        request.set_input_tensor(0, openvino.Tensor(self._take, shared_memory=True))
        ways = {
            "infer()": request.infer,
            "infer(share_outputs=True)": lambda: request.infer(share_outputs=True),
            "start_async() and wait()": lambda: (request.start_async(), request.wait()),
        }
        name = fastest(ways)
        self.about = f"{name}, hint LATENCY, precision f32"
        self.run = ways[name]  # type: ignore[method-assign]

    def set(self, take: Any) -> None:
        self._take[0] = take

    def logits(self) -> Any:
        return self._request.get_output_tensor(0).data[0]

    def empty(self) -> Any:
        return Request(self.files[0].parent / "nothing.onnx").run


def prepare(folder: Path, way: str) -> None:
    """Its files are edgekit's."""


def load(folder: Path, way: str) -> Runner:
    """One of FILES."""
    return Request(folder / FILES[way])
