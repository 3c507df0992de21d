"""A bench as Markdown: the verdict first, names harmless."""

from __future__ import annotations

from typing import Any

import pytest

from edgekit.report import bench_markdown


@pytest.mark.parametrize(
    ("verdict", "first"),
    [
        ("pass", "**fits raspberry-pi: latency is within its limits; accuracy was not judged** (exit code 0)"),
        ("fail", "**does not fit raspberry-pi: latency p95** (exit code 3)"),
        ("undecided", "**can't be decided for raspberry-pi: latency p95** (exit code 4)"),
    ],
)
def test_the_verdict_comes_first(bench: Any, row: Any, verdict: str, first: str) -> None:
    lines = bench_markdown(bench(row(verdict))).splitlines()
    assert lines[0] == first


def test_every_row_its_evidence_and_the_digest_are_there(bench: Any, row: Any) -> None:
    text = bench_markdown(bench(row("pass"), row("undecided", "Raspberry Pi 5", "too few samples")))
    table = [line for line in text.splitlines() if line.startswith("|")]
    assert len(table) == 4
    assert all(line.count(" | ") == 5 for line in table)
    assert table[-1].startswith("| Raspberry Pi 5: latency p95 | 1 ms | 100 ms | 99.0 % | undecided |")
    assert "ab" * 32 in text
    assert "- note: latency p95 on Raspberry Pi 5: too few samples" in text
    assert "- latency here: p50 1 ms" in text
    assert "- memory here: peak 60.00 MB" in text


def test_names_can_not_break_the_table(bench: Any, row: Any) -> None:
    text = bench_markdown(bench(row("fail", "a|b\n<script>`x`"), name="*p*|"))
    assert "<script>" not in text.replace("\\<script\\>", "")
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert len(rows) == 3
    assert all(line.replace("\\|", "").count("|") == 7 for line in rows)


def test_a_report_that_is_shown_on_a_terminal_obeys_nobody(bench: Any, row: Any) -> None:
    text = bench_markdown(bench(row("pass", "\x1b[31m"), name="\x1b]0;x\x07\u202e"))
    assert not set("\x1b\x07\u202e") & set(text)
