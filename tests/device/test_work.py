"""The work of a prediction: from metadata, from graphs, and honestly unknown."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper

from edgekit.device import UnknownWork, Work, model_work
from edgekit.device import sources as work_module
from edgekit.device.graph import graph_work
from edgekit.runtime import ModelMetadata, inspect_model


@pytest.fixture(autouse=True)
def _count_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """In this process, which is quicker; tests/device/test_counting.py has the other way."""
    monkeypatch.setattr(work_module, "count_apart", graph_work)


def _known(path: Path, shapes: dict[str, tuple[int, ...]] | None = None) -> Work:
    work = model_work(inspect_model(path), shapes)
    assert isinstance(work, Work), work
    return work


def _unknown(path: Path) -> str:
    work = model_work(inspect_model(path))
    assert isinstance(work, UnknownWork)
    return work.reason


@pytest.mark.parametrize(("hidden", "time", "features"), [(8, 30, 63), (64, 30, 63), (5, 7, 3)])
def test_an_lstm_by_the_formula(lstm_file, hidden: int, time: int, features: int) -> None:
    """T * 4 * H * (in + H)."""
    work = _known(lstm_file(hidden, time=time, features=features))
    assert work.matrix_macs == work.macs == time * 4 * hidden * (features + hidden)
    assert work.steps == time


def test_sizes_left_open_can_be_given(lstm_file) -> None:
    path = lstm_file(8, time="time")
    assert "--shape" in _unknown(path)
    assert _known(path, {"landmarks": (1, 10, 63)}).steps == 10
    assert _known(path, {"landmarks": (3, 10, 63)}).macs == 3 * _known(path, {"landmarks": (1, 10, 63)}).macs


def test_both_ways_is_twice_one_way(save_onnx) -> None:
    arrays = {"W": np.ones((2, 24, 5), np.float32), "R": np.ones((2, 24, 8), np.float32)}
    node = helper.make_node("GRU", ["x", "W", "R"], ["", "logits"], hidden_size=8, direction="bidirectional")
    work = _known(save_onnx([node], {"x": [10, 1, 5]}, arrays))
    assert (work.macs, work.steps) == (2 * 10 * 3 * 8 * (5 + 8), 20)


def test_only_what_sequence_lengths_leave_is_certain(save_onnx) -> None:
    """The bound keeps every step, the floor those that the length allows; of a length that nobody knows, none."""
    arrays = {"W": np.ones((1, 32, 5), np.float32), "R": np.ones((1, 32, 8), np.float32), "three": np.array([3], "i4")}

    def path(*lengths: str) -> Path:
        nodes = [helper.make_node("LSTM", ["x", "W", "R", "", *lengths], ["", "logits"], hidden_size=8)]
        to_length = helper.make_node("Cast", ["n"], ["k"], to=TensorProto.INT32)
        return save_onnx([to_length, *nodes] if "k" in lengths else nodes, {"x": [10, 1, 5], "n": [1]}, arrays)

    a_step = 4 * 8 * (5 + 8)
    for lengths, values, least in (((), {}, 10), (("three",), {}, 3), (("k",), {"n": 4}, 4), (("k",), {}, 0)):
        work = model_work(inspect_model(path(*lengths)), values=values)
        assert isinstance(work, Work), work
        assert (work.macs, work.least_macs) == (10 * a_step, least * a_step)


def test_products_and_convolutions(save_onnx) -> None:
    arrays = {"w": np.ones((16, 3, 3, 3), np.float32), "m": np.ones((6, 4), np.float32)}
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["c"], pads=[1, 1, 1, 1]),
        helper.make_node("MatMul", ["c", "m"], ["logits"]),
    ]
    work = _known(save_onnx(nodes, {"x": ["batch", 3, 6, 6]}, arrays))
    assert work.conv_macs == 16 * 6 * 6 * 3 * 3 * 3
    assert work.matrix_macs == 16 * 6 * 4 * 6


def test_a_transposed_gemm(save_onnx) -> None:
    node = helper.make_node("Gemm", ["x", "m"], ["logits"], transA=1, transB=1)
    work = _known(save_onnx([node], {"x": [7, 2]}, {"m": np.ones((5, 7), np.float32)}))
    assert work.matrix_macs == 2 * 5 * 7


def test_what_is_folded_when_the_session_opens_is_no_work(save_onnx) -> None:
    arrays = {"q": np.ones((4, 4), np.int8), "scale": np.array(0.5, np.float32)}
    nodes = [
        helper.make_node("DequantizeLinear", ["q", "scale"], ["m"]),
        helper.make_node("MatMul", ["x", "m"], ["logits"]),
    ]
    work = _known(save_onnx(nodes, {"x": [1, 4]}, arrays))
    assert (work.nodes, work.elements, work.macs) == (1, 0, 16)


def test_an_operator_of_unknown_cost_is_named(save_onnx) -> None:
    node = helper.make_node("TfIdfVectorizer", ["x"], ["logits"], name="odd", domain="")
    assert "TfIdfVectorizer 'odd'" in _unknown(save_onnx([node], {"x": [1, 4]}))
    custom = helper.make_node("LSTM", ["x"], ["logits"], domain="com.example")
    assert "com.example" in _unknown(save_onnx([custom], {"x": [1, 4]}))


def test_metadata_is_believed_only_if_it_can_be_true(lstm_file) -> None:
    info = inspect_model(lstm_file(64))
    honest = ModelMetadata(("A", "B"), sequence_length=30, features=63, macs=975_360)
    work = model_work(replace(info, metadata=honest))
    assert isinstance(work, Work)
    assert (work.macs, work.source) == (975_360, "the file's metadata")
    lying = model_work(replace(info, metadata=replace(honest, macs=10)))
    assert isinstance(lying, UnknownWork)
    assert "too few" in lying.reason


def test_without_the_onnx_package_foreign_work_is_unknown(lstm_file, monkeypatch) -> None:
    monkeypatch.setattr(work_module, "find_spec", lambda name: None)
    assert "pip install" in _unknown(lstm_file())
