"""`edgekit search`: what it leaves, what it refuses, how it goes on."""

from __future__ import annotations

import contextlib
import io
import json
import re
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from edgekit.cli import run_cli

Cli = Callable[..., Any]

#: One student of one file, unless told otherwise.
SMALL = (
    "--epochs=1", "--set=search.recovery_epochs=1", "--set=search.hidden_size=[8]", "--set=search.num_layers=[1]",
    "--set=search.bidirectional=[false]", "--set=search.sparsity=[0.5]", "--set=search.scheme=[int8-weights]",
    "--set=search.stopping=null", "--set=quantize.min_elements=64", "--set=bench.processes=1",
    "--set=bench.min_time_s=0.01", "--set=bench.repeats=50",
)  # fmt: skip


@pytest.fixture(scope="module")
def few_samples(quick_table: None) -> None:
    """Nobody reads the latencies here."""


@pytest.fixture
def work(chain: Any, few_samples: None, tmp_path: Path) -> Path:
    """A work directory with a teacher and a student."""
    shutil.copytree(chain.workdir, tmp_path / "work")
    return tmp_path / "work"


@dataclass(frozen=True)
class Searched:
    """A finished search, which tests read and leave as it is."""

    work: Path
    json: Any


@pytest.fixture(scope="module")
def searched(chain: Any, few_samples: None, tmp_path_factory: pytest.TempPathFactory) -> Searched:
    """One student of one file."""
    work, out, err = tmp_path_factory.mktemp("search") / "work", io.StringIO(), io.StringIO()
    shutil.copytree(chain.workdir, work)
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = run_cli(["search", f"--workdir={work}", "--json", *SMALL])
    assert code == 0, err.getvalue()
    return Searched(work, json.loads(out.getvalue()))


def files(answer: Any) -> dict[str, Any]:
    """Name of each file to what is known of it, but for times."""
    models = [model for trial in answer.json["trials"] for model in trial["models"]]
    return {model["sha256"]: {**model} for model in models}


def test_the_front_is_left_as_files_and_as_settings_that_make_them_again(cli: Cli, searched: Searched) -> None:
    work = searched.work
    (row,) = searched.json["front"]
    assert json.loads((work / "search/search.json").read_text()) == searched.json
    assert (searched.json["chosen"], row["verdict"]) == (1, "pass")
    assert Path(row["file"]).stat().st_size == row["model"]["size_bytes"]
    assert (work / "search/search.png").read_bytes().startswith(b"\x89PNG")
    page = (work / "search/report.html").read_text(encoding="utf-8")
    assert f"row {searched.json['chosen']}" in page.lower()

    told = yaml.safe_load((work / "search/point-1.yaml").read_text())
    assert told["student"] == {
        "type": "lstm", "hidden_size": 8, "num_layers": 1, "bidirectional": False, "dense": 16,
    }  # fmt: skip
    assert (told["prune"], told["quantize"]) == ({"sparsity": 0.5}, {"scheme": "int8-weights"})
    command = shlex.split(searched.json["commands"][0])[1:]
    assert "--force" in command, "there is another student"
    planned = cli(*command, "--dry-run")
    assert planned.code == 0, planned.err
    assert "= train accurate: up to date" in planned.err
    assert "student.hidden_size was 24, now 8" in planned.err


def test_the_same_command_teaches_nobody_again(cli: Cli, searched: Searched, tmp_path: Path) -> None:
    shutil.copytree(searched.work, tmp_path / "work")
    again = cli("search", f"--workdir={tmp_path / 'work'}")
    assert again.code == 0, again.err
    assert "1 of 1 students are done" in again.err
    assert "LSTM 8x1:" not in again.err
    assert re.search(r"It would take row 1: the most accurate that fits", again.out)
    assert "the test takes were not read" in again.out


def test_other_settings_are_refused_and_another_grid_goes_on(cli: Cli, searched: Searched) -> None:
    work = searched.work
    other = cli("search", f"--workdir={work}", "--epochs=2")
    assert other.code == 2
    assert "search.epochs was 1, now 2 (--epochs of edgekit search)" in other.err
    assert "--force" in other.err
    planned = cli("search", f"--workdir={work}", "--set=search.hidden_size=[8,6]", "--set=search.points=2", "--dry-run")
    assert "2 students of 1 epochs, 1 of them done" in planned.err, planned.err


def test_a_profile_that_nothing_can_meet_costs_no_training(cli: Cli, tmp_path: Path) -> None:
    profile, work = tmp_path / "tiny.yaml", tmp_path / "work"
    profile.write_text("max_model_mb: 0.003\n")
    said = ("--set=synth.people=2", "--set=synth.takes_per_letter=2")
    answer = cli("search", f"--workdir={work}", f"--profile={profile}", *said, *SMALL)
    assert answer.code == 5
    assert "nothing that it would try fits tiny; 1 of 1 files (1 too large)" in answer.err
    assert re.search(r"closest: LSTM 8x1, sparsity 0\.5, int8-weights: \d\.\d KB, allowed 3\.0 KB", answer.err)
    assert not (work / "manifest.json").exists()


def test_a_floor_that_nothing_reaches_names_what_came_closest(cli: Cli, searched: Searched, tmp_path: Path) -> None:
    work = tmp_path / "work"
    shutil.copytree(searched.work, work)
    answer = cli("search", f"--workdir={work}", "--min-accuracy=1", "--json")
    assert answer.code == 5
    best = max(model["accuracy"] for model in files(answer).values())
    assert (
        f"none of 1 files that fit reaches 100 %; closest: LSTM 8x1, sparsity 0.5, int8-weights, {100 * best:.1f} %"
        in (answer.err)
    )
    assert (answer.json["front"], answer.json["chosen"]) == ([], None)


def test_a_search_whose_every_student_fails_is_no_success(cli: Cli, work: Path) -> None:
    answer = cli("search", f"--workdir={work}", *SMALL, "--set=distill.training.learning_rate=1e30")
    assert answer.code == 1
    assert "no file was made; the first reason: the training's loss became nan" in answer.err
    assert "Traceback" not in answer.err


def test_a_budget_that_ends_before_the_first_student_says_so(cli: Cli, work: Path) -> None:
    answer = cli("search", f"--workdir={work}", *SMALL, "--budget=0.001s")
    assert answer.code == 1
    assert (
        "--budget was over before the first of 1 students was begun, so there is no file; give a longer" in answer.err
    )


@pytest.mark.parametrize(
    ("said", "message"),
    [
        (("--profile=nosuch",), "unknown profile"),
        (("--budget=soon",), "expected a time above 0, such as 90s, 30m or 2h"),
        (("--budget=0s",), "expected a time above 0"),
        (("--budget=5m", "--cluster=local"), "limit their number with --points"),
        (("--set=distill.states=1",), "answers that the teacher gives once, without states"),
        (("--min-accuracy=90",), "90"),
        (("--set=search.sparsity=[0.5,0.5]",), "one or more different values"),
        (("--set=prune.steps=3",), "search.recovery_epochs: 1 for prune.steps 3"),
        (("--teacher=nosuch.onnx",), "nosuch.onnx"),
        (("--set=search.sparsity=[0.99]",), "nothing that it would try is possible; 1 of 1 files (1 not possible)"),
    ],
)
def test_what_can_not_be_meant_is_told(cli: Cli, tmp_path: Path, said: tuple[str, ...], message: str) -> None:
    work = tmp_path / "work"
    answer = cli("search", f"--workdir={work}", "--set=synth.people=2", *SMALL, *said)
    assert answer.code == 2
    assert message in answer.err
    assert "Traceback" not in answer.err
    assert not (work / "search").exists()


@pytest.mark.slow
def test_a_foreign_teacher_teaches_in_worker_processes_what_it_teaches_here(cli: Cli, work: Path, chain: Any) -> None:
    """It is an open ONNX file, which can't be sent: its answers are."""
    teacher = f"--teacher={chain.workdir / 'student/model.onnx'}"
    said = (teacher, "--json", "--set=gates.check_teacher=false", *SMALL, "--set=search.hidden_size=[8,6]")
    found = []
    for jobs in (1, 2):
        answer = cli("search", f"--workdir={work}", f"--jobs={jobs}", "--force", *said)
        assert answer.code == 0, answer.err
        found.append(files(answer))
    assert len(found[0]) == 2
    assert found[0] == found[1]


@pytest.mark.slow
def test_a_cluster_finds_what_one_process_finds(cli: Cli, work: Path) -> None:
    pytest.importorskip("ray")
    found = [
        cli("search", f"--workdir={work}", "--force", "--json", *SMALL, *where) for where in ((), ("--cluster=local",))
    ]
    assert [answer.code for answer in found] == [0, 0], found[1].err
    assert files(found[0]) == files(found[1])


@pytest.mark.slow
@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGKILL])
def test_an_interrupted_search_goes_on_to_the_same_files(cli: Cli, work: Path, sent: signal.Signals) -> None:
    options = (*SMALL, "--epochs=2", "--set=search.hidden_size=[6,8,10]")[1:]
    broken = work.with_name("broken")
    shutil.copytree(work, broken)
    whole = cli("search", f"--workdir={work}", "--json", *options)
    command = [sys.executable, "-m", "edgekit", "search", f"--workdir={broken}", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if line.startswith("  1/3"):
                process.send_signal(sent)
                break
        _, err = process.communicate()
    assert process.returncode == (130 if sent == signal.SIGINT else -signal.SIGKILL)
    assert "Traceback" not in err
    again = cli("search", f"--workdir={broken}", "--json", *options)
    assert again.code == whole.code == 0, again.err
    assert "of 3 students are done" in again.err
    assert len(files(whole)) == 3
    assert files(again) == files(whole)
