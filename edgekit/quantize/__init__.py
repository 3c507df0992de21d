"""ONNX fp32 to ONNX int8, with proof of what was quantised."""

from edgekit.quantize.files import quantize_onnx
from edgekit.quantize.integers import dequantize_rows, quantize_rows
from edgekit.quantize.outputs import Proving
from edgekit.quantize.proof import prove_quantization
from edgekit.quantize.settings import ChainQuantizeConfig, QuantizeConfig, check_cell
from edgekit.results import QuantizationProof, QuantizedTensor, QuantizeResult

__all__ = [
    "ChainQuantizeConfig",
    "Proving",
    "QuantizationProof",
    "QuantizeConfig",
    "QuantizeResult",
    "QuantizedTensor",
    "check_cell",
    "dequantize_rows",
    "prove_quantization",
    "quantize_onnx",
    "quantize_rows",
]
