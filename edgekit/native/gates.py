"""tanh and sigmoid as ratios of two polynomials: no table, no exponential, the same everywhere.

tanh(x) is x P(x^2) / Q(x^2) for |x| <= limit, and its value at the limit beyond. P and Q have the same degree. They
were found by `fit`, which is Lawson's iteration: least squares in which each point's weight grows with its error, until
the largest error can't shrink. sigmoid(x) = (1 + tanh(x / 2)) / 2 has half of the error.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

F32 = NDArray[np.float32]


@dataclass(frozen=True)
class Rational:
    """top, low: coefficients of P and Q, lowest first, low[0] is 1. error: no value is further from tanh than that, in
    float32 arithmetic (a test looks)."""

    limit: float
    top: tuple[float, ...]
    low: tuple[float, ...]
    error: float

    @property
    def order(self) -> int:
        """Degree of both in x^2."""
        return len(self.top) - 1

    @property
    def halved(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """P and Q for tanh(x / 2) = x P(x^2) / Q(x^2): powers of two, so nothing is rounded."""
        top = tuple(value / 2.0 ** (2 * k + 1) for k, value in enumerate(self.top))
        return top, tuple(value / 4.0**k for k, value in enumerate(self.low))

    def tanh(self, x: F32) -> tuple[F32, F32]:
        """Numerator and denominator for x, every operation rounded to float32."""
        x = np.maximum(np.minimum(x, np.float32(self.limit)), np.float32(-self.limit))
        return _polynomial(self.top, x * x) * x, _polynomial(self.low, x * x)

    def twice_sigmoid(self, x: F32) -> tuple[F32, F32]:
        """The same of 2 / (1 + exp(-x)) = 1 + tanh(x / 2)."""
        limit = np.float32(2.0 * self.limit)
        x = np.maximum(np.minimum(x, limit), -limit)
        top, low = (_polynomial(one, x * x) for one in self.halved)
        return top * x + low, low


def _polynomial(coefficients: tuple[float, ...], u: F32) -> F32:
    """As in gates.c: of order 2 one product after the other, of order 3 or 4 in pairs."""
    p, uu = [np.float32(value) for value in coefficients], u * u
    if len(p) == 3:
        return (p[2] * u + p[1]) * u + p[0]
    back = p[3] * u + p[2]
    if len(p) == 5:
        back = p[4] * uu + back
    found: F32 = back * uu + (p[1] * u + p[0])
    return found


def fit(limit: float, order: int, rounds: int = 400, points: int = 4000) -> tuple[list[float], list[float], float]:
    """P, Q and the largest error in exact arithmetic; Q's first coefficient is 1."""
    k = (np.arange(points) + 0.5) / points
    x = np.sort(limit * np.concatenate([np.sin(np.pi / 2 * k), k]))
    u, wanted = (x / limit) ** 2, np.tanh(x)
    weight, low = np.ones_like(x), np.ones_like(x)
    best: tuple[list[float], list[float], float] = ([], [], np.inf)
    powers = u[:, None] ** np.arange(order + 1)
    for _ in range(rounds):
        system = np.hstack([x[:, None] * powers, -wanted[:, None] * powers[:, 1:]])
        scale = np.sqrt(weight) / low
        found = np.linalg.lstsq(system * scale[:, None], wanted * scale, rcond=None)[0]
        p, q = found[: order + 1], np.concatenate([[1.0], found[order + 1 :]])
        low = powers @ q
        error = np.abs(x * (powers @ p) / low - wanted)
        if error.max() < best[2]:
            units = limit ** (2.0 * np.arange(order + 1))
            best = ((p / units).tolist(), (q / units).tolist(), float(error.max()))
        weight = weight * (error + 1e-3 * error.max())
        weight /= weight.sum()
    return best


#: For int8 arithmetic, where h has steps of 1/127 = 8e-3.
QUICK = Rational(
    5.25,
    (0.999753535, 0.100873329, 0.000630838389),
    (1.0, 0.433513761, 0.0123901097),
    5.8e-5,
)
#: For float32 arithmetic.
FINE = Rational(
    9.0,
    (0.999999881, 0.133731976, 0.00348658208, 2.04718344e-05, 1.31842288e-08),
    (1.0, 0.467064947, 0.0258419812, 0.000327138579, 7.70266581e-07),
    4e-7,
)
