"""When models are given back: a look at every object of a process takes a tenth of a second: for large ones only."""

from __future__ import annotations

import gc
import weakref
from pathlib import Path

import pytest

from edgekit.quantize.large import free_models


class Circular:
    """Refers to itself, so that only the collector can be rid of it."""

    def __init__(self) -> None:
        self.me = self


@pytest.mark.parametrize(("model", "beside", "freed"), [(1000, 0, False), (2**24, 0, True), (1000, 2**24, True)])
def test_only_a_large_model_is_worth_collecting_garbage(model: int, beside: int, freed: bool, tmp_path: Path) -> None:
    path = tmp_path / "prepared.onnx"
    for file, size in ((path, model), (path.with_suffix(".bin"), beside)):
        with file.open("wb") as handle:
            handle.truncate(size)
    gc.disable()
    try:
        held = weakref.ref(Circular())
        free_models(path)
        assert (held() is None) == freed
    finally:
        gc.enable()
