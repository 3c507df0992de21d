"""The bound is above everything that was counted or published; the floor is below it."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from edgekit.device import UnknownWork, Work, estimate_latency
from edgekit.device.estimate import instruction_bound
from edgekit.profiles import load_profile

COUNTS = Path(__file__).with_name("instruction_counts.csv")
DEVICES = Path(__file__).resolve().parents[3] / "shared" / "devices"
BOARDS = {
    "pi-zero-2w": "raspberry-pi-zero-2w",
    "pi-3b+": "raspberry-pi-3b-plus",
    "pi-4b": "raspberry-pi-4b",
    "pi-5": "raspberry-pi-5",
}
#: Multiply-adds of published networks, from memory, not looked up again.
#: MobileNet v1 and v2, Howard et al. 2017 and Sandler et al. 2018;
#: ResNet-18, He et al. 2016, table 1; MnasNet-A1, Tan et al. 2019; MobileNetV3-Large, Howard et al. 2019.
PUBLISHED_MACS = {
    "mobilenet": 569e6,
    "mobilenet_v2": 300e6,
    "resnet18": 1.8e9,
    "mnasnet": 312e6,
    "mobilenet_v3": 219e6,
}


def _work(matrix_macs: float = 0, conv_macs: float = 0, steps: int = 0, nodes: int = 1, elements: int = 0) -> Work:
    return Work(round(matrix_macs), round(conv_macs), steps, nodes, elements, "a test")


def _counts() -> list[dict[str, str]]:
    with COUNTS.open(newline="") as file:
        return list(csv.DictReader(file))


def _row_work(row: dict[str, str]) -> Work:
    fields = ("matrix_macs", "conv_macs", "steps", "nodes", "elements")
    return _work(**{name: int(row[name]) for name in fields})


@pytest.mark.parametrize("row", _counts(), ids=lambda row: str(row["model"]))
def test_the_bound_is_at_least_twice_what_was_counted(row: dict[str, str]) -> None:
    """Twice: a runtime of another version, or weights that take other branches, must not exceed it."""
    counted = max(int(row[core]) for core in ("cortex_a53", "cortex_a72", "cortex_a76"))
    assert instruction_bound(_row_work(row)) >= 2 * counted


@pytest.mark.parametrize("row", _counts(), ids=lambda row: str(row["model"]))
def test_the_floor_is_below_what_the_counts_take_at_best(row: dict[str, str]) -> None:
    for core, name in (("cortex_a53", "raspberry-pi-3b-plus"), ("cortex_a76", "raspberry-pi-5")):
        board = load_profile(name).boards[0]
        best_s = int(row[core]) / (board.issue_width.value * board.clock_mhz.value * 1e6)
        floor_s = estimate_latency(_row_work(row), board).floor_s
        assert floor_s is not None
        assert floor_s <= best_s


def test_more_work_never_takes_less() -> None:
    base = _work(1e6, 1e6, 30, 20, 1000)
    for name in ("matrix_macs", "conv_macs", "steps", "nodes", "elements"):
        more = Work(**{**vars(base), name: 2 * getattr(base, name)})
        assert instruction_bound(more) > instruction_bound(base)


def test_a_slower_clock_raises_the_bound_and_leaves_the_floor() -> None:
    board = load_profile("raspberry-pi-4b").boards[0]
    clock = board.lowest_clock_mhz.model_copy(update={"value": board.lowest_clock_mhz.value / 2})
    slower = board.model_copy(update={"lowest_clock_mhz": clock})
    work = _work(matrix_macs=1e6)
    fast, slow = estimate_latency(work, board), estimate_latency(work, slower)
    assert fast.bound_s is not None
    assert slow.bound_s is not None
    assert slow.bound_s > fast.bound_s
    assert slow.floor_s == fast.floor_s


def test_the_floor_is_below_the_bound() -> None:
    for board in load_profile("raspberry-pi").boards:
        for work in (_work(), _work(matrix_macs=1e9), _work(conv_macs=1e9), _work(elements=10**6)):
            estimate = estimate_latency(work, board)
            assert estimate.floor_s is not None
            assert estimate.bound_s is not None
            assert 0 <= estimate.floor_s < estimate.bound_s


def test_unknown_work_has_neither() -> None:
    estimate = estimate_latency(UnknownWork("because"), load_profile("raspberry-pi-5").boards[0])
    assert (estimate.bound_s, estimate.floor_s, estimate.reason) == (None, None, "because")


def test_published_one_thread_latencies_lie_between_floor_and_bound() -> None:
    path = DEVICES / "published_latencies.csv"
    if not path.exists():
        pytest.skip("the table of published latencies is not here")
    with path.open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["runtime"] == "ncnn" and row["threads"] == "1"]
    checked = 0
    for row in rows:
        if row["device"] in BOARDS and row["model"] in PUBLISHED_MACS:
            board = load_profile(BOARDS[row["device"]]).boards[0]
            work = _work(conv_macs=PUBLISHED_MACS[row["model"]], nodes=100)
            estimate = estimate_latency(work, board)
            assert estimate.floor_s is not None
            assert estimate.bound_s is not None
            assert estimate.floor_s < float(row["ms"]) / 1e3 < estimate.bound_s, row
            checked += 1
    assert checked == len(BOARDS) * len(PUBLISHED_MACS)
