"""When a process stops: on sessions and a clock that are made up."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from edgekit.measure import LOOK_CONFIDENCE, StopRule, percentile_interval, stop_rule
from edgekit.measure.stopping import LOOKS

FakeModels = Callable[..., Any]
US = 1_000


def request(rule: StopRule | None, **settings: Any) -> dict[str, Any]:
    return {"repeats": 1, "stop": None if rule is None else rule.to_dict(), "max_time_s": 1000, **settings}


def around(middle_ns: float, spread: float) -> Callable[[], int]:
    """Times drawn evenly within `spread` of the middle."""
    rng = np.random.default_rng(0)
    return lambda: int(middle_ns * (1 + spread * rng.uniform(-1, 1)))


def test_the_looks_are_few_and_each_could_decide() -> None:
    for percent in (50, 90, 95, 99):
        looks = stop_rule(percent, 1000, None).looks
        assert 2 <= len(looks) < LOOKS
        assert all(1 <= low < high <= count for count, (low, high) in looks.items())
        assert all(later > 1.4 * count for count, later in itertools.pairwise(looks))
        assert min(looks) >= 1000


def test_all_looks_together_hold_with_99_percent() -> None:
    assert pytest.approx(0.01) == LOOKS * (1 - LOOK_CONFIDENCE)


def test_without_a_limit_it_goes_on_until_the_interval_is_narrow(worker: ModuleType, fake_models: FakeModels) -> None:
    rule = stop_rule(95, 200, None)
    counts = []
    for spread in (0.01, 0.9):
        result = worker.measure_latency(fake_models(around(100 * US, spread)).turns, request(rule))
        assert result["ended_by"] == "known"
        found = percentile_interval(result["samples_ns"], 95, LOOK_CONFIDENCE)
        assert found.high - found.low <= 0.11 * found.value
        counts.append(len(result["samples_ns"]))
    assert counts[0] == min(rule.looks)
    assert counts[1] >= counts[0]


def test_the_wider_the_spread_the_more_samples(worker: ModuleType, fake_models: FakeModels) -> None:
    rng = np.random.default_rng(0)
    rule = stop_rule(95, 200, None)
    counts = []
    for sigma in (0.05, 0.5, 1.5):
        models = fake_models(lambda sigma=sigma: int(100 * US * rng.lognormal(0, sigma)))
        counts.append(len(worker.measure_latency(models.turns, request(rule))["samples_ns"]))
    assert counts == sorted(set(counts))


@pytest.mark.parametrize("limit_us", [50, 500])
def test_far_from_the_limit_the_first_look_is_enough(
    worker: ModuleType, fake_models: FakeModels, limit_us: int
) -> None:
    rule = stop_rule(95, 200, limit_us / 1e6)
    result = worker.measure_latency(fake_models(around(100 * US, 0.3)).turns, request(rule))
    assert (result["ended_by"], len(result["samples_ns"])) == ("known", min(rule.looks))


def test_near_the_limit_it_goes_on_until_the_time_is_over(worker: ModuleType, fake_models: FakeModels) -> None:
    """The true p95 is 127 us; the limit is there."""
    rule = stop_rule(95, 200, 127e-6)
    result = worker.measure_latency(fake_models(around(100 * US, 0.3)).turns, request(rule, max_time_s=0.5))
    assert result["ended_by"] == "time"
    assert sum(result["samples_ns"]) >= 0.5e9


def test_not_before_the_least_time(worker: ModuleType, fake_models: FakeModels) -> None:
    rule = stop_rule(95, 200, 1.0)
    result = worker.measure_latency(fake_models(100 * US).turns, request(rule, min_time_s=0.1))
    assert result["ended_by"] == "known"
    assert len(result["samples_ns"]) == min(count for count in rule.looks if count >= 1000)


def test_a_million_samples_are_enough(worker: ModuleType, monkeypatch: pytest.MonkeyPatch, fake_models) -> None:
    monkeypatch.setattr(worker, "MAX_SAMPLES", 300)
    result = worker.measure_latency(fake_models(100 * US).turns, {"repeats": 10**9, "max_time_s": 1000})
    assert (result["ended_by"], len(result["samples_ns"])) == ("samples", 300)


def test_the_cpu_time_is_the_models_share_of_the_wall_time(worker: ModuleType, fake_models: FakeModels) -> None:
    result = worker.measure_latency(fake_models(100 * US, cpu_share=0.25).turns, request(None, repeats=50))
    assert result["samples_ns"] == [100 * US] * 50
    assert result["thread_cpu_ns"] == [25 * US] * 50


def every(times_us: list[int]) -> Callable[[], int]:
    """These times again and again."""
    cycle: Iterator[int] = itertools.cycle(times_us)
    return lambda: next(cycle) * US


def paced(worker: ModuleType, models: Any, rate_hz: float | None, duration_s: float) -> dict[str, Any]:
    found: dict[str, Any] = worker.measure_sustained(models.turns, {"rate_hz": rate_hz, "max_time_s": duration_s})
    return found


def test_a_paced_run_counts_its_misses_exactly(worker: ModuleType, fake_models: FakeModels) -> None:
    """10 takes per second; every fifth takes 130 ms and misses, the one after it starts 30 ms late and does not."""
    models = fake_models(every([30_000, 30_000, 30_000, 30_000, 130_000]))
    result = paced(worker, models, 10, 10)
    assert (result["due"], result["missed"]) == (100, 20)
    assert [window["runs"] for window in result["windows"]] == [10] * 10
    responses = [ns for window in result["windows"] for ns in window["response_ns"]]
    assert sorted(set(responses)) == [30_000 * US, 60_000 * US, 130_000 * US]
    assert models.now_ns == 10_030_000 * US  # the last one was due at 9.9 s


def test_a_model_slower_than_the_rate_misses_all_but_what_it_had_no_chance_to_miss(
    worker: ModuleType, fake_models: FakeModels
) -> None:
    """250 ms for takes that come every 100 ms: each is late, and those that never had their turn count, too."""
    result = paced(worker, fake_models(250_000 * US), 10, 10)
    assert (result["due"], result["missed"]) == (100, 100)
    assert sum(window["runs"] for window in result["windows"]) == 40


def test_a_quick_model_misses_nothing_and_sleeps_the_rest(worker: ModuleType, fake_models: FakeModels) -> None:
    models = fake_models(100 * US)
    result = paced(worker, models, 30, 10)
    assert (result["due"], result["missed"]) == (300, 0)
    assert models.slept_ns == round(299 * 1e9 / 30) - 299 * 100 * US


def test_back_to_back_nothing_sleeps_and_nothing_is_due(worker: ModuleType, fake_models: FakeModels) -> None:
    models = fake_models(1_000 * US)
    result = paced(worker, models, None, 2)
    assert (result["due"], result["missed"], models.slept_ns) == (None, None, 0)
    assert [window["runs"] for window in result["windows"]] == [200] * 10


def test_a_long_run_keeps_evenly_spread_samples_in_bounded_memory(
    worker: ModuleType, fake_models: FakeModels, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "MAX_SAMPLES", 1000)
    numbers = itertools.count()
    result = paced(worker, fake_models(lambda: 100 * US + next(numbers) % 1000), None, 1)
    for window in result["windows"]:
        assert window["runs"] in range(990, 1001)
        assert 50 <= len(window["samples_ns"]) <= 100
        assert window["stride"] == 16
        assert set(np.diff(window["samples_ns"]) % 1000) == {16}


def test_clock_and_temperature_are_read_where_they_are_shown(worker: ModuleType, tmp_path, monkeypatch) -> None:
    assert worker.frequency() is None or worker.frequency() > 1e8
    assert worker.temperature() is None or -50 < worker.temperature() < 150
    shown = {"freq0": "600000\n", "freq1": "1800000\n", "temp0": "48312\n", "temp1": "nonsense"}
    for name, text in shown.items():
        (tmp_path / name).write_text(text)
    monkeypatch.setattr(
        worker.glob, "glob", lambda pattern: [str(tmp_path / name) for name in shown if name[:4] in pattern]
    )
    assert (worker.frequency(), worker.temperature()) == (1.8e9, 48.312)
