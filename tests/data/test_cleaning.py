"""Exactly the takes that findings name are left out, and nothing else of the recordings changes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from edgekit.cli import run_cli
from edgekit.data import Recordings, clean_recordings, load_recordings, save_recordings
from edgekit.errors import ConfigError, DataError

Make = Callable[..., Recordings]


@pytest.fixture
def broken(make: Make) -> Recordings:
    """24 takes of two classes, in the order of a folder: 1 is empty, 3 is 2 again, 14 is 5 with another class."""
    x = make([0] * 24).sequences.copy()
    x[1], x[3], x[14] = 0, x[2], x[5]
    labels = np.repeat([0, 1], 12)
    names = np.array([f"{'AB'[label]}/{k:02d}" for k, label in enumerate(labels)])
    who = np.array(["ann", "bob"] * 12)
    return make([*labels], sequences=x, signer=who, session=who, take_names=names, synthetic=True)


@pytest.mark.parametrize("target", ["new.npz", "new.csv", "new.parquet", "new"])
@pytest.mark.parametrize("source", ["old.npz", "old.csv", "old.parquet", "old"])
def test_the_named_takes_go_and_the_rest_stays_in_every_layout(
    source: str, target: str, broken: Recordings, tmp_path: Path
) -> None:
    save_recordings(tmp_path / source, broken)
    done = clean_recordings(tmp_path / source, tmp_path / target)
    assert [(one.take, one.kind) for one in done.dropped] == [
        (1, "empty"),
        (3, "duplicates"),
        (5, "contradictions"),
        (14, "contradictions"),
    ]
    root = tmp_path / source
    files = [root / f"{one.name}.npy" if source == "old" else root for one in done.dropped]
    assert [one.file for one in done.dropped] == [str(file) for file in files]
    assert [one.name for one in done.dropped] == ["A/01", "A/03", "A/05", "B/14"]
    left, kept = load_recordings(tmp_path / target), np.setdiff1d(np.arange(24), [1, 3, 5, 14])
    np.testing.assert_array_equal(left.sequences, broken.sequences[kept])
    np.testing.assert_array_equal(left.labels, broken.labels[kept])
    assert left.take_names is not None
    assert left.take_names.tolist() == np.asarray(broken.take_names)[kept].tolist()
    assert left.synthetic
    assert done.synthetic
    assert done.takes_left == {"A": 9, "B": 11}
    if source != "old" and target != "new":
        assert left.signer is not None
        assert left.session is not None
        assert left.signer.tolist() == left.session.tolist() == np.asarray(broken.signer)[kept].tolist()
    np.testing.assert_array_equal(load_recordings(tmp_path / source).sequences, broken.sequences)


def test_only_the_kinds_named_are_dropped(broken: Recordings, tmp_path: Path) -> None:
    save_recordings(tmp_path / "old.npz", broken)
    done = clean_recordings(tmp_path / "old.npz", tmp_path / "new.npz", ("duplicates",))
    assert [one.take for one in done.dropped] == [3]
    with pytest.raises(ConfigError, match="drop dupes: unknown"):
        clean_recordings(tmp_path / "old.npz", tmp_path / "no.npz", ("dupes",))


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e30])
def test_takes_with_impossible_numbers_are_dropped_and_never_zeroed_in_silence(
    value: float, broken: Recordings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    x = broken.sequences.copy()
    x[7, 2, 5] = value
    np.savez(tmp_path / "old.npz", sequences=x, labels=broken.labels, class_names=["A", "B"])
    assert run_cli(f"train edge --data {tmp_path / 'old.npz'} --workdir {tmp_path / 'work'}".split()) == 2
    assert "take 7, frame 2" in capsys.readouterr().err
    with pytest.raises(DataError, match="take 7 holds NaN or impossible numbers; drop non-finite, too"):
        clean_recordings(tmp_path / "old.npz", tmp_path / "new.npz", ("empty",))
    assert not (tmp_path / "new.npz").exists()
    done = clean_recordings(tmp_path / "old.npz", tmp_path / "new.npz")
    assert (7, "non-finite") in [(one.take, one.kind) for one in done.dropped]


def test_nothing_left_is_refused_and_an_emptied_class_is_said(make: Make, tmp_path: Path) -> None:
    x = make([0, 0, 1]).sequences.copy()
    x[2] = 0
    save_recordings(tmp_path / "old.npz", make([0, 0, 1], sequences=x))
    done = clean_recordings(tmp_path / "old.npz", tmp_path / "new.npz")
    assert done.takes_left == {"A": 2, "B": 0}
    assert done.warnings == ("no take of class B is left: record some, or remove the class",)
    save_recordings(tmp_path / "none.npz", make([0, 0, 1], sequences=np.zeros_like(x)))
    with pytest.raises(DataError, match="every take would be dropped"):
        clean_recordings(tmp_path / "none.npz", tmp_path / "no.npz")
    assert not (tmp_path / "no.npz").exists()


def test_the_command_lists_places_and_refuses_wrong_input(
    broken: Recordings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    save_recordings(Path("old"), broken)
    assert run_cli(["data", "clean", "old", "new.csv", "--drop", "duplicates"]) == 0
    out = capsys.readouterr().out
    assert ["old/A/03.npy", "A/03", "3", "A"] in [line.split()[:4] for line in out.splitlines()]
    assert "new.csv: 23 SYNTHETIC takes, 1 dropped" in out
    before = Path("new.csv").read_bytes()
    for line, words in {
        "data clean old new.csv": "exists already; give --force",
        "data clean old old --force": "is the source, which stays as it is",
        "data clean old old/new --force": "lies within",
        "data clean none new.npz": "no such file",
        "data clean old x.npz --drop everything": "'everything'",
        "data clean old x.npz --out-of-fold": "name --drop mislabelled, too",
    }.items():
        assert run_cli(line.split()) == 2, line
        assert words in capsys.readouterr().err
    assert Path("new.csv").read_bytes() == before
    assert run_cli(["data", "clean", "old", "new.csv", "--force", "--json"]) == 0
    assert [one["take"] for one in json.loads(capsys.readouterr().out)["dropped"]] == [1, 3, 5, 14]
