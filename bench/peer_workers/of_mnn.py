"""MNN: the network built with MNN's Python expressions, step by step, saved and loaded as a module; one thread.

MNN's own LSTM comes from its converter alone, a command that is not run here.
"""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from MNN import expr, nn
from serve import Runner
from weights import Weights


class Loaded(Runner):
    """A module loaded from its file."""

    version = version("mnn")
    about = "unrolled expressions, one thread, precision high"

    def __init__(self, path: Path, shape: tuple[int, ...]) -> None:
        self.files = (path,)
        config = {"backend": 0, "numThread": 1, "precision": "high"}
        manager = nn.create_runtime_manager((config,))
        self._manager = manager
        self._module = nn.load_module_from_file(
            str(path), ["x"], ["logits"], runtime_manager=manager, shape_mutable=False
        )
        self._shape = shape
        self.set(np.zeros(shape, np.float32))

    def set(self, take: Any) -> None:
        values = np.ascontiguousarray(take, np.float32)
        self._take = expr.const(values.ravel().tolist(), list(self._shape), expr.NCHW)

    def run(self) -> None:
        self._out = self._module.forward([self._take])
        self._seen = self._out[0].read()

    def logits(self) -> Any:
        return np.array(self._seen).reshape(-1)

    def empty(self) -> Any:
        path = self.files[0].with_name("mnn.nothing.mnn")
        x = expr.placeholder([1, 1], expr.NCHW)
        x.name = "x"
        out = expr.reduce_max(x, [1], True)
        out.name = "logits"
        expr.save([out], str(path))
        return Loaded(path, (1, 1)).run


def _const(values: Any) -> Any:
    values = np.ascontiguousarray(values, np.float32)
    return expr.const(values.ravel().tolist(), list(values.shape), expr.NCHW)


def _direction(weights: Weights, of: str, x: Any, frames: int, units: int, backwards: bool) -> list[Any]:
    """h of every frame, (1, units) each, in the order of frames."""
    outer = _const(weights.gates(f"{of}.weights", "ifog").T)
    inner = _const(weights.gates(f"{of}.recurrent", "ifog").T)
    gates = expr.add(expr.matmul(x, outer), _const(weights.gates(f"{of}.bias", "ifog")[None]))
    rows = expr.split(gates, [1] * frames, 0)
    found: list[Any] = [None] * frames
    h = c = None
    for t in reversed(range(frames)) if backwards else range(frames):
        pre = rows[t] if h is None else expr.add(rows[t], expr.matmul(h, inner))
        sigmoids, last = expr.split(pre, [3 * units, units], 1)
        i, f, o = expr.split(expr.sigmoid(sigmoids), [units] * 3, 1)
        gained = expr.multiply(i, expr.tanh(last))
        c = gained if c is None else expr.add(expr.multiply(f, c), gained)
        h = expr.multiply(o, expr.tanh(c))
        found[t] = h
    return found


def prepare(folder: Path, way: str) -> None:
    """mnn.mnn"""
    weights = Weights(folder)
    start = x = expr.placeholder([weights.frames, weights.features], expr.NCHW)
    start.name = "x"
    for k, (units, directions) in enumerate(weights.layers):
        both = [_direction(weights, f"layer{k}.{d}", x, weights.frames, units, d == 1) for d in range(directions)]
        joined = [expr.concat(hs, 0) for hs in both]
        x = expr.concat(joined, 1) if directions == 2 else joined[0]
    x = expr.reduce_mean(x, [0], True)
    for k in range(weights.dense):
        x = expr.add(expr.matmul(x, _const(weights[f"dense{k}.weights"].T)), _const(weights[f"dense{k}.bias"][None]))
        x = expr.relu(x) if k < weights.dense - 1 else x
    x.name = "logits"
    expr.save([x], str(folder / "mnn.mnn"))


def load(folder: Path, way: str) -> Runner:
    """fp32"""
    weights = Weights(folder)
    return Loaded(folder / "mnn.mnn", (weights.frames, weights.features))
