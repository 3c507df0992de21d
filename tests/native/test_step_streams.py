"""`edgekit predict` on a stream by steps, and takes by a step model."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
from numpy.typing import NDArray

from edgekit.cli import run_cli
from edgekit.data import fit_length
from edgekit.errors import ConfigError, ModelFileError
from edgekit.evaluate import StreamAnswer, hand_is_seen, softmax
from edgekit.native import read_network, reference
from edgekit.native.takes import golden_takes
from edgekit.predict import predict_frames, predict_takes, usual_frames
from edgekit.runtime import open_predictor
from edgekit.stepping import write_step_model

F32 = NDArray[np.float32]
MakeFile = Callable[..., Path]
Capture = pytest.CaptureFixture[str]
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def files(make_file: MakeFile, tmp_path: Path) -> tuple[Path, Path]:
    """A file that reads takes of 12 frames, and its step model."""
    takes = make_file()
    return takes, write_step_model(takes, tmp_path / "step.onnx").path


def _frames(takes: Path) -> F32:
    return golden_takes(read_network(takes).frames, 2, seed=1).reshape(-1, 63)


def _lines(frames: F32) -> list[str]:
    return [json.dumps(frame.tolist()) for frame in frames]


def _named(logits: F32, frame: int, frames: F32) -> StreamAnswer:
    if not hand_is_seen(frames[: frame + 1]):
        return StreamAnswer(frame, None, 0.0)
    share = softmax(logits[None])[0]
    return StreamAnswer(frame, "ABCDE"[int(share.argmax())], pytest.approx(float(share.max()), abs=2e-6))  # type: ignore[arg-type]


def test_a_state_that_runs_on_answers_as_to_one_long_take(files: tuple[Path, Path]) -> None:
    takes, steps = files
    frames = _frames(takes)
    wanted = reference.stream(read_network(takes), frames[None])[0]
    told = list(predict_frames(steps, _lines(frames), 5, restart=0))
    assert told == [_named(logits, n, frames) for n, logits in enumerate(wanted)][4:]


def test_by_itself_it_answers_as_to_a_take_of_the_last_frames(files: tuple[Path, Path]) -> None:
    """Two states, each begun anew every 8 frames, 4 apart: the model reads 12."""
    takes, steps = files
    frames = _frames(takes)
    assert usual_frames(12) == 8
    begins = [max(0, n // 4 * 4 - 4) for n in range(len(frames))]
    network = read_network(takes)
    wanted = [reference.stream(network, frames[None, begin : n + 1])[0, -1] for n, begin in enumerate(begins)]
    for step in (False, True):
        told = list(predict_frames(steps, _lines(frames), 1, step=step))
        assert told == [_named(logits, n, frames) for n, logits in enumerate(wanted)]


def test_a_window_is_still_a_window(files: tuple[Path, Path]) -> None:
    takes, _ = files
    frames, predictor = _frames(takes), open_predictor(takes)
    for said, last in ((None, 8), (12, 12)):
        windows = [frames[max(0, n - last + 1) : n + 1] for n in range(len(frames))]
        wanted = [predictor(fit_length(window[None], np.array([len(window)]), 12))[0] for window in windows]
        told = list(predict_frames(takes, _lines(frames), 1, window=said))
        assert told == [_named(logits, n, frames) for n, logits in enumerate(wanted)]


def test_takes_are_labelled_as_by_the_file(files: tuple[Path, Path], tmp_path: Path) -> None:
    """Also one that is shorter than what the model reads, and is filled up."""
    takes, _ = files
    for count in (7, 12):
        np.save(tmp_path / "take.npy", _frames(takes)[:count])
        (wanted,), (got,) = (predict_takes(model, tmp_path / "take.npy") for model in files)
        assert (got.label, got.probability) == (wanted.label, pytest.approx(wanted.probability, abs=2e-6))


def test_what_can_not_step_or_restart_is_one_message(files: tuple[Path, Path]) -> None:
    takes, steps = files
    line = _lines(_frames(takes)[:1])
    with pytest.raises(ModelFileError, match=f"{takes}: reads takes, and has no steps; `edgekit step {takes}` makes"):
        list(predict_frames(takes, line, step=True))
    with pytest.raises(ConfigError, match="restart 8: of a stream that goes by steps; a window starts from zero each"):
        list(predict_frames(takes, line, restart=8))
    with pytest.raises(
        ConfigError, match="window 8: of a stream that is read take by take; by steps, restart says how"
    ):
        list(predict_frames(steps, line, window=8))
    with pytest.raises(ConfigError, match="restart 1: expected 0, for a state that runs on, or at least 2 frames"):
        list(predict_frames(steps, line, restart=1))


def test_the_command_takes_a_stream(
    files: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch, capfd: Capture, tmp_path: Path
) -> None:
    takes, steps = files
    frames = _frames(takes)[:11]
    for arguments, restart in ((), None), (("--restart=0",), 0), (("--step", "--restart=4"), 4):
        monkeypatch.setattr("sys.stdin", io.StringIO("\n".join(_lines(frames))))
        assert run_cli(["predict", "-m", str(steps), *arguments]) == 0
        told = [json.loads(line) for line in capfd.readouterr().out.splitlines()]
        assert told == [answer.to_dict() for answer in predict_frames(steps, _lines(frames), restart=restart)]
        assert [answer["frame"] for answer in told] == [9, 10]
    np.save(tmp_path / "take.npy", frames)
    assert run_cli(["predict", str(tmp_path / "take.npy"), "-m", str(steps), "--step"]) == 2
    assert "a stream's options go with a stream; leave out --step" in capfd.readouterr().err


def test_the_python_of_the_page_answers_alike(
    files: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A loop that knows nothing but the file, and edgekit's streams."""
    takes, steps = files
    page = (ROOT / "docs" / "native.md").read_text(encoding="utf-8")
    loop, streams = re.findall(r"^```python\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    steps.rename(tmp_path / "model.int8.step.onnx")
    monkeypatch.chdir(tmp_path)
    frames = _frames(takes)[:15]
    known: dict[str, Any] = {"onnxruntime": onnxruntime, "np": np, "camera_frames": lambda: iter(frames)}
    exec(compile(loop, "docs/native.md", "exec"), known)
    wanted = reference.stream(read_network(takes), frames[None])[0]
    assert np.abs(known["logits"][0] - wanted[-1]).max() <= 1e-5
    monkeypatch.setattr("edgekit.runtime.open_native", lambda place: open_predictor("model.int8.step.onnx"))
    own: dict[str, Any] = {"frame": frames[0]}
    exec(compile(streams, "docs/native.md", "exec"), own)
    assert np.abs(own["logits"] - wanted[0]).max() <= 1e-5


def test_steps_of_a_work_directory_are_those_of_its_file(
    make_file: MakeFile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: Capture
) -> None:
    work = tmp_path / "work"
    work.mkdir()
    model = make_file().rename(work / "model.int8.onnx")
    frames = _frames(model)[:10]

    def follow() -> tuple[int, str, str]:
        monkeypatch.setattr("sys.stdin", io.StringIO("\n".join(_lines(frames))))
        code = run_cli(["predict", "--step", "--workdir", str(work)])
        return code, *capfd.readouterr()

    code, out, err = follow()
    assert (code, out) == (2, "")
    assert f"{model}: reads takes, and has no step model yet; run `edgekit step --workdir {work}` first" in err
    assert run_cli(["step", "--workdir", str(work)]) == 0
    assert f"{work / 'model.int8.step.onnx'}: " in capfd.readouterr().out
    code, out, _ = follow()
    (answer,) = predict_frames(work / "model.int8.step.onnx", _lines(frames))
    assert (code, json.loads(out)) == (0, answer.to_dict())
    make_file("gru").rename(model)
    code, out, err = follow()
    assert (code, out) == (2, "")
    assert f"not made from {model} as it is now; run `edgekit step --workdir {work}` again" in err
