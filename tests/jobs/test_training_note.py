"""What is cheap to see is said, or refused, before training starts."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import pytest

from edgekit.data import Recordings, split_recordings, training_note
from edgekit.errors import DataError
from edgekit.stages.table import Stages
from edgekit.workdir import Options, open_workspace


def recordings(counts: tuple[int, ...], **changes: Any) -> Recordings:
    takes = sum(counts)
    x = np.random.default_rng(0).uniform(0.2, 0.8, (takes, 5, 63)).astype(np.float32)
    labels = np.repeat(np.arange(len(counts)), counts)
    names = tuple("ABC"[: len(counts)])
    return Recordings(**{"sequences": x, "lengths": np.full(takes, 5), "labels": labels, "class_names": names,
                                "signer": None, "session": None, "source": "s.npz", **changes})  # fmt: skip


def note(data: Recordings) -> str | None:
    return training_note(data, split_recordings(data))


def test_good_recordings_say_nothing() -> None:
    assert note(recordings((50, 60))) is None


def test_each_problem_is_named_in_one_line() -> None:
    data = recordings((160, 20))
    data.sequences[0] = 0
    data.sequences[179] = data.sequences[161]  # the last takes of a class test
    data.sequences[2] = data.sequences[1]  # both train
    assert note(data) == (
        "1 of 2 classes with fewer than 50 takes; unbalanced classes (20 to 160 takes); takes without any hand: 1;"
        " identical takes in training and test: 1. `edgekit data check s.npz` says where"
    )


@pytest.mark.parametrize(("value", "counts"), [(1e30, (50, 50)), (-2e6, (50, 50)), (0.5, (60,)), (0.5, (60, 0))])
def test_impossible_numbers_and_a_single_class_are_refused_without_a_numpy_warning(
    value: float, counts: tuple[int, ...], tmp_path: Any
) -> None:
    data = recordings(counts)
    data.sequences[7, 2, 5] = value
    np.savez(tmp_path / "s.npz", sequences=data.sequences, labels=data.labels, class_names=list(data.class_names))
    words = "take 7, frame 2, feature 5: .* is beyond 1e\\+06" if abs(value) > 1 else "all takes are of one class"
    options = Options(data=str(tmp_path / "s.npz"))
    with open_workspace(tmp_path / "work", options) as workspace, pytest.raises(DataError, match=words):
        _ = Stages(workspace).data.dataset


def test_the_name_for_people_can_be_written_into_a_model(tmp_path: Any) -> None:
    data, file = recordings((50, 60)), tmp_path / os.fsdecode(b"caf\xe9.npz")
    np.savez(file, sequences=data.sequences, labels=data.labels, class_names=list(data.class_names))
    with open_workspace(tmp_path / "work", Options(data=str(file))) as workspace:
        assert Stages(workspace).data.dataset.name_for_people() == r"caf\xe9.npz"


def test_the_note_reaches_the_user_once(tmp_path: Any, capsys: pytest.CaptureFixture[str]) -> None:
    from edgekit.cli import run_cli

    data = recordings((12, 12))
    np.savez(tmp_path / "s.npz", sequences=data.sequences, labels=data.labels, class_names=["A", "B"])
    line = f"train edge --data {tmp_path / 's.npz'} --workdir {tmp_path / 'w'} --set training.epochs=1 --threads 1"
    assert run_cli(line.split()) == 0
    out, err = capsys.readouterr()
    assert err.count("note: data: 2 of 2 classes with fewer than 50 takes") == 1
    assert "note: data" not in out
