"""The emulator for real: needs `edgekit emulator setup`, which takes a minute and a network."""

from __future__ import annotations

import numpy as np
import pytest

from edgekit.device.emulator import CORES, Home, chosen_onnxruntime, counting, find_home, run_on_core
from edgekit.errors import InputError
from edgekit.jobs import examine_onnxruntime
from edgekit.measure import WorkerRequest, run_worker
from edgekit.shipped import open_box

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def home() -> Home:
    try:
        return find_home()
    except InputError as error:
        pytest.skip(str(error))


@pytest.fixture
def request_() -> WorkerRequest:
    takes = np.random.default_rng(0).normal(0.5, 0.1, (8, 30, 63)).astype(np.float32)
    return WorkerRequest(open_box().student, "latency", takes=takes, max_time_s=300)


def test_two_runs_count_nearly_the_same_and_answers_are_those_of_this_machine(
    home: Home, request_: WorkerRequest
) -> None:
    """To 1e-6 of a logit of up to 10: sums in another order. Counts to 0.03 %: buffers may lie elsewhere where the
    system gives longer numbers to processes."""
    version = chosen_onnxruntime(home.sites)
    once, twice = (run_on_core(home, CORES[0], version, request_) for _ in range(2))
    assert once.failure == ""
    for first, second in zip(once.runs, twice.runs, strict=True):
        assert second.instructions == pytest.approx(first.instructions, rel=3e-4)
    assert 300_000 < once.least_instructions <= once.instructions < 1_000_000
    assert 40_000_000 < once.guest_bytes < 100_000_000
    assert once.cold_start > 100 * once.instructions
    here = np.array(run_worker(counting(request_)).answers, float)
    there = np.array(once.answers, float)
    assert np.abs(here - there).max() <= 1e-6 * max(1, np.abs(here).max())
    assert (here.argmax(axis=1) == there.argmax(axis=1)).all()


def test_onnxruntime_1_21_0_starts_on_the_pi_5_alone(home: Home) -> None:
    """As users of real boards reported: microsoft/onnxruntime#23957 and #24112."""
    if "1.21.0" not in home.sites:
        pytest.skip("run `edgekit emulator setup --onnxruntime 1.21.0` once")
    found = examine_onnxruntime("1.21.0", lambda text: None)
    assert {core: bool(run.failure) for core, run in found.runs.items()} == {
        "Cortex-A53": True,
        "Cortex-A72": True,
        "Cortex-A76": False,
    }
    assert "SIGILL" in found.runs["Cortex-A53"].failure
    assert found.exit_code == 3
    assert found.agreements["Cortex-A76"].holds
