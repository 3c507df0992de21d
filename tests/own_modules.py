"""Modules as users write them: recurrent layers of every kind with what stands around them.

Each is a function of features and classes. `ALL` are those in which everything can be pruned.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn


class Last(nn.Module):
    """A recurrent layer of any kind, the last output, a dense layer and a head."""

    def __init__(self, features: int, classes: int, cell: str = "lstm", layers: int = 2, both: bool = False) -> None:
        super().__init__()
        kind = {"lstm": nn.LSTM, "gru": nn.GRU}[cell]
        self.recurrent = kind(features, 12, layers, batch_first=True, bidirectional=both, dropout=0.2 * (layers > 1))
        self.dense = nn.Linear(24 if both else 12, 16)
        self.drop = nn.Dropout(0.3)
        self.head = nn.Linear(16, classes)

    def forward(self, x: Tensor) -> Tensor:
        y, _ = self.recurrent(x)
        logits: Tensor = self.head(self.drop(torch.relu(self.dense(y[:, -1]))))
        return logits


class FinalStates(nn.Module):
    """Both directions' final states of the last layer, as tutorials read them; no bias in the recurrent layers."""

    def __init__(self, features: int, classes: int) -> None:
        super().__init__()
        self.lstm = nn.LSTM(features, 10, 2, batch_first=True, bidirectional=True, bias=False)
        self.head = nn.Linear(20, classes)

    def forward(self, x: Tensor) -> Tensor:
        _, (h, _) = self.lstm(x)
        logits: Tensor = self.head(torch.cat([h[-2], h[-1]], dim=1))
        return logits


class ZeroStates(nn.Module):
    """Time first, initial states of zeros as tutorials make them, LayerNorm in front and behind."""

    def __init__(self, features: int, classes: int) -> None:
        super().__init__()
        self.inward = nn.Linear(features, 14)
        self.norm = nn.LayerNorm(14)
        self.gru = nn.GRU(14, 12, 3)
        self.after = nn.LayerNorm(12)
        self.head = nn.Linear(12, classes)

    def forward(self, x: Tensor) -> Tensor:
        z = torch.tanh(self.norm(self.inward(x))).transpose(0, 1)
        h0 = torch.zeros(3, z.size(1), 12, device=z.device)
        y, _ = self.gru(z, h0)
        logits: Tensor = self.head(self.after(y).mean(dim=0))
        return logits


class Convolved(nn.Module):
    """Conv1d and BatchNorm1d in front of an LSTM whose every output is read: flattened over time."""

    def __init__(self, features: int, classes: int, frames: int = 6) -> None:
        super().__init__()
        self.conv = nn.Conv1d(features, 10, 3, padding=1)
        self.norm = nn.BatchNorm1d(10)
        self.lstm = nn.LSTM(10, 8, 1, batch_first=True)
        self.head = nn.Linear(8 * frames, classes)

    def forward(self, x: Tensor) -> Tensor:
        z = torch.relu(self.norm(self.conv(x.transpose(1, 2)))).transpose(1, 2)
        logits: Tensor = self.head(self.lstm(z)[0].flatten(1))
        return logits


class Residual(nn.Module):
    """Two layers added up, and attention over time: units of both layers stand or fall together."""

    def __init__(self, features: int, classes: int) -> None:
        super().__init__()
        self.first = nn.LSTM(features, 12, 1, batch_first=True)
        self.second = nn.LSTM(12, 12, 1, batch_first=True)
        self.weigh = nn.Linear(12, 1)
        self.head = nn.Sequential(nn.Linear(12, 9), nn.GELU(), nn.Linear(9, classes))

    def forward(self, x: Tensor) -> Tensor:
        a, _ = self.first(x)
        b, _ = self.second(a)
        both = a + b
        weights = torch.softmax(self.weigh(both), dim=1)
        logits: Tensor = self.head((weights * both).sum(dim=1))
        return logits


class TwoWays(nn.Module):
    """A GRU whose halves are read apart, and two layers side by side, joined."""

    def __init__(self, features: int, classes: int) -> None:
        super().__init__()
        self.gru = nn.GRU(features, 8, 2, batch_first=True, bidirectional=True)
        self.left, self.right = nn.Linear(16, 6), nn.Linear(16, 7)
        self.head = nn.Linear(6 + 7 + 16, classes)

    def forward(self, x: Tensor) -> Tensor:
        y, _ = self.gru(x)
        forwards, backwards = y.chunk(2, dim=-1)
        last = torch.cat([forwards[:, -1], backwards[:, 0]], dim=1)
        joined = torch.cat([torch.relu(self.left(last)), torch.sigmoid(self.right(last)), y.amax(dim=1)], dim=1)
        logits: Tensor = self.head(joined)
        return logits


ALL: dict[str, Callable[[int, int], nn.Module]] = {
    **{
        f"{cell}-{layers}-{'both' if both else 'one'}": lambda f, c, a=(cell, layers, both): Last(f, c, *a)
        for cell in ("lstm", "gru")
        for layers in (1, 2, 3)
        for both in (False, True)
    },
    "final states": FinalStates,
    "zero states": ZeroStates,
    "convolved": Convolved,
    "residual": Residual,
    "two ways": TwoWays,
}


def letters() -> nn.Module:
    """For `edgekit export own_modules:letters`: one hand, 26 classes."""
    return made("lstm-2-one", 63, 26)


def made(name: str, features: int = 63, classes: int = 3, **settings: Any) -> nn.Module:
    """One of ALL, in evaluation mode, with weights from a normal distribution, so that none is special."""
    torch.manual_seed(0)
    module = ALL[name](features, classes, **settings)
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.4)
    return module.eval()
