"""What was emulated, against limits, a budget and an earlier bench: injected counts, no emulator, no model."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from test_baseline import result as plain_result
from test_baseline import samples, saved
from test_verdict import _measurement

from edgekit.bench import BenchConfig, BenchResult, Row, agreement, bench_onnx, hold_against, judge
from edgekit.bench.emulated import Emulation, cores_of, weigh
from edgekit.device import Estimate, UnknownWork, Work, network_kind
from edgekit.device.emulator import KINDS, CoreRun, Counts, Emulated
from edgekit.errors import ConfigError, InputError
from edgekit.measure import WorkerRequest, WorkerResult
from edgekit.profiles import Profile, load_profile
from edgekit.report import bench_junit, bench_text
from edgekit.runtime import ModelInfo

FAMILY = load_profile("raspberry-pi")
CORES = ("Cortex-A53", "Cortex-A72", "Cortex-A76")
ANSWERS = ((0.5, 2.0, -1.0), (3.0, 0.0, 1.0))


def info(*operators: str) -> ModelInfo:
    return ModelInfo(Path("model.onnx"), 40_000, "ab" * 32, None, 8, {}, "", (), (), dict.fromkeys(operators, 1))


def work(matrix: int, convolutional: int = 0, steps: int = 0) -> Work:
    return Work(matrix, convolutional, steps, nodes=3, elements=100, source="counted")


def counts(instructions: int, missed: int = 0) -> Counts:
    return Counts({**dict.fromkeys(KINDS, 0), "alu": instructions}, missed)


def run(core: str, instructions: int = 500_000, answers: Sequence[Any] = ANSWERS, **more: Any) -> CoreRun:
    runs = (counts(instructions - 1), counts(instructions, more.pop("missed", 0)))
    filled = {"cold_start": 490_000_000, "guest_bytes": 58_000_000, **more}
    return CoreRun(core, runs=runs, answers=tuple(answers), **filled)


def emulation(
    *runs: CoreRun,
    operators: Sequence[str] = ("LSTM",),
    limit: int | None = None,
    profile: Profile = FAMILY,
    **more: Any,
) -> Emulation:
    emulated = Emulated("onnxruntime 1.32.0", "7.2.22", ANSWERS, runs or tuple(map(run, CORES)))
    return weigh(emulated, info(*operators), work(10**6), profile, limit, **more)


def judged(found: Emulation, profile: Profile = FAMILY, **config: Any) -> BenchResult:
    measurement = _measurement()
    estimates = [Estimate(board.name, 9.9, 0.001, "a bound") for board in profile.boards]
    settings = BenchConfig(**config)
    rows = judge(profile, settings, 40_000, measurement, estimates, None, found)
    return BenchResult(info("LSTM"), profile, settings, 1, measurement, rows, emulation=found)


def rows_of(result: BenchResult, board: str) -> dict[str, Row]:
    return {row.quantity: row for row in result.rows if row.board == board}


def test_each_board_has_its_cores_figures_in_the_place_of_bounds() -> None:
    result = judged(emulation())
    for board in FAMILY.boards:
        rows = rows_of(result, board.name)
        assert list(rows) == ["latency estimate", "memory bound", "answers as here"]
        assert {(row.verdict, row.evidence) for row in rows.values()} == {("pass", "emulated")}
        latency = rows["latency estimate"]
        assert latency.measured == latency.high
        assert latency.floor == pytest.approx(500_000 / board.issue_width.value / board.clock_mhz.value / 1e6)
        assert rows["memory bound"].measured == 72_500_000
    assert (result.verdict, result.exit_code) == ("pass", 0)


def test_what_is_emulated_is_enough_where_emulated_was_asked_for() -> None:
    assert judged(emulation(), evidence="emulated").verdict == "pass"
    on_device = judged(emulation(), evidence="measured on device")
    assert {row.verdict for row in on_device.rows if row.board} == {"undecided"}


@pytest.mark.parametrize(
    ("instructions", "verdict"), [(20_000_000, "pass"), (50_000_000, "undecided"), (300_000_000, "fail")]
)
def test_the_band_decides_and_only_the_floor_fails(instructions: int, verdict: str) -> None:
    """On a Zero 2 W 20 M take 75 ms at the least rate, 50 M 187; at two a cycle 300 M take 150 ms of the 100."""
    result = judged(emulation(*(run(core, instructions) for core in CORES)))
    row = rows_of(result, "Raspberry Pi Zero 2 W")["latency estimate"]
    assert row.verdict == verdict
    if verdict == "undecided":
        assert "the limit is missed below 0.5, 0.27 to 1.14 instructions per cycle are expected" in row.note
        assert "the band can't decide: bench on the board" in row.note
        assert result.exit_code == 4


def test_memory_that_is_read_again_and_again_widens_the_band() -> None:
    """200 MB at the 1,300 MB/s of a Zero 2 W are 154 ms."""
    result = judged(emulation(*(run(core, missed=3_125_000) for core in CORES)))
    row = rows_of(result, "Raspberry Pi Zero 2 W")["latency estimate"]
    assert row.measured is not None
    assert row.measured > 0.07
    calm = rows_of(judged(emulation()), "Raspberry Pi Zero 2 W")["latency estimate"]
    assert row.low == calm.low


def test_a_core_on_which_it_does_not_start_fails_its_boards() -> None:
    died = CoreRun("Cortex-A53", failure="ended by SIGILL")
    result = judged(emulation(died, run("Cortex-A72"), run("Cortex-A76"), limit=10**6))
    for name in ("Raspberry Pi Zero 2 W", "Raspberry Pi 3 Model B+"):
        rows = rows_of(result, name)
        assert rows["starts"].verdict == "fail"
        assert "on Cortex-A53, emulated: ended by SIGILL" in rows["starts"].note
        assert rows["latency bound"].evidence == "estimated"
    assert result.exit_code == 3
    assert "Cortex-A53: does not start: ended by SIGILL" in bench_text(result)
    budget = {row.quantity: row.verdict for row in result.rows if row.constraint == "max_instructions"}
    assert budget == {
        "instructions on Cortex-A53": "undecided",
        "instructions on Cortex-A72": "pass",
        "instructions on Cortex-A76": "pass",
    }


@pytest.mark.parametrize(("limit", "verdict", "code"), [(500_000, "pass", 0), (499_999, "fail", 3)])
def test_a_budget_is_exact(limit: int, verdict: str, code: int) -> None:
    result = judged(emulation(limit=limit))
    rows = [row for row in result.rows if row.constraint == "max_instructions"]
    assert [(row.measured, row.verdict) for row in rows] == 3 * [(500_000, verdict)]
    assert result.exit_code == code
    assert b"500,000" in bench_junit(result)


def test_answers_are_compared_by_what_rounding_they_have() -> None:
    near = ((0.5 + 2e-5, 2.0, -1.0), (3.0, 0.0, 1.0))
    assert agreement(ANSWERS, ANSWERS, rounded=False).difference == 0
    assert agreement(ANSWERS, near, rounded=False).holds  # 3e-5: 1e-5 of the largest number
    assert not agreement(ANSWERS, near, rounded=False, integers=True).holds
    far = ((0.6, 2.0, -1.0), (3.0, 0.0, 1.0))
    assert not agreement(ANSWERS, far, rounded=False).holds
    assert agreement(ANSWERS, far, rounded=True).holds  # a tenth of -1 to 3


def test_an_answer_with_another_largest_number_is_undecided_and_one_not_finite_fails() -> None:
    other = ((0.5, 2.0, -1.0), (1.0, 0.0, 1.2))
    found = emulation(*(run(core, answers=other) for core in CORES), operators=("DynamicQuantizeLSTM",))
    assert found.agreements["Cortex-A53"].others == 1
    broken = agreement(ANSWERS, ((None, 2.0, -1.0), ANSWERS[1]), rounded=True)
    assert broken.difference == math.inf
    assert not broken.holds
    tie = emulation(*(run(core, answers=((0.5, 2.0, 2.2), ANSWERS[1])) for core in CORES), operators=("MatMulInteger",))
    row = rows_of(judged(tie), "Raspberry Pi 5")["answers as here"]
    assert row.verdict == "fail"  # 3.2 is more than a tenth of the range


def test_which_rates_a_model_has() -> None:
    """A small convolution before large dense layers waits for weights as these do."""
    assert network_kind(work(10**4, 10**6)) == "convolutional"
    assert network_kind(work(10**6, 10**4)) == network_kind(work(10**6)) == "other"
    assert network_kind(work(10**4, 10**6, steps=30)) == "other"
    assert network_kind(UnknownWork("not counted")) == "other"


def test_every_core_of_the_family_is_emulated_once() -> None:
    assert tuple(core.name for core in cores_of(FAMILY)) == CORES
    assert cores_of(Profile(name="none")) == ()


def test_a_profile_without_cores_that_can_be_emulated_is_refused(lstm_file: Callable[..., Path]) -> None:
    with pytest.raises(ConfigError, match=r"none: none of its boards has a core that can be emulated \(Cortex-A53"):
        bench_onnx(lstm_file(), Profile(name="none"), emulate=lambda request, cores: pytest.fail("not asked"))


def test_the_text_tells_counts_bands_and_rates() -> None:
    text = bench_text(judged(emulation(limit=600_000)))
    assert "emulated: onnxruntime 1.32.0 under QEMU 7.2.22, one thread" in text
    assert "Cortex-A53: 499,999 to 500,000 instructions a prediction (100 % integer)" in text
    assert "490 M to the first answer, memory 58.00 MB; answers are this machine's bits" in text
    assert "throttling, the kernel and other programs left out" in text
    assert "latency, memory, the emulated answers and the instructions are within its limits" in text


def counted(instructions: int, **more: Any) -> BenchResult:
    made = plain_result(samples(1), **more)
    return replace(made, emulation=emulation(*(run(core, instructions) for core in CORES)))


@pytest.mark.parametrize(("instructions", "verdict"), [(514_999, "pass"), (515_001, "fail"), (400_000, "pass")])
def test_three_percent_more_than_the_baseline_fails_however_noisy_the_machine(
    tmp_path: Path, instructions: int, verdict: str
) -> None:
    """Another machine, and a hundred times slower: counts are the same there."""
    earlier = saved(counted(500_000), tmp_path, machine__cpu_model="another", machine__cores=64)
    now = replace(counted(instructions), measurement=plain_result(samples(2, 1e8)).measurement)
    rows = {row.quantity: row for row in hold_against(now, earlier, 0.03).rows}
    assert set(rows) == {
        *(f"instructions on {core} against the baseline" for core in CORES),
        "file size against the baseline",
    }
    row = rows["instructions on Cortex-A53 against the baseline"]
    assert (row.verdict, row.evidence) == (verdict, "emulated")
    assert row.measured == pytest.approx(instructions / 500_000 - 1)


def test_a_baseline_without_counts_or_of_another_runtime_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="was nothing, without --emulate, is onnxruntime 1"):
        hold_against(counted(1000), saved(plain_result(samples(1)), tmp_path), 0.03)
    older = saved(counted(1000), tmp_path, emulation__runtime="onnxruntime 1.23.2")
    with pytest.raises(InputError, match=r"was onnxruntime 1\.23\.2, is onnxruntime 1\.32\.0"):
        hold_against(counted(1000), older, 0.03)


def test_damaged_counts_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="damaged"):
        saved(counted(1000), tmp_path, emulation__runs__0__instructions=-5)


def test_what_can_not_be_compared_does_not_agree() -> None:
    """No number on either side, or more answers there than here."""
    assert not agreement(((None,),), ((None,),), rounded=False).holds
    assert not agreement(((1.0,),), ((1.0, 2.0),), rounded=False).holds
    assert not agreement(((1.0,),), ((1.0,), (2.0,)), rounded=True).holds


def test_a_baseline_with_counts_is_not_dropped_in_silence(tmp_path: Path) -> None:
    """Neither where nothing is emulated now, nor where the earlier model started nowhere."""
    now = plain_result(samples(2, 1e8))
    held = hold_against(now, saved(counted(500_000), tmp_path), 0.03)
    gone = {row.quantity: row.verdict for row in held.rows if row.quantity.startswith("instructions")}
    assert set(gone.values()) == {"undecided"}
    assert len(gone) == len(CORES)
    nowhere = replace(plain_result(samples(2, 1e8)), emulation=emulation(*(run(core, failure="no") for core in CORES)))
    with pytest.raises(InputError, match="started on no emulated core"):
        hold_against(counted(500_000), saved(nowhere, tmp_path), 0.03)


def test_a_model_that_memory_stopped_is_not_run_again(lstm_file: Callable[..., Path]) -> None:
    def stopped(request: WorkerRequest) -> WorkerResult:
        return replace(_measurement().memory[0], stopped="an allocation failed", peak_rss_bytes=None, stages=())

    result = bench_onnx(
        lstm_file(), FAMILY, measure=stopped, emulate=lambda request, cores: pytest.fail("asked to run it again")
    )
    assert result.emulation is None
    assert result.verdict == "fail"


def test_equal_bits_are_no_boards_tightest_limit() -> None:
    result = judged(emulation(integers=True))
    assert rows_of(result, "Raspberry Pi 5")["answers as here"].margin_ratio is None
    assert result.worst_board is not None
    assert result.worst_board.quantity != "answers as here"
