"""Axes of drawings: where a number lies, which numbers are written beside it, and what they are."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

#: Steps between ticks that people read easily, as factors of a power of ten.
_STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)
#: What a logarithmic axis may have ticks at, as factors of powers of ten: all of these, or fewer where they are many.
_FACTORS = ((1.0, 2.0, 5.0), (1.0, 3.0), (1.0,))


@dataclass(frozen=True)
class Axis:
    """low, high: its ends, low < high. title: what it shows, with its unit. ticks: numbers and how they are written."""

    low: float
    high: float
    title: str
    ticks: tuple[tuple[float, str], ...]
    logarithmic: bool = False

    def place(self, value: float) -> float:
        """0 at the low end, 1 at the high one; beyond them at them."""
        low, high, at = (
            (map(math.log, (self.low, self.high, max(value, self.low))))
            if self.logarithmic
            else (
                self.low,
                self.high,
                value,
            )
        )
        return min(max((at - low) / (high - low), 0.0), 1.0)


def linear(low: float, high: float, title: str, most: int = 6, shown: Callable[[float], str] | None = None) -> Axis:
    """An axis that holds both numbers, ending at ticks where that wastes little. most: ticks."""
    if not high > low:
        low, high = low - (abs(low) or 1.0) / 2, high + (abs(high) or 1.0) / 2
    step = _step(high - low, most)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    values = [step * k for k in range(first, last + 1)]
    written = shown or _plainly(step)
    return Axis(values[0], values[-1], title, tuple((value, written(value)) for value in values))


def within(low: float, high: float, title: str, most: int = 6) -> Axis:
    """An axis that ends at these two numbers, with ticks between them."""
    if not high > low:
        low, high = low - (abs(low) or 1.0) / 2, high + (abs(high) or 1.0) / 2
    step = _step(high - low, most)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    written = _plainly(step)
    return Axis(low, high, title, tuple((step * k, written(step * k)) for k in range(first, last + 1)))


def whole(low: int, high: int, title: str, most: int = 8) -> Axis:
    """An axis of whole numbers that ends at these two, which both are written."""
    high = max(high, low + 1)
    step = max(1, math.ceil(_step(high - low, most)))
    inner = [value for value in range(step, high, step) if low < value <= high - (step + 1) // 2]
    return Axis(low, high, title, tuple((float(value), str(value)) for value in (low, *inner, high)))


def logarithm(values: Iterable[float], title: str, most: int = 7, room: float = 1.25) -> Axis:
    """An axis that holds all numbers, each above 0. room: a factor between them and its ends."""
    kept = sorted(values)
    low, high = kept[0] / room, kept[-1] * room
    for factors in _FACTORS:
        ticks = _powers(low, high, factors)
        if len(ticks) <= most:
            break
    return Axis(low, high, title, tuple((value, f"{value:g}") for value in ticks), logarithmic=True)


def _powers(low: float, high: float, factors: Sequence[float]) -> list[float]:
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    found = [factor * 10.0**power for power in range(first, last + 1) for factor in factors]
    return [float(f"{value:.6g}") for value in found if low <= value <= high]


def _step(span: float, most: int) -> float:
    """The least step of _STEPS that needs no more ticks than that."""
    unit = 10.0 ** math.floor(math.log10(span / most))
    return next(unit * step for step in _STEPS if span / (unit * step) <= most)


def _plainly(step: float) -> Callable[[float], str]:
    """How numbers that are `step` apart are written: with as many decimals as that needs."""
    decimals = max(0, -math.floor(math.log10(step) + 1e-9))
    if round(step * 10**decimals, 6) % 1:
        decimals += 1
    return lambda value: f"{value + 0.0:.{decimals}f}"
