"""`edgekit tune`: what it leaves, what it never reads, how it goes on."""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
import yaml

from edgekit.data import SynthConfig, save_recordings, synthesise_hands

Cli = Callable[..., Any]

GRID = (
    "--set=synth.people=3", "--set=synth.takes_per_letter=2", "--set=tune.hidden_size=[4,8]",
    "--set=tune.num_layers=[1]", "--set=tune.dropout=[0.2]", "--set=tune.learning_rate=[0.01]",
    "--set=model.dense=16", "--set=tune.epochs=1", "--set=tune.folds=2", "--set=tune.pruning.margin=1.0",
)  # fmt: skip


def numbers(answer: Any) -> dict[str, Any]:
    """Point to accuracies."""
    return {str(trial["point"]): trial["accuracies"] for trial in answer.json["trials"]}


def test_the_best_point_is_a_config_and_the_same_command_trains_nothing_again(cli: Cli, tmp_path: Path) -> None:
    workdir = tmp_path / "work"
    first = cli("tune", "edge", f"--workdir={workdir}", "--json", *GRID)
    assert first.code == 0, first.err
    assert first.json["states"] == {"finished": 2, "pruned": 0, "failed": 0}
    best = yaml.safe_load((workdir / "tune/best.yaml").read_text())
    top = first.json["trials"][0]
    assert {**best["model"], **best["training"]} == top["point"]
    assert top["accuracy"] == max(trial["accuracy"] for trial in first.json["trials"])
    assert first.err.count("hidden ") == 2, "a line a trial"

    again = cli("tune", f"--workdir={workdir}", "edge", "--json")
    assert numbers(again) == numbers(first)
    assert "hidden " not in again.err
    planned = cli("train", "edge", f"--config={workdir / 'tune/best.yaml'}", f"--workdir={workdir}", "--dry-run")
    assert planned.code == 0, planned.err

    other = cli("tune", "edge", f"--workdir={workdir}", "--epochs=2")
    assert other.code == 2
    assert "tune.epochs was 1, now 2 (--epochs of edgekit tune)" in other.err
    assert "--force" in other.err
    assert cli("tune", "edge", f"--workdir={workdir}", "--epochs=2", "--force", "--json").json["epochs"] == 2


def test_the_text_says_how_folds_were_made_and_what_is_noise(cli: Cli, tmp_path: Path) -> None:
    answer = cli("tune", "edge", f"--workdir={tmp_path / 'w'}", "--trials=1", "--quiet", *GRID)
    assert (answer.code, answer.err) == (0, "")
    assert "1 of 1 points: 1 finished, 0 stopped" in answer.out
    assert "mean over 2 folds by s" in answer.out
    assert "noise: a mean has a standard error of" in answer.out
    assert "SYNTHETIC hands" in answer.out


def test_the_test_part_is_never_read(tmp_path: Path) -> None:
    from edgekit.jobs.study import make_folds, make_job
    from edgekit.stages.table import Stages
    from edgekit.tune import TuneConfig
    from edgekit.workdir import Options, open_workspace

    options = Options(settings={"synth": {"people": 3, "takes_per_letter": 2}})
    with open_workspace(tmp_path / "w", options, read_only=True) as opened:
        data = Stages(opened).data
        folds, part = make_folds(data, TuneConfig(folds=3))
        job = make_job(data, "edge", TuneConfig(folds=3), folds, part)
        dataset = data.dataset
    known = {take.tobytes() for take in job.x}
    assert not any(take.tobytes() in known for take in dataset.x[dataset.split.test])
    assert len(job.x) == len(dataset.split.train) + len(dataset.split.validation)
    for (train, validation), (whole_train, whole_validation) in zip(job.folds, folds.pairs, strict=True):
        assert np.array_equal(job.x[train], dataset.x[whole_train])
        assert np.array_equal(job.x[validation], dataset.x[whole_validation])


def test_a_dry_run_says_how_much_and_leaves_nothing(cli: Cli, tmp_path: Path) -> None:
    workdir = tmp_path / "work"
    answer = cli("tune", "edge", f"--workdir={workdir}", "--dry-run", *GRID)
    assert answer.code == 0, answer.err
    assert answer.err.startswith("  measuring a few batches of 2 sizes of models, to estimate how long training will")
    assert re.search(
        r"\? tune: 2 trials of 2 folds; the remaining 2 take about \d+ s here if none is stopped", answer.err
    )
    assert not workdir.exists()


def test_a_dry_run_of_a_study_that_has_begun_counts_what_is_left(cli: Cli, tmp_path: Path) -> None:
    workdir = tmp_path / "work"
    assert cli("tune", "edge", f"--workdir={workdir}", "--trials=1", *GRID).code == 0
    begun = cli("tune", "edge", f"--workdir={workdir}", "--set=tune.trials=null", "--dry-run")
    assert "2 trials of 2 folds, 1 of them done; the remaining 1 " in begun.err
    done = cli("tune", "edge", f"--workdir={workdir}", "--dry-run")
    assert "1 trials of 2 folds, 1 of them done; nothing is left to do" in done.err
    anew = cli("tune", "edge", f"--workdir={workdir}", "--dry-run", "--force")
    assert "1 trials of 2 folds; the remaining 1 " in anew.err


def test_the_train_command_can_be_pasted_as_it_is(cli: Cli, tmp_path: Path) -> None:
    """On the same recordings, in the same place, whatever they are called."""
    made = synthesise_hands(SynthConfig(people=3, takes_per_letter=2))
    data, workdir = tmp_path / "my signs; rm.npz", tmp_path / "a place"
    save_recordings(data, made.take(np.flatnonzero(made.labels < 5)))
    answer = cli("tune", "edge", f"--workdir={workdir}", f"--data={data}", "--trials=1", "--json", *GRID)
    assert answer.code == 0, answer.err
    command = answer.json["train_command"]
    assert command == (f"edgekit train edge --config '{workdir}/tune/best.yaml' --workdir '{workdir}' --data '{data}'")
    assert f"Use: {command}" in (workdir / "tune/best.yaml").read_text()
    trained = cli(*shlex.split(command)[1:], "--epochs=1", "--threads=1", "--json")
    assert trained.json["metrics"]["data"]["source"] == str(data)
    assert (workdir / "models/edge/model.safetensors").exists()


def test_a_study_in_which_nothing_finished_is_no_success(cli: Cli, tmp_path: Path) -> None:
    answer = cli("tune", "edge", f"--workdir={tmp_path / 'w'}", *GRID, "--set=tune.learning_rate=[1e30]")
    assert answer.code == 1
    assert "2 failed" in answer.out
    assert "no trial finished; the first one's reason: the training's val_loss became nan" in answer.err
    assert "Traceback" not in answer.err
    assert not (tmp_path / "w/tune/best.yaml").exists()


def test_a_cluster_that_does_not_answer_costs_no_study(cli: Cli, tmp_path: Path) -> None:
    pytest.importorskip("ray")
    workdir = tmp_path / "w"
    assert cli("tune", "edge", f"--workdir={workdir}", *GRID).code == 0
    before = (workdir / "manifest.json").read_bytes()
    lost = cli("tune", "edge", f"--workdir={workdir}", "--epochs=2", "--force", "--cluster=127.0.0.1:9")
    assert lost.code == 2
    assert "no Ray cluster there" in lost.err
    assert (workdir / "manifest.json").read_bytes() == before
    assert "2 of 2 trials are done" in cli("tune", "edge", f"--workdir={workdir}").err


def test_the_train_command_is_accepted_whatever_was_said_of_the_model(cli: Cli, tmp_path: Path) -> None:
    workdir = tmp_path / "w"
    said = ("--set=model.type=gru", "--set=model.bidirectional=true", "--set=regularization.dropout=0.4")
    answer = cli("tune", "edge", f"--workdir={workdir}", "--json", *GRID, *said)
    assert answer.code == 0, answer.err
    best = yaml.safe_load((workdir / "tune/best.yaml").read_text())
    assert (best["model"]["type"], best["model"]["dense"], best["model"]["dropout"]) == ("gru", 16, 0.2)
    words = shlex.split(answer.json["train_command"])[1:]
    trained = cli(*words, "--epochs=1", "--threads=1", "--json")
    assert trained.code == 0, trained.err
    assert trained.json["metrics"]["parameters"] == answer.json["trials"][0]["parameters"]


@pytest.mark.slow
@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGKILL])
def test_an_interrupted_study_goes_on_to_the_same_numbers(cli: Cli, tmp_path: Path, sent: signal.Signals) -> None:
    options = [*GRID, "--set=tune.epochs=2", "--set=tune.learning_rate=[0.01,0.02]"]
    whole = cli("tune", "edge", f"--workdir={tmp_path / 'whole'}", "--json", *options)
    broken = [sys.executable, "-m", "edgekit", "tune", "edge", f"--workdir={tmp_path / 'broken'}", *options]
    with subprocess.Popen(broken, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if line.startswith("  2/4"):
                process.send_signal(sent)
                break
        _, err = process.communicate()
    assert process.returncode == (130 if sent == signal.SIGINT else -signal.SIGKILL)
    assert "Traceback" not in err
    again = cli("tune", "edge", f"--workdir={tmp_path / 'broken'}", "--json", *options)
    assert "of 4 trials are done" in again.err
    assert "  1/4" not in again.err
    assert numbers(again) == numbers(whole)


@pytest.mark.slow
def test_a_ray_worker_that_is_killed_has_its_trial_run_again(cli: Cli, tmp_path: Path) -> None:
    """Two local workers, one killed amid a trial: all trials finish, with the numbers of the study without Ray."""
    pytest.importorskip("ray")
    options = [*GRID, "--set=tune.epochs=60"]
    alone = cli("tune", "edge", f"--workdir={tmp_path / 'alone'}", "--json", *options)
    killed: list[int] = []
    thread = threading.Thread(target=_kill_a_worker, args=(killed, tmp_path / "ray/tune/study.db"), daemon=True)
    thread.start()
    ray = cli("tune", "edge", f"--workdir={tmp_path / 'ray'}", "--json", "--cluster=local", *options)
    assert ray.code == 0, ray.err
    assert len(killed) == 1
    assert "Traceback" not in ray.err
    assert ray.json["states"] == {"finished": 2, "pruned": 0, "failed": 0}
    assert numbers(ray) == numbers(alone)


def _kill_a_worker(killed: list[int], study: Path) -> None:
    """As soon as a trial has finished a fold, and is amid the next one."""
    until_s = time.monotonic() + 120
    while time.monotonic() < until_s and not killed:
        time.sleep(0.1)
        if not _folds_heard(study):
            continue
        for process in psutil.Process(os.getpid()).children(recursive=True):
            with contextlib.suppress(psutil.Error):
                if not killed and "ImplicitFunc" in " ".join(process.cmdline()):
                    process.kill()
                    killed.append(process.pid)


def _folds_heard(study: Path) -> int:
    with (
        contextlib.suppress(sqlite3.Error),
        contextlib.closing(sqlite3.connect(f"file:{study}?mode=ro", uri=True)) as db,
    ):
        return int(db.execute("select count(*) from trial_intermediate_values").fetchone()[0])
    return 0
