"""Several models in one process: whose turn it is, what is kept, and whose fault it is."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from onnx import helper

from edgekit.errors import InputError, ModelFileError, ShapeError, WeakEvidenceError
from edgekit.measure import WORKER, WorkerRequest, launch, run_worker

FakeModels = Callable[..., Any]


def named(path: Path, name: str) -> Path:
    """The file under another name, so that the next one does not replace it."""
    return path.rename(path.with_name(name))


def double(save_onnx: Callable[..., Path], name: str, shape: list[int | str], inputs: str = "landmarks") -> Path:
    """A file that adds its input to itself."""
    nodes = [helper.make_node("Add", [inputs, inputs], ["logits"])]
    return save_onnx(nodes, {inputs: shape}, name=name)


def test_each_sample_is_its_own_models_time(worker: ModuleType, fake_models: FakeModels) -> None:
    models = fake_models(100, 250, 40)
    result = worker.measure_latency(models.turns, {"warmup": 3, "repeats": 20, "max_time_s": 1})
    assert result["samples_ns"] == result["thread_cpu_ns"] == [100] * 20
    assert result["others_ns"] == [[250] * 20, [40] * 20]
    assert (result["warmup_ns"], result["ended_by"]) == ([100] * 3, "repeats")


def test_in_a_round_all_run_twice_on_the_same_take(worker: ModuleType, fake_models: FakeModels) -> None:
    """The run that counts finds the caches as the model itself left them, not as a larger one did."""
    models = fake_models(1, 1, 1)
    worker.measure_latency(models.turns, {"repeats": 30, "max_time_s": 1})
    assert len(models.ran) == 30 * 3 * 2
    for number in range(30):
        ran = models.ran[6 * number : 6 * number + 6]
        assert ran[::2] == ran[1::2]
        assert {index for index, _ in ran} == {0, 1, 2}
        assert {take for _, take in ran} == {number % 3}


@pytest.mark.parametrize("count", [2, 3, 4])
def test_nobody_is_favoured_by_the_order(worker: ModuleType, fake_models: FakeModels, count: int) -> None:
    """Each model is first, and follows each other one, as often as any: within 5 standard deviations of 1200 rounds."""
    models = fake_models(*([1] * count))
    worker.measure_latency(models.turns, {"repeats": 1200, "max_time_s": 1})
    order = [index for index, _ in models.ran[::2]]
    first = Counter(order[::count])
    follows = Counter(itertools.pairwise(order))
    assert len(first) == count
    assert len({pair for pair in follows if pair[0] != pair[1]}) == count * (count - 1)
    for found in (first, {pair: times for pair, times in follows.items() if pair[0] != pair[1]}):
        even = sum(found.values()) / len(found)
        assert all(abs(times - even) < 5 * even**0.5 for times in found.values())


def test_one_model_alone_runs_once_a_round(worker: ModuleType, fake_models: FakeModels) -> None:
    models = fake_models(7)
    result = worker.measure_latency(models.turns, {"repeats": 10, "max_time_s": 1})
    assert (len(models.ran), result["others_ns"]) == (10, [])


def test_the_time_limit_ends_with_a_whole_round(worker: ModuleType, fake_models: FakeModels) -> None:
    models = fake_models(10**8, 3 * 10**8)
    result = worker.measure_latency(models.turns, {"repeats": 100, "max_time_s": 2})
    assert result["ended_by"] == "time"
    assert len(result["samples_ns"]) == len(result["others_ns"][0]) == 3  # of 0.8 s each


def test_a_comparison_keeps_every_sample_of_every_model(lstm_file) -> None:
    files = [named(lstm_file(size), f"{size}.onnx") for size in (8, 16, 24)]
    takes = np.random.default_rng(0).uniform(0, 1, (5, 30, 63)).astype(np.float32)
    for given in (None, takes):
        request = WorkerRequest(files[0], "compare", others=tuple(files[1:]), opened_first=2, takes=given, repeats=12)
        result = run_worker(request)
        assert [len(samples) for samples in (result.samples_ns, *result.others_ns)] == [12, 12, 12]
        assert min(map(min, (result.samples_ns, *result.others_ns))) > 0


def test_inputs_of_other_names_are_the_same_inputs(save_onnx) -> None:
    first = double(save_onnx, "first.onnx", ["batch", 30, 63])
    second = double(save_onnx, "second.onnx", [1, 30, 63], inputs="x")
    result = run_worker(WorkerRequest(first, "compare", others=(second,), repeats=3))
    assert len(result.others_ns[0]) == 3


def test_inputs_of_the_same_names_in_another_order_are_matched_by_name(save_onnx) -> None:
    """By order the sizes would not fit."""
    nodes = [helper.make_node("MatMul", ["a", "b"], ["logits"])]
    first = save_onnx(nodes, {"a": [2, 3], "b": [3, 4]}, name="first.onnx")
    second = save_onnx(nodes, {"b": [3, 4], "a": [2, 3]}, name="second.onnx")
    assert run_worker(WorkerRequest(first, "compare", others=(second,), repeats=3)).others_ns


@pytest.mark.parametrize("shape", [[1, 20, 63], [1, 30], [2, 30, 63]])
def test_inputs_of_another_shape_are_refused_and_the_file_is_named(save_onnx, shape: list[int | str]) -> None:
    first = double(save_onnx, "first.onnx", [1, 30, 63])
    second = double(save_onnx, "second.onnx", shape)
    with pytest.raises(ShapeError, match=r"second\.onnx: its input is .*\[1, 30, 63\]"):
        run_worker(WorkerRequest(first, "compare", others=(second,), repeats=3))


@pytest.mark.parametrize("place", [0, 1, 2])
def test_the_model_that_is_refused_is_the_one_that_is_named(save_onnx, place: int) -> None:
    files = [double(save_onnx, f"good{index}.onnx", [1, 2]) for index in range(2)]
    nodes = [helper.make_node("NoSuchOperator", ["landmarks"], ["logits"])]
    files.insert(place, save_onnx(nodes, {"landmarks": [1, 2]}, name="bad.onnx"))
    with pytest.raises(InputError, match="NoSuchOperator") as caught:
        run_worker(WorkerRequest(files[0], "compare", others=tuple(files[1:])))
    assert str(caught.value).startswith(f"{files[place]}: ")
    assert "good" not in str(caught.value)
    assert "edgekit-bench-" not in str(caught.value)


def test_the_model_that_fails_while_it_runs_is_named(save_onnx) -> None:
    good = double(save_onnx, "good.onnx", ["batch", 4])
    arrays = {"shape": np.array([3, 5])}
    nodes = [helper.make_node("Reshape", ["landmarks", "shape"], ["logits"])]
    bad = save_onnx(nodes, {"landmarks": ["batch", 4]}, arrays, name="bad.onnx")
    with pytest.raises(ModelFileError, match=r"bad\.onnx: fails while it runs"):
        run_worker(WorkerRequest(good, "compare", others=(bad,)))


@pytest.mark.parametrize(
    ("said", "names", "innocent"),
    [
        ("opening model 1", ["second.onnx"], ["first.onnx"]),
        ("running model 0", ["first.onnx"], ["second.onnx"]),
        ("running all models", ["first.onnx", "second.onnx"], []),
        ("", ["first.onnx", "second.onnx"], []),
    ],
)
def test_a_process_that_dies_names_the_model_that_it_was_at(
    save_onnx, tmp_path: Path, said: str, names: list[str], innocent: list[str]
) -> None:
    files = [double(save_onnx, name, [1, 2]) for name in ("first.onnx", "second.onnx")]
    fake = tmp_path / "fake.py"
    fake.write_text(f"import os; print({said!r}, flush=True); os.kill(os.getpid(), 6)")
    with pytest.raises(ModelFileError, match="SIGABRT") as caught:
        run_worker(WorkerRequest(files[0], "compare", others=(files[1],)), worker=fake)
    assert all(name in str(caught.value) for name in names)
    assert not any(name in str(caught.value) for name in innocent)


def test_the_worker_says_whom_it_tries(save_onnx) -> None:
    """What a dying process is judged by."""
    files = [str(double(save_onnx, name, [1, 2])) for name in ("first.onnx", "second.onnx")]
    lines = _ask({"model": files[0], "others": files[1:], "opened_first": 1})
    assert [line for line in lines if "model" in line][:-1] == [
        "opening model 1", "opening model 0", "running model 0", "running model 1", "running all models",
    ]  # fmt: skip


def test_external_data_of_any_model_is_never_looked_for(save_onnx, tmp_path: Path) -> None:
    import onnx

    nodes = [helper.make_node("Add", ["landmarks", "w"], ["logits"])]
    good = save_onnx(nodes, {"landmarks": [1, 400]}, {"w": np.ones((1, 400), np.float32)}, name="good.onnx")
    onnx.save_model(
        onnx.load(good), tmp_path / "bad.onnx", save_as_external_data=True, location="weights", size_threshold=0
    )
    with pytest.raises(ModelFileError, match=r"bad\.onnx: .*other files"):
        run_worker(WorkerRequest(good, "compare", others=(tmp_path / "bad.onnx",)))


def test_nan_takes_never_reach_any_model(lstm_file) -> None:
    takes = np.full((1, 30, 63), np.nan, np.float32)
    path = lstm_file()
    with pytest.raises(ShapeError, match="NaN"):
        run_worker(WorkerRequest(path, "compare", others=(path,), takes=takes))


def test_a_comparison_that_hangs_names_all_its_models(save_onnx, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(launch, "START_ALLOWANCE_S", 0.2)
    files = [double(save_onnx, name, [1, 2]) for name in ("first.onnx", "second.onnx")]
    fake = tmp_path / "fake.py"
    fake.write_text("import threading; threading.Event().wait()")
    with pytest.raises(WeakEvidenceError, match=r"first\.onnx, .*second\.onnx: no result"):
        run_worker(WorkerRequest(files[0], "compare", others=(files[1],), max_time_s=0.1), worker=fake)


@pytest.mark.parametrize("change", [{"others": []}, {"mode": "latency"}, {"mode": "memory"}])
def test_others_belong_to_a_comparison_and_to_nothing_else(change: dict[str, Any]) -> None:
    answer = json.loads(_ask({"model": "x", "others": ["y"], **change})[-1])
    assert answer["error"]["kind"] == "request"
    assert "others" in answer["error"]["message"]


def _ask(change: dict[str, Any]) -> list[str]:
    request = {"schema_version": 1, "mode": "compare", "threads": 1, "repeats": 1, **change}
    done = subprocess.run(
        [sys.executable, str(WORKER)], input=json.dumps(request), capture_output=True, text=True, check=True
    )
    return [line for line in done.stdout.splitlines() if line]
