"""Other people's graphs are counted in a process of its own, within limits; what can't be is undecided."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from edgekit.bench import BenchConfig, bench_onnx
from edgekit.device import UnknownWork, Work, counting
from edgekit.device.counting import count_apart
from edgekit.device.graph import graph_work
from edgekit.runtime.limits import MEMORY_VARIABLE, TIME_VARIABLE

SHAPES = {"x": (1, 4)}
SaveOnnx = Callable[..., Path]
node = helper.make_node


def doubling(times: int) -> list[onnx.NodeProto]:
    """Index arithmetic of 2 numbers that become 2 << times, and their sum as a float."""
    nodes = [node("Shape", ["x"], ["s0"])]
    nodes += [node("Concat", [f"s{k}", f"s{k}"], [f"s{k + 1}"], axis=0) for k in range(times)]
    return [*nodes, node("Cast", [f"s{times}"], ["logits"], to=TensorProto.FLOAT)]


def outer(how: str) -> list[onnx.NodeProto]:
    """A column and a row of 4096 numbers each, which are 16 million when they meet."""
    side = [node("ConstantOfShape", ["side"], ["ones"]), node("Reshape", ["ones", "column"], ["tall"])]
    meet = {
        "Mul": [node("Mul", ["tall", "ones"], ["all"])],
        "Where": [
            node("Cast", ["tall"], ["yes"], to=TensorProto.BOOL),
            node("Where", ["yes", "ones", "ones"], ["all"]),
        ],
        "Gather": [node("Gather", ["tall", "indices"], ["all"])],
    }
    return [*side, *meet[how], node("ReduceSum", ["all"], ["logits"], keepdims=0)]


ARRAYS = {"side": np.array([4096]), "column": np.array([4096, 1]), "indices": np.zeros((64, 64), np.int64)}


@pytest.mark.parametrize("times", [12, 24, 40])
def test_numbers_that_double_are_counted_and_not_computed(save_onnx: SaveOnnx, times: int) -> None:
    """Forty times would be two thousand thousand million numbers; beyond 4096 they are data and no index."""
    path = save_onnx(doubling(times), {"x": [1, 4]})
    tracemalloc.start()
    work = graph_work(path, SHAPES)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert isinstance(work, Work)
    assert work.elements >= 2 << times
    assert peak < 5e6


@pytest.mark.parametrize("how", ["Mul", "Where", "Gather"])
def test_what_grows_as_it_meets_is_not_computed(save_onnx: SaveOnnx, how: str) -> None:
    tracemalloc.start()
    graph_work(save_onnx(outer(how), {"x": [1, 4]}, ARRAYS), SHAPES)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 5e6


def test_endless_index_arithmetic_is_given_up_with_a_reason(save_onnx: SaveOnnx) -> None:
    """Each step is small, all together are not."""
    steps = 300
    nodes = [node("ConstantOfShape", ["side"], ["s0"])]
    nodes += [node("Neg", [f"s{k}"], [f"s{k + 1}"]) for k in range(steps)]
    path = save_onnx([*nodes, node("Identity", [f"s{steps}"], ["logits"])], {"x": [1, 4]}, ARRAYS)
    work = graph_work(path, SHAPES)
    assert isinstance(work, UnknownWork)
    assert work.reason.startswith("its index arithmetic writes more than 1,000,000 numbers (at Neg")


def test_the_process_apart_finds_what_this_one_finds(lstm_file: Callable[..., Path]) -> None:
    path = lstm_file(8, time="time")
    for shapes in ({"landmarks": (1, 10, 63)}, {}):
        assert count_apart(path, shapes) == graph_work(path, shapes)


def test_what_a_value_decides_reaches_the_process_apart(save_onnx: SaveOnnx) -> None:
    path = save_onnx([node("Cast", ["n"], ["k"], to=TensorProto.INT64), node("Tile", ["x", "k"], ["logits"])],
                     {"x": [1, 4], "n": [2]})  # fmt: skip
    for values in ({"n": 3}, {"n": (1, 5)}):
        assert count_apart(path, SHAPES, values) == graph_work(path, SHAPES, values)
    assert count_apart(path, SHAPES, {"n": 3}) != count_apart(path, SHAPES, {"n": (1, 5)})


def _reason(path: Path) -> str:
    work = count_apart(path, SHAPES)
    assert isinstance(work, UnknownWork)
    return work.reason


def test_counting_within_limits(save_onnx: SaveOnnx, monkeypatch: pytest.MonkeyPatch) -> None:
    path = save_onnx(doubling(1), {"x": [1, 4]})
    monkeypatch.setenv(MEMORY_VARIABLE, "1")
    monkeypatch.setattr(counting, "PROGRAM", "from edgekit.device.graph import *\nlimit_memory(10**6); [0] * 10**7")
    assert _reason(path) == f"counting its operations takes more than 1 MB of memory; {MEMORY_VARIABLE} allows more"
    monkeypatch.setenv(TIME_VARIABLE, "1")
    monkeypatch.setattr(counting, "PROGRAM", "import time; time.sleep(60)")
    assert _reason(path) == f"counting its operations takes more than 1 s; {TIME_VARIABLE} allows more"
    monkeypatch.setattr(counting, "PROGRAM", "import os; os.abort()")
    assert _reason(path).startswith("counting its operations ended by SIGABRT")
    monkeypatch.setattr(counting, "PROGRAM", "import no_such_module")
    assert _reason(path) == "its operations can't be counted: ModuleNotFoundError: No module named 'no_such_module'"


def test_a_bench_says_so_and_stays_undecided(save_onnx: SaveOnnx, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counting, "PROGRAM", "import os; os.abort()")
    few = BenchConfig(repeats=200, min_time_s=0, processes=1)
    result = bench_onnx(save_onnx(doubling(1), {"x": [1, 4]}), "raspberry-pi-5", few)
    assert result.exit_code == 4
    assert "counting its operations ended by SIGABRT" in next(row.note for row in result.rows if row.verdict != "pass")
