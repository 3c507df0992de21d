"""Weights as C arrays, laid out as the kernels read them: blocks of 16 rows, so that rows are the lanes of a vector."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.native.network import F32, GATES, Dense, Direction, Matrix, Network, Recurrent, whole

BLOCK, EIGHT = 16, 8
#: Conditions of tables: what this way through the program reads, or a variant of the library beside it may read.
_FIXED = "defined(EK_FIXED) || defined(EK_LIBRARY)"
_ONE = np.float32(1.0)
_TYPES = {"float32": "float", "int8": "signed char", "int32": "int32_t"}


@dataclass(frozen=True, eq=False)
class Table:
    """One constant array. about: a comment. only: the preprocessor's condition on which it is there, or nothing."""

    name: str
    values: NDArray[Any]
    about: str
    only: str = ""

    @property
    def declared(self) -> str:
        """Without its values."""
        return f"const {_TYPES[self.values.dtype.name]} {self.name}[{self.values.size}] EK_ALIGNED"


def tables(network: Network) -> list[Table]:
    """Every array of a network, in the order of its use."""
    made = list(_of_frames(network))
    for k, layer in enumerate(network.layers):
        for d, one in enumerate(layer.directions):
            made += _of_direction(network, layer, one, f"l{k}{'fb'[d]}")
    for k, dense in enumerate(network.dense):
        made += _of_dense(network, dense, f"d{k}")
    return made


def _of_frames(network: Network) -> Iterator[Table]:
    frames = network.frames
    if frames.mean is not None and frames.std is not None:
        yield Table("mean", _padded(frames.mean, BLOCK), "of each number of a frame")
        yield Table("unit", _padded(np.float32(1.0) / frames.std, BLOCK), "1 / standard deviation")


def _of_direction(network: Network, layer: Recurrent, one: Direction, name: str) -> Iterator[Table]:
    order = gate_order(layer)
    bias, inside = gate_biases(layer, one)
    shape = f"{layer.cell} {layer.inputs} to {layer.units}"
    yield from _of_matrix(network, _ordered(one.weights, order), f"{name}_w", f"{shape}: input")
    yield Table(f"{name}_bias", _rows(bias, order), f"{shape}: biases")
    recurrent = _ordered(one.recurrent, order)
    yield from _of_matrix(network, recurrent, f"{name}_r", f"{shape}: recurrent", _ONE / np.float32(127.0))
    if layer.cell == "GRU":
        yield Table(f"{name}_inside", _rows(inside, order), f"{shape}: recurrent biases inside the reset gate")


def _of_dense(network: Network, dense: Dense, name: str) -> Iterator[Table]:
    shape = f"dense {dense.weights.columns} to {dense.weights.rows}"
    yield from _of_matrix(network, dense.weights, f"{name}_w", shape)
    yield Table(f"{name}_bias", _padded(dense.bias, BLOCK), f"{shape}: biases")


def _of_matrix(network: Network, matrix: Matrix, name: str, about: str, step: np.float32 = _ONE) -> Iterator[Table]:
    """step: what a code of 1 of its input always stands for, where that is so."""
    if network.arithmetic == "fp32" or matrix.codes is None or matrix.scale is None:
        yield Table(name, float_blocks(matrix.values), f"{about} weights")
        return
    yield Table(name, int8_blocks(matrix.codes), f"{about} weights")
    yield Table(f"{name}_scale", _padded(matrix.scale * step, BLOCK), "what a weight of 1 stands for, by row")
    fix = -128 * matrix.codes.astype(np.int32).sum(axis=1)
    yield Table(f"{name}_fix", _padded(fix.astype(np.int32), BLOCK), "-128 times a row's weights", _FIXED)


def gate_order(layer: Recurrent) -> NDArray[np.int64]:
    """Which row of a layer's gates stands where, -1 for none: gates of 16 units together, [units / 16][gate][16], those
    of the rest behind them, [gate][rest], where the rest is rounded up to 4; then up to a whole block."""
    gates, most = GATES[layer.cell], layer.units // BLOCK * BLOCK
    rows = np.arange(gates * layer.units).reshape(gates, layer.units)
    full = rows[:, :most].reshape(gates, -1, BLOCK).transpose(1, 0, 2).reshape(-1)
    rest = np.full((gates, whole(layer.units - most, 4)), -1)
    rest[:, : layer.units - most] = rows[:, most:]
    order = np.concatenate([full, rest.reshape(-1)])
    return np.concatenate([order, np.full(-len(order) % BLOCK, -1)])


def gate_rows(layer: Recurrent) -> int:
    """Rows of a layer's gates as they lie in memory."""
    return len(gate_order(layer))


def _rows(values: NDArray[Any], order: NDArray[np.int64]) -> NDArray[Any]:
    """values in that order of their first axis; zeros for -1."""
    taken = values[np.maximum(order, 0)]
    taken[order < 0] = 0
    return taken


def _ordered(matrix: Matrix, order: NDArray[np.int64]) -> Matrix:
    codes, scale = (None if one is None else _rows(one, order) for one in (matrix.codes, matrix.scale))
    return Matrix(_rows(matrix.values, order), codes, scale)


def gate_biases(layer: Recurrent, one: Direction) -> tuple[F32, F32]:
    """(what is added to the input's product, what to the recurrent one's), float32 (rows,)."""
    inside = np.zeros(layer.rows, np.float32)
    outside = one.recurrent_bias.copy()
    if layer.cell == "GRU":  # the reset gate multiplies the last gate's recurrent part, its bias included
        inside[2 * layer.units :] = outside[2 * layer.units :]
        outside[2 * layer.units :] = 0.0
    return one.input_bias + outside, inside


def float_blocks(values: F32) -> F32:
    """(rows, columns) as [block][column][16], rows filled up with zeros."""
    padded = _padded(values, BLOCK)
    return np.ascontiguousarray(padded.reshape(-1, BLOCK, values.shape[1]).transpose(0, 2, 1)).reshape(-1)


def int8_blocks(codes: NDArray[np.int8]) -> NDArray[np.int8]:
    """(rows, columns) as [block][column / 8][2][16][4], rows and columns filled up with zeros."""
    rows, columns = whole(codes.shape[0], BLOCK), whole(codes.shape[1], EIGHT)
    padded = np.zeros((rows, columns), np.int8)
    padded[: codes.shape[0], : codes.shape[1]] = codes
    parts = padded.reshape(rows // BLOCK, BLOCK, columns // EIGHT, 2, 4).transpose(0, 2, 3, 1, 4)
    return np.ascontiguousarray(parts).reshape(-1)


def _padded(values: NDArray[Any], unit: int) -> NDArray[Any]:
    padded = np.zeros((whole(len(values), unit), *values.shape[1:]), values.dtype)
    padded[: len(values)] = values
    return padded


def numbers(values: NDArray[Any], width: int = 12) -> Iterator[str]:
    """C initialisers, `width` numbers a line; a float32 is written so that it is read back the same."""
    flat = values.reshape(-1)
    if values.dtype == np.float32:
        texts = [c_float(value) for value in flat.tolist()]
    else:
        texts = [str(value) for value in flat.tolist()]
    for k in range(0, len(texts), width):
        yield "    " + ", ".join(texts[k : k + width]) + ","


def c_float(value: float) -> str:
    """A float32 constant that is read back as the same number."""
    text = f"{value:.9g}"
    return (text if "." in text or "e" in text else text + ".0") + "f"
