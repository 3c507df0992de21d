"""The compiled program's arithmetic in numpy. For an int8 network it is the same to the last bit: every float32
operation is rounded on its own, in the same order, and sums of int8 products are exact; so golden vectors need no
compiler. For an fp32 network only the order of sums differs.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.native.gates import FINE, QUICK, Rational
from edgekit.native.network import F32, HAND, Dense, Direction, Frames, Matrix, Network, Recurrent
from edgekit.native.tables import gate_biases

F = np.float32
TINY, FLOOR = F(1e-30), F(1e-3)
STEP = F(1.0) / F(127.0)


def predict(network: Network, x: F32) -> F32:
    """Logits float32 (takes, classes) of x float32 (takes, frames, features), as the compiled C gives them."""
    with np.errstate(over="ignore", invalid="ignore"):
        return dense_layers(network, readout(network, x))


def readout(network: Network, x: F32) -> F32:
    """What the dense layers read of x, float32 (takes, outputs of the last layer)."""
    with np.errstate(over="ignore", invalid="ignore"):
        outputs = _last_layer(network, x)
        return np.concatenate([one[1 if network.readout == "final" else 2] for one in outputs], axis=1)


def stream(network: Network, x: F32) -> F32:
    """Logits float32 (takes, frames, classes) of x float32 (takes, frames, features), any number of frames: what a
    stream that begins with each take answers after every frame. Raises TypeError for a network that reads takes
    backwards."""
    if not network.streams:
        raise TypeError("a network that reads takes backwards has no stream")
    with np.errstate(over="ignore", invalid="ignore"):
        ((h, _, _),) = _last_layer(network, x)
        if network.readout == "mean":
            most, mean = network.frames.count, _code_mean if network.arithmetic == "int8" else _mean
            h = np.stack([mean(h[:, max(0, t - most) : t]) for t in range(1, h.shape[1] + 1)], axis=1)
        return dense_layers(network, h.reshape(-1, h.shape[2])).reshape(*x.shape[:2], network.classes)


def _last_layer(network: Network, x: F32) -> list[tuple[F32, F32, F32]]:
    """What `_direction` gives, of each direction of the last layer."""
    exact = network.arithmetic == "int8"
    rational = QUICK if exact else FINE
    frames = normalised(network.frames, x)
    sequence: NDArray[Any]
    sequence, factor = _encoded(frames) if exact else (frames, None)
    for layer in network.layers:
        outputs = [
            _direction(layer, one, sequence, factor, rational, backwards=bool(k))
            for k, one in enumerate(layer.directions)
        ]
        sequence = np.concatenate([one[0] for one in outputs], axis=2)
        if exact:
            sequence, factor = _codes(sequence, F(127.0)), np.full(sequence.shape[:2], STEP)
    return outputs


def dense_layers(network: Network, read: F32, widest: int = 127) -> F32:
    """Logits float32 (takes, classes) of what the dense layers read. widest: the largest code of a layer's input; the C
    code has 127."""
    for dense in network.dense:
        read = _dense(dense, read, network.arithmetic == "int8", widest)
    return read


def _mean(h: F32) -> F32:
    """Over time, float32 (takes, units), added up in order."""
    total = np.zeros_like(h[:, 0])
    for t in range(h.shape[1]):
        total = total + h[:, t]
    return total * (F(1.0) / F(h.shape[1]))


def _code_mean(h: F32) -> F32:
    """The same of h in its steps of 1/127, exact until the last product."""
    codes, count = _codes(h, F(127.0)).sum(axis=1), F(127.0) * F(h.shape[1])
    mean: F32 = codes.astype(np.float32) * (F(1.0) / count)
    return mean


def normalised(frames: Frames, x: F32) -> F32:
    """What the first layer reads, of the same shape as x."""
    out = x.copy()
    for hand in range(frames.hands):
        part = slice(HAND * hand, HAND * (hand + 1))
        out[:, :, part] = _hand(x[:, :, part], frames.path)
    if frames.mean is not None and frames.std is not None:
        out = (out - frames.mean) * (F(1.0) / frames.std)
    return out


def _hand(x: F32, path: bool) -> F32:
    wrist = x[:, :, :3]
    across, down, deep = np.moveaxis(x[:, :, 27:30] - wrist, 2, 0)
    size = np.sqrt(across * across + down * down + deep * deep)
    unit = F(1.0) / np.where(size > FLOOR, size, FLOOR)
    out = (x - np.tile(wrist, (1, 1, HAND // 3))) * unit[..., None]
    seen = (x != 0).any(axis=2)
    first = x[np.arange(len(x)), seen.argmax(axis=1), :3][:, None]
    out[:, :, :3] = (wrist - first) * unit[..., None] if path else F(0.0)
    return np.where(seen[..., None], out, F(0.0))


def _encoded(x: F32, widest: int = 127) -> tuple[NDArray[np.int64], F32]:
    """Codes of x (..., numbers) in steps of each row's own, and the steps (...): its largest number is `widest`."""
    peak, most = np.abs(x).max(axis=-1), F(widest)
    unit = np.where(peak > TINY, most / np.maximum(peak, TINY), F(0.0))
    return _codes(x, unit[..., None]), peak / most


def _codes(x: F32, unit: F32 | np.float32) -> NDArray[np.int64]:
    codes: NDArray[np.int64] = np.rint(x * unit).astype(np.int64)
    return codes


def _product(matrix: Matrix, x: NDArray[np.int64], factor: F32) -> F32:
    """factor: of x's leading axes."""
    if matrix.codes is None or matrix.scale is None:
        raise TypeError("a matrix of an int8 network without codes")
    sums = (x.astype(np.float64) @ matrix.codes.T.astype(np.float64)).astype(np.int64)  # exact: below 2^53
    return sums.astype(np.float32) * (matrix.scale * factor[..., None])


def _direction(
    layer: Recurrent,
    one: Direction,
    sequence: NDArray[np.generic],
    factor: F32 | None,
    rational: Rational,
    backwards: bool,
) -> tuple[F32, F32, F32]:
    """All h float32 (takes, frames, units) in the order of frames, the final one (takes, units), and their mean: in
    integers of codes, else added up in the order in which they were computed."""
    outside, inside = gate_biases(layer, one)
    gates = _sent(one.weights, outside, sequence, factor)
    takes, frames = gates.shape[:2]
    h, c, total = np.zeros((3, takes, layer.units), np.float32)
    hs = np.zeros((takes, frames, layer.units), np.float32)
    step = None if factor is None else np.full(takes, STEP)
    for t in reversed(range(frames)) if backwards else range(frames):
        x = h if step is None else _codes(h, F(127.0))
        if layer.cell == "LSTM":
            h, c = _lstm(_sent(one.recurrent, gates[:, t], x, step), c, layer.units, rational)
        else:
            h = _gru(gates[:, t], _sent(one.recurrent, inside, x, step), h, layer.units, rational)
        hs[:, t], total = h, total + h
    return hs, h, total * (F(1.0) / F(frames)) if step is None else _code_mean(hs)


def _sent(matrix: Matrix, start: F32, x: NDArray[Any], factor: F32 | None) -> F32:
    """start + matrix x; factor: what a code of 1 stands for, where x is codes."""
    sent: F32 = x @ matrix.values.T + start if factor is None else start + _product(matrix, x, factor)
    return sent


def _lstm(pre: F32, c: F32, units: int, rational: Rational) -> tuple[F32, F32]:
    i, o, f = (rational.twice_sigmoid(pre[:, k * units : (k + 1) * units]) for k in range(3))
    g = rational.tanh(pre[:, 3 * units :])
    low, gained = i[1] * g[1], (i[0] * g[0]) * f[1]
    state: F32 = ((f[0] * c) * low + gained) / ((f[1] + f[1]) * low)
    shown = rational.tanh(state)
    return (o[0] * shown[0]) / ((o[1] + o[1]) * shown[1]), state


def _gru(frame: F32, state: F32, h: F32, units: int, rational: Rational) -> F32:
    z, r = (rational.twice_sigmoid((frame + state)[:, k * units : (k + 1) * units]) for k in range(2))
    part = (r[0] / (r[1] + r[1])) * state[:, 2 * units :]
    n = rational.tanh(frame[:, 2 * units :] + part.astype(np.float32, copy=False))
    twice = z[1] + z[1]
    new: F32 = ((z[0] * h) * n[1] + (twice - z[0]) * n[0]) / (twice * n[1])
    return new


def _dense(dense: Dense, x: F32, exact: bool, widest: int) -> F32:
    if dense.weights.codes is not None and exact:
        out: F32 = dense.bias + _product(dense.weights, *_encoded(x, widest))
    elif exact:
        out = np.tile(dense.bias, (len(x), 1))
        for k in range(x.shape[1]):
            out = x[:, k : k + 1] * dense.weights.values[:, k] + out
    else:
        out = x @ dense.weights.values.T + dense.bias
    return np.maximum(out, F(0.0)) if dense.relu else out
