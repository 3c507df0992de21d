"""torch to ONNX, and proof that both compute the same."""

from edgekit.export.onnx_model import ExportResult, Standardisation, export_onnx, preprocessing_name
from edgekit.export.parity import TOLERANCE, ParityResult, verify_parity

__all__ = [
    "TOLERANCE",
    "ExportResult",
    "ParityResult",
    "Standardisation",
    "export_onnx",
    "preprocessing_name",
    "verify_parity",
]
