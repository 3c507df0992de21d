"""weights.npz of a model, for runtimes that are built from weights and not from ONNX."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

#: Gates of edgekit's files.
ONNX_ORDER = "iofg"


class Weights:
    """frames, features: of a take. layers: [units, directions] each. dense: how many layers."""

    def __init__(self, folder: Path) -> None:
        self._arrays = dict(np.load(folder / "weights.npz"))
        shape = json.loads(str(self._arrays["shape"]))
        self.frames, self.features = int(shape["frames"]), int(shape["features"])
        self.layers: list[list[int]] = shape["layers"]
        self.dense = int(shape["dense"])

    def __getitem__(self, name: str) -> Any:
        return self._arrays[name]

    def gates(self, name: str, order: str) -> Any:
        """A matrix, bias, codes or scales of a recurrent layer, its gates in another order, such as "ifog"."""
        return self.split(name, order).reshape(self._arrays[name].shape)

    def split(self, name: str, order: str) -> Any:
        """The same, with the gates as its first axis."""
        parts = self._arrays[name]
        parts = parts.reshape(4, len(parts) // 4, *parts.shape[1:])
        return parts[[ONNX_ORDER.index(gate) for gate in order]]

    def directions(self) -> Sequence[tuple[int, int, int, int]]:
        """(layer, direction, inputs, units) of each direction."""
        found, inputs = [], self.features
        for layer, (units, directions) in enumerate(self.layers):
            found += [(layer, direction, inputs, units) for direction in range(directions)]
            inputs = units * directions
        return found


def torch_module(weights: Weights) -> Any:
    """The network in PyTorch, on (1, frames, features), in evaluation mode."""
    import torch
    from torch import nn

    class Network(nn.Module):
        """Recurrent layers, their mean over time, dense layers."""

        def __init__(self) -> None:
            super().__init__()
            sizes, inputs = [], weights.features
            for units, directions in weights.layers:
                sizes.append((inputs, units, directions == 2))
                inputs = units * directions
            self.layers = nn.ModuleList(
                nn.LSTM(wide, units, batch_first=True, bidirectional=both) for wide, units, both in sizes
            )
            shapes = [weights[f"dense{k}.weights"].shape for k in range(weights.dense)]
            self.dense = nn.ModuleList(nn.Linear(columns, rows) for rows, columns in shapes)

        def forward(self, x: Any) -> Any:
            for layer in self.layers:
                x, _ = layer(x)
            x = x.mean(dim=1)
            for k, dense in enumerate(self.dense):
                x = dense(x)
                if k < len(self.dense) - 1:
                    x = torch.relu(x)
            return x

    module = Network().eval()
    with torch.no_grad():
        for layer, direction, _, _ in weights.directions():
            ends, of = "_l0" + "_reverse" * direction, f"layer{layer}.{direction}"
            own = module.layers[layer]
            getattr(own, f"weight_ih{ends}").copy_(torch.from_numpy(weights.gates(f"{of}.weights", "ifgo")))
            getattr(own, f"weight_hh{ends}").copy_(torch.from_numpy(weights.gates(f"{of}.recurrent", "ifgo")))
            getattr(own, f"bias_ih{ends}").copy_(torch.from_numpy(weights.gates(f"{of}.bias", "ifgo")))
            getattr(own, f"bias_hh{ends}").zero_()
        for k, dense in enumerate(module.dense):
            dense.weight.copy_(torch.from_numpy(weights[f"dense{k}.weights"]))
            dense.bias.copy_(torch.from_numpy(weights[f"dense{k}.bias"]))
    return module
