"""What PyTorch's own exporters write becomes int8, whatever they put in front of the weights."""

from __future__ import annotations

import importlib.util
import warnings
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from edgekit.quantize import quantize_onnx

#: What torch.onnx.export is told.
WAYS: dict[str, dict[str, Any]] = {
    "default": {"external_data": False},
    "default, not optimised": {"external_data": False, "optimize": False},
    "TorchScript": {"dynamo": False},
    "TorchScript, not folded": {"dynamo": False, "do_constant_folding": False},
    "scripted": {"dynamo": False},
    "half": {"dynamo": False},
}


class Classifier(nn.Module):
    """A recurrent layer and a dense one."""

    def __init__(self, cell: str, layers: int, bidirectional: bool) -> None:
        super().__init__()
        kinds = {"lstm": nn.LSTM, "gru": nn.GRU}
        self.recurrent = kinds[cell](63, 64, layers, batch_first=True, bidirectional=bidirectional)
        self.dense = nn.Linear(128 if bidirectional else 64, 60)

    def forward(self, x: Tensor) -> Tensor:
        y, _ = self.recurrent(x)
        logits: Tensor = self.dense(y[:, -1])
        return logits


def export(way: str, path: Path, cell: str = "lstm", layers: int = 1, bidirectional: bool = False) -> Path:
    """As somebody else would."""
    torch.manual_seed(0)
    module: Any = Classifier(cell, layers, bidirectional).eval()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about torch's own deprecations
        if way == "scripted":
            module = torch.jit.script(module)
        if way == "half":
            module = module.half()
        x = torch.zeros(1, 6, 63, dtype=next(module.parameters()).dtype)
        torch.onnx.export(module, (x,), path, verbose=False, **WAYS[way])
    return path


def _needs(way: str) -> None:
    if "external_data" in WAYS[way] and importlib.util.find_spec("onnxscript") is None:
        pytest.skip("torch's default exporter needs onnxscript, which is not installed")


#: The default exporter takes seconds for each file; `slices` of test_left_float.py is what it writes.
SLOW = [pytest.param(way, marks=pytest.mark.slow if "external_data" in said else ()) for way, said in WAYS.items()]


@pytest.mark.parametrize("way", SLOW)
@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_an_exported_file_becomes_int8(tmp_path: Path, capfd: pytest.CaptureFixture[str], way: str, cell: str) -> None:
    """W and R of both layers and the dense weight: a quarter of their bytes, of half precision a half."""
    _needs(way)
    source, target = export(way, tmp_path / "model.onnx", cell, 2, True), tmp_path / "int8.onnx"
    result = quantize_onnx(source, target)
    proof = result.proof
    assert proof.left_float == ()
    assert [tensor.op_type for tensor in proof.tensors].count(cell.upper()) == 4
    assert len(proof.tensors) == 5
    assert proof.file_reduction_ratio > (0.4 if way == "half" else 0.6)
    assert result.outputs is not None
    assert 0 < result.outputs.max_abs_difference < 0.05 * result.outputs.largest_output  # type: ignore[operator]
