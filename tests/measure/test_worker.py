"""The worker's protocol, and what becomes of bad models, bad inputs and a process that dies."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from onnx import helper

from edgekit.errors import EdgekitError, InputError, ModelFileError, ShapeError, WeakEvidenceError
from edgekit.measure import WORKER, FedInput, WorkerRequest, launch, run_worker


def _takes(count: int = 4) -> np.ndarray:
    return np.random.default_rng(0).uniform(0, 1, (count, 30, 63)).astype(np.float32)


def _fake_worker(folder: Path, body: str) -> Path:
    path = folder / "fake.py"
    path.write_text(body)
    return path


def test_latency_keeps_every_sample(lstm_file) -> None:
    result = run_worker(WorkerRequest(lstm_file(), "latency", repeats=30, warmup=3))
    assert len(result.samples_ns) == len(result.thread_cpu_ns) == 30
    assert result.ended_by == "repeats"
    assert (result.use.elapsed_s or 0) > sum(result.samples_ns) / 1e9
    assert len(result.warmup_ns) == 3
    assert min(result.samples_ns) > 0
    assert result.inputs == (FedInput("landmarks", "tensor(float)", (1, 30, 63), "random"),)
    machine = result.machine
    assert None not in (machine.python, machine.numpy, machine.onnxruntime, machine.cpu_model, machine.cores)


def test_real_takes_are_run_one_at_a_time(lstm_file) -> None:
    result = run_worker(WorkerRequest(lstm_file(), "latency", takes=_takes(), repeats=8, warmup=0))
    assert result.inputs[0].source == "takes"
    assert result.inputs[0].shape == (1, 30, 63)


@pytest.mark.skipif(sys.platform != "linux", reason="peak memory is read from /proc")
def test_memory_grows_by_stage_and_is_not_the_parents(lstm_file) -> None:
    """120 MB in this process must not show in the worker's peak, as they would with ru_maxrss."""
    ballast = np.ones(15_000_000)
    result = run_worker(WorkerRequest(lstm_file(64), "memory", repeats=5))
    assert ballast[-1] == 1
    peaks = [stage.peak_rss_bytes for stage in result.stages]
    assert [stage.stage for stage in result.stages] == [
        "interpreter", "imports", "session", "first run", "run",
    ]  # fmt: skip
    assert peaks == sorted(peaks)
    for stage in result.stages:
        assert 0 < stage.uss_bytes <= stage.pss_bytes <= 1.05 * stage.rss_bytes <= 1.1 * stage.peak_rss_bytes
    assert result.peak_rss_bytes == peaks[-1]
    assert 10e6 < peaks[-1] < 100e6


@pytest.mark.skipif(sys.platform != "linux", reason="peak memory is read from /proc")
def test_memory_includes_what_the_model_takes(lstm_file, save_onnx) -> None:
    """An output of 80 MB shows."""
    small = run_worker(WorkerRequest(lstm_file(), "memory", repeats=1)).peak_rss_bytes
    nodes = [helper.make_node("Expand", ["landmarks", "size"], ["logits"])]
    hungry = save_onnx(nodes, {"landmarks": [1, 1]}, {"size": np.array([20, 1_000_000])}, name="hungry.onnx")
    large = run_worker(WorkerRequest(hungry, "memory", repeats=1)).peak_rss_bytes
    assert small is not None
    assert large is not None
    assert large - small > 70e6


def test_sizes_left_open_come_from_the_request(lstm_file) -> None:
    path = lstm_file(time="time")
    with pytest.raises(ShapeError, match="--shape landmarks="):
        run_worker(WorkerRequest(path, "latency", repeats=1))
    known = run_worker(WorkerRequest(path, "latency", repeats=1, sequence_length=12))
    assert known.inputs[0].shape == (1, 12, 63)
    asked = run_worker(WorkerRequest(path, "latency", repeats=1, shapes={"landmarks": (2, 7, 63)}))
    assert asked.inputs[0].shape == (2, 7, 63)
    with pytest.raises(ShapeError, match="declares"):
        run_worker(WorkerRequest(path, "latency", repeats=1, shapes={"landmarks": (1, 7, 64)}))


def test_several_inputs_of_several_types_are_fed(tmp_path) -> None:
    import onnx
    from onnx import TensorProto

    inputs = [
        helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 4]),
        helper.make_tensor_value_info("index", TensorProto.INT64, [2]),
    ]
    output = [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)]
    node = helper.make_node("Gather", ["x", "index"], ["y"], axis=1)
    opset = [helper.make_opsetid("", 17)]
    model = helper.make_model(helper.make_graph([node], "g", inputs, output), opset_imports=opset, ir_version=9)
    onnx.save(model, tmp_path / "two.onnx")
    result = run_worker(WorkerRequest(tmp_path / "two.onnx", "latency", repeats=2))
    assert [item.type for item in result.inputs] == ["tensor(float)", "tensor(int64)"]


@pytest.mark.parametrize(
    ("takes", "message"),
    [
        (np.full((2, 30, 63), np.nan, np.float32), "NaN"),
        (np.zeros((0, 30, 63), np.float32), "expects"),
        (np.zeros((2, 20, 63), np.float32), "expects"),
        (np.zeros((2, 63), np.float32), "expects"),
    ],
)
def test_takes_that_do_not_fit_never_reach_the_model(lstm_file, takes: np.ndarray, message: str) -> None:
    with pytest.raises(ShapeError, match=message):
        run_worker(WorkerRequest(lstm_file(), "latency", takes=takes, repeats=1))


def test_the_worker_itself_refuses_nan(lstm_file, tmp_path) -> None:
    """On a device nobody else looks at the takes."""
    np.save(tmp_path / "nan.npy", np.full((1, 30, 63), np.inf, np.float32))
    answer = _ask({"model": str(lstm_file()), "takes": str(tmp_path / "nan.npy")})
    assert answer["error"]["kind"] == "shape"


@pytest.mark.parametrize("change", [{"mode": "both"}, {"threads": 0}, {"repeats": "many"}, {"schema_version": 99}])
def test_a_bad_request_is_an_answer(change: dict[str, object]) -> None:
    assert _ask(change)["error"]["kind"] == "request"


def test_a_model_that_empties_its_own_batch_is_named_with_its_signal(save_onnx) -> None:
    """ONNX Runtime aborts on an empty batch, which a graph can make by itself."""
    arrays = {
        "starts": np.array([1]),
        "ends": np.array([1]),
        "axes": np.array([1]),
        "W": np.ones((1, 32, 63), np.float32),
        "R": np.ones((1, 32, 8), np.float32),
    }
    nodes = [
        helper.make_node("Slice", ["landmarks", "starts", "ends", "axes"], ["none"]),
        helper.make_node("LSTM", ["none", "W", "R"], ["", "logits"], hidden_size=8),
    ]
    path = save_onnx(nodes, {"landmarks": [30, 1, 63]}, arrays)
    with pytest.raises(ModelFileError, match=r"model\.onnx: .*(SIGABRT|SIGSEGV|fails while it runs)"):
        run_worker(WorkerRequest(path, "latency", repeats=1))


@pytest.mark.parametrize(("number", "name"), [(6, "SIGABRT"), (9, "SIGKILL"), (11, "SIGSEGV")])
def test_a_process_that_dies_is_a_clear_error(lstm_file, tmp_path, number: int, name: str) -> None:
    fake = _fake_worker(tmp_path, f"import os; os.kill(os.getpid(), {number})")
    with pytest.raises(ModelFileError, match=name):
        run_worker(WorkerRequest(lstm_file(), "latency"), worker=fake)


def test_a_process_without_a_result_says_what_it_said(lstm_file, tmp_path) -> None:
    fake = _fake_worker(tmp_path, "raise SystemExit('out of cheese')")
    with pytest.raises(EdgekitError, match="out of cheese"):
        run_worker(WorkerRequest(lstm_file(), "latency"), worker=fake)


def test_a_process_that_hangs_is_ended(lstm_file, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(launch, "START_ALLOWANCE_S", 0.2)
    fake = _fake_worker(tmp_path, "import threading; threading.Event().wait()")
    with pytest.raises(WeakEvidenceError, match="time limit"):
        run_worker(WorkerRequest(lstm_file(), "latency", max_time_s=0.1), worker=fake)


def test_the_time_limit_ends_the_samples(lstm_file) -> None:
    result = run_worker(WorkerRequest(lstm_file(), "latency", repeats=10**9, max_time_s=0.05))
    assert 1 <= len(result.samples_ns) < 10**6


def test_files_that_are_no_models_are_refused(tmp_path) -> None:
    (tmp_path / "text.onnx").write_text("not a model")
    for path in (tmp_path / "text.onnx", tmp_path / "missing.onnx"):
        with pytest.raises(ModelFileError):
            run_worker(WorkerRequest(path, "latency"))


def test_a_model_that_does_not_load_is_named_by_its_own_path(save_onnx) -> None:
    path = save_onnx([helper.make_node("NoSuchOperator", ["landmarks"], ["logits"])], {"landmarks": [1, 2]})
    with pytest.raises(InputError, match="NoSuchOperator") as caught:
        run_worker(WorkerRequest(path, "latency"))
    assert str(path) in str(caught.value)
    assert "edgekit-bench-" not in str(caught.value)


def test_the_worker_is_one_file_for_python_3_9() -> None:
    tree = ast.parse(WORKER.read_text(), feature_version=(3, 9))
    imported = {
        name.partition(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in ([node.module or ""] if isinstance(node, ast.ImportFrom) else [a.name for a in node.names])
    }
    assert imported - set(sys.stdlib_module_names) == {"numpy", "onnxruntime"}
    assert not any(isinstance(node, ast.Match) for node in ast.walk(tree))


def _ask(change: dict[str, object]) -> dict[str, dict[str, str]]:
    request = {"schema_version": 1, "mode": "latency", "model": "x", "threads": 1, "repeats": 1, **change}
    done = subprocess.run(
        [sys.executable, str(WORKER)], input=json.dumps(request), capture_output=True, text=True, check=True
    )
    answer: dict[str, dict[str, str]] = json.loads(done.stdout.strip().splitlines()[-1])
    return answer


def test_a_shape_for_an_input_that_the_model_lacks_is_refused(lstm_file) -> None:
    with pytest.raises(ShapeError, match="--shape nosuch: no such input"):
        run_worker(WorkerRequest(lstm_file(), "latency", shapes={"nosuch": (1, 30, 63)}, repeats=1))


def test_count_mode_tells_what_was_answered_to_each_take(lstm_file) -> None:
    """Its marks are system calls that change nothing here."""
    path, takes = lstm_file(), _takes()[:3]
    result = run_worker(WorkerRequest(path, "count", takes=takes, repeats=6, warmup=1))
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    wanted = [session.run(None, {"landmarks": take[None]})[0].reshape(-1) for take in takes]
    assert np.allclose(result.answers, [*wanted, *wanted], atol=1e-6)
    assert result.samples_ns == ()
    assert "answers" not in result.to_dict()
