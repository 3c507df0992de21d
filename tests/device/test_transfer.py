"""From instructions to a band: known values, and how far left-out networks are off."""

from __future__ import annotations

import importlib.util
import json
import math
from pathlib import Path
from types import ModuleType

import pytest

from edgekit.device.transfer import MARGIN_RATIO, latency_band, published, rates
from edgekit.profiles import Board, load_profile

ROOT = Path(__file__).resolve().parents[2]
BOARDS = {board.name: board for board in load_profile("raspberry-pi").boards}


@pytest.fixture
def bench() -> ModuleType:
    spec = importlib.util.spec_from_file_location("bench_transfer", ROOT / "bench" / "transfer.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def renamed(board: Board, name: str) -> Board:
    return board.model_copy(update={"name": name})


def test_a_published_rate_is_instructions_over_cycles() -> None:
    """SqueezeNet on a Zero 2 W: 164,043,844 instructions in 240.53 ms at 1 GHz."""
    (one,) = [each for each in published() if each.board.endswith("Zero 2 W") and each.network == "squeezenet"]
    assert one.ipc == pytest.approx(164_043_844 / 240.53e-3 / 1e9)


def test_every_board_of_the_family_has_nineteen_networks_and_its_own_clock() -> None:
    for name, board in BOARDS.items():
        networks = [each for each in published() if each.board == name]
        assert len(networks) == 19
        assert {(each.core, each.clock_hz) for each in networks} == {(board.core.value, board.clock_mhz.value * 1e6)}
        assert board.ipc_highest.value == pytest.approx(max(each.ipc for each in networks), abs=0.006)


def test_a_recurrent_network_has_the_published_rates_where_it_was_published() -> None:
    """DTLN on the 3B+: 0.40 to 0.47."""
    found = rates("Raspberry Pi 3 Model B+", "Cortex-A53", "other")
    assert found is not None
    assert found.least == pytest.approx(0.40 * MARGIN_RATIO)
    assert found.likely == pytest.approx(math.sqrt(0.40 * 0.47))


@pytest.mark.parametrize("name", BOARDS)
def test_it_is_expected_to_run_slower_than_a_convolutional_one(name: str) -> None:
    core = BOARDS[name].core.value
    other, convolutional = rates(name, core, "other"), rates(name, core, "convolutional")
    assert other is not None
    assert convolutional is not None
    assert other.least < convolutional.least
    assert other.likely < convolutional.likely
    assert other.most == convolutional.most


@pytest.mark.parametrize("kind", ["convolutional", "other"])
@pytest.mark.parametrize("name", BOARDS)
def test_the_band_is_ordered_and_above_the_floor(name: str, kind: str) -> None:
    band = latency_band(564_198, 2016, BOARDS[name], kind, 0.1)  # type: ignore[arg-type]
    assert band is not None
    assert 0 < band.floor_s <= band.low_s < band.likely_s < band.high_s


def test_a_band_of_known_numbers() -> None:
    """A million instructions at 1.4 GHz: 0.714 ms of cycles, two instructions in each at most."""
    band = latency_band(10**6, 1.23e6, BOARDS["Raspberry Pi 3 Model B+"], "other", 0.011)
    assert band is not None
    assert band.floor_s == pytest.approx(1 / 1400 / 2)
    assert band.high_s == pytest.approx(1 / 1400 / 0.3 + 1e-3)  # and 1.23 MB at 1,230 MB/s
    assert band.needed == pytest.approx(1 / 1400 / 0.010)  # of the 11 ms, memory takes one


def test_memory_that_takes_longer_than_the_limit_needs_no_end_of_instructions() -> None:
    band = latency_band(10**6, 1e9, BOARDS["Raspberry Pi 3 Model B+"], "other", 0.1)
    assert band is not None
    assert band.needed == math.inf
    assert band.to_dict()["needed"] is None


def test_convolutional_networks_wait_for_memory_within_their_rate() -> None:
    board = BOARDS["Raspberry Pi 5"]
    assert latency_band(10**6, 0, board, "convolutional") == latency_band(10**6, 1e9, board, "convolutional")


def test_a_board_that_was_not_published_has_the_rates_of_its_core() -> None:
    """Both boards with Cortex-A53 together: the lowest rate is the Zero 2 W's, the highest the 3B+'s."""
    found = rates("Ours", "Cortex-A53", "convolutional")
    assert found is not None
    zero, three = (rates(name, "Cortex-A53", "convolutional") for name in list(BOARDS)[:2])
    assert zero is not None
    assert three is not None
    assert (found.least, found.most) == (zero.least, three.most)
    assert rates("Ours", "Cortex-A55", "other") is None
    board = renamed(BOARDS["Raspberry Pi 5"], "Ours")
    unknown = board.core.model_copy(update={"value": "Cortex-A55"})
    assert latency_band(1, 0, board.model_copy(update={"core": unknown}), "other") is None


def test_left_out_networks_are_off_by_less_than_fifteen_percent_in_the_median(bench: ModuleType) -> None:
    found = bench.all_boards()
    assert found == json.loads((ROOT / "bench" / "results" / "transfer.json").read_text(encoding="utf-8"))
    assert set(found) == set(BOARDS)
    for one in found.values():
        assert 0.05 < one["median_error_ratio"] < 0.15
        assert one["in_band"] == one["networks"] == 19
