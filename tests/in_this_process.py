"""What edgekit does in processes of its own, done in this one: quicker, where what is opened is known to be harmless.

The processes themselves, their limits and their ends are tested by tests/test_guard.py, tests/test_runtime.py,
tests/device/test_counting.py, and by every test that asks for `apart`.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray

from edgekit.errors import ModelFileError
from edgekit.runtime.child import Stream, bare_options, plain_options, session_options
from edgekit.runtime.guard import Port


class SessionHere:
    """What is used of a guarded session."""

    def __init__(self, content: bytes | Path, path: Path, threads: int, options: str = "own") -> None:
        self.path = path
        self.streams: dict[str, Stream] = {}
        self._content = content
        self._threads = threads
        self.reopen(options)

    def reopen(self, kind: str) -> None:
        path, content, threads = self.path, self._content, self._threads
        kinds = {"own": session_options, "plain": plain_options, "bare": bare_options}
        options = kinds[kind](onnxruntime, threads)
        options.log_severity_level = 4
        try:
            self._session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        except Exception as error:
            raise ModelFileError(f"{path}: ONNX Runtime can't load it: {error}") from None
        sides = self._session.get_inputs(), self._session.get_outputs()
        self.inputs, self.outputs = ([Port(i.name, i.type, tuple(i.shape)) for i in side] for side in sides)

    def run(self, names: Sequence[str] | None, feeds: Mapping[str, NDArray[Any]]) -> list[NDArray[Any]]:
        try:
            outputs = [np.ascontiguousarray(each) for each in self._session.run(names, feeds)]
        except Exception as error:
            raise ModelFileError(f"{self.path}: fails while it runs: {str(error).splitlines()[0]}") from None
        return outputs

    def begin(self, ports: Mapping[str, Sequence[int]], states: Mapping[str, Sequence[Any]]) -> str:
        about = {"ports": list(ports.items()), "states": [[name, *rest] for name, rest in states.items()]}
        key = str(len(self.streams))
        self.streams[key] = Stream(SimpleNamespace(numpy=np, session=self._session), about)  # type: ignore[arg-type]
        return key

    def lives(self, key: str) -> bool:
        return key in self.streams

    def step(self, key: str, frame: NDArray[np.float32], anew: Sequence[int] = ()) -> NDArray[np.float32]:
        self.streams[key].read(io.BytesIO(frame.tobytes()), list(anew))
        answer: NDArray[np.float32] = self.streams[key].step()[1][0].copy()
        return answer

    def close(self) -> None:
        pass


def convert_here(source: Path, target: Path, opset: int | None) -> str:
    """As `edgekit.quantize.versions.convert_apart`."""
    from edgekit.quantize.convert import converted

    try:
        target.write_bytes(converted(onnx.load(source, load_external_data=False), opset).SerializeToString())
    except Exception as failure:
        return (str(failure).strip().splitlines() or [type(failure).__name__])[0]
    return ""
