"""Tiny files of every kind that edgekit writes, and compilers for the C that is made of them."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from edgekit.data import HAND_FEATURES, Normalisation
from edgekit.native import read_network
from edgekit.native.program import Goldens, golden_program
from edgekit.native.source import header, source

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


@pytest.fixture(autouse=True)
def harmless(models_run_here: None) -> None:
    """Every file of these tests is."""


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
