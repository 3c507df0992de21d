"""Names of the stages, as the manifest keeps them and people read them, and of the files that the last one leaves."""

from __future__ import annotations

STUDENT, PRUNED, QUANTIZED = "distill", "prune", "quantize"

FP32_NAME, INT8_NAME, INT4_NAME = "model.onnx", "model.int8.onnx", "model.int4.onnx"


def train_stage_name(variant: str) -> str:
    """Name of the stage that trains a variant."""
    return f"train {variant}"


def file_of_scheme(scheme: str) -> str:
    """Name of the file for the device."""
    return {"fp32": FP32_NAME, "int4-weights": INT4_NAME}.get(scheme, INT8_NAME)
