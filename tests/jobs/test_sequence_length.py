"""Takes are read whole unless somebody says otherwise, and what is cut is counted and said."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgekit.data import Recordings, SynthConfig, load_recordings, synthesise_hands
from edgekit.runtime import inspect_model
from edgekit.stages.table import Stages
from edgekit.workdir import Options, open_workspace

Cli = Callable[..., Any]
TRAIN = ("--threads=1", "--set=model.hidden_size=4", "--set=model.dense=8", "--set=training.epochs=1",
         "--set=training.early_stopping=null", "--set=logging.tensorboard=false")  # fmt: skip


def save(path: Path, made: Recordings, lengths: Any) -> Path:
    """As somebody's own recordings: nothing tells that they are synthetic."""
    np.savez(
        path,
        sequences=made.sequences,
        labels=made.labels,
        class_names=np.array(made.class_names),
        signer=made.signer,
        session=made.session,
        lengths=lengths,
    )
    return path


@pytest.fixture
def fifty(tmp_path: Path) -> Path:
    """208 takes of 50 frames."""
    made = synthesise_hands(SynthConfig(people=2, takes_per_letter=4, min_frames=50, max_frames=50))
    return save(tmp_path / "fifty.npz", made, made.lengths)


def frames_of(file: Path) -> Any:
    """The time axis of a model file's input, which its metadata says, too."""
    info = inspect_model(file)
    assert info.metadata is not None
    assert info.inputs[0].shape[1] == info.metadata.sequence_length
    return info.inputs[0].shape[1]


def record(workdir: Path, stage: str) -> Any:
    return json.loads((workdir / "manifest.json").read_text())["stages"][stage]


def test_takes_of_fifty_frames_are_read_whole(cli: Cli, tmp_path: Path, fifty: Path) -> None:
    workdir = tmp_path / "work"
    answer = cli("train", "edge", f"--workdir={workdir}", f"--data={fifty}", *TRAIN)
    assert answer.code == 0, answer.err
    assert "sequences: 50 frames of each take" in answer.out.splitlines()
    assert "longer" not in answer.out + answer.err
    model = workdir / "models/edge/model.onnx"
    assert frames_of(model) == 50
    assert record(workdir, "train edge")["config"]["data"]["sequence_length"] == 50
    assert json.loads((workdir / "models/edge/model.json").read_text())["sequence_length"] == 50
    scored = cli("evaluate", model, f"--data={fifty}", "--part=all", "--json", f"--workdir={workdir}").json
    assert (scored["sequence_length"], scored["takes_cut"]) == (50, 0)
    assert "= train edge: up to date" in cli("train", "edge", f"--workdir={workdir}").err


def test_what_somebody_asked_to_cut_is_counted_everywhere(cli: Cli, tmp_path: Path, fifty: Path) -> None:
    workdir = tmp_path / "work"
    cut = "takes longer than the 30 frames that are read: 208 of 208, with 50 at most; their ends are cut"
    said = ("--set=data.sequence_length=30", *TRAIN)
    answer = cli("train", "edge", f"--workdir={workdir}", f"--data={fifty}", *said)
    assert f"note: data: {cut} (--set data.sequence_length=50 reads them whole)" in answer.err
    assert f"sequences: 30 frames of each take; {cut}" in answer.out
    model = workdir / "models/edge/model.onnx"
    assert frames_of(model) == 30
    scored = ("evaluate", model, f"--data={fifty}", f"--workdir={workdir}")
    assert cli(*scored, "--part=all", "--json").json["takes_cut"] == 208
    in_test = cli(*scored, "--json").json
    assert in_test["takes_cut"] == in_test["takes"] < 208
    assert (
        "note: takes longer than the model's 30 frames: 208; their ends were not read" in cli(*scored, "--part=all").out
    )
    predicted = cli("predict", fifty, f"--model={model}", "--json").json["predictions"]
    assert max(one["frames_cut"] for one in predicted) == 20  # some lose their last frame, too
    assert "takes longer than the model reads: 208 of 208" in cli("predict", fifty, f"--model={model}").out
    np.save(tmp_path / "one.npy", load_recordings(fifty).sequences[0, :40])
    (one,) = cli("predict", tmp_path / "one.npy", f"--model={model}", "--json").json["predictions"]
    assert one["frames_cut"] == 10


def test_a_work_directory_of_thirty_frames_stays_one_until_it_is_made_again(
    cli: Cli, tmp_path: Path, fifty: Path
) -> None:
    """As earlier versions left it, which knew no auto: nothing that was trained is replaced or refused for that."""
    workdir = tmp_path / "work"
    train = ("train", "edge", f"--workdir={workdir}")
    assert cli(*train, f"--data={fifty}", "--set=data.sequence_length=30", *TRAIN).code == 0
    manifest = json.loads((workdir / "manifest.json").read_text())
    del manifest["options"]["settings"]["data"]
    (workdir / "manifest.json").write_text(json.dumps(manifest))
    again = cli(*train)
    assert "= train edge: up to date" in again.err
    assert "sequences: 30 frames of each take; takes longer" in again.out, "still said"
    other = cli("train", "base", f"--workdir={workdir}", "--set=model.num_layers=1")
    assert other.code == 0, other.err
    assert record(workdir, "train base")["config"]["data"]["sequence_length"] == 30, "one length in one place"
    assert cli(*train, "--force").code == 0
    assert record(workdir, "train edge")["config"]["data"]["sequence_length"] == 30, "there is another model yet"
    assert cli(*train, "--set=data.sequence_length=auto", "--set=data.split=signer", "--force").code == 0
    assert record(workdir, "train edge")["config"]["data"]["sequence_length"] == 50, "other takes train"


def test_forced_alone_it_is_chosen_anew(cli: Cli, tmp_path: Path, fifty: Path) -> None:
    workdir = tmp_path / "work"
    train = ("train", "edge", f"--workdir={workdir}")
    assert cli(*train, f"--data={fifty}", "--set=data.sequence_length=30", *TRAIN).code == 0
    forced = cli(*train, "--set=data.sequence_length=auto", "--force")
    assert "sequences: 50 frames of each take" in forced.out.splitlines()


def test_one_long_take_is_cut_and_said(cli: Cli, tmp_path: Path) -> None:
    made = synthesise_hands(SynthConfig(people=2, takes_per_letter=4, min_frames=30, max_frames=30))
    long = np.zeros((made.takes, 400, 63), np.float32)
    long[:, :30] = made.sequences
    long[5] = long[5, :1]
    data = save(
        tmp_path / "one.npz", Recordings(**{**vars(made), "sequences": long}), np.where(np.arange(208) == 5, 400, 30)
    )
    answer = cli("train", "edge", f"--workdir={tmp_path / 'work'}", f"--data={data}", *TRAIN, "--dry-run")
    assert answer.code == 0
    with open_workspace(tmp_path / "work", Options(data=str(data)), read_only=True) as opened:
        dataset = Stages(opened).data.dataset
    assert (dataset.sequence_length, dataset.takes_cut) == (30, 1)
    checked = cli("data", "check", data)
    assert "training reads 30 frames of each take (data.sequence_length: auto)" in checked.out
    assert "takes that are longer than what training reads: 1 (index 5)" in checked.out
    assert "warning: training reads 30 frames of a take; later ones are cut in take 5: trim them" in checked.out
    assert cli("data", "check", data, "--json").json["cut_takes"] == [5]


def test_recordings_that_training_reads_whole_have_nothing_wrong_for_it(cli: Cli, fifty: Path) -> None:
    checked = cli("data", "check", fifty)
    assert "training reads 50 frames of each take (data.sequence_length: auto)" in checked.out
    assert "cut" not in checked.out


@pytest.mark.parametrize("said", ["auto", 30, 20])
def test_the_embedded_hands_are_thirty_frames(said: Any, tmp_path: Path) -> None:
    options = Options(settings={"synth": {"people": 2, "takes_per_letter": 2}, "data": {"sequence_length": said}})
    with open_workspace(tmp_path / "work", options, read_only=True) as opened:
        assert Stages(opened).data.dataset.sequence_length == (30 if said == "auto" else said)


def test_a_teacher_of_other_length_is_refused_with_the_setting_that_helps(
    cli: Cli, tmp_path: Path, fifty: Path
) -> None:
    short = ("train", "edge", f"--workdir={tmp_path / 'short'}", f"--data={fifty}", "--set=data.sequence_length=30")
    assert cli(*short, *TRAIN).code == 0
    teacher = f"--teacher={tmp_path / 'short/models/edge/model.onnx'}"
    answer = cli("distill", f"--workdir={tmp_path / 'work'}", f"--data={fifty}", teacher, *TRAIN)
    assert answer.code == 2
    assert (
        "landmarks: shape (8, 50, 63); expected (batch, 30, 63); --set data.sequence_length=30 makes takes"
        in answer.err
    )
