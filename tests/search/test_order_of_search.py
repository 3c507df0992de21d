"""Which students are tried, and in which order."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from edgekit.model import VARIANTS, ModelConfig
from edgekit.results.searching import Recipe, StudentPoint
from edgekit.search import SearchConfig
from edgekit.search.settings import in_order, model_of, possible, spread


@pytest.mark.parametrize("count", [0, 1, 2, 3, 8, 20, 33])
def test_every_place_of_the_range_is_tried_once(count: int) -> None:
    assert sorted(spread(count)) == list(range(count))


def test_the_first_ones_lie_all_over_the_range() -> None:
    assert spread(8) == [0, 4, 2, 6, 1, 5, 3, 7]
    assert spread(20)[:4] == [0, 16, 8, 4]


def test_the_cheapest_comes_first() -> None:
    points = SearchConfig(hidden_size=(64, 16, 32), num_layers=(1,), bidirectional=(False,)).students
    assert [point.hidden_size for point in in_order(points, [64, 16, 32])] == [16, 64, 32]


def test_the_grid_is_every_student_with_every_recipe() -> None:
    config = SearchConfig()
    assert len(config.students) == 5 * 2 * 2
    assert set(config.recipes) == {Recipe(s, q) for s in (0.0, 0.5) for q in ("int8-weights", "int8-dynamic")}
    assert config.size(7) == 7
    assert config.model_copy(update={"points": 3}).size(7) == 3


def test_the_dense_layer_grows_with_the_hidden_size_and_the_rest_stays() -> None:
    template = VARIANTS["edge"].model_copy(update={"dropout": 0.1, "readout": "final"})
    made = model_of(StudentPoint("gru", 16, 2, True), template)
    assert made == ModelConfig(
        type="gru", hidden_size=16, num_layers=2, bidirectional=True, dense=64, dropout=0.1, readout="final"
    )
    assert model_of(StudentPoint("lstm", 64, 1, False), VARIANTS["edge"]) == VARIANTS["edge"]


def test_a_gru_has_no_int8_arithmetic() -> None:
    assert "a GRU can't have scheme int8-dynamic" in possible(
        StudentPoint("gru", 8, 1, False), Recipe(0.0, "int8-dynamic")
    )
    assert possible(StudentPoint("gru", 8, 1, False), Recipe(0.0, "int8-weights")) == ""


@pytest.mark.parametrize("wrong", [{"hidden_size": ()}, {"sparsity": (0.5, 0.5)}, {"scheme": ("int3",)}])
def test_axes_hold_different_values_that_there_are(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        SearchConfig.model_validate(wrong)
