"""The study: every point once, whatever interrupts it."""

from __future__ import annotations

import multiprocessing
import sqlite3
import threading
import time
from collections.abc import Callable
from pathlib import Path

import optuna
import pytest
from sqlalchemy.exc import OperationalError

from edgekit.errors import EdgekitError, InputError, StateError
from edgekit.study.board import study_key
from edgekit.tune import Job, Point, PruningConfig, TrialResult, TuneConfig, run_here
from edgekit.tune.board import Board

MakeJob = Callable[..., Job]
GRID = TuneConfig(
    hidden_size=(4, 8), num_layers=(1,), dropout=(0.2,), learning_rate=(0.001, 0.02), folds=3, epochs=2, pruning=None
)


def states(path: Path) -> list[str]:
    """Of every trial that Optuna knows, in order."""
    study = optuna.load_study(study_name="edgekit", storage=f"sqlite:///{path}")
    return [trial.state.name for trial in study.trials]


def result(point: Point, state: str = "finished", accuracies: tuple[float, ...] = (0.5, 0.6, 0.7)) -> TrialResult:
    return TrialResult(point, state, accuracies, 10, 1.0)  # type: ignore[arg-type]


def drain(board: Board) -> list[Point]:
    """Finish everything that is handed out."""
    points = []
    while (handed := board.next()) is not None:
        board.finish(handed[0], result(handed[1]))
        points.append(handed[1])
    return points


@pytest.mark.parametrize("sampler", ["grid", "tpe"])
def test_every_point_is_handed_out_once_over_three_processes(tmp_path: Path, sampler: str) -> None:
    path, config = tmp_path / "tune" / "study.db", GRID.model_copy(update={"sampler": sampler})
    first = Board(path, config, {})
    number, point = first.next() or pytest.fail("nothing to do")
    first.finish(number, result(point))
    killed = Board(path, config, {})
    assert killed.next() is not None  # and never finished
    third = Board(path, config, {})
    assert {point, *drain(third)} == set(config.points(0))
    assert len(third.results) == 4
    assert "RUNNING" not in states(path)
    assert states(path).count("COMPLETE") == 4
    assert drain(Board(path, config, {})) == []


def test_two_trials_at_a_time_are_two_points(tmp_path: Path) -> None:
    board = Board(tmp_path / "study.db", GRID, {})
    handed = [board.next() for _ in range(5)]
    assert len({one[1] for one in handed if one}) == 4
    assert handed[4] is None


def test_no_more_than_the_trials_that_are_wanted(tmp_path: Path) -> None:
    board = Board(tmp_path / "study.db", GRID.model_copy(update={"trials": 3}), {})
    assert len(drain(board)) == 3


def test_pruned_and_failed_trials_are_over(tmp_path: Path) -> None:
    path = tmp_path / "study.db"
    board = Board(path, GRID, {})
    for state, accuracies in (("pruned", (0.1,)), ("failed", ())):
        number, point = board.next() or pytest.fail("nothing to do")
        board.finish(number, result(point, state, accuracies))
    assert states(path) == ["PRUNED", "FAIL"]
    again = Board(path, GRID, {})
    assert [one.state for one in again.results] == ["pruned", "failed"]
    assert len(drain(again)) == 2


def test_the_board_calls_hopeless_what_is_below_the_best(tmp_path: Path) -> None:
    config = GRID.model_copy(update={"pruning": PruningConfig(margin=0.05, least_trials=1)})
    board = Board(tmp_path / "study.db", config, {})
    number, point = board.next() or pytest.fail("nothing to do")
    board.finish(number, result(point))
    number, _ = board.next() or pytest.fail("nothing to do")
    assert board.step(number, (0.46,))
    assert not board.step(number, (0.44,))


@pytest.mark.slow
def test_two_worker_processes_find_the_numbers_that_one_process_finds(tmp_path: Path, make_job: MakeJob) -> None:
    job = make_job(epochs=2)
    found = []
    for jobs in (1, 2):
        board = Board(tmp_path / f"{jobs}.db", GRID, {})
        run_here(board, job, jobs)
        found.append({one.point: (one.state, one.accuracies) for one in board.results})
    assert len(found[0]) == 4
    assert found[0] == found[1]


def test_a_study_keeps_what_it_was_made_with(tmp_path: Path) -> None:
    path = tmp_path / "study.db"
    assert study_key(path) is None
    drain(Board(path, GRID, {"tune": {"folds": 3}}))
    assert study_key(path) == {"tune": {"folds": 3}}


def test_a_damaged_study_is_named(tmp_path: Path) -> None:
    path = tmp_path / "study.db"
    path.write_bytes(b"no database at all, " * 99)
    with pytest.raises(StateError, match=r"study\.db: the study can't be read .*--force"):
        study_key(path)


@pytest.mark.slow
def test_a_worker_that_dies_ends_the_study_with_a_message(
    tmp_path: Path, make_job: MakeJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = make_job(epochs=10_000)
    board = Board(tmp_path / "study.db", GRID, {})

    def kill() -> None:
        while not multiprocessing.active_children():
            time.sleep(0.05)
        multiprocessing.active_children()[0].kill()

    threading.Thread(target=kill, daemon=True).start()
    with pytest.raises(EdgekitError, match="a worker process died in trial"):
        run_here(board, job, 2)
    assert multiprocessing.active_children() == []


def test_a_trial_lost_with_its_worker_is_over_now_and_run_by_the_next_command(tmp_path: Path) -> None:
    path = tmp_path / "study.db"
    board = Board(path, GRID, {})
    number, point = board.next() or pytest.fail("nothing to do")
    board.lose(number, result(point, "failed", ()))
    assert point not in drain(board)
    assert len(board.results) == 4
    again = Board(path, GRID, {})
    assert len(again.results) == 3
    assert drain(again) == [point]


def test_a_study_without_a_trial_that_is_over_binds_nobody(tmp_path: Path) -> None:
    path = tmp_path / "study.db"
    Board(path, GRID, {"tune": {"folds": 3}}).next()
    assert study_key(path) is None


def test_a_study_is_never_written_through_a_link(tmp_path: Path) -> None:
    """SQLite would make a study of whatever is empty behind it."""
    elsewhere, path = tmp_path / "elsewhere", tmp_path / "study.db"
    elsewhere.write_bytes(b"")
    path.symlink_to(elsewhere)
    for use in (lambda: study_key(path), lambda: Board(path, TuneConfig(), {})):
        with pytest.raises(InputError, match=r"study\.db: is a link"):
            use()
    assert elsewhere.read_bytes() == b""


def test_a_study_that_can_not_be_written_is_one_message_and_keeps_its_trials(tmp_path: Path) -> None:
    path = tmp_path / "study.db"
    board = Board(path, TuneConfig(), {"seed": 0})
    handed = board.next()
    assert handed is not None
    number, point = handed
    full = OperationalError("INSERT", {}, sqlite3.OperationalError("database or disk is full"))

    def refuse(*_: object, **named: object) -> None:
        raise full

    board.study.tell = refuse  # type: ignore[method-assign]
    with pytest.raises(StateError, match=r"study\.db: the study can't be written \(database or disk is full\)"):
        board.finish(number, TrialResult(point, "finished", (0.5,), 10, 1.0))
    assert [result.point for result in Board(path, TuneConfig(), {"seed": 0}).results] == [point]
