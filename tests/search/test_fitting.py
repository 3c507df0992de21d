"""What is ruled out before anything is trained."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from edgekit.profiles import Profile, load_profile
from edgekit.quantize import QuantizeConfig
from edgekit.results.searching import Recipe, StudentPoint
from edgekit.search import SearchTask
from edgekit.search.fitting import rule_out

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
