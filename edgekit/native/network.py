"""What a model file computes, in the few terms that the compiler knows: frames, recurrent layers, dense layers.

Rows of gates are in ONNX's order: an LSTM's i, o, f, c, a GRU's z, r, h with linear_before_reset.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from edgekit.runtime import Rejection

F32 = NDArray[np.float32]
I8 = NDArray[np.int8]

Cell = Literal["LSTM", "GRU"]
Arithmetic = Literal["fp32", "int8"]
GATES = {"LSTM": 4, "GRU": 3}
HAND = 63


def whole(count: int, unit: int) -> int:
    """`count`, rounded up to a multiple of `unit`."""
    return -(-count // unit) * unit


@dataclass(frozen=True, eq=False)
class Matrix:
    """Weights float32 (rows, columns). codes, scale: int8 (rows, columns) in -127..127 and float32 (rows,) where the
    file stores them so; values are then codes * scale."""

    values: F32
    codes: I8 | None = None
    scale: F32 | None = None

    @classmethod
    def of_codes(cls, codes: I8, scale: F32) -> Matrix:
        """The matrix that they stand for."""
        return cls(codes.astype(np.float32) * scale[:, None], codes, scale)

    @property
    def rows(self) -> int:
        """Outputs."""
        return int(self.values.shape[0])

    @property
    def columns(self) -> int:
        """Inputs."""
        return int(self.values.shape[1])


@dataclass(frozen=True, eq=False)
class Direction:
    """One direction of a recurrent layer: weights (gates * units, inputs), recurrent (gates * units, units), and a bias
    float32 (gates * units,) of each."""

    weights: Matrix
    recurrent: Matrix
    input_bias: F32
    recurrent_bias: F32


@dataclass(frozen=True)
class Recurrent:
    """One layer. directions: forward, then backward where there are two."""

    cell: Cell
    units: int
    directions: tuple[Direction, ...]

    @property
    def inputs(self) -> int:
        """Numbers a frame that it reads."""
        return self.directions[0].weights.columns

    @property
    def outputs(self) -> int:
        """Numbers a frame that it gives."""
        return self.units * len(self.directions)

    @property
    def rows(self) -> int:
        """Rows of gates of one direction."""
        return GATES[self.cell] * self.units


@dataclass(frozen=True)
class Dense:
    """W x + bias, then max(0, .) with relu."""

    weights: Matrix
    bias: F32
    relu: bool


@dataclass(frozen=True)
class Frames:
    """The input, float32 (count, features). hands: of 63 numbers each, taken relative to their wrists; 0 where numbers
    stay as they are. path: whether the wrist's place holds its way. mean, std: float32 (features,), or None."""

    count: int
    features: int
    hands: int
    path: bool
    mean: F32 | None
    std: F32 | None


@dataclass(frozen=True)
class Network:
    """A whole model. readout: the last layer's mean over time, or its final states. sha256: of the ONNX file. no_sign:
    when its answers say that nobody signs."""

    frames: Frames
    layers: tuple[Recurrent, ...]
    readout: Literal["mean", "final"]
    dense: tuple[Dense, ...]
    class_names: tuple[str, ...]
    scheme: str
    sha256: str
    no_sign: Rejection | None = None

    @property
    def arithmetic(self) -> Arithmetic:
        """int8 where every recurrent weight is stored so."""
        parts = [matrix for layer in self.layers for one in layer.directions for matrix in (one.weights, one.recurrent)]
        return "int8" if all(matrix.codes is not None for matrix in parts) else "fp32"

    @property
    def classes(self) -> int:
        """Logits."""
        return self.dense[-1].weights.rows

    @property
    def streams(self) -> bool:
        """Whether it can go on from frame to frame: no layer reads a take backwards."""
        return all(len(layer.directions) == 1 for layer in self.layers)

    def of_frames(self, count: int) -> Network:
        """The same for takes of so many frames."""
        return replace(self, frames=replace(self.frames, count=count))

    def in_float(self) -> Network:
        """The same numbers computed in fp32, whatever their storage."""
        layers = tuple(
            Recurrent(layer.cell, layer.units, tuple(_float_direction(one) for one in layer.directions))
            for layer in self.layers
        )
        dense = tuple(Dense(Matrix(one.weights.values), one.bias, one.relu) for one in self.dense)
        return replace(self, layers=layers, dense=dense)


def _float_direction(one: Direction) -> Direction:
    return Direction(Matrix(one.weights.values), Matrix(one.recurrent.values), one.input_bias, one.recurrent_bias)
