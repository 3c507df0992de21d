"""PyTorch: eager, compiled ahead of time (AOTInductor), and its dynamic INT8 quantisation; one thread."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from serve import Runner, fastest
from weights import Weights, torch_module

torch.set_num_threads(1)
torch.set_num_interop_threads(1)


class Called(Runner):
    """A module or a loaded package, called in inference mode."""

    version = torch.__version__

    def __init__(self, call: Any, frames: int, features: int, about: str, files: tuple[Path, ...]) -> None:
        self._take = torch.zeros(1, frames, features)
        self._call, self.about, self.files = call, about, files
        self._mode = torch.inference_mode()
        self._mode.__enter__()
        self.run()

    def set(self, take: Any) -> None:
        self._take.copy_(torch.from_numpy(np.ascontiguousarray(take))[None])

    def run(self) -> None:
        self._out = self._call(self._take)

    def logits(self) -> Any:
        return self._out[0].numpy()

    def empty(self) -> Any:
        take, nothing = self._take, torch.nn.Identity().eval()
        return lambda: nothing(take)


def prepare(folder: Path, way: str) -> None:
    """The package of "compiled", the state of "eager" and "int8-dynamic"."""
    weights = Weights(folder)
    module = torch_module(weights)
    if way == "compiled":
        take = torch.zeros(1, weights.frames, weights.features)
        with torch.no_grad():
            program = torch.export.export(module, (take,))
            torch._inductor.aoti_compile_and_package(program, package_path=str(folder / "torch.pt2"))
    else:
        torch.save(
            quantised(module).state_dict() if way == "int8-dynamic" else module.state_dict(), folder / f"{way}.pt"
        )


def quantised(module: Any) -> Any:
    """LSTM and dense layers in PyTorch's dynamic INT8."""
    kinds = {torch.nn.LSTM, torch.nn.Linear}
    return torch.ao.quantization.quantize_dynamic(module, kinds, dtype=torch.qint8)


def load(folder: Path, way: str) -> Runner:
    """eager, compiled or int8-dynamic."""
    weights = Weights(folder)
    if way == "compiled":
        path = folder / "torch.pt2"
        call = torch._inductor.aoti_load_package(str(path))
        return Called(call, weights.frames, weights.features, "AOTInductor package", (path,))
    module = torch_module(weights)
    if way == "int8-dynamic":
        return _fastest_engine(weights, module, folder / f"{way}.pt")
    return _with_or_without_mkldnn(weights, module, folder / f"{way}.pt")


def _with_or_without_mkldnn(weights: Weights, module: Any, path: Path) -> Runner:
    take, ways = torch.zeros(1, weights.frames, weights.features), {}

    def run(wanted: bool) -> Any:
        def call() -> Any:
            torch.backends.mkldnn.set_flags(wanted)
            with torch.inference_mode():
                return module(take)

        return call

    ways = {"oneDNN": run(True), "without oneDNN": run(False)}
    name = fastest(ways)
    torch.backends.mkldnn.set_flags(name == "oneDNN")
    return Called(module, weights.frames, weights.features, f"inference mode, {name}", (path,))


def _fastest_engine(weights: Weights, module: Any, path: Path) -> Runner:
    take, made = torch.zeros(1, weights.frames, weights.features), {}
    for engine in torch.backends.quantized.supported_engines:
        if engine in ("x86", "fbgemm", "onednn"):
            torch.backends.quantized.engine = engine
            made[engine] = quantised(module)

    def run(engine: str) -> Any:
        def call() -> Any:
            torch.backends.quantized.engine = engine
            with torch.inference_mode():
                return made[engine](take)

        return call

    name = fastest({engine: run(engine) for engine in made})
    torch.backends.quantized.engine = name
    return Called(made[name], weights.frames, weights.features, f"quantize_dynamic, engine {name}", (path,))
