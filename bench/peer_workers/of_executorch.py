"""ExecuTorch: PyTorch's export of the network, lowered to XNNPACK; one thread."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from serve import Runner
from weights import Weights, torch_module

torch.set_num_threads(1)


class Method(Runner):
    """`forward` of a program that was loaded."""

    version = version("executorch")
    about = "XNNPACK, pinned to one CPU, through its Python binding, which needs PyTorch"

    def __init__(self, path: Path) -> None:
        from executorch.runtime import Runtime

        self.files = (path,)
        self._program = Runtime.get().load_program(path)
        self._method: Any = self._program.load_method("forward")
        shape = self._method.metadata.input_tensor_meta(0).sizes()
        self._take = torch.zeros(*shape)
        self._inputs = [self._take]

    def set(self, take: Any) -> None:
        self._take.copy_(torch.from_numpy(np.ascontiguousarray(take))[None])

    def run(self) -> None:
        self._out = self._method.execute(self._inputs)

    def logits(self) -> Any:
        return self._out[0][0].numpy()

    def empty(self) -> Any:
        class Nothing(torch.nn.Module):
            def forward(self, x: Any) -> Any:
                return x + 1

        path = self.files[0].with_name("executorch.nothing.pte")
        path.write_bytes(_lowered(Nothing().eval(), torch.zeros(1, 1, 1)))
        return Method(path).run


def _lowered(module: Any, take: Any) -> bytes:
    from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
    from executorch.exir import to_edge_transform_and_lower

    with torch.no_grad():
        program = torch.export.export(module, (take,))
        lowered = to_edge_transform_and_lower(program, partitioner=[XnnpackPartitioner()])
    return bytes(lowered.to_executorch().buffer)


def prepare(folder: Path, way: str) -> None:
    """executorch.pte"""
    weights = Weights(folder)
    take = torch.zeros(1, weights.frames, weights.features)
    (folder / "executorch.pte").write_bytes(_lowered(torch_module(weights), take))


def load(folder: Path, way: str) -> Runner:
    """fp32"""
    return Method(folder / "executorch.pte")
