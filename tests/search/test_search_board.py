"""The study of a search: what is over stays over as long as it serves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from edgekit.artifacts import sha256_bytes
from edgekit.results.searching import Recipe, SearchedModel, StudentPoint, StudentTrial
from edgekit.search import SearchConfig, SearchTask
from edgekit.search.board import SearchBoard, place_of, plan_of

POINT = StudentPoint("lstm", 8, 1, False)
OTHER = StudentPoint("lstm", 4, 1, False)
WHOLE, HALF = Recipe(0.0, "int8-weights"), Recipe(0.5, "int8-weights")
CONTENT = b"no model, but the bytes of one"
MakeTask = Callable[..., SearchTask]


@pytest.fixture
def open_board(tmp_path: Path, make_task: MakeTask) -> Callable[..., SearchBoard]:
    """(recipes, floor, points, in_time): of one study, opened again and again."""

    def make(
        *recipes: Recipe,
        floor: float | None = None,
        points: tuple[StudentPoint, ...] = (POINT,),
        in_time: Callable[[], bool] = lambda: True,
    ) -> SearchBoard:
        task = make_task(floor=floor, wanted=dict.fromkeys(points, recipes or (WHOLE,)))
        plan = plan_of(SearchConfig(), points, task, tmp_path / "models")
        return SearchBoard(tmp_path / "study.db", plan, {}, tmp_path / "models", in_time)

    return make


@pytest.fixture
def trial(make_model: Callable[..., SearchedModel], make_trial: Callable[..., StudentTrial]) -> StudentTrial:
    """A student with the file of WHOLE."""
    model = replace(make_model(0.5, len(CONTENT), content=CONTENT), sha256=sha256_bytes(CONTENT))
    return make_trial((0.4,), models=(model,))


def finish(board: SearchBoard, result: StudentTrial) -> None:
    number, point = board.next() or pytest.fail("nothing to do")
    board.finish(number, replace(result, point=point))


def test_a_finished_student_leaves_its_file_and_is_not_tried_again(
    open_board: Callable[..., SearchBoard], trial: StudentTrial, tmp_path: Path
) -> None:
    finish(open_board(), trial)
    again = open_board()
    assert again.next() is None
    (model,) = again.results[0].models
    assert model.content is None, "the study holds no files"
    assert place_of(model, tmp_path / "models").read_bytes() == CONTENT


def test_a_student_that_a_kill_left_running_is_tried_again(open_board: Callable[..., SearchBoard]) -> None:
    assert open_board().next() is not None  # and never finished
    assert (open_board().next() or (0, None))[1] == POINT


@pytest.mark.parametrize("damage", [Path.unlink, lambda file: file.write_bytes(b"another")])
def test_a_file_that_is_gone_or_was_changed_is_made_again(
    open_board: Callable[..., SearchBoard], trial: StudentTrial, tmp_path: Path, damage: Callable[[Path], object]
) -> None:
    finish(open_board(), trial)
    damage(place_of(trial.models[0], tmp_path / "models"))
    assert open_board().next() is not None


def test_another_recipe_makes_the_student_again_and_another_size_does_not(
    open_board: Callable[..., SearchBoard], trial: StudentTrial
) -> None:
    finish(open_board(), trial)
    assert open_board(points=(POINT, OTHER)).remaining() == (OTHER,)
    assert open_board(WHOLE, HALF).remaining() == (POINT,)


def test_a_student_given_up_for_a_floor_is_tried_again_for_a_lower_one(
    open_board: Callable[..., SearchBoard], make_trial: Callable[..., StudentTrial]
) -> None:
    finish(open_board(floor=0.9), make_trial((0.1,), state="pruned", floor=0.9))
    assert open_board(floor=0.9).next() is None
    assert open_board(floor=0.95).next() is None
    assert open_board(floor=0.8).next() is not None


def test_a_student_that_failed_is_over(
    open_board: Callable[..., SearchBoard], make_trial: Callable[..., StudentTrial]
) -> None:
    finish(open_board(), make_trial((), state="failed"))
    assert open_board().next() is None


def test_nothing_is_begun_when_the_time_is_over(open_board: Callable[..., SearchBoard], trial: StudentTrial) -> None:
    time_left = [True]
    board = open_board(points=(POINT, OTHER), in_time=lambda: time_left[0])
    finish(board, trial)
    time_left[0] = False
    assert board.next() is None
    assert len(board.remaining()) == 1
