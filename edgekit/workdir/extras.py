"""Packages that come with an extra, and may be missing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from edgekit.errors import missing_extra


class needs_extra:
    """Turns a missing optional package, while stages are imported, into the message that says how to install it."""

    NAMES: Mapping[str, tuple[str, str]] = {
        "torch": ("PyTorch", "train"),
        "lightning": ("Lightning", "train"),
        "torch_pruning": ("torch-pruning", "train"),
        "safetensors": ("safetensors", "train"),
        "onnx": ("onnx", "onnx"),
        "sklearn": ("scikit-learn", "train"),
        "optuna": ("Optuna", "tune"),
        "ray": ("Ray Tune", "cluster"),
    }

    def __init__(self, command: str) -> None:
        self.command = command

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        if isinstance(error, ModuleNotFoundError) and error.name:
            package = self.NAMES.get(error.name.partition(".")[0])
            if package:
                raise missing_extra(self.command, *package) from None
