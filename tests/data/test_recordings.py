from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from edgekit.data import Recordings
from edgekit.errors import DataError


def parts(**changes: Any) -> dict[str, Any]:
    whole = {
        "sequences": np.ones((3, 4, 5), np.float32),
        "lengths": np.array([4, 2, 4]),
        "labels": np.array([0, 1, 1]),
        "class_names": ("A", "B"),
        "signer": np.array(["p", "p", "q"]),
        "session": None,
        "source": "here",
    }
    return {**whole, **changes}


def with_value(value: float) -> np.ndarray[Any, Any]:
    sequences = np.ones((3, 4, 5), np.float32)
    sequences[2, 1, 3] = value
    return sequences


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_non_finite_numbers_are_refused_with_take_and_frame(value: float) -> None:
    with pytest.raises(DataError, match="here: take 2, frame 1, feature 3"):
        Recordings(**parts(sequences=with_value(value)))


def test_numbers_too_large_for_float32_are_refused() -> None:
    sequences = np.ones((3, 4, 5))
    sequences[2, 1, 3] = 1e200
    with pytest.raises(DataError, match="take 2, frame 1"):
        Recordings(**parts(sequences=sequences))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"sequences": np.ones((3, 4))}, r"\(takes, frames, features\)"),
        ({"sequences": np.ones((3, 0, 5))}, r"\(takes, frames, features\)"),
        ({"sequences": np.full((3, 4, 5), "x")}, "numbers"),
        ({"sequences": np.full((3, 4, 5), None)}, "numbers"),
        ({"labels": np.array([0, 1, 2])}, r"labels\[2\] is 2, allowed is 0\.\.1"),
        ({"labels": np.array([0, -1, 0])}, r"labels\[1\] is -1"),
        (
            {"labels": np.array([0.0, 1.0, 0.0])},
            r"labels must hold whole numbers, got float64; save them as int64: labels.astype",
        ),
        ({"labels": np.array([0, 1])}, "one entry per take"),
        ({"lengths": np.array([4, 0, 4])}, r"lengths\[1\] is 0, allowed is 1\.\.4"),
        ({"lengths": np.array([4, 5, 4])}, r"lengths\[1\] is 5"),
        ({"class_names": ("A", "A")}, "'A' more than once"),
        ({"class_names": ()}, "one name or more"),
        ({"class_names": ("A", " ")}, "one name or more"),
        ({"signer": np.array(["p", "q"])}, "signer must have one entry per take"),
        ({"session": np.array([1, 2, 3])}, "session must hold text"),
    ],
)
def test_parts_that_do_not_fit_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        Recordings(**parts(**changes))


def test_numeric_types_are_converted() -> None:
    recordings = Recordings(**parts(sequences=np.ones((3, 4, 5)), labels=np.array([0, 1, 1], np.uint8)))
    assert recordings.sequences.dtype == np.float32
    assert recordings.labels.dtype == recordings.lengths.dtype == np.int64
    assert (recordings.takes, recordings.features, recordings.classes) == (3, 5, 2)


def test_take_keeps_what_belongs_together() -> None:
    recordings = Recordings(**parts(sequences=np.arange(60.0).reshape(3, 4, 5)))
    chosen = recordings.take(np.array([2, 1]))
    assert chosen.labels.tolist() == [1, 1]
    assert chosen.lengths.tolist() == [4, 2]
    assert chosen.signer is not None
    assert chosen.signer.tolist() == ["q", "p"]
    assert np.array_equal(chosen.sequences, recordings.sequences[[2, 1]])
    assert chosen.class_names == recordings.class_names
    assert recordings.take(np.array([], np.int64)).takes == 0
