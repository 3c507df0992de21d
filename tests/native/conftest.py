"""Tiny files of every kind that edgekit writes, and compilers for the C that is made of them."""

from __future__ import annotations

import io
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnxruntime
import pytest
from numpy.typing import NDArray

from edgekit.data import HAND_FEATURES, Normalisation
from edgekit.native import read_network
from edgekit.native.program import Goldens, golden_program
from edgekit.native.source import header, source
from edgekit.runtime.child import Stream, bare_options, plain_options, session_options
from edgekit.runtime.guard import Port

F32 = NDArray[np.float32]
FRAMES = 12
MakeFile = Callable[..., Path]
Write = Callable[..., Path]


@pytest.fixture
def make_file(tmp_path: Path) -> MakeFile:
    """(cell, hidden sizes, bidirectional, readout, preprocessing, features, standardisation, scheme): an ONNX file of
    random weights. scheme: fp32, int8-weights or int8-dynamic."""

    def make(
        cell: str = "lstm",
        hidden: Sequence[int] = (8,),
        both: bool = False,
        readout: str = "mean",
        kind: str = "hand+displacement",
        features: int = HAND_FEATURES,
        standardisation: str = "explicit",
        scheme: str = "fp32",
    ) -> Path:
        import torch

        from edgekit.export import export_onnx
        from edgekit.model import Architecture, RecurrentClassifier
        from edgekit.quantize import QuantizeConfig, quantize_onnx

        rng = np.random.default_rng(features)
        mean, std = rng.normal(0.0, 0.3, features), rng.uniform(0.5, 2.0, features)
        normalisation = Normalisation(
            kind.partition("+")[0],
            "+" in kind,
            mean.astype(np.float32),
            std.astype(np.float32),  # type: ignore[arg-type]
        )
        shape: Any = (cell, features, tuple(hidden), both, 20, 5)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(len(hidden))
            model = RecurrentClassifier(Architecture(*shape, readout=readout), normalisation).eval()  # type: ignore[arg-type]
        path = tmp_path / "tiny.onnx"
        names = tuple("ABCDE")
        export_onnx(model, path, class_names=names, sequence_length=FRAMES, standardisation=standardisation)  # type: ignore[arg-type]
        if scheme == "fp32":
            return path
        config = QuantizeConfig(scheme=scheme, min_elements=64)  # type: ignore[arg-type]
        return quantize_onnx(path, tmp_path / "tiny.int8.onnx", config).target

    return make


class SessionHere:
    """What is used of a guarded session, in this process: files of these tests are harmless."""

    def __init__(self, content: bytes | Path, path: Path, threads: int, options: str = "own") -> None:
        self.content, self.threads = content, threads
        self.streams: dict[str, Stream] = {}
        self.reopen(options)

    def reopen(self, kind: str) -> None:
        kinds = {"own": session_options, "plain": plain_options, "bare": bare_options}
        options = kinds[kind](onnxruntime, self.threads)
        options.log_severity_level = 4
        self._session = onnxruntime.InferenceSession(self.content, options, providers=["CPUExecutionProvider"])
        sides = self._session.get_inputs(), self._session.get_outputs()
        self.inputs, self.outputs = ([Port(i.name, i.type, tuple(i.shape)) for i in side] for side in sides)

    def run(self, names: Sequence[str] | None, feeds: Mapping[str, NDArray[Any]]) -> list[NDArray[Any]]:
        found: list[NDArray[Any]] = self._session.run(names, feeds)
        return found

    def begin(self, ports: Mapping[str, Sequence[int]], states: Mapping[str, Sequence[Any]]) -> str:
        about = {"ports": list(ports.items()), "states": [[name, *rest] for name, rest in states.items()]}
        key = str(len(self.streams))
        self.streams[key] = Stream(SimpleNamespace(numpy=np, session=self._session), about)  # type: ignore[arg-type]
        return key

    def lives(self, key: str) -> bool:
        return key in self.streams

    def step(self, key: str, frame: F32, anew: Sequence[int] = ()) -> F32:
        self.streams[key].read(io.BytesIO(frame.tobytes()), list(anew))
        answer: F32 = self.streams[key].step()[1][0].copy()
        return answer

    def close(self) -> None:
        pass


@pytest.fixture(autouse=True)
def models_run_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Quicker than processes of their own."""
    monkeypatch.setattr("edgekit.runtime.session.GuardedSession", SessionHere)


@pytest.fixture
def need() -> Callable[[str], str]:
    """Skips the test, and says so, where a program is missing."""

    def need_program(name: str) -> str:
        found = shutil.which(name)
        if found is None:
            pytest.skip(f"{name} is not installed")
        return found

    return need_program


@pytest.fixture
def write_c(tmp_path: Path) -> Write:
    """(file, goldens, fp32): model.c, model.h and test.c in a folder. fp32: int8 weights in fp32 arithmetic."""

    def write(path: Path, goldens: Goldens, fp32: bool = False) -> Path:
        network = read_network(path)
        network = network.in_float() if fp32 else network
        folder = tmp_path / "c"
        folder.mkdir(exist_ok=True)
        texts = {
            "model.c": source(network, "model"),
            "model.h": header(network, "model"),
            "test.c": golden_program(goldens, "model"),
        }
        for name, text in texts.items():
            (folder / name).write_text(text, encoding="utf-8")
        return folder

    return write
