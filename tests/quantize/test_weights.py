"""Symmetric int8, one scale a row: the laws of rounding."""

from __future__ import annotations

import numpy as np
import pytest

from edgekit.quantize import dequantize_rows, quantize_rows


def _weights(kind: str) -> np.ndarray:
    rng = np.random.default_rng(0)
    values = rng.standard_normal((40, 64))
    if kind == "heavy-tailed":
        values = rng.standard_t(2, (40, 64))
    elif kind == "rows of unlike size":
        values *= 10.0 ** rng.integers(-6, 6, (40, 1))
    elif kind == "with zero rows":
        values[::3] = 0.0
    elif kind == "tiny":
        values *= 1e-40  # below float32's normal numbers
    elif kind == "huge":
        values *= 1e37
    return values.astype(np.float32)


KINDS = ["gaussian", "heavy-tailed", "rows of unlike size", "with zero rows", "tiny", "huge"]


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("kind", KINDS)
def test_the_error_is_at_most_half_a_scale(kind: str, axis: int) -> None:
    values = _weights(kind)
    q, scale = quantize_rows(values, axis)
    assert q.dtype == np.int8
    assert scale.shape == (values.shape[axis],)
    error = np.abs(dequantize_rows(q, scale, axis).astype(np.float64) - values)
    half = np.expand_dims(scale.astype(np.float64), 1 - axis) / 2
    assert (error <= half * (1 + 1e-4)).all()  # float32 rounding of q * scale, at most 127 * 2**-24


@pytest.mark.parametrize("kind", KINDS[:4])
def test_quantising_twice_changes_nothing(kind: str) -> None:
    q, scale = quantize_rows(_weights(kind), 0)
    again, same_scale = quantize_rows(dequantize_rows(q, scale, 0), 0)
    np.testing.assert_array_equal(again, q)
    np.testing.assert_allclose(same_scale, scale, rtol=1e-6)


def test_negated_weights_give_negated_integers() -> None:
    values = _weights("gaussian")
    q, scale = quantize_rows(values, 0)
    negated, same_scale = quantize_rows(-values, 0)
    np.testing.assert_array_equal(negated, -q)
    np.testing.assert_array_equal(same_scale, scale)


def test_the_largest_number_of_a_row_is_127_and_zeros_stay_zero() -> None:
    values = _weights("with zero rows")
    values[:, 0] = 0.0
    q, _ = quantize_rows(values, 0)
    peaks = np.abs(q.astype(int)).max(axis=1)
    np.testing.assert_array_equal(peaks, np.where(values.any(axis=1), 127, 0))
    assert not q[:, 0].any()


def test_scaling_a_row_scales_only_its_scale() -> None:
    values = _weights("gaussian")
    larger = values.copy()
    larger[3] *= 8.0  # a power of two: exact
    q, scale = quantize_rows(values, 0)
    q_larger, scale_larger = quantize_rows(larger, 0)
    np.testing.assert_array_equal(q_larger, q)
    np.testing.assert_array_equal(scale_larger, np.where(np.arange(40) == 3, 8 * scale, scale))


def test_scales_are_what_float16_holds_where_all_are_in_its_range() -> None:
    values = np.random.default_rng(0).normal(size=(6, 40)).astype(np.float32)
    exact = np.abs(values).max(axis=1) / 127
    _, scale = quantize_rows(values, 0)
    np.testing.assert_array_equal(scale, exact.astype(np.float16).astype(np.float32))
    for factor in (1e-6, 1e7):  # one row out of range, and all scales stay float32
        values[3] *= factor
        _, scale = quantize_rows(values, 0)
        np.testing.assert_allclose(scale, np.abs(values).max(axis=1) / 127, rtol=1e-6)
        values[3] /= factor
    np.testing.assert_allclose(quantize_rows(values, 0, half=False)[1], exact, rtol=1e-6)


def test_zeros_and_ones_stay_exact() -> None:
    """As of a matrix that picks coordinates: 1 / 127 in float16 would make each 1 a 4,096th larger or smaller."""
    q, scale = quantize_rows(np.eye(8, dtype=np.float32), 0)
    np.testing.assert_allclose(q * scale[:, None], np.eye(8), rtol=1e-7)
