"""IREE: edgekit's ONNX file imported and compiled for this CPU, run on the calling thread."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from iree import runtime
from serve import Runner

OPTIONS = ("--iree-llvmcpu-target-cpu=host", "--iree-opt-level=O3", "--iree-hal-local-target-device-backends=llvm-cpu")


class Module(Runner):
    """The module's function, on the device `local-sync`."""

    version = version("iree-base-runtime")
    about = "llvm-cpu for this CPU, O3, local-sync"

    def __init__(self, path: Path) -> None:
        self.files = (path,)
        config = runtime.Config("local-sync")
        loaded = runtime.load_vm_module(runtime.VmModule.mmap(config.vm_instance, str(path)), config)
        self._call: Any = next(getattr(loaded, name) for name in loaded.vm_module.function_names if "$" not in name)
        self._device = config.device

    def set(self, take: Any) -> None:
        self._take = runtime.asdevicearray(self._device, np.ascontiguousarray(take)[None])

    def run(self) -> None:
        self._out = self._call(self._take)

    def logits(self) -> Any:
        return np.asarray(self._out.to_host())

    def empty(self) -> Any:
        folder = self.files[0].parent
        compiled = _compile(folder / "nothing.onnx", folder / "iree.nothing.vmfb")
        nothing = Module(compiled)
        nothing.set(np.zeros((1, 1), np.float32))
        return nothing.run


def prepare(folder: Path, way: str) -> None:
    """iree.vmfb"""
    _compile(folder / "network.onnx", folder / "iree.vmfb")


def _compile(source: Path, target: Path) -> Path:
    imported = target.with_suffix(".mlir")
    command = [sys.executable, "-m", "iree.compiler.tools.import_onnx", str(source), "-o", str(imported)]
    subprocess.run(command, check=True)
    from iree.compiler.tools import compile_file

    device = ("--iree-hal-target-device=local", *OPTIONS)
    compile_file(str(imported), output_file=str(target), input_type="auto", extra_args=list(device))
    return target


def load(folder: Path, way: str) -> Runner:
    """fp32"""
    return Module(folder / "iree.vmfb")
