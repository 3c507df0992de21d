"""Small things that many tests need: ONNX files (made with the onnx package), models, takes that can be learned.

torch is imported where it is needed, so that tests without it stay quick.
"""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if "PYTEST_XDIST_WORKER" in os.environ:  # processes that share the cores would only wait for each other's threads
    os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import onnx
import pytest
from longest import LONGEST
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from edgekit.data import HAND_FEATURES, Normalisation

if TYPE_CHECKING:
    from edgekit.model import RecurrentClassifier
    from edgekit.train import Takes


Arrays = Mapping[str, NDArray[np.generic]]
SaveOnnx = Callable[..., Path]
LstmFile = Callable[..., Path]
TinyModel = Callable[..., "RecurrentClassifier"]


@pytest.fixture
def save_onnx(tmp_path: Path) -> SaveOnnx:
    """(nodes, inputs, arrays, output, name): a file with float32 inputs (name to shape) and one output."""

    def save(
        nodes: Sequence[onnx.NodeProto],
        inputs: Mapping[str, Sequence[int | str]],
        arrays: Arrays | None = None,
        output: str = "logits",
        name: str = "model.onnx",
    ) -> Path:
        graph = helper.make_graph(
            list(nodes),
            "test",
            [helper.make_tensor_value_info(key, TensorProto.FLOAT, list(size)) for key, size in inputs.items()],
            [helper.make_tensor_value_info(output, TensorProto.FLOAT, None)],
            [numpy_helper.from_array(value, key) for key, value in (arrays or {}).items()],
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
        path = tmp_path / name
        onnx.save(model, path)
        return path

    return save


@pytest.fixture
def lstm_file(save_onnx: SaveOnnx) -> LstmFile:
    """(hidden, batch, time, features): one LSTM from `landmarks` to its last state, (1, batch, hidden)."""

    def make(hidden: int = 8, batch: int | str = "batch", time: int | str = 30, features: int = 63) -> Path:
        rng = np.random.default_rng(0)
        arrays = {
            "W": rng.standard_normal((1, 4 * hidden, features)).astype(np.float32),
            "R": rng.standard_normal((1, 4 * hidden, hidden)).astype(np.float32),
        }
        nodes = [
            helper.make_node("Transpose", ["landmarks"], ["x"], perm=[1, 0, 2]),
            helper.make_node("LSTM", ["x", "W", "R"], ["", "logits"], hidden_size=hidden),
        ]
        return save_onnx(nodes, {"landmarks": [batch, time, features]}, arrays)

    return make


@pytest.fixture
def normalisation() -> Normalisation:
    """Of one hand, with statistics that change every number."""
    rng = np.random.default_rng(7)
    mean = rng.normal(0.0, 0.3, HAND_FEATURES).astype(np.float32)
    std = rng.uniform(0.5, 2.0, HAND_FEATURES).astype(np.float32)
    return Normalisation("hand", True, mean, std)


@pytest.fixture
def tiny_model(normalisation: Normalisation) -> TinyModel:
    """(seed, classes, settings of ModelConfig): a model of 8 units, a dense layer of 12 and 30 frames unless told
    otherwise."""
    from edgekit.model import ModelConfig, build_model

    def make(seed: int = 0, classes: int = 3, **settings: Any) -> RecurrentClassifier:
        config = ModelConfig.model_validate({"hidden_size": 8, "dense": 12, **settings})
        return build_model(config, normalisation, classes, seed, sequence_length=30)

    return make


def _hands(takes_per_class: int, rng: np.random.Generator) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Three hand shapes with much noise, at random places and sizes; x (takes, 6, 63), labels (takes,)."""
    shapes = np.random.default_rng(1).normal(0.0, 1.0, (3, 21, 3))
    shapes -= shapes[:, :1]
    shapes /= np.linalg.norm(shapes[:, 9:10], axis=-1, keepdims=True)
    labels = np.arange(3 * takes_per_class) % 3
    points = shapes[labels][:, None] + rng.normal(0.0, 0.5, (len(labels), 6, 21, 3))
    points = points * rng.uniform(0.1, 0.3, (len(labels), 1, 1, 1)) + rng.uniform(0.3, 0.7, (len(labels), 1, 1, 3))
    return points.reshape(len(labels), 6, HAND_FEATURES).astype(np.float32), labels.astype(np.int64)


@pytest.fixture
def learnable() -> tuple[Takes, Takes]:
    """18 training takes and 9 validation takes of 6 frames that a tiny model tells apart after a few epochs."""
    from edgekit.train import Takes

    rng = np.random.default_rng(0)
    return Takes(*_hands(6, rng)), Takes(*_hands(3, rng))


@pytest.fixture
def apart() -> None:
    """Asked for by tests whose models run in processes of their own, as outside of tests, where others' do not."""


@pytest.fixture
def models_run_here(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Models are opened, and their work is counted, in this process, but for tests that ask for `apart`."""
    if "apart" not in request.fixturenames:
        from in_this_process import SessionHere

        from edgekit.device.graph import graph_work

        monkeypatch.setattr("edgekit.runtime.session.GuardedSession", SessionHere)
        monkeypatch.setattr("edgekit.device.sources.count_apart", graph_work)


class Settled:
    """What stays to the end: thousands of collected tests, and modules, which the garbage collector would walk each
    time."""

    modules = 0

    @classmethod
    def look(cls) -> None:
        """Put it out of the collector's sight, again whenever modules have come; garbage goes first."""
        if len(sys.modules) != cls.modules:
            cls.modules = len(sys.modules)
            gc.collect()
            gc.freeze()


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[object]:
    """What is imported and collected stays: nobody looks for garbage in it meanwhile."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """xdist hands out files in this order, where it may not order them by how many tests they have."""
    if "PYTEST_XDIST_WORKER" in os.environ:
        items.sort(key=lambda item: LONGEST.index(item.path.stem) if item.path.stem in LONGEST else len(LONGEST))


def pytest_runtest_setup(item: pytest.Item) -> None:
    Settled.look()
    if item.get_closest_marker("untraced") and os.environ.get("COVERAGE_RUN"):
        pytest.skip("untraced: coverage is counting")
