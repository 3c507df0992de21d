"""ONNX Runtime: edgekit's own files, one thread, in the faster of its two ways to be called from Python.

"saturating" is ONNX Runtime's default on x86 without VNNI: sums of uint8 and int8 products in 16 bits, which overflow.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from serve import Runner, fastest

FILES = {
    "fp32": "network.onnx",
    "int8-weights": "network.int8.onnx",
    "int8-dynamic": "network.dynamic.onnx",
    "int8-dynamic, saturating": "network.dynamic.onnx",
}


class Session(Runner):
    """The session's `run`, or a binding of buffers."""

    version = onnxruntime.__version__

    def __init__(self, path: Path, exact: bool = True) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.add_session_config_entry("session.disable_quant_qdq", "1")
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.add_session_config_entry("session.x64quantprecision", "1" if exact else "0")
        self.files = (path,)
        session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        name, output = session.get_inputs()[0].name, session.get_outputs()[0]
        self._take = np.zeros(session.get_inputs()[0].shape, np.float32)
        self._out = np.zeros(output.shape, np.float32)
        binding, feed = session.io_binding(), {name: self._take}
        binding.bind_cpu_input(name, self._take)
        binding.bind_output(output.name, "cpu", 0, np.float32, self._out.shape, self._out.ctypes.data)
        ways = {
            "session.run": lambda: session.run(None, feed),
            "run_with_iobinding": lambda: session.run_with_iobinding(binding),
        }
        self.about = fastest(ways)
        self._bound = self.about == "run_with_iobinding"
        self._run, self._session, self._feed = ways[self.about], session, feed
        self.run = self._run  # type: ignore[method-assign]

    def set(self, take: Any) -> None:
        self._take[0] = take

    def logits(self) -> Any:
        return self._out[0] if self._bound else self._session.run(None, self._feed)[0][0]

    def empty(self) -> Any:
        return Session(self.files[0].parent / "nothing.onnx").run


def prepare(folder: Path, way: str) -> None:
    """Its files are edgekit's."""


def load(folder: Path, way: str) -> Runner:
    """One of FILES."""
    return Session(folder / FILES[way], exact=not way.endswith("saturating"))
