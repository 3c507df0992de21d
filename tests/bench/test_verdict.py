"""Constraints against injected measurements: no clock, no process, no model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from edgekit.bench import Accuracy, BenchConfig, Flips, Measurement, Parent, Row, judge
from edgekit.bench.result import BenchResult
from edgekit.device import Estimate
from edgekit.measure import FedInput, Machine, WorkerResult
from edgekit.profiles import Profile, load_profile
from edgekit.runtime import ModelInfo

MS = 1_000_000  # ns


def _worker(samples_ns: Sequence[int] = (), peak: int | None = 60_000_000, model: str | None = None) -> WorkerResult:
    return WorkerResult(
        samples_ns=tuple(samples_ns),
        thread_cpu_ns=(),
        warmup_ns=(),
        import_ns=1,
        session_ns=1,
        first_run_ns=1,
        peak_rss_bytes=peak,
        memory_reason=None if peak is not None else "Plan9 has no /proc/self/status with VmHWM",
        stages=(),
        inputs=(FedInput("landmarks", "tensor(float)", (1, 30, 63), "random"),),
        machine=Machine(device_tree_model=model, cpu_model="test", cores=1),
    )


def _measurement(
    samples_ns: Sequence[int] = (MS,) * 1000, peak: int | None = 60_000_000, model: str | None = None
) -> Measurement:
    return Measurement((_worker(samples_ns, model=model),), (_worker(peak=peak, model=model),))


def _result(
    profile: Profile | None = None,
    *,
    size_bytes: int = 40_000,
    measurement: Measurement | None = None,
    bound_s: float | None = 0.02,
    floor_s: float | None = 0.001,
    flips: Flips | None = None,
    **config: Any,
) -> BenchResult:
    profile = profile or load_profile("raspberry-pi")
    settings = BenchConfig(**config)
    measurement = measurement or _measurement()
    estimates = [Estimate(board.name, bound_s, floor_s, "injected") for board in profile.boards]
    accuracy = None
    if flips is not None:
        parent = Parent("parent.onnx", None, 0.9, flips, 0.0, 0.0, 0)
        accuracy = Accuracy(0.9 - flips.drop, flips.takes, "validation", "takes", parent=parent)
    rows = judge(profile, settings, size_bytes, measurement, estimates, accuracy)
    info: Any = object.__new__(ModelInfo)
    return BenchResult(info, profile, settings, 1, measurement, rows)


def _row(result: BenchResult, constraint: str, board: str | None = None) -> Row:
    return next(row for row in result.rows if (row.constraint, row.board) == (constraint, board))


def test_everything_within_is_0_and_each_board_is_judged() -> None:
    result = _result()
    assert (result.verdict, result.exit_code) == ("pass", 0)
    assert [row.constraint for row in result.rows if row.board is None] == [
        "max_model_mb", "max_latency_ms", "max_ram_mb",
    ]  # fmt: skip
    boards = {row.board for row in result.rows if row.board}
    assert boards == {board.name for board in load_profile("raspberry-pi").boards}
    assert {row.evidence for row in result.rows if row.board} == {"estimated"}


@pytest.mark.parametrize(
    ("change", "constraint"),
    [
        ({"size_bytes": 10_000_001}, "max_model_mb"),
        ({"measurement": _measurement([101 * MS] * 1000)}, "max_latency_ms"),
        ({"measurement": _measurement(peak=307_200_001)}, "max_ram_mb"),
    ],
)
def test_one_violated_constraint_is_3_and_has_a_negative_margin(change: dict[str, Any], constraint: str) -> None:
    result = _result(**change)
    assert (result.verdict, result.exit_code) == ("fail", 3)
    row = _row(result, constraint)
    assert row.verdict == "fail"
    assert row.margin is not None
    assert row.margin < 0


def test_a_limit_that_is_met_exactly_holds() -> None:
    exact = _measurement([100 * MS] * 1000)
    result = _result(Profile(name="x", max_model_mb=0.04, max_latency_ms=100, max_ram_mb=60), measurement=exact)
    assert [row.margin for row in result.rows] == [0, 0, 0]
    assert result.exit_code == 0


def test_the_constrained_percentile_decides_not_the_mean() -> None:
    """One run in ten is slow: p95 fails while mean, p50 and p85 are far below."""
    tail = _measurement(([MS] * 9 + [200 * MS]) * 1000)
    assert _row(_result(measurement=tail), "max_latency_ms").verdict == "fail"
    profile = load_profile("raspberry-pi").model_copy(update={"latency_percentile": 85.0})
    assert _row(_result(profile, measurement=tail), "max_latency_ms").verdict == "pass"


def test_too_few_samples_are_4() -> None:
    result = _result(measurement=_measurement([MS] * 99))
    row = _row(result, "max_latency_ms")
    assert (row.verdict, row.measured, result.exit_code) == ("undecided", None, 4)
    assert "99 samples in a process, 162 are needed" in row.note


def test_too_few_samples_that_are_all_too_slow_are_3() -> None:
    """Were p95 within the limit, three runs in three beyond it would be a chance of 1 in 8000."""
    result = _result(measurement=_measurement([300 * MS] * 3))
    row = _row(result, "max_latency_ms")
    assert (row.verdict, row.measured, row.floor) == ("fail", None, 0.3)
    assert result.exit_code == 3


def test_no_figure_for_memory_is_4_with_the_reason() -> None:
    result = _result(measurement=_measurement(peak=None))
    assert result.exit_code == 4
    assert "Plan9" in _row(result, "max_ram_mb").note


@pytest.mark.parametrize(
    ("bound_s", "floor_s", "verdict", "code"),
    [
        (0.1, 0.0, "pass", 0),
        (0.11, 0.09, "undecided", 4),
        (0.9, 0.11, "fail", 3),
        (None, None, "undecided", 4),
    ],
)
def test_the_bound_passes_the_floor_fails_and_between_is_undecided(
    bound_s: float | None, floor_s: float | None, verdict: str, code: int
) -> None:
    result = _result(bound_s=bound_s, floor_s=floor_s)
    assert _row(result, "max_latency_ms", "Raspberry Pi Zero 2 W").verdict == verdict
    assert result.exit_code == code


def test_failure_on_the_host_outweighs_a_board_that_cannot_be_decided() -> None:
    assert _result(size_bytes=10**9, bound_s=None, floor_s=None).exit_code == 3


@pytest.mark.parametrize(
    ("evidence", "code"),
    [("measured on this host", 0), ("estimated", 0), ("emulated", 4), ("measured on device", 4)],
)
def test_a_pass_on_weaker_evidence_than_asked_for_is_undecided(evidence: str, code: int) -> None:
    assert _result(evidence=evidence).exit_code == code


def test_where_the_host_is_enough_an_undecided_board_has_no_say_but_a_certain_failure_has() -> None:
    assert _result(bound_s=0.5, floor_s=0.01, evidence="measured on this host").exit_code == 0
    assert _result(bound_s=0.5, floor_s=0.2, evidence="measured on this host").exit_code == 3


def test_the_host_that_is_the_board_measures_for_it() -> None:
    here = _measurement(model="Raspberry Pi 4 Model B Rev 1.5")
    result = _result(load_profile("raspberry-pi-4b"), measurement=here, evidence="measured on device", bound_s=None)
    row = _row(result, "max_latency_ms", "Raspberry Pi 4 Model B")
    assert (row.evidence, row.measured, row.verdict) == ("measured on device", 0.001, "pass")
    assert result.exit_code == 0


def test_one_board_of_the_family_stands_for_itself_only() -> None:
    here = _measurement(model="Raspberry Pi 5 Model B Rev 1.0")
    result = _result(measurement=here, evidence="measured on device")
    assert _row(result, "max_latency_ms", "Raspberry Pi 5").verdict == "pass"
    assert _row(result, "max_latency_ms", "Raspberry Pi Zero 2 W").verdict == "undecided"
    assert result.exit_code == 4


def test_memory_is_held_against_six_tenths_of_the_smallest_board() -> None:
    """350 MB fits the profile's 500 but not the Zero 2 W's 307.2."""
    result = _result(measurement=_measurement(peak=350_000_000))
    assert _row(result, "max_ram_mb").limit == 307_200_000
    assert _row(result, "max_ram_mb", "Raspberry Pi Zero 2 W").verdict == "fail"
    assert _row(result, "max_ram_mb", "Raspberry Pi 5").verdict == "undecided"


def test_the_worst_board_is_the_one_nearest_its_limit() -> None:
    assert _result().worst_board is not None
    assert _result().worst_board.board == "Raspberry Pi Zero 2 W"
    assert _result(Profile(name="x", max_ram_mb=100)).worst_board is None


@pytest.mark.parametrize(
    ("flips", "verdict", "note"),
    [
        (None, "undecided", "--parent"),
        (Flips(1000, 2, 2), "pass", "0.55 gained to 0.55 lost (points)"),
        (Flips(1000, 0, 50), "pass", "on 1000 takes"),
        (Flips(1000, 50, 2), "fail", "on 1000 takes"),
        (Flips(275, 0, 0), "undecided", "contains the limit; about 106 more takes like these would decide"),
        (Flips(300, 3, 0), "undecided", "at the limit itself"),
    ],
)
def test_accuracy_is_judged_by_the_interval_of_the_drop(flips: Flips | None, verdict: str, note: str) -> None:
    row = _row(_result(Profile(name="x", max_accuracy_drop=0.01), flips=flips), "max_accuracy_drop")
    assert row.verdict == verdict
    assert row.measured == (None if flips is None else flips.drop)
    assert note in row.note


def test_a_limit_that_is_not_set_is_not_judged() -> None:
    result = _result(Profile(name="anything"), flips=Flips(100, 50, 0))
    assert (result.rows, result.exit_code) == ((), 0)


def test_a_profile_without_boards_needs_the_device_if_that_is_asked_for() -> None:
    profile = Profile(name="x", max_latency_ms=100)
    assert _result(profile).exit_code == 0
    assert _result(profile, evidence="measured on device").exit_code == 4


def test_samples_of_all_processes_count_together_and_the_largest_peak_counts() -> None:
    measurement = Measurement(
        (_worker([MS] * 100), _worker([3 * MS] * 100)), (_worker(peak=1_000), _worker(peak=2_000))
    )
    assert measurement.summary.samples == 200
    assert measurement.summary.p95_s == 0.003
    assert measurement.peak_rss_bytes == 2_000
