"""The latency verdict on made-up processes: never a pass or a fail while the limit lies within an interval."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import pytest

from edgekit.bench import Measurement, Row
from edgekit.bench.intervals import process_interval
from edgekit.bench.latency import latency_row
from edgekit.measure import LOOK_CONFIDENCE, Machine, Use, WorkerResult, closing_count
from edgekit.profiles import Profile

PROFILE = Profile(name="x", max_latency_ms=100, latency_percentile=95)
MS = 1_000_000


def process(samples_ms: np.ndarray | Sequence[float], *, busy_cores: float = 0.0) -> WorkerResult:
    """A process of 10 s in which others kept so many cores busy."""
    samples = tuple((np.asarray(samples_ms) * MS).astype(int).tolist())
    return WorkerResult(
        samples_ns=samples,
        thread_cpu_ns=samples,
        warmup_ns=(),
        import_ns=1,
        session_ns=1,
        first_run_ns=1,
        peak_rss_bytes=1,
        memory_reason=None,
        stages=(),
        inputs=(),
        machine=Machine(cores=2),
        use=Use(elapsed_s=10.0, cpu_s=10.0, busy_cpu_s=10.0 + 10 * busy_cores),
    )


def about(middle_ms: float, spread: float = 0.05, count: int = 1000, seed: int = 0) -> np.ndarray:
    """Runs whose true p95 is the middle."""
    return middle_ms * np.random.default_rng(seed).lognormal(-1.645 * spread, spread, count)


def row(*processes: WorkerResult, profile: Profile = PROFILE) -> Row:
    found = latency_row(profile, Measurement(processes, processes), "measured on this host")
    assert found is not None
    return found


def test_far_below_passes_and_far_beyond_fails() -> None:
    assert row(process(about(50)), process(about(60, seed=1))).verdict == "pass"
    assert row(process(about(150)), process(about(160, seed=1))).verdict == "fail"


def test_the_slowest_process_is_the_figure_and_the_ends_reach_over_all() -> None:
    found = row(process(about(50)), process(about(80, seed=1)), process(about(60, seed=2)))
    assert found.measured == pytest.approx(0.08, rel=0.03)
    assert found.low is not None
    assert found.high is not None
    assert found.low < 0.05 < 0.08 < found.high


def test_no_verdict_while_the_limit_lies_within_an_interval() -> None:
    """For 200 draws around the limit: whatever is decided agrees with every process's interval."""
    verdicts = set()
    for seed in range(200):
        rng = np.random.default_rng(seed)
        found = row(*(process(about(rng.uniform(85, 115), 0.2, 400, seed + 1000 * k)) for k in range(2)))
        verdicts.add(found.verdict)
        assert found.low is not None
        assert found.high is not None
        limit_within = found.low <= 0.1 < found.high
        assert not (limit_within and found.verdict == "pass")
        assert (found.verdict == "pass") == (found.high <= 0.1)
        assert not (found.verdict == "fail" and found.low <= 0.1)
    assert verdicts == {"pass", "fail", "undecided"}


def test_a_model_at_the_limit_is_hardly_ever_called_below_or_beyond() -> None:
    """Its true p95 is the limit: passing or failing would be chance, and must be at most one in a hundred, here of 300.

    Plus 3 standard deviations.
    """
    verdicts = [row(process(about(100, 0.2, 1000, seed))).verdict for seed in range(300)]
    assert np.mean([verdict != "undecided" for verdict in verdicts]) <= 0.01 + 0.017


@pytest.mark.parametrize("order", list(itertools.permutations([50, 99.9, 150]))[:3])
def test_one_process_that_disagrees_leaves_it_undecided_wherever_it_comes(order: tuple[float, ...]) -> None:
    found = row(*(process(about(middle, seed=k)) for k, middle in enumerate(order)))
    assert found.verdict == "undecided"
    assert "the limit lies within" in found.note
    assert "in 3 processes" in found.note
    assert "--repeats" in found.note


def test_one_unlucky_process_is_no_fail_and_shows() -> None:
    """Layout luck: pooled, 1000 slow runs of 100,000 would vanish behind p95."""
    lucky = [process(about(50, count=50_000, seed=k)) for k in range(2)]
    found = row(*lucky, process(about(150, seed=9)))
    assert found.verdict == "undecided"
    assert found.measured == pytest.approx(0.15, rel=0.02)


def test_a_fail_under_foreign_load_needs_the_fastest_run_to_be_beyond() -> None:
    """Load makes runs slower, never faster: what passes under it passes, what fails may pass without it."""
    slowed = np.where(np.random.default_rng(0).random(1000) < 0.9, 150, 60)
    assert row(process(slowed)).verdict == "fail"
    found = row(process(slowed, busy_cores=1.0))
    assert found.verdict == "undecided"
    assert "other programs kept 1.00 of 2 cores busy" in found.note
    assert "bench again" in found.note
    assert row(process(about(150), busy_cores=1.0)).verdict == "fail"
    assert row(process(about(50), busy_cores=1.0)).verdict == "pass"


def test_a_step_across_the_limit_is_undecided_and_named_while_one_below_it_is_a_note() -> None:
    """Of 1000 runs the last 30 are slow: too few for p95 of all, and still the level the model ends on."""
    across = about(80) * np.where(np.arange(1000) < 600, 1, 1.5)
    found = row(process(across))
    assert found.verdict == "fail" or "slower from run" in found.note
    late = about(90, 0.02) * np.where(np.arange(1000) < 960, 1, 1.3)
    below = about(40) * np.where(np.arange(1000) < 600, 1, 1.5)
    assert row(process(below)).verdict == "pass"
    assert [each.kind for each in Measurement((process(below),), ()).disturbances] == ["drift"]
    assert row(process(late)).verdict == "undecided"


def test_a_fall_across_the_limit_is_no_fail() -> None:
    """Beyond in the first three quarters, below afterwards: p95 of all is beyond, its level now is not."""
    falls = about(150) * np.where(np.arange(1000) < 750, 1, 0.5)
    found = row(process(falls))
    assert (found.verdict, found.low is not None and found.low < 0.1) == ("undecided", True)
    assert "faster from run" in found.note
    assert "--duration" in found.note


@pytest.mark.parametrize("percent", [50, 90, 95, 99])
def test_the_count_that_is_asked_for_is_enough_and_one_less_is_not(percent: int) -> None:
    profile = PROFILE.model_copy(update={"latency_percentile": percent})
    count = closing_count(percent, LOOK_CONFIDENCE)
    assert row(process(np.full(count, 50.0)), profile=profile).verdict == "pass"
    found = row(process(np.full(count - 1, 50.0)), profile=profile)
    assert (found.verdict, found.measured, found.high) == ("undecided", None, None)
    assert f"{count} are needed" in found.note


def test_spells_of_slow_runs_count_as_fewer_samples() -> None:
    """The same samples, in spells or shuffled."""
    rng = np.random.default_rng(0)
    samples = np.repeat(rng.uniform(50, 150, 40), 50)
    spells, shuffled = process_interval(samples.tolist(), 50), process_interval(rng.permutation(samples).tolist(), 50)
    assert spells.value == shuffled.value
    assert spells.high - spells.low > 2 * (shuffled.high - shuffled.low)
    assert spells.inflation_ratio > 5
