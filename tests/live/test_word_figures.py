"""The figures of docs/live.md are those of bench/results/words.jsonl; and the bench judges as it says."""

from __future__ import annotations

import argparse
import importlib.util
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def words() -> Any:
    """bench/words.py."""
    sys.path.insert(0, str(ROOT / "bench"))
    try:
        spec = importlib.util.spec_from_file_location("words", ROOT / "bench" / "words.py")
        assert spec is not None
        assert spec.loader is not None
        module = sys.modules["words"] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(str(ROOT / "bench"))
    return module


def test_the_guides_tables_are_the_benchs(words: Any, capsys: pytest.CaptureFixture[str]) -> None:
    words.show(argparse.Namespace(results=ROOT / "bench" / "results" / "words.jsonl"))
    shown = [line for line in capsys.readouterr().out.splitlines() if line]
    page = (ROOT / "docs" / "live.md").read_text(encoding="utf-8")
    after = page.partition("<!-- figures of words")[2].partition("<!-- end of figures of words -->")[0]
    assert [line for line in after.splitlines() if line.startswith("|")] == [
        one for one in shown if one.startswith("|")
    ]
    assert all(line in after for line in shown), "and so are the numbers of words"


@pytest.mark.parametrize(
    ("wanted", "got", "found"),
    [
        ("BALL", "BALL", []),
        ("BALL", "BAL", [("missed", "L", "")]),
        ("BALL", "BALLL", [("added", "", "L")]),
        ("STAR", "SSAR", [("changed", "T", "S")]),
        ("A", "", [("missed", "A", "")]),
        ("", "AB", [("added", "", "B"), ("added", "", "A")]),
    ],
)
def test_errors_are_the_fewest_changes(words: Any, wanted: str, got: str, found: list[Any]) -> None:
    assert words.edits(wanted, got) == found


def test_a_stream_is_judged_word_by_word(words: Any) -> None:
    frames = np.ones((100, 63), np.float32)
    stream = words.Spelled(
        frames, ["AB", "A"], [10, 70], [50, 90], [(10, 30, "A"), (30, 50, "B"), (70, 90, "A")], [(50, 70)]
    )
    own = [["B"] * 5 + ["A"] * 15, ["B"] * 20, ["B"] * 20]
    prepared = words.Prepared(stream, frames, [], own)
    score = words.Score()
    score.add(prepared, [(20, "A"), (35, "B"), (60, "C"), (80, "A")], [65, 95])
    found = score.to_dict()
    assert (found["words"], found["wrong_words"], found["letters"], found["letter_errors"]) == (2, 1, 3, 1)
    assert (found["idle"], found["idle_called"], found["wrong_ends"], found["wrong_with_ends"]) == (1, 1, 0, 1)
    assert found["lag"]["mean"] == 5, "A was readable at 15 and written at 20, B at 30 and 35; the last one never was"
    assert (found["readable"], found.get("readable_late", 0)) == (2, 0)
