"""What PyTorch's own exporters write: int8, or exit 5 with advice that makes it int8."""

from __future__ import annotations

import importlib.util
import warnings
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from edgekit.errors import GateError
from edgekit.quantize import quantize_onnx

#: What torch.onnx.export is told, and whether its recurrent weights are plain initializers.
WAYS: dict[str, tuple[dict[str, Any], bool]] = {
    "default": ({"external_data": False}, False),
    "default, not optimised": ({"external_data": False, "optimize": False}, False),
    "TorchScript": ({"dynamo": False}, True),
    "TorchScript, not folded": ({"dynamo": False, "do_constant_folding": False}, False),
    "scripted": ({"dynamo": False}, False),
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
        torch.onnx.export(module, (torch.zeros(1, 6, 63),), path, verbose=False, **WAYS[way][0])
    return path


def _needs(way: str) -> None:
    if not way.startswith("TorchScript") and way != "scripted" and importlib.util.find_spec("onnxscript") is None:
        pytest.skip("torch's default exporter needs onnxscript, which is not installed")


#: The default exporter takes seconds for each file; `slices` of test_left_float.py is what it writes.
SLOW = [pytest.param(way, marks=pytest.mark.slow if "external_data" in said else ()) for way, (said, _) in WAYS.items()]


@pytest.mark.parametrize("way", SLOW)
@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_an_exported_file_is_int8_or_its_float_weights_are_named(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], way: str, cell: str
) -> None:
    _needs(way)
    source, target = export(way, tmp_path / "model.onnx", cell, 2, True), tmp_path / "int8.onnx"
    if not WAYS[way][1]:
        with pytest.raises(GateError) as caught:
            quantize_onnx(source, target)
        assert "4 weights of recurrent layers would stay float" in str(caught.value)
        assert not target.exists()
        source = follow(str(caught.value), source)
    proof = quantize_onnx(source, target).proof
    assert proof.left_float == ()
    assert sum(tensor.op_type == cell.upper() for tensor in proof.tensors) == 4
    assert proof.file_reduction_ratio > 0.6


def follow(message: str, source: Path) -> Path:
    """Run the program that the message gives."""
    program = message.split('python -c "')[1].split('" MODEL.onnx')[0]
    folded = source.with_name("folded.onnx")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.argv", ["-c", str(source), str(folded)])
        exec(program, {})
    return folded
