"""The finished file in use: evaluate, predict on takes, predict on a stream, bench where its data is gone."""

from __future__ import annotations

import io
import json
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

from edgekit.data import SynthConfig, convert_recordings, fit_length, save_recordings, synthesise_hands
from edgekit.errors import ConfigError
from edgekit.evaluate import predict_batches, softmax
from edgekit.predict import predict_frames, predict_takes
from edgekit.runtime import open_predictor
from edgekit.stepping import write_step_model

Cli = Callable[..., Any]
#: A bench whose latency nobody reads. Where no limit decides it, it would go on until it is known to 5 %, or 60 s.
SHORTLY = ("--repeats=100", "--processes=1", "--time-limit=1")


def lines(takes: np.ndarray[Any, Any]) -> list[str]:
    """Frames (frames, features) as a stream."""
    return [json.dumps([float(value) for value in frame]) + "\n" for frame in takes]


def landmarks(frames: int, seed: int = 0) -> np.ndarray[Any, Any]:
    """Numbers (frames, 63) that a tracker may give."""
    return np.random.default_rng(seed).uniform(0.2, 0.8, (frames, 63)).astype(np.float32)


def test_one_take_in_every_form_gives_one_answer(chain: Any, tmp_path: Path) -> None:
    take = landmarks(20)
    np.save(tmp_path / "take.npy", take)
    np.save(tmp_path / "landmarks.npy", take.reshape(20, 21, 3))
    np.savez(tmp_path / "takes.npz", sequences=take[None], labels=[0], class_names=["A"])
    convert_recordings(tmp_path / "takes.npz", tmp_path / "takes.csv")
    convert_recordings(tmp_path / "takes.npz", tmp_path / "takes")
    for number, frame in enumerate(take):
        folder = tmp_path / "folder" / "A" / "0"
        folder.mkdir(parents=True, exist_ok=True)
        np.save(folder / f"{number}.npy", frame)
    answers = {
        (answer.label, answer.probability)
        for name in ("take.npy", "landmarks.npy", "takes.npz", "takes.csv", "takes", "folder")
        for answer in predict_takes(chain.int8, tmp_path / name)
    }
    assert len(answers) == 1


def test_probabilities_are_the_softmax_of_the_files_logits(chain: Any, take: Path) -> None:
    (answer,) = predict_takes(chain.int8, take)
    x = np.load(take)
    predictor = open_predictor(chain.int8)
    logits = predictor(fit_length(x[None], np.array([len(x)]), 30))
    expected = softmax(logits)[0]
    assert expected.sum() == pytest.approx(1, abs=1e-6)
    assert answer.probability == pytest.approx(float(expected.max()), abs=1e-6)
    assert predictor.info.metadata is not None
    assert answer.label == predictor.info.metadata.class_names[int(expected.argmax())]


def test_softmax_survives_large_logits() -> None:
    rows = softmax(np.array([[1000.0, 0.0], [-1000.0, -1000.0]], dtype=np.float32))
    np.testing.assert_allclose(rows, [[1, 0], [0.5, 0.5]], atol=1e-7)


def test_a_stream_is_silent_before_ten_frames_then_labels_every_one(chain: Any) -> None:
    assert list(predict_frames(chain.int8, lines(landmarks(9)))) == []
    answers = list(predict_frames(chain.int8, lines(landmarks(50))))
    assert [answer.frame for answer in answers] == list(range(9, 50))


@pytest.mark.parametrize(("said", "frames"), [(None, 20), (30, 30), (7, 7)])
def test_a_streams_answer_is_of_a_take_of_the_windows_frames(chain: Any, said: int | None, frames: int) -> None:
    """20 frames where nobody says otherwise: two thirds of the 30 that the model reads."""
    stream = landmarks(45, seed=3)
    *_, last = predict_frames(chain.int8, lines(stream), 1, window=said)
    (alone,) = _answers(chain.int8, fit_length(stream[None, -frames:], np.array([frames]), 30))
    assert (last.frame, last.label, last.probability) == (44, *alone)


def _answers(model: Path, x: Any) -> list[tuple[str, float]]:
    predictor = open_predictor(model)
    assert predictor.info.metadata is not None
    shares = softmax(predict_batches(predictor, x))
    names = predictor.info.metadata.class_names
    return [(names[int(row.argmax())], round(float(row.max()), 6)) for row in shares]


def test_a_window_as_long_as_the_model_reads_ends_a_take_with_the_takes_answer(chain: Any, take: Path) -> None:
    (answer,) = predict_takes(chain.int8, take)
    *_, last = predict_frames(chain.int8, lines(np.load(take)), window=30)
    assert (last.label, last.probability) == (answer.label, answer.probability)


def test_no_answer_comes_before_the_window_has_its_frames(chain: Any) -> None:
    """Ten frames first, or the window where that is shorter."""
    for window, first in ((30, 9), (10, 9), (4, 3), (1, 0)):
        assert next(iter(predict_frames(chain.int8, lines(landmarks(12)), window=window))).frame == first


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"window": 31}, "window 31: the model reads 30 frames; expected 1 to 30"),
        ({"window": 0}, "window 0: the model reads 30 frames; expected 1 to 30"),
        ({"window": 5, "min_frames": 6}, "min_frames 6: an answer is of 5 frames"),
        ({"min_frames": 21}, "min_frames 21: an answer is of 20 frames"),
    ],
)
def test_a_window_that_can_not_be_is_one_message(chain: Any, said: dict[str, int], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        list(predict_frames(chain.int8, lines(landmarks(3)), **said))


def test_a_take_without_any_hand_is_called_so(chain: Any, cli: Cli, tmp_path: Path) -> None:
    """Something answers whatever it is shown."""
    hands = landmarks(20)
    hands[5:] = 0  # lost, which is no reason
    np.save(tmp_path / "hand.npy", hands)
    np.save(tmp_path / "none.npy", np.zeros((20, 63), np.float32))
    files = tmp_path / "hand.npy", tmp_path / "none.npy"
    hand, none = (answer for file in files for answer in predict_takes(chain.int8, file, reject=False))
    assert not hand.empty
    assert hand.label is not None
    assert (none.empty, none.label, none.probability) == (True, None, 0.0)
    shown = cli("predict", *files, f"--model={chain.int8}", "--no-reject").out
    assert " no sign " in shown
    assert shown.splitlines()[-1] == "note: takes without any hand: 1 of 2"


@pytest.mark.parametrize("how", [{}, {"window": 3}, {"step": True}])
def test_a_stream_whose_last_five_frames_have_no_hand_has_no_label(
    chain: Any, tmp_path: Path, how: dict[str, Any]
) -> None:
    """Four are what trackers lose of a hand that is there; a hand that comes back is read at once."""
    model = chain.int8
    if "step" in how:
        model = tmp_path / "step.onnx"
        write_step_model(chain.int8, model)
    stream = np.concatenate([landmarks(12), np.zeros((7, 63)), landmarks(3)])
    answers = list(predict_frames(model, lines(stream), 1, reject=False, **how))
    silent = [answer.frame for answer in answers if answer.label is None]
    assert silent == ([14, 15, 16, 17, 18] if "window" in how else [16, 17, 18])
    assert all(answer.probability == 0 for answer in answers if answer.label is None)


@pytest.mark.parametrize("lost", ["null", "[]"])
def test_a_line_without_a_hand_is_a_frame_of_zeros(chain: Any, lost: str) -> None:
    frames = [*lines(landmarks(12)), *lines(np.zeros((6, 63)))]
    told = list(predict_frames(chain.int8, [*frames[:12], *[lost] * 6], reject=False))
    assert told == list(predict_frames(chain.int8, frames, reject=False))
    assert told[-1].label is None


def test_empty_lines_are_no_frames(chain: Any) -> None:
    frames = lines(landmarks(12))
    spaced = [text for line in frames for text in (line, "\n", "  \n")]
    assert list(predict_frames(chain.int8, spaced)) == list(predict_frames(chain.int8, frames))


def test_min_frames_sets_the_first_label(chain: Any) -> None:
    first = next(iter(predict_frames(chain.int8, lines(landmarks(3)), min_frames=1)))
    assert first.frame == 0


def test_the_command_answers_a_stream_line_by_line(chain: Any) -> None:
    """Frame by frame through a pipe: an answer arrives while the stream is still open."""
    command = [sys.executable, "-m", "edgekit", "predict", "--model", str(chain.int8)]
    frames = lines(landmarks(12))
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write("".join(frames[:10]))
        process.stdin.flush()
        assert json.loads(process.stdout.readline())["frame"] == 9
        for number in (10, 11):
            process.stdin.write(frames[number])
            process.stdin.flush()
            answer = json.loads(process.stdout.readline())
            assert answer["frame"] == number
            assert set(answer) == {"frame", "label", "probability"}
        rest, _ = process.communicate()
    assert (rest, process.returncode) == ("", 0)


def test_a_stream_is_answered_faster_than_a_camera_sends_it(chain: Any) -> None:
    """Ten seconds of a camera at 30 frames a second, read as fast as it goes: it takes a small part of that here."""
    frames = lines(landmarks(300))
    started_s = time.perf_counter()
    answers = list(predict_frames(chain.int8, frames))
    assert len(answers) == 291
    assert time.perf_counter() - started_s < 10 / 3


@pytest.mark.slow
def test_every_answer_is_there_before_the_next_frame(chain: Any) -> None:
    """Three seconds at 30 frames a second through a pipe; 19 of 20 answers come within a frame's time."""
    command = [sys.executable, "-m", "edgekit", "predict", "--model", str(chain.int8), "--min-frames=1"]
    late_s = []
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        frames = lines(landmarks(91))
        started_s = 0.0
        for number, frame in enumerate(frames):
            time.sleep(max(0.0, started_s + number / 30 - time.perf_counter()))
            sent_s = time.perf_counter()
            process.stdin.write(frame)
            process.stdin.flush()
            process.stdout.readline()
            late_s.append(time.perf_counter() - sent_s)
            started_s = started_s or time.perf_counter()  # the first answer waits for the program to start
        process.communicate()
    assert sorted(late_s[1:])[len(late_s) * 19 // 20 - 1] < 1 / 30


def test_the_command_reads_a_stream_from_stdin_or_a_dash(chain: Any, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = []
    for arguments in ((), ("-",)):
        monkeypatch.setattr("sys.stdin", io.StringIO("".join(lines(landmarks(11)))))
        answers.append(cli("predict", *arguments, f"--model={chain.int8}"))
    assert answers[0] == answers[1]
    assert answers[0].code == 0
    assert [json.loads(line)["frame"] for line in answers[0].out.splitlines()] == [9, 10]


def test_predict_shows_one_row_a_take_and_says_the_same_as_json(chain: Any, cli: Cli, take: Path) -> None:
    text = cli("predict", take, take, f"--model={chain.int8}")
    answer = cli("predict", take, take, f"--model={chain.int8}", "--json")
    assert len(answer.json["predictions"]) == 2
    for prediction in answer.json["predictions"]:
        assert prediction["label"] in text.out
        assert 0 < prediction["probability"] <= 1


def test_evaluate_maps_classes_by_name_not_by_place(chain: Any, cli: Cli, tmp_path: Path) -> None:
    hands = synthesise_hands(SynthConfig(people=1, takes_per_letter=2, seed=5))
    save_recordings(tmp_path / "ordered.npz", hands)
    np.savez(
        tmp_path / "reversed.npz",
        sequences=hands.sequences,
        lengths=hands.lengths,
        labels=25 - hands.labels,
        class_names=np.array(hands.class_names[::-1]),
    )
    first, second = (
        cli("evaluate", chain.int8, f"--data={tmp_path / name}", "--part=all", f"--workdir={tmp_path}", "--json").json
        for name in ("ordered.npz", "reversed.npz")
    )
    assert first["per_class"] == second["per_class"]
    assert first["accuracy"] == second["accuracy"]


def test_evaluate_leaves_out_classes_that_the_model_does_not_know(chain: Any, cli: Cli, tmp_path: Path) -> None:
    hands = synthesise_hands(SynthConfig(people=1, takes_per_letter=2, seed=5))
    names = ["space" if name == "A" else name for name in hands.class_names]
    np.savez(tmp_path / "data.npz", sequences=hands.sequences, labels=hands.labels, class_names=names)
    answer = cli("evaluate", chain.int8, f"--data={tmp_path / 'data.npz'}", "--part=all", f"--workdir={tmp_path}")
    assert answer.code == 0
    assert "2 takes left out: the model does not know space" in answer.out


def test_parts_of_the_data_add_up(chain: Any, cli: Cli) -> None:
    takes = {
        part: cli("evaluate", f"--workdir={chain.workdir}", f"--part={part}", "--json").json["takes"]
        for part in ("train", "validation", "test", "all")
    }
    assert takes["all"] == takes["train"] + takes["validation"] + takes["test"]


def test_evaluate_bench_and_compare_write_nothing(chain: Any, cli: Cli, tmp_path: Path) -> None:
    compare = ("compare", chain.int8, "--repeats=10", "--processes=1")
    for command in (("bench", *SHORTLY), ("evaluate", "--set=synth.people=1", "--part=all"), compare):
        assert cli(*command, chain.int8, f"--workdir={tmp_path / 'work'}").code == 0
    assert list(tmp_path.iterdir()) == []


def test_bench_of_a_copied_work_directory_does_without_its_data(chain: Any, cli: Cli, tmp_path: Path) -> None:
    workdir = tmp_path / "work"
    shutil.copytree(chain.workdir, workdir)
    manifest = json.loads((workdir / "manifest.json").read_text())
    manifest["options"]["data"] = str(tmp_path / "left-at-home.npz")
    (workdir / "manifest.json").write_text(json.dumps(manifest))
    answer = cli("bench", f"--workdir={workdir}", *SHORTLY)
    assert answer.code == 0
    assert "random input" in answer.out
    assert "left-at-home.npz is not here" in answer.err
    here = cli("bench", f"--workdir={chain.workdir}", *SHORTLY)
    assert here.code == 0
    assert "random input" not in here.out


def test_files_are_compared_on_the_work_directorys_takes_where_these_fit_all(
    chain: Any, cli: Cli, lstm_file: Callable[..., Path]
) -> None:
    """A file that edgekit did not write says nothing about what it reads: random input for all, and that is said."""
    few = ("--repeats=10", "--processes=1", f"--workdir={chain.workdir}")
    files = [chain.workdir / "student" / "model.onnx", chain.workdir / "model.onnx", chain.int8]
    own = cli("compare", *files, *few)
    assert (own.code, own.err) == (0, "")
    assert "in turn on the given takes, 10 rounds" in own.out
    foreign = cli("compare", chain.int8, lstm_file(), *few)
    assert foreign.code == 0
    assert "in turn on random input" in foreign.out


#: A limit that any drop holds: accuracy then has a row, and a tiny model's many flips fail nothing.
LIMIT = "max_accuracy_drop: 1\n"


def test_the_work_directorys_file_is_scored_against_its_parent_on_validation_takes(
    chain: Any, cli: Cli, tmp_path: Path
) -> None:
    """The same takes as the manifest's figure, never the test part unless it is named."""
    (tmp_path / "p.yaml").write_text(LIMIT)
    options = (f"--workdir={chain.workdir}", f"--profile={tmp_path / 'p.yaml'}", *SHORTLY)
    found = cli("bench", *options, "--json").json
    loss = chain.manifest["stages"]["quantize"]["metrics"]["int8"]
    accuracy = found["accuracy"]
    assert (accuracy["part"], accuracy["takes"]) == ("validation", loss["takes"])
    assert accuracy["accuracy"] == pytest.approx(loss["int8_accuracy"])
    assert accuracy["parent"]["flips"]["drop"] == pytest.approx(loss["accuracy_drop"])
    assert accuracy["parent"]["max_abs_difference"] == pytest.approx(loss["max_abs_difference"])
    assert [row["verdict"] for row in found["rows"] if row["constraint"] == "max_accuracy_drop"] == ["pass"]
    text = cli("bench", *options, "--part=test").out
    assert re.search(r"accuracy on [\d,]+ test takes of", text)
    assert "validation takes" not in text
    assert "SYNTHETIC" in text


def test_any_file_is_scored_on_takes_that_are_named(chain: Any, cli: Cli, tmp_path: Path) -> None:
    save_recordings(tmp_path / "signs.npz", synthesise_hands(SynthConfig(people=1, takes_per_letter=4)))
    (tmp_path / "p.yaml").write_text("max_accuracy_drop: 0.0001\n")
    options = (f"--data={tmp_path / 'signs.npz'}", f"--workdir={tmp_path / 'none'}", *SHORTLY, "--part=all")
    alone = cli("bench", chain.int8, *options, "--json")
    assert (alone.code, alone.json["accuracy"]["takes"], alone.json["accuracy"]["parent"]) == (0, 104, None)
    assert alone.json["processes"]["latency"][0]["inputs"][0]["source"] == "takes"
    paired = cli("bench", chain.int8, *options, f"--parent={chain.workdir / 'model.onnx'}", f"-p{tmp_path / 'p.yaml'}")
    assert paired.code == 4, paired.out
    assert "more takes like these would decide" in paired.out


def test_what_quantize_found_counts_where_its_takes_are_gone(chain: Any, cli: Cli, tmp_path: Path) -> None:
    """Flips are bounded by the labels that changed; a file that was replaced is not used unless it is named, and
    has no figure then."""
    workdir = tmp_path / "work"
    shutil.copytree(chain.workdir, workdir)
    manifest = json.loads((workdir / "manifest.json").read_text())
    manifest["options"]["data"] = str(tmp_path / "left-at-home.npz")
    (workdir / "manifest.json").write_text(json.dumps(manifest))
    loss = manifest["stages"]["quantize"]["metrics"]["int8"]
    options = ("bench", f"--workdir={workdir}", *SHORTLY, "--json")
    flips = cli(*options).json["accuracy"]["parent"]["flips"]
    assert flips["drop"] == pytest.approx(loss["accuracy_drop"])
    assert loss["changed"] - 1 <= flips["lost"] + flips["gained"] <= loss["changed"]
    shutil.copy(workdir / "model.onnx", workdir / "model.int8.onnx")
    refused = cli(*options)
    assert (refused.code, refused.out) == (2, "")
    assert "model.int8.onnx: not the file that was made here" in refused.err
    assert cli("bench", workdir / "model.int8.onnx", *options[1:]).json["accuracy"] is None


def test_takes_that_can_not_be_used_are_an_error_where_they_were_named(
    chain: Any, cli: Cli, lstm_file: Callable[..., Path], tmp_path: Path
) -> None:
    save_recordings(tmp_path / "signs.npz", synthesise_hands(SynthConfig(people=1, takes_per_letter=4)))
    hands = synthesise_hands(SynthConfig(people=1, takes_per_letter=2))
    np.savez(
        tmp_path / "few.npz", sequences=hands.sequences[::2], labels=hands.labels[::2], class_names=hands.class_names
    )
    cases = {
        (lstm_file(), f"--data={tmp_path / 'signs.npz'}", "--part=all"): "expected float32 (batch, classes)",
        (chain.int8, f"--data={tmp_path / 'few.npz'}"): "to measure on all takes as they are: --part all",
        (chain.int8, f"--data={tmp_path / 'gone.npz'}"): "gone.npz",
        (chain.int8, f"--parent={tmp_path / 'gone.onnx'}", "--part=all"): "gone.onnx: no such file",
        (chain.int8, f"--parent={lstm_file()}", "--part=all"): "model.onnx",
    }
    for arguments, message in cases.items():
        answer = cli("bench", *arguments, f"--workdir={tmp_path / 'none'}")
        assert (answer.code, answer.out) == (2, "")
        assert message in answer.err


def test_a_bench_leaves_its_reports_as_files(chain: Any, cli: Cli, tmp_path: Path) -> None:
    junit, markdown, html = tmp_path / "new" / "bench.xml", tmp_path / "bench.md", tmp_path / "bench.html"
    reports = (f"--junit={junit}", f"--markdown={markdown}", f"--html={html}")
    options = (f"--workdir={chain.workdir}", *SHORTLY, *reports)
    answer = cli("bench", *options, "--json")
    suite = ElementTree.parse(junit).getroot()[0]
    assert int(suite.attrib["tests"]) == len(answer.json["rows"])
    assert markdown.read_text().startswith("**fits raspberry-pi: size, latency and memory are within its limits; ")
    assert answer.json["model"]["sha256"] in markdown.read_text()
    assert html.read_text().startswith("<!doctype html>")
    assert answer.json["model"]["sha256"] in html.read_text()


def test_an_earlier_bench_is_a_limit(chain: Any, cli: Cli, tmp_path: Path) -> None:
    """The file against itself, and against one of a third of its size, which no load of this machine excuses."""
    (tmp_path / "any.yaml").write_text("threads: 1\n")
    options = ("bench", f"--workdir={chain.workdir}", f"--profile={tmp_path / 'any.yaml'}", *SHORTLY)
    baseline, smaller = tmp_path / "main.json", tmp_path / "smaller.json"
    baseline.write_text(cli(*options, "--json").out)
    again = cli(*options, f"--baseline={baseline}", "--max-regression=100%")
    assert again.code in (0, 4), again.out
    assert "peak memory against the baseline" in again.out
    content = json.loads(baseline.read_text())
    content["model"]["size_bytes"] //= 3
    smaller.write_text(json.dumps(content))
    worse = cli(*options, f"--baseline={smaller}", "--max-regression=1", f"--junit={tmp_path / 'b.xml'}")
    assert worse.code == 3, worse.out
    assert worse.out.splitlines()[-1] == "does not fit any: file size against the baseline"
    assert ElementTree.parse(tmp_path / "b.xml").getroot().attrib["failures"] == "1"


def test_a_bench_that_fails_leaves_no_file(chain: Any, cli: Cli, tmp_path: Path, snapshot: Any) -> None:
    (tmp_path / "bad.json").write_text("{}")
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    before = snapshot(tmp_path)
    junit = f"--junit={tmp_path / 'b.xml'}"
    cases = {
        (junit, f"--baseline={tmp_path / 'bad.json'}", "--max-regression=10%"): "not the result of a bench",
        (junit, f"--baseline={tmp_path / 'bad.json'}"): "belong together",
        (junit, "--max-regression=0.1"): "belong together",
        (junit, f"--baseline={tmp_path / 'bad.json'}", "--max-regression=10"): "such as 10% or 0.1",
        (junit, f"--baseline={tmp_path / 'bad.json'}", "--max-regression=nan"): "such as 10% or 0.1",
        (junit, f"--baseline={tmp_path / 'bad.json'}", "--max-regression=-5%"): "such as 10% or 0.1",
        (junit, "--profile=raspberry-py"): "did you mean",
        (junit, f"--markdown={tmp_path / 'b.xml'}"): "each its own",
        (junit, f"--markdown={tmp_path / 'folder'}"): "folder: can't be written",
        (junit, f"--html={tmp_path / 'b.xml'}"): "each its own",
        (junit, f"--html={tmp_path / 'folder'}"): "folder: can't be written",
        (junit, f"--markdown={tmp_path / 'file' / 'b.md'}"): "b.md: can't be written",
    }
    for arguments, message in cases.items():
        answer = cli("bench", chain.int8, f"--workdir={tmp_path / 'none'}", *arguments)
        assert (answer.code, answer.out) == (2, ""), arguments
        assert message in answer.err
    assert snapshot(tmp_path) == before
