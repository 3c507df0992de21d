"""`edgekit step`: a file that reads one frame a run, whose answers are those of takes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from numpy.typing import NDArray
from onnx import numpy_helper

from edgekit.bench.run import choose_takes
from edgekit.cli import run_cli
from edgekit.data import SynthConfig, synthesise_hands
from edgekit.device import Work, model_work
from edgekit.errors import ConfigError, GateError, ModelFileError, ShapeError
from edgekit.evaluate import predict_batches
from edgekit.jobs.takes import BenchTakes
from edgekit.measure.worker import find_states
from edgekit.native import read_network, reference
from edgekit.native.takes import golden_takes
from edgekit.runtime import OnnxStream, StepPredictor, inspect_model, open_predictor, open_stream
from edgekit.stepping import write_step_model, writing
from edgekit.stepping.graph import StepGraph

F32 = NDArray[np.float32]
MakeFile = Callable[..., Path]
Capture = pytest.CaptureFixture[str]

#: cell, hidden, both, readout, preprocessing, features, standardisation, scheme.
LSTM = ("lstm", (8,), False, "mean", "hand+displacement", 63, "explicit", "int8-weights")
SHAPES = {
    "lstm-int8": LSTM,
    "lstm-fp32": (*LSTM[:-1], "fp32"),
    "gru-deep-int8": ("gru", (5, 17, 6), False, "final", "hand", 126, "explicit", "int8-weights"),
    "lstm-deep-fp32": ("lstm", (5, 9), False, "mean", "hand+displacement", 126, "fold", "fp32"),
    "gru-fp32": ("gru", (20,), False, "mean", "standard", 10, "fold", "fp32"),
}


def _steps(path: Path, tmp_path: Path) -> StepPredictor:
    predictor = open_predictor(write_step_model(path, tmp_path / "step.onnx").path)
    assert isinstance(predictor, StepPredictor)
    return predictor


@pytest.mark.parametrize("shape", SHAPES)
def test_after_each_frame_the_answer_is_the_files_own_to_a_take_that_ends_there(
    make_file: MakeFile, tmp_path: Path, shape: str
) -> None:
    """The file's own graph, made for takes of so many frames: of one hand that is the size of its input alone."""
    path = make_file(*SHAPES[shape])
    network, predictor = read_network(path), _steps(path, tmp_path)
    x = golden_takes(network.frames, 3)
    taken = onnx.load(path)
    for t, got in enumerate(predictor.answers(x), 1):
        if t in (1, 5, network.frames.count):
            onnx.save(writing._of_frames(taken, network.frames.count, t), tmp_path / "takes.onnx")
            wanted = predict_batches(open_predictor(tmp_path / "takes.onnx"), x[:, :t], 1)
            assert np.abs(got - wanted).max() <= 1e-5
    assert np.abs(got - open_predictor(path)(x)).max() <= 1e-5


@pytest.mark.parametrize("shape", [name for name in SHAPES if "fp32" in name])
def test_a_stream_goes_on_beyond_a_take_as_compiled_ones_do(make_file: MakeFile, tmp_path: Path, shape: str) -> None:
    path = make_file(*SHAPES[shape])
    network = read_network(path).in_float()
    x = golden_takes(network.frames, 3, seed=7).reshape(-1, network.frames.features)
    stream = open_stream(_steps(path, tmp_path))
    wanted = reference.stream(network, x[None])[0]
    for _ in range(2):
        assert np.abs(np.stack([stream.step(frame) for frame in x]) - wanted).max() <= 1e-5
        stream.reset()


def test_integers_of_a_dynamic_file_are_near_the_takes(make_file: MakeFile, tmp_path: Path) -> None:
    made = write_step_model(make_file(*LSTM[:-1], "int8-dynamic"), tmp_path / "step.onnx")
    assert 1e-5 < made.max_abs_difference < made.tolerance
    assert inspect_model(made.path).op_types["DynamicQuantizeLSTM"] == 1


def test_weights_stay_as_they_are(make_file: MakeFile, tmp_path: Path) -> None:
    path = make_file(*LSTM)
    made = write_step_model(path, tmp_path / "step.onnx").path
    taken, stepped = ({t.name: numpy_helper.to_array(t) for t in onnx.load(p).graph.initializer} for p in (path, made))
    weights = ["W0_int8", "R0_int8", "dense_weight_int8", "output_weight_int8"]
    assert all((taken[name] == stepped[name]).all() for name in weights)
    large = [name for name, array in stepped.items() if array.dtype == np.float32 and array.size > 64]
    assert large == []


def test_the_metadata_tells_the_states(make_file: MakeFile, tmp_path: Path) -> None:
    path = make_file("gru", (5, 9), features=126, kind="hand+displacement")
    info = inspect_model(write_step_model(path, tmp_path / "step.onnx").path)
    assert info.metadata is not None
    assert info.steps
    assert {state.name: state.shape for state in info.metadata.states} == {
        "state_first": ("batch", 126),
        "state_hidden0": (1, "batch", 5),
        "state_hidden1": (1, "batch", 9),
        "state_recent": (12, "batch", 9),
        "state_count": ("batch", 1),
    }
    assert [item.name for item in info.inputs] == ["frame", *(state.name for state in info.metadata.states)]
    assert info.metadata.parents[0] == inspect_model(path).sha256
    rows = 3 * (5 * (126 + 5) + 9 * (5 + 9))
    assert info.metadata.macs == rows + 20 * 9 + 5 * 20


def test_rows_of_a_stream_begin_anew_one_by_one(make_file: MakeFile, tmp_path: Path) -> None:
    """Of restarted streams, every answer is that of a take since the answering state began."""
    path = make_file()
    network, predictor = read_network(path).in_float(), _steps(path, tmp_path)
    x = golden_takes(network.frames, 2, seed=3).reshape(-1, 63)
    stream = open_stream(predictor, restart=6)
    begins = [0, 0, 0, 0, 0, 0, 3, 3, 3, 6, 6, 6, 9, 9, 9, 12, 12]
    for again in range(2):
        for n, begin in enumerate(begins):
            got = stream.step(x[n]) if (n + again) % 3 else stream.skip(x[n])
            if got is not None:
                wanted = reference.stream(network, x[None, begin : n + 1])[0, -1]
                assert np.abs(got - wanted).max() <= 1e-5
        stream.reset()


def test_what_is_no_frame_leaves_a_stream_as_it_was(make_file: MakeFile, tmp_path: Path) -> None:
    path = make_file()
    x = golden_takes(read_network(path).frames, 1)[0]
    predictor = _steps(path, tmp_path)
    for stream in (open_stream(predictor), open_stream(predictor, restart=4)):
        wanted = [stream.step(frame) for frame in x]
        stream.reset()
        for k, frame in enumerate(x):
            for wrong in (frame[:5], frame * np.nan, "text"):
                with pytest.raises(ShapeError, match="landmarks: "):
                    stream.step(wrong)
            assert (stream.step(frame) == wanted[k]).all()


def test_restarts_are_checked(make_file: MakeFile, tmp_path: Path) -> None:
    predictor = _steps(make_file(), tmp_path)
    assert isinstance(open_stream(predictor), OnnxStream)
    for restart in (-1, 1):
        with pytest.raises(ConfigError, match=f"restart {restart}: expected 0, for a state that runs on, or at least"):
            open_stream(predictor, restart)


def test_what_reads_takes_has_no_stream(make_file: MakeFile) -> None:
    path = make_file()
    with pytest.raises(ModelFileError, match=f"reads takes, and has no steps; `edgekit step {path}` makes a file"):
        open_stream(open_predictor(path))


def test_takes_that_are_read_backwards_have_no_step_model(make_file: MakeFile, tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match="a layer of this model reads takes backwards, too, so that every answer"):
        write_step_model(make_file(both=True), tmp_path / "step.onnx")
    assert not (tmp_path / "step.onnx").exists()


def test_another_opset_is_refused(make_file: MakeFile, tmp_path: Path) -> None:
    path = make_file()
    model = onnx.load(path)
    model.opset_import[0].version = 21
    onnx.save(model, path)
    with pytest.raises(ModelFileError, match="opset 21, expected 17, which edgekit writes; export it"):
        write_step_model(path, tmp_path / "step.onnx")


def test_nothing_is_written_that_answers_otherwise(
    make_file: MakeFile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nothing_relative(graph: StepGraph) -> str:
        return graph._add("Cast", [graph._constant("relative_int8", np.eye(63), np.int8)], "wrong", to=1)

    monkeypatch.setattr(StepGraph, "_relative", nothing_relative)
    with pytest.raises(GateError, match=r"frame by frame a logit is .* off the file's own, allowed .*; nothing is"):
        write_step_model(make_file(), tmp_path / "step.onnx")
    assert not (tmp_path / "step.onnx").exists()


def test_metadata_that_is_not_the_files_is_an_error(make_file: MakeFile, tmp_path: Path) -> None:
    made = write_step_model(make_file(), tmp_path / "step.onnx").path
    model = onnx.load(made)
    (item,) = [item for item in model.metadata_props if item.key == "edgekit.states"]
    good = item.value
    item.value = good.replace("state_cell0", "state_other")
    onnx.save(model, made)
    with pytest.raises(ModelFileError, match="reads one frame a run with 5 states, and its inputs and outputs are"):
        open_predictor(made)
    for damaged in ("[]", '[{"name": "a", "shape": [1, 2]}]', '[{"name": "a", "shape": ["batch", 0]}]', "{}"):
        item.value = damaged
        onnx.save(model, made)
        with pytest.raises(ModelFileError, match=r"metadata edgekit\.states is damaged"):
            inspect_model(made)


def test_a_bench_gives_states_back_and_counts_one_frame(make_file: MakeFile, tmp_path: Path) -> None:
    path = make_file()
    made = write_step_model(path, tmp_path / "step.onnx").path
    session: Any = onnxruntime.InferenceSession(made, providers=["CPUExecutionProvider"])
    states = inspect_model(made).metadata.states  # type: ignore[union-attr]
    assert find_states(session, {}) == {state.name: k for k, state in enumerate(states, 1)}
    work, whole = model_work(inspect_model(made)), model_work(inspect_model(path))
    assert isinstance(work, Work)
    assert isinstance(whole, Work)
    rows, dense = 4 * 8 * (63 + 8), 20 * 8 + 5 * 20
    assert (work.macs, whole.macs) == (rows + dense, 12 * rows + dense)
    assert (work.steps, whole.steps) == (2, 24)


def test_takes_are_given_to_a_bench_frame_by_frame() -> None:
    hands = synthesise_hands(SynthConfig(people=1, takes_per_letter=4))
    whole = BenchTakes(hands, 30)
    assert (BenchTakes(hands, 30, steps=True).x == whole.x.reshape(-1, 63)).all()
    assert choose_takes(BenchTakes(hands, 30, steps=True).x).shape == (64, 63)


def test_the_command_writes_beside_nothing_and_says_what_it_made(
    make_file: MakeFile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: Capture
) -> None:
    path = make_file()
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    assert run_cli(["step", str(path)]) == 0
    said = capfd.readouterr().out
    assert [file.name for file in Path().iterdir()] == ["tiny.step.onnx"]
    assert "LSTM 63 to 8, fp32; one frame a run\nstates: state_first (batch, 63), state_hidden0" in said
    assert run_cli(["step", str(path), "--json"]) == 0
    told = json.loads(capfd.readouterr().out)
    assert told["states"][3] == {"input": "state_recent", "output": "new_state_recent", "shape": [12, "batch", 8]}
    assert told["max_abs_difference"] <= told["tolerance"]
    assert run_cli(["step", str(path), "-o", str(path)]) == 2
    assert "is the model itself; give another place with --output" in capfd.readouterr().err


def test_commands_that_can_do_nothing_with_a_step_model_say_so(
    make_file: MakeFile, tmp_path: Path, capfd: Capture
) -> None:
    takes = make_file()
    steps = write_step_model(takes, tmp_path / "s.onnx").path
    refused = {
        ("step", steps, "-o", "again.onnx"): "a step model, which reads one frame a run; give the file that it",
        ("compile", steps, "-o", "c"): "a step model, which reads one frame a run; give the file that it was made from",
        (
            "compare",
            steps,
            takes,
        ): f"{steps}: reads one frame a run, and {takes} a whole take, so that a run of",
    }
    for arguments, message in refused.items():
        assert run_cli([str(part) for part in arguments]) == 2
        assert message in capfd.readouterr().err
