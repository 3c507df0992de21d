"""The pages tell what was counted on emulated cores, and how far the transfer model is off."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
RESULTS = ROOT / "bench" / "results"
PAGE = (ROOT / "docs" / "emulation.md").read_text(encoding="utf-8")
HANDS = (ROOT / "docs" / "hands.md").read_text(encoding="utf-8")
ORT, C = "shipped student, ONNX Runtime", "shipped student, compiled"


@pytest.fixture(scope="module")
def counted() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((RESULTS / "emulated.json").read_text(encoding="utf-8"))
    return found


def row(page: str, *cells: str) -> str:
    """A table's row; the test fails without it."""
    line = f"| {' | '.join(cells)} |"
    assert line in page, line
    return line


def digits(value: float) -> str:
    """Two of them."""
    return f"{float(f'{value:.2g}'):g}"


def band(found: dict[str, Any], board: str, unit: float = 1e3) -> str:
    ends = found["bands"][board]
    low, likely, high = (digits(unit * ends[f"{name}_s"]) for name in ("low", "likely", "high"))
    return f"{low} to {high} ms, likely {likely}"


def test_the_students_bands(counted: dict[str, Any]) -> None:
    assert len(counted[ORT]["bands"]) == 4
    for board in counted[ORT]["bands"]:
        row(PAGE, board, band(counted[ORT], board), band(counted[C], board))


def test_the_students_counts_twice(counted: dict[str, Any]) -> None:
    assert counted[C]["second_run_ratio"] == 0
    again = 100 * counted[ORT]["second_run_ratio"]
    assert again < 0.03
    assert f"within {again:.2g} % under ONNX Runtime" in PAGE.replace("\n", " ")
    for one, other in zip(counted[ORT]["runs"], counted[C]["runs"], strict=True):
        row(PAGE, one["core"], f"{one['instructions']:,}", f"{other['instructions']:,}")
    apart = max(each["difference"] for each in counted[ORT]["agreements"].values())
    assert f"machine's by {apart:.0e} at most" in PAGE.replace("\n", " ")
    assert apart <= 1e-6
    assert {each["difference"] for each in counted[C]["agreements"].values()} == {0}


@pytest.mark.parametrize(("kind", "published"), [("fp32", "9.6 ms"), ("dynamic INT8", "2.2 ms")])
def test_dtln(counted: dict[str, Any], kind: str, published: str) -> None:
    """Both networks of a block, one after the other."""
    board = "Raspberry Pi 3 Model B+"
    parts = [found for name, found in counted.items() if name.startswith(f"DTLN, {kind}:")]
    assert len(parts) == 2
    instructions = sum(run["instructions"] for part in parts for run in part["runs"] if run["core"] == "Cortex-A53")
    ends = {name: sum(part["bands"][board][f"{name}_s"] for part in parts) for name in ("low", "likely", "high")}
    low, likely, high = (digits(1e3 * ends[name]) for name in ("low", "likely", "high"))
    row(PAGE, kind, f"{instructions:,}", f"{low} to {high} ms, likely {likely}", published)


def test_the_transfer_models_errors() -> None:
    found = json.loads((RESULTS / "transfer.json").read_text(encoding="utf-8"))
    assert len(found) == 4
    for board, one in found.items():
        median, largest = (100 * one[f"{name}_error_ratio"] for name in ("median", "largest"))
        row(PAGE, board, f"{median:.1f} %", f"{largest:.0f} %", f"{one['in_band']} of {one['networks']}")


def test_the_hand_trackers_networks(counted: dict[str, Any]) -> None:
    hand, palm = counted["hand_landmark_full"], counted["palm_detection_full"]
    for board in hand["bands"]:
        ends = hand["bands"][board]
        low, likely, high = (digits(1 / ends[f"{name}_s"]) for name in ("high", "likely", "low"))
        row(HANDS, board, band(hand, board), band(palm, board), f"{low} to {high}, likely {likely}")
    for found in (hand, palm):
        counts = {round(run["instructions"] / 1e6) for run in found["runs"]}
        assert len(counts) == 1
        assert re.search(rf"\b{counts.pop()} million", HANDS)
