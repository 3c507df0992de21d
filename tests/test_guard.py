"""Models that want too much, never end or crash: stopped in a process of their own, told in words, and survived."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import psutil
import pytest
from onnx import TensorProto, helper, numpy_helper

from edgekit.cli import run_cli
from edgekit.errors import ConfigError, ModelFileError
from edgekit.runtime import ModelMetadata, StepPredictor, open_predictor
from edgekit.runtime.guard import GuardedSession
from edgekit.runtime.limits import MEMORY_VARIABLE, TIME_VARIABLE, model_memory_bytes
from edgekit.runtime.session import open_session
from edgekit.shipped import open_box
from edgekit.stepping import write_step_model

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="RLIMIT_DATA counts mapped memory on Linux only")

FRAMES, FEATURES = 4, 3
MB = 10**6
node = helper.make_node
Save = Callable[..., Path]


@pytest.fixture
def save(tmp_path: Path) -> Save:
    """(nodes that give `extra`, a number that is added to the logits; arrays): a file that edgekit could have written.

    The logits of a take are its sums by frame, without the extra.
    """

    def make(nodes: Sequence[onnx.NodeProto] = (), **arrays: np.ndarray[object, np.dtype[np.generic]]) -> Path:
        extra = nodes or [node("Identity", ["zero"], ["extra"])]
        added = [node("ReduceSum", ["takes", "last"], ["sums"], keepdims=0), node("Add", ["sums", "extra"], ["logits"])]
        constants = {"zero": np.zeros(1, np.float32), "last": np.array([2]), "first": np.array([0]), **arrays}
        graph = helper.make_graph(
            [*extra, *added], "test",
            [helper.make_tensor_value_info("takes", TensorProto.FLOAT, ["batch", FRAMES, FEATURES])],
            [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", FRAMES])],
            [numpy_helper.from_array(array, name) for name, array in constants.items()],
        )  # fmt: skip
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
        names = tuple("ABCD"[:FRAMES])
        helper.set_model_props(model, ModelMetadata(names, FRAMES, FEATURES).to_props())
        onnx.save(model, tmp_path / "model.onnx")
        return tmp_path / "model.onnx"

    return make


def hungry(save: Save, megabytes: int) -> Path:
    """So many megabytes for a take, twice as many for two."""
    nodes = [
        node("Shape", ["takes"], ["shape"], end=1), node("Concat", ["shape", "many"], ["sizes"], axis=0),
        node("Expand", ["zero", "sizes"], ["big"]), node("ReduceMax", ["big"], ["extra"], keepdims=0),
    ]  # fmt: skip
    return save(nodes, many=np.array([megabytes * MB // 4]))


def endless(save: Save) -> Path:
    """A loop whose condition stays true."""
    names = {"i": (TensorProto.INT64, []), "c": (TensorProto.BOOL, []), "v": (TensorProto.FLOAT, [1])}
    infos = [helper.make_tensor_value_info(name, *kind) for name, kind in names.items()]
    outputs = [helper.make_tensor_value_info("goes_on", TensorProto.BOOL, [])]
    outputs.append(helper.make_tensor_value_info("next", TensorProto.FLOAT, [1]))
    nodes = [node("Identity", ["c"], ["goes_on"]), node("Identity", ["v"], ["next"])]
    body = helper.make_graph(nodes, "body", infos, outputs)
    return save([node("Loop", ["", "true", "zero"], ["extra"], body=body)], true=np.array(True))


def crashing(save: Save) -> Path:
    """An empty batch inside the model, which makes ONNX Runtime abort its process."""
    nodes = [
        node("Slice", ["takes", "first", "first", "first"], ["none"]),
        node("Transpose", ["none"], ["turned"], perm=[1, 0, 2]),
        node("LSTM", ["turned", "W", "R"], ["", "h"], hidden_size=2), node("ReduceMax", ["h"], ["extra"], keepdims=0),
    ]  # fmt: skip
    return save(nodes, W=np.ones((1, 8, FEATURES), np.float32), R=np.ones((1, 8, 2), np.float32))


def takes(count: int = 1) -> np.ndarray[object, np.dtype[np.float32]]:
    return np.random.default_rng(0).random((count, FRAMES, FEATURES), np.float32)


def processes() -> set[int]:
    """Children of this process that run models."""
    return {child.pid for child in psutil.Process().children() if any("child.py" in word for word in child.cmdline())}


def test_it_computes_what_onnx_runtime_computes(save: Save) -> None:
    path = save()
    plain = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    for count in (1, 7):
        np.testing.assert_array_equal(open_predictor(path)(takes(count)), plain.run(None, {"takes": takes(count)})[0])


def test_a_hungry_batch_is_stopped_and_the_next_one_is_not(save: Save, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(MEMORY_VARIABLE, "150")
    predictor = open_predictor(hungry(save, 100))
    before = psutil.Process().memory_info().rss
    with pytest.raises(ModelFileError) as caught:
        predictor(takes(2))
    message = str(caught.value)
    assert "takes more memory than the 150 MB that a model may take here (Failed to allocate memory" in message
    assert message.endswith(f"if you trust it, allow more with the environment variable {MEMORY_VARIABLE}=300")
    assert psutil.Process().memory_info().rss - before < 10 * MB
    assert predictor(takes()).shape == (1, FRAMES)
    monkeypatch.setenv(MEMORY_VARIABLE, "300")
    assert open_predictor(predictor.info.path)(takes(2)).shape == (2, FRAMES)


def test_what_a_session_takes_when_it_is_opened_counts_too(save: Save, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(MEMORY_VARIABLE, "150")
    nodes = [node("ConstantOfShape", ["size"], ["big"]), node("ReduceMax", ["big"], ["extra"], keepdims=0)]
    path = save(nodes, size=np.array([100 * MB]))
    with pytest.raises(ModelFileError, match="takes more memory than the 150 MB"):
        open_predictor(path)(takes())


def test_index_arithmetic_that_doubles_forty_times_is_stopped(save: Save, monkeypatch: pytest.MonkeyPatch) -> None:
    """Eight terabytes out of 2 kB, before anything has run: ONNX Runtime infers sizes as it loads."""
    monkeypatch.setenv(MEMORY_VARIABLE, "150")
    nodes = [node("Shape", ["takes"], ["s0"])]
    nodes += [node("Concat", [f"s{k}", f"s{k}"], [f"s{k + 1}"], axis=0) for k in range(40)]
    nodes += [node("ReduceMax", ["s40"], ["most"], keepdims=0), node("Cast", ["most"], ["extra"], to=TensorProto.FLOAT)]
    path = save(nodes)
    with pytest.raises(ModelFileError, match="takes more memory than the 150 MB"):
        open_predictor(path)(takes())


def test_a_model_that_never_ends_is_ended(save: Save, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(TIME_VARIABLE, "1")
    predictor = open_predictor(endless(save))
    with pytest.raises(ModelFileError) as caught:
        predictor(takes())
    assert str(caught.value) == (
        f"{predictor.info.path}: no answer within 1 s; if it is that slow, allow more with the environment variable"
        f" {TIME_VARIABLE}=10"
    )


def test_a_crash_is_told_by_its_signal(save: Save) -> None:
    with pytest.raises(ModelFileError, match="the process that ran it was ended by SIGABRT: ONNX Runtime aborted"):
        open_predictor(crashing(save))(takes())


@pytest.mark.parametrize("variable", [MEMORY_VARIABLE, TIME_VARIABLE])
@pytest.mark.parametrize("said", ["0", "-1", "1.5", "much", "1e3", "9" * 13])
def test_limits_are_whole_numbers(save: Save, variable: str, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    path = save()
    monkeypatch.setenv(variable, said)
    with pytest.raises(ConfigError, match=f"{variable}: expected a whole number of (megabytes|seconds) from 1 on, got"):
        open_predictor(path)


def test_a_small_machine_gives_what_it_has(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(MEMORY_VARIABLE, raising=False)
    for available, limit in ((300 * MB, 300 * MB), (64_000 * MB, 2000 * MB)):
        monkeypatch.setattr(psutil, "virtual_memory", lambda found=available: type("Memory", (), {"available": found}))
        assert model_memory_bytes() == limit


def test_a_process_goes_with_its_session(save: Save) -> None:
    before = processes()
    session = open_predictor(save())
    assert len(processes() - before) == 1
    del session
    gc.collect()
    deadline = time.monotonic() + 10
    while processes() != before and time.monotonic() < deadline:  # a busy machine takes its time to end one
        time.sleep(0.01)
    assert processes() == before


def test_ctrl_c_stops_a_run_at_once_and_the_session_can_be_used_again(save: Save) -> None:
    """Python alone could not interrupt it. The next question is not answered by the old one's late answer."""
    path = endless(save)
    session = open_session(path.read_bytes(), path)

    def interrupt(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    old = signal.signal(signal.SIGALRM, interrupt)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.3)
        started = time.monotonic()
        with pytest.raises(KeyboardInterrupt):
            session.run(None, {"takes": takes()})
        assert time.monotonic() - started < 3
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, old)
    session._content = save().read_bytes()
    assert session.run(None, {"takes": takes()})[0].shape == (1, FRAMES)


def test_threads_share_a_session(save: Save) -> None:
    path = save()
    session = open_session(path.read_bytes(), path)
    batches = [takes(count) + count for count in range(1, 9)]
    found: dict[int, np.ndarray[object, np.dtype[np.float32]]] = {}

    def work(index: int) -> None:
        for _ in range(20):
            found[index] = session.run(["logits"], {"takes": batches[index]})[0]

    threads = [threading.Thread(target=work, args=(index,)) for index in range(len(batches))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for index, batch in enumerate(batches):
        np.testing.assert_allclose(found[index], batch.sum(2), rtol=1e-5)


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
def test_a_fork_has_a_process_of_its_own(save: Save) -> None:
    """As training in several processes does; and the fork's end does not end the other's."""
    path = save()
    session = open_session(path.read_bytes(), path)
    child = os.fork()
    if child == 0:
        status = 1
        try:
            logits = session.run(None, {"takes": takes()})[0]
            status = 0 if np.allclose(logits, takes().sum(2)) else 2
            session.close()
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    np.testing.assert_allclose(session.run(None, {"takes": takes()})[0], takes().sum(2), rtol=1e-5)


@pytest.mark.slow
def test_no_orphan_goes_on_after_a_killed_parent(save: Save) -> None:
    path = endless(save)
    program = (
        "import sys, pathlib, numpy; from edgekit.runtime import open_predictor\n"
        "p = open_predictor(pathlib.Path(sys.argv[1])); print('open', flush=True)\n"
        f"p(numpy.ones((1, {FRAMES}, {FEATURES}), 'float32'))"
    )
    with subprocess.Popen([sys.executable, "-c", program, str(path)], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout
        assert parent.stdout.readline() == "open\n"
        time.sleep(0.5)
        (child,) = psutil.Process(parent.pid).children()
        parent.kill()
        assert psutil.wait_procs([child], timeout=10)[0] == [child]


COMMANDS = {
    "predict": ["predict", "take.npy", "--model", "model.onnx"],
    "evaluate": ["evaluate", "model.onnx", "--data", "takes.npz", "--part", "all"],
    "compare": ["compare", "model.onnx", "model.onnx", "--processes=1"],
    "bench": ["bench", "model.onnx", "--profile", "free.yaml"],
    "bench with takes": ["bench", "model.onnx", "--data", "takes.npz", "--part", "all"],
}


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_that_runs_a_model_says_the_same(
    save: Save, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    hungry(save, 400)
    np.save(tmp_path / "take.npy", takes()[0])
    labels = np.arange(8) % FRAMES
    np.savez(tmp_path / "takes.npz", sequences=takes(8), labels=labels, class_names=np.array(list("ABCD")))
    (tmp_path / "free.yaml").write_text("name: free\nmax_latency_ms: 100\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(MEMORY_VARIABLE, "150")
    assert run_cli(COMMANDS[name]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert "model.onnx: takes more memory than the 150 MB that a model may take here (Failed to allocate memory" in err
    assert f"allow more with the environment variable {MEMORY_VARIABLE}=" in err


def test_a_guarded_session_closed_twice_is_closed(save: Save) -> None:
    path = save()
    session = GuardedSession(path.read_bytes(), path, 1)
    session.close()
    session.close()
    assert session.run(None, {"takes": takes()})[0].shape == (1, FRAMES)


def test_a_stream_whose_process_has_ended_says_so_and_can_begin_anew(tmp_path: Path) -> None:
    """The states are in that process: they are not made up again."""
    predictor = open_predictor(write_step_model(open_box().student, tmp_path / "step.onnx").path)
    assert isinstance(predictor, StepPredictor)
    stream, frame = predictor.stream(), np.full(63, 0.5, np.float32)
    first = stream.step(frame)
    assert (stream.step(frame) != first).any()
    predictor._session.close()
    with pytest.raises(ModelFileError, match=r"the process that kept this stream has ended; begin anew with reset\(\)"):
        stream.step(frame)
    stream.reset()
    assert (stream.step(frame) == first).all()
