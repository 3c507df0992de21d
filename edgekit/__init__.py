"""edgekit: from recordings to a recurrent classifier that runs on a small computer, with proof that it fits."""

from __future__ import annotations

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

#: ONNX Runtime on Linux sends usage data to its maker from version 1.32 on, unless this is set when it is imported;
#: every process that edgekit starts inherits it. A choice that is there already stays.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

_PUBLIC = {
    "train_model": "edgekit.train",
    "distill_model": "edgekit.distill",
    "prune_model": "edgekit.prune",
    "export_onnx": "edgekit.export",
    "quantize_onnx": "edgekit.quantize",
    "bench_onnx": "edgekit.bench",
    "compare_onnx": "edgekit.bench",
}

if TYPE_CHECKING:
    from edgekit.bench import bench_onnx, compare_onnx
    from edgekit.distill import distill_model
    from edgekit.export import export_onnx
    from edgekit.prune import prune_model
    from edgekit.quantize import quantize_onnx
    from edgekit.train import train_model

__all__ = [
    "__version__",
    "bench_onnx",
    "compare_onnx",
    "distill_model",
    "export_onnx",
    "prune_model",
    "quantize_onnx",
    "train_model",
]


def __getattr__(name: str) -> Any:
    """Load a public function on first use, so that `import edgekit` needs neither torch nor onnx."""
    if name in _PUBLIC:
        return getattr(import_module(_PUBLIC[name]), name)
    raise AttributeError(f"module 'edgekit' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
