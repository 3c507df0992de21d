"""`edgekit data` as a person uses it: what is printed where, exit codes, and files that are replaced only when told."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgekit.cli import run_cli
from edgekit.data import load_recordings

X = np.random.default_rng(0).uniform(0.2, 0.8, (120, 6, 63)).astype(np.float32)
Cli = Callable[..., tuple[int, str, str]]


@pytest.fixture
def cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Cli:
    """`edgekit LINE` in a folder with good.npz: exit code, stdout, stderr."""
    monkeypatch.chdir(tmp_path)
    names = {"signer": np.array(["ann"] * 120), "session": np.array(["2026-01-01-a"] * 60 + ["2026-01-02-b"] * 60)}
    np.savez("good.npz", sequences=X, labels=np.arange(120) % 2, class_names=np.array(["yes", "no"]), **names)

    def run(line: str) -> tuple[int, str, str]:
        capsys.readouterr()
        code = run_cli(line.split())
        return code, *capsys.readouterr()

    return run


@pytest.mark.parametrize(
    ("target", "lost"),
    [
        ("new.csv", ["order of classes (by name now)"]),
        ("new.parquet", []),
        ("new", ["signers", "sessions", "order of takes", "order of classes (by name now)"]),
        ("new --layout frames", ["signers", "sessions", "order of takes", "order of classes (by name now)"]),
    ],
)
def test_convert_says_what_it_lost_as_text_and_json(target: str, lost: list[str], cli: Cli) -> None:
    code, out, err = cli(f"data convert good.npz {target} --json")
    assert (code, err) == (0, "")
    assert json.loads(out)["lost"] == lost
    code, out, err = cli(f"data convert good.npz {target} --force")
    assert (code, err) == (0, "")
    assert out.splitlines()[1:] == ([f"lost: {text}" for text in lost] or ["nothing lost"])
    assert load_recordings(Path(target.split()[0])).takes == 120


def test_targets_are_replaced_only_when_told(cli: Cli) -> None:
    Path("mine.csv").write_text("mine")
    for line in ("data convert good.npz mine.csv", "data synth mine.csv --people 1 --takes-per-letter 2"):
        code, out, err = cli(line)
        assert (code, out) == (2, "")
        assert "mine.csv: exists already; give --force" in err
        assert Path("mine.csv").read_text() == "mine"
        assert cli(f"{line} --force")[0] == 0
        assert load_recordings(Path("mine.csv")).takes > 0
        Path("mine.csv").write_text("mine")


@pytest.mark.parametrize("target", ["hands.npz", "hands.csv", "hands.parquet", "hands"])
def test_synthetic_hands_stay_synthetic_through_every_layout(target: str, cli: Cli) -> None:
    assert cli(f"data synth {target} --people 1 --takes-per-letter 4")[0] == 0
    for step, name in enumerate(("a.csv", "b", "c.parquet", "d.npz")):
        code, out, _ = cli(f"data convert {target} {step}{name}")
        assert code == 0
        assert "SYNTHETIC" in out
        target = f"{step}{name}"
    code, out, _ = cli(f"data check {target}")
    assert code == 0
    assert "SYNTHETIC" in out
    assert "synthetic" in Path("1b/SYNTHETIC.txt").read_text()


def test_check_of_good_recordings_is_0_and_says_so(cli: Cli) -> None:
    code, out, err = cli("data check good.npz")
    assert (code, err) == (0, "")
    assert out.rstrip().endswith("nothing wrong found")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            {"sequences": np.where(np.arange(120)[:, None, None] == 3, np.nan, X)},
            ("index 3 frame 0", "impossible numbers in take 3"),
        ),
        ({"labels": np.array([0] * 119 + [1])}, ("single take", "'no'")),
        ({"sequences": X[:, :1, :30].repeat(63, axis=1)}, ("as if frames and numbers were swapped",)),
    ],
)
def test_check_is_2_after_the_report_where_training_would_refuse(
    change: dict[str, Any], words: tuple[str, ...], cli: Cli
) -> None:
    whole = {"sequences": X, "labels": np.arange(120) % 2, "class_names": np.array(["yes", "no"])}
    np.savez("bad.npz", **{**whole, **change})
    code, out, err = cli("data check bad.npz")
    assert code == 2
    assert "training would refuse this:" in out
    reasons = out.count("training would refuse this:")
    which = "the reason" if reasons == 1 else f"the {reasons} reasons"
    assert err == f"edgekit: error: bad.npz: training would refuse these recordings, for {which} in the report\n"
    for word in words:
        assert (out + err).count(word) == 1, "a verdict is said once"
    code, out, err = cli("data check bad.npz --json")
    assert code == 2
    assert json.loads(out)["refusals"]
    assert cli("train edge --data bad.npz")[0] == 2


def test_takes_of_a_folder_are_called_by_their_names(cli: Cli) -> None:
    for name in ("yes/mon", "yes/tue", "no/mon", "no/tue", "no/wed"):
        Path(name).parent.mkdir(exist_ok=True, parents=True)
        np.save(f"{name}.npy", X[len(name)] * (name != "no/tue"))
    Path("signs").mkdir()
    for name in ("yes", "no"):
        Path(name).rename(f"signs/{name}")
    _, out, _ = cli("data check signs")
    assert "takes without any hand: 1 (no/tue)" in out
    assert "no hand in any frame of take no/tue: record again" in out
    assert "identical takes of no: 2 (no/mon, no/wed)" in out
    cli("data convert signs signs.npz")
    assert "takes without any hand: 1 (no/tue)" in cli("data check signs.npz")[1]


def test_check_lists_every_finding_in_json(cli: Cli) -> None:
    x = X.copy()
    x[4], x[5], x[6, :] = x[2], 0, x[6, 0]
    np.savez("bad.npz", sequences=x, labels=np.arange(120) // 4 % 2, class_names=np.array(["yes", "no"]))
    report = json.loads(cli("data check bad.npz --json")[1])
    assert report["duplicates"] == report["duplicates_across_classes"] == [[2, 4]]
    assert report["empty_takes"] == [5]
    assert report["frozen_takes"] == [6]
    assert report["take_labels"]["4"] == "no"
    assert report["source"] == "bad.npz"


@pytest.mark.parametrize("layout", ["takes", "frames"])
def test_a_class_that_names_no_folder_is_the_sources_fault(layout: str, cli: Cli) -> None:
    np.savez("hands.npz", sequences=X, labels=np.arange(120) % 2, class_names=np.array(["fine", "a\\b"]))
    code, out, err = cli(f"data convert hands.npz new --layout {layout}")
    assert (code, out) == (2, "")
    assert "hands.npz: class 'a\\\\b' can't name a folder: it holds a slash, a backslash or a zero byte" in err
    assert "new: class" not in err
    assert not Path("new").exists()
