"""tanh and sigmoid by a ratio of polynomials: the stated bound holds, and is not idle."""

from __future__ import annotations

import numpy as np
import pytest

from edgekit.native.gates import FINE, QUICK, Rational, fit

EDGES = [0.0, -0.0, 1e-40, 1e-30, 3e38, np.inf]


def _numbers(rational: Rational) -> np.ndarray:  # type: ignore[type-arg]
    """Every size that matters, densely around the limit and around zero."""
    limit = rational.limit
    near = np.concatenate([limit + np.linspace(-0.01, 0.01, 2001), np.linspace(0.0, 0.01, 2001)])
    x = np.concatenate([np.linspace(0.0, 4 * limit, 400_001), near, 2 * near, EDGES]).astype(np.float32)
    return np.concatenate([x, -x])


@pytest.mark.parametrize("rational", [QUICK, FINE], ids=["quick", "fine"])
def test_no_value_is_further_off_than_stated(rational: Rational) -> None:
    x = _numbers(rational)
    top, low = rational.tanh(x)
    error = np.abs((top / low).astype(np.float64) - np.tanh(x.astype(np.float64)))
    assert error.max() <= rational.error
    assert error.max() > rational.error / 2, "the bound says more than there is"


@pytest.mark.parametrize("rational", [QUICK, FINE], ids=["quick", "fine"])
def test_the_sigmoid_is_off_by_no_more_than_tanh(rational: Rational) -> None:
    x = _numbers(rational)
    top, low = rational.twice_sigmoid(x)
    with np.errstate(over="ignore"):
        wanted = 1.0 / (1.0 + np.exp(-x.astype(np.float64)))
    assert np.abs(top.astype(np.float64) / (2.0 * low) - wanted).max() <= rational.error


@pytest.mark.parametrize("rational", [QUICK, FINE], ids=["quick", "fine"])
def test_denominators_are_never_near_zero_and_gates_stay_in_range(rational: Rational) -> None:
    top, low = rational.tanh(_numbers(rational))
    assert low.min() >= 0.5
    assert np.abs(np.rint(top / low * np.float32(127.0))).max() == 127.0  # a code of h needs no clipping


@pytest.mark.parametrize("rational", [QUICK, FINE], ids=["quick", "fine"])
def test_the_coefficients_are_what_the_fit_finds(rational: Rational) -> None:
    top, low, error = fit(rational.limit, rational.order, rounds=120, points=1500)
    assert error <= rational.error
    np.testing.assert_allclose(rational.top, top, rtol=2e-2)
    np.testing.assert_allclose(rational.low, low, rtol=2e-2)
