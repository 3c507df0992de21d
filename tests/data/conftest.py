"""Recordings for the data tests: small ones made here, real ones where the checkout has them beside it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgekit.data import Recordings, load_recordings

REAL = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "asl-letters.npz"


def _make(labels: list[int], frames: int = 4, features: int = 63, **changes: Any) -> Recordings:
    """Recordings with these labels and random landmarks."""
    takes = len(labels)
    values: dict[str, Any] = {
        "sequences": np.random.default_rng(0).uniform(0.1, 0.9, (takes, frames, features)).astype(np.float32),
        "lengths": np.full(takes, frames),
        "labels": np.array(labels),
        "class_names": tuple("ABCDEFGH"[: max(labels) + 1]),
        "signer": None,
        "session": None,
        "source": "test",
    }
    return Recordings(**{**values, **changes})


@pytest.fixture(scope="session")
def make() -> Callable[..., Recordings]:
    """A function: labels and changed parts in, recordings out."""
    return _make


@pytest.fixture(scope="session")
def real() -> Recordings:
    if not REAL.exists():
        pytest.skip(f"the real recordings are not beside this checkout ({REAL.name})")
    return load_recordings(REAL)
