"""This machine, and the software that figures depend on."""

from __future__ import annotations

import contextlib
import platform
from importlib import metadata
from pathlib import Path
from typing import Any

import psutil

from edgekit import __version__


def versions() -> dict[str, str]:
    """Of edgekit, Python and what a figure may depend on; packages that are not installed are left out."""
    found = {"edgekit": __version__, "python": platform.python_version()}
    for package in ("numpy", "onnxruntime", "onnx", "torch", "lightning", "torch-pruning"):
        with contextlib.suppress(metadata.PackageNotFoundError):
            found[package] = metadata.version(package)
    return found


def describe_environment() -> dict[str, Any]:
    """This machine and what is installed, JSON-ready."""
    memory = psutil.virtual_memory()
    return {
        **versions(),
        "platform": platform.platform(),
        "machine": platform.machine(),
        "cpu": cpu_model(),
        "usable_cores": len(psutil.Process().cpu_affinity()) if hasattr(psutil.Process, "cpu_affinity") else None,
        "memory_bytes": memory.total,
        "memory_available_bytes": memory.available,
        "load_1min": psutil.getloadavg()[0],
    }


def cpu_model() -> str:
    """As the system names it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or "unknown"
    names = [line.partition(":")[2].strip() for line in lines if line.startswith(("model name", "Model"))]
    return names[0] if names else platform.machine()
