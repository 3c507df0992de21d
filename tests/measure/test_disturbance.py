"""Disturbances: seldom seen where there are none, seen where they were put in, and named in words with what to do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from edgekit.measure import Disturbance, Machine, Use, WorkerResult, find_disturbances, level_change, warmup_end

Draw = Callable[[np.random.Generator, int], np.ndarray]

CLEAN: dict[str, Draw] = {
    "normal": lambda rng, n: rng.normal(1, 0.05, n),
    "lognormal": lambda rng, n: rng.lognormal(0, 0.3, n),
    "exponential": lambda rng, n: 1 + rng.exponential(1, n),
    "pareto": lambda rng, n: 1 + rng.pareto(1.5, n),
    "two modes": lambda rng, n: np.where(rng.random(n) < 0.3, 1.5, 1) * rng.normal(1, 0.02, n),
}
QUIET = {"elapsed_s": 1.0, "cpu_s": 1.0, "busy_cpu_s": 1.02, "voluntary_switches": 3, "involuntary_switches": 2}


def clean(count: int = 2000, seed: int = 0) -> np.ndarray:
    """Runs of about 100 us that differ by 5 %."""
    return np.random.default_rng(seed).lognormal(np.log(1e5), 0.05, count)


def result(
    samples: np.ndarray, cpu: np.ndarray | None = None, warmup: np.ndarray | None = None, **use: float | None
) -> WorkerResult:
    """What a worker might have returned."""
    measured: dict[str, Any] = {**QUIET, **use}
    return WorkerResult(
        samples_ns=tuple(samples.astype(int).tolist()),
        thread_cpu_ns=tuple((samples if cpu is None else cpu).astype(int).tolist()),
        warmup_ns=tuple((samples[:50] if warmup is None else warmup).astype(int).tolist()),
        import_ns=1,
        session_ns=1,
        first_run_ns=1,
        peak_rss_bytes=None,
        memory_reason="made up",
        stages=(),
        inputs=(),
        machine=Machine(cores=2),
        use=Use(**measured),
    )


def the_one(found: tuple[Disturbance, ...]) -> Disturbance:
    """Of a measurement that one thing disturbed."""
    assert len(found) == 1, found
    return found[0]


@pytest.mark.parametrize("name", CLEAN)
@pytest.mark.parametrize("count", [200, 500, 2000])
def test_a_clean_run_is_seldom_accused(name: str, count: int) -> None:
    """Of 400 clean runs at most 1 % drift and 1 % warm up too long, plus 3 standard deviations of chance (1.5 %)."""
    rng = np.random.default_rng(count)
    runs = [CLEAN[name](rng, count) for _ in range(400)]
    assert np.mean([level_change(run) is not None for run in runs]) <= 0.01 + 0.015
    assert np.mean([(warmup_end(run) or 0) > 50 for run in runs]) <= 0.01 + 0.015


def test_nothing_disturbs_a_quiet_machine() -> None:
    assert [find_disturbances(result(clean(seed=seed))) for seed in range(20)] == [()] * 20


@pytest.mark.parametrize(
    ("shape", "way"),
    [
        (lambda t: 1 + 0.1 * t, "slower"),
        (lambda t: 1.1 - 0.1 * t, "faster"),
        (lambda t: np.where(t < 0.5, 1, 1.05), "slower"),
        (lambda t: np.where(t < 0.8, 1, 1.1), "slower"),
        (lambda t: np.where(t < 0.2, 1.1, 1), "faster"),
    ],
    ids=["drift up", "drift down", "step in the middle", "late step", "early step"],
)
def test_drifts_and_steps_are_seen(shape: Callable[[np.ndarray], np.ndarray], way: str) -> None:
    factor = shape(np.linspace(0, 1, 2000))
    for seed in range(10):
        disturbances = find_disturbances(result(clean(seed=seed) * factor, warmup=np.array([])))
        found = the_one(tuple(each for each in disturbances if each.kind == "drift"))
        assert way in found.text
        assert (found.measured > 0) == (way == "slower")


def test_a_step_is_found_where_it_is() -> None:
    found = level_change(clean() * np.where(np.arange(2000) < 1200, 1, 1.2))
    assert found is not None
    assert abs(found.run - 1200) <= found.blur_runs
    assert found.ratio == pytest.approx(1.2, rel=0.02)


def test_a_change_too_small_to_matter_is_not_named() -> None:
    """1 %, though it is certain."""
    assert level_change(clean(20_000) * np.where(np.arange(20_000) < 10_000, 1, 1.01)) is None


def test_a_warm_up_that_goes_on_is_seen_and_the_next_step_is_long_enough() -> None:
    runs = clean(3000) * (1 + 2 * np.exp(-np.arange(3000) / 100))
    found = [
        each
        for each in find_disturbances(result(runs[50:], warmup=runs[:50]))
        if each.kind == "warm-up"
    ]  # fmt: skip
    assert 150 <= the_one(tuple(found)).measured <= 500
    assert f"bench.warmup={2 * found[0].measured}" in found[0].next_step
    enough = result(runs[600:], warmup=runs[:600])
    assert [each.kind for each in find_disturbances(enough)] == []


def test_outliers_are_counted_and_measured() -> None:
    runs = clean()
    runs[::50] *= 30
    found = the_one(find_disturbances(result(runs)))
    assert found.kind == "outliers"
    assert found.measured == pytest.approx(0.02)
    assert "2.0 % of runs took over 2 medians (limit 1 %), the longest" in found.text
    few = clean()
    few[::200] *= 30
    assert find_disturbances(result(few)) == ()


def test_being_put_aside_is_seen() -> None:
    found = the_one(find_disturbances(result(clean(), involuntary_switches=100)))
    assert (found.kind, found.measured) == ("interruptions", 0.05)
    assert "100 times in 2000 runs" in found.text


def test_load_by_others_is_seen_in_the_systems_own_count() -> None:
    found = the_one(find_disturbances(result(clean(), busy_cpu_s=2.0)))
    assert (found.kind, found.unit, found.measured) == ("foreign load", "cores", 1.0)
    assert "1.00 of 2 cores" in found.text


def test_waiting_for_a_core_is_load_and_waiting_by_itself_is_the_model() -> None:
    """A model that sleeps gives up its core once a run; one that is put aside does not."""
    wall = clean()
    put_aside = the_one(find_disturbances(result(wall, cpu=wall * 0.8)))
    assert (put_aside.kind, round(put_aside.measured, 3)) == ("foreign load", 0.2)
    sleeps = the_one(find_disturbances(result(wall, cpu=wall * 0.1, voluntary_switches=2000)))
    assert (sleeps.kind, round(sleeps.measured, 3)) == ("waiting", 0.9)
    assert "by" not in sleeps.text.split()
    assert find_disturbances(result(wall, cpu=wall * 0.1), threads=2) == ()


@pytest.mark.parametrize("use", [dict.fromkeys(QUIET), {"elapsed_s": 0.1, "busy_cpu_s": 5.0}])
def test_what_the_system_does_not_tell_or_can_not_resolve_is_not_named(use: dict[str, Any]) -> None:
    assert find_disturbances(result(clean(), **use)) == ()


def test_every_finding_has_fact_threshold_and_next_step() -> None:
    runs = clean() * np.where(np.arange(2000) < 1000, 1, 1.3)
    runs[::50] *= 30
    found = find_disturbances(result(runs, cpu=runs / 2, involuntary_switches=500, busy_cpu_s=3.0), process=2)
    assert {each.kind for each in found} == {"drift", "outliers", "interruptions", "foreign load"}
    for each in found:
        content = each.to_dict()
        assert content["process"] == 2
        assert abs(content["measured"]) > content["threshold"] > 0
        assert "(limit " in content["text"]
        assert content["next_step"]


@pytest.mark.parametrize("count", [0, 1, 50, 99])
def test_short_runs_are_not_judged(count: int) -> None:
    assert (warmup_end(clean(count)), level_change(clean(count))) == (None, None)
