"""What is ruled out before anything is trained."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from edgekit.model import count_parameters
from edgekit.profiles import Profile, load_profile
from edgekit.prune import PruneConfig
from edgekit.prune.importance import magnitudes
from edgekit.prune.shrinking import smaller
from edgekit.prune.structure import study, takes_to_try
from edgekit.quantize import QuantizeConfig
from edgekit.results.searching import Recipe, StudentPoint
from edgekit.search import SearchTask
from edgekit.search.fitting import rule_out, shape_after

POINT, LARGE = StudentPoint("lstm", 8, 1, False), StudentPoint("lstm", 64, 1, False)
WHOLE, HALF = Recipe(0.0, "int8-weights"), Recipe(0.5, "int8-weights")
MakeTask = Callable[..., SearchTask]


def limits(**said: float) -> Profile:
    return Profile(name="mine", **said)  # type: ignore[arg-type]


def test_without_limits_everything_is_left(make_task: MakeTask) -> None:
    task = make_task(WHOLE, HALF)
    assert rule_out(task, limits()) == (task.wanted, ())


def test_only_what_is_too_large_goes(make_task: MakeTask) -> None:
    wanted, (out,) = rule_out(make_task(wanted={POINT: (HALF,), LARGE: (WHOLE,)}), limits(max_model_mb=0.03))
    assert wanted == {POINT: (HALF,)}
    assert (out.point, out.recipe, out.kind) == (LARGE, WHOLE, "size")


def test_what_no_board_could_run_in_time_is_not_even_written(make_task: MakeTask) -> None:
    tight = load_profile("raspberry-pi-zero-2w").model_copy(update={"max_latency_ms": 1e-6})
    wanted, (out,) = rule_out(make_task(WHOLE), tight)
    assert (wanted, out.kind) == ({}, "latency")
    assert out.reason.startswith("at least ")
    assert "on a Raspberry Pi Zero 2 W, allowed 1e-06 ms" in out.reason


def test_a_limit_that_the_fastest_run_here_misses(make_task: MakeTask) -> None:
    wanted, (out,) = rule_out(make_task(WHOLE), limits(max_latency_ms=1e-6))
    assert (wanted, out.kind) == ({}, "latency")
    assert out.reason.startswith("its fastest run here took ")


def test_a_limit_that_no_process_here_keeps(make_task: MakeTask) -> None:
    wanted, out = rule_out(make_task(WHOLE, HALF), limits(max_ram_mb=1.0))
    assert wanted == {}
    assert {one.kind for one in out} == {"memory"}


@pytest.mark.parametrize(
    ("point", "recipe", "reason"),
    [
        (StudentPoint("gru", 8, 1, False), Recipe(0.0, "int8-dynamic"), "a GRU can't have scheme int8-dynamic"),
        (POINT, Recipe(0.99, "int8-weights"), "it can't lose that much"),
        (POINT, WHOLE, "its largest weight has 2016 numbers; quantize.min_elements is 5000"),
    ],
)
def test_what_there_can_not_be(make_task: MakeTask, point: StudentPoint, recipe: Recipe, reason: str) -> None:
    task = make_task(wanted={point: (recipe,)})
    if "min_elements" in reason:
        task = replace(task, quantization=QuantizeConfig(min_elements=5000))
    wanted, (out,) = rule_out(task, limits())
    assert (wanted, out.kind, out.excess) == ({}, "impossible", None)
    assert reason in out.reason


@pytest.mark.parametrize("widths", ["recurrent", "uniform"])
@pytest.mark.parametrize(("layers", "both", "sparsity"), [(1, False, 0.5), (2, True, 0.3), (1, True, 0.8)])
def test_the_shape_that_pruning_leaves_is_known_before(
    make_task: MakeTask, widths: str, layers: int, both: bool, sparsity: float
) -> None:
    task = make_task()
    student = task.build(StudentPoint("lstm", 12, layers, both)).eval()
    config = PruneConfig.model_validate({"widths": widths, "sparsity": sparsity})
    takes = takes_to_try(task.train.x)
    structure = study(student, takes)
    scores, allowed = magnitudes(student, structure), (1.0 - sparsity) * student.architecture.parameters
    pruned = smaller(student, structure, scores, config, count_parameters, allowed, takes)
    assert shape_after(student.architecture, sparsity, config) == pruned.architecture


def test_a_shape_that_depends_on_weights_is_not_known_before(make_task: MakeTask) -> None:
    whole = make_task().build(POINT).architecture
    assert shape_after(whole, 0.5, PruneConfig(widths="free")) is None
    assert shape_after(whole, 0.5, PruneConfig(budget="macs")) is None
    assert shape_after(whole, 0.5, PruneConfig.model_validate({"method": "unstructured"})) == whole
