"""Numbers that puzzled people, in words: losses that are gains, margins beyond a limit, two accuracies of one file, and
memory held against less than the profile says."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import made_pages as made
import pytest

from edgekit.bench import Accuracy
from edgekit.bench.changes import change_end_text, change_text
from edgekit.evaluate import points_interval_text, points_text
from edgekit.profiles import Profile, load_profile
from edgekit.report.accuracy import accuracy_lines
from edgekit.report.bench import bench_text
from edgekit.report.rows import limit_text, margin_text, measured_text, memory_limit_notes


@pytest.mark.parametrize(
    ("drop", "text"),
    [
        (0.0036, "0.36 points lost"),
        (-0.0016, "0.16 points gained"),
        (0.0, "0.00 points lost"),
        (-0.00001, "0.00 points lost"),
    ],
)
def test_a_drop_says_whether_it_is_a_loss(drop: float, text: str) -> None:
    assert points_text(drop) == text


def test_an_interval_says_it_once_or_of_both_ends() -> None:
    assert points_interval_text(-0.0102, 0.0203) == "1.02 gained to 2.03 lost"
    assert points_interval_text(0.001, 0.0203) == "0.10 to 2.03 lost"
    assert points_interval_text(-0.02, -0.01) == "2.00 to 1.00 gained"


def test_a_change_is_more_or_less_and_of_accuracy_lost_or_gained() -> None:
    assert change_text("latency p95", 0.031) == "3.1 % more"
    assert change_text("peak memory against the baseline", -0.012) == "1.2 % less"
    assert change_text("accuracy lost", -0.005) == "0.5 % gained"
    assert change_end_text("file size", 0.0001) == "0.0 more"


@pytest.mark.parametrize(
    ("measured", "limit", "text"),
    [
        (0.001, 0.1, "99.0 %"),
        (0.1, 0.1, "0.0 %"),
        (0.104, 0.1, "4.0 % over"),
        (0.25, 0.1, "2.5 x limit"),
        (2.31, 0.01, "231 x limit"),
        (-0.0016, 0.01, "all of it"),
        (0.0, 0.0, "-"),
        (None, 0.1, "?"),
    ],
)
def test_a_margin_is_never_above_a_hundred_percent_or_below_none(
    row: Any, measured: float | None, limit: float, text: str
) -> None:
    assert margin_text(row("fail", measured=measured, limit=limit)) == text


def test_accuracy_rows_are_points_and_others_keep_their_unit(row: Any) -> None:
    drop = row("pass", constraint="max_accuracy_drop", measured=-0.0016, limit=0.01, unit="ratio")
    assert (measured_text(drop), limit_text(drop)) == ("0.16 pts gained", "1.00 pts")
    bound = row("fail", measured=None, floor=0.2)
    assert (measured_text(bound), limit_text(bound)) == ("> 200 ms", "100 ms")


def test_an_accuracy_says_which_takes_it_is_of() -> None:
    first, *more = accuracy_lines(Accuracy(0.97, 275, "validation", "signs.npz"))
    assert first.startswith("accuracy on 275 validation takes of signs.npz: 97.0 %")
    assert more[0].startswith("note: weights were chosen on validation takes")
    first, *more = accuracy_lines(Accuracy(0.95, 1350, "test", "signs.npz"))
    assert first.startswith("accuracy on 1,350 test takes of signs.npz: 95.0 %")
    assert more == []
    assert accuracy_lines(Accuracy(0.95, 9, "all", "signs.npz"))[0].startswith("accuracy on 9 takes of signs.npz")


def test_a_memory_limit_below_the_profiles_says_whose_it_is() -> None:
    (note,) = memory_limit_notes(made.bench())
    assert note == (
        "memory limit: raspberry-pi allows 500.00 MB, and of a board's own memory 60 % where that is less:"
        " 307.20 MB on Raspberry Pi Zero 2 W; the peak here is held against the least"
    )
    assert note in bench_text(made.bench())
    assert memory_limit_notes(made.bench("raspberry-pi-5")) == []
    assert memory_limit_notes(made.bench(Profile(name="any", max_ram_mb=100))) == []
    without = load_profile("raspberry-pi").model_copy(update={"max_ram_mb": None})
    assert memory_limit_notes(made.bench(without)) == []


def test_no_line_of_the_table_is_wider_than_the_page_or_broken() -> None:
    limits = load_profile("raspberry-pi").model_copy(update={"max_accuracy_drop": 0.01})
    result = made.bench(limits)
    (drop,) = [row for row in result.rows if row.constraint == "max_accuracy_drop"]
    lost = replace(drop, measured=0.3333, verdict="fail")
    text = bench_text(replace(result, rows=tuple(lost if row is drop else row for row in result.rows)))
    for board in limits.boards:
        assert any(line.startswith(f" {board.name}: latency bound ") and "100 ms" in line for line in text.splitlines())
    assert "33.33 pts lost" in text
