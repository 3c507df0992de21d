"""Figures of the pages on streams are those that were measured."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "native.md").read_text(encoding="utf-8")
KINDS, SETTINGS = ("student", "stranger", "shipped"), (([20, 30], 0), ([45, 60], 0))


def streams() -> list[dict[str, Any]]:
    text = (ROOT / "bench" / "results" / "streams.jsonl").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


def share(kind: str, way: str, setting: tuple[list[int], int]) -> str:
    own = [row for row in streams() if row["name"].partition(", seed")[0] == kind]
    rows = [row for row in own if (row["frames"], row["between"]) == setting]
    return f"{sum(row['right'][way] for row in rows) / sum(row['takes'] for row in rows) * 100:.1f} %"


def rows_behind(mark: str) -> dict[str, list[str]]:
    lines = PAGE.partition(f"<!-- figures of {mark}")[2].split("\n\n", 2)[1].splitlines()[2:]
    cells = [line.strip("| ").split(" | ") for line in lines]
    return {name: rest for name, *rest in cells}


def test_the_page_tells_how_well_streams_are_read() -> None:
    told = rows_behind("streams")
    assert {"runs on", "window of 30", "2 states, restarted every 20"} <= told.keys() <= streams()[0]["right"].keys()
    for way, cells in told.items():
        assert cells == [share(kind, way, setting) for setting in SETTINGS for kind in KINDS]


def test_the_guide_tells_the_same() -> None:
    page = " ".join((ROOT / "docs" / "using.md").read_text(encoding="utf-8").split())
    windows = re.search(r"30 frames read ([\d.]+ %) .* and 20 frames ([\d.]+ %)", page)
    steps = re.search(r"steps read ([\d.]+ %) .* 20 frames ([\d.]+ %), and a state that runs on ([\d.]+ %)", page)
    assert windows is not None
    assert steps is not None
    ways = ("window of 30", "window of 20", "2 states, restarted every 20", "window of 20", "runs on")
    assert [*windows.groups(), *steps.groups()] == [share("stranger", way, SETTINGS[0]) for way in ways]


def test_the_page_tells_what_a_frame_costs() -> None:
    measured = json.loads((ROOT / "bench" / "results" / "steps.json").read_text(encoding="utf-8"))["models"]
    told = rows_behind("steps")
    assert len(told) == len(WAYS)
    for name, cells in told.items():
        for cell, found in zip(cells, measured.values(), strict=True):
            p50 = {way: float(np.percentile(values, 50)) / 1e3 for way, values in found["samples_ns"].items()}
            own, window = WAYS[name]
            assert cell == f"{p50[own]:,.1f} ({p50[window] / p50[own]:.1f})"


#: The page's name to the study's, and to that of the same way's window.
WAYS = {
    "ONNX Runtime, window": ("ONNX Runtime, window",) * 2,
    "ONNX Runtime, step, handed over": ("ONNX Runtime, step", "ONNX Runtime, window"),
    "ONNX Runtime, step, bound": ("ONNX Runtime, step, states bound", "ONNX Runtime, window"),
    "ONNX Runtime, two states, bound": ("ONNX Runtime, two states, bound", "ONNX Runtime, window"),
    "compiled, window, in C": ("in C, window",) * 2,
    "compiled, step, in C": ("in C, step", "in C, window"),
    "compiled, window, through Python": ("compiled, window",) * 2,
    "compiled, step, through Python": ("compiled, step", "compiled, window"),
    "compiled, two states, through Python": ("compiled, two states", "compiled, window"),
    "ONNX Runtime, window, through Python": ("edgekit, ONNX window",) * 2,
    "ONNX Runtime, step, through Python": ("edgekit, ONNX step", "edgekit, ONNX window"),
    "ONNX Runtime, two states, through Python": ("edgekit, ONNX two states", "edgekit, ONNX window"),
}
