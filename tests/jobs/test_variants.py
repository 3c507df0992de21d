"""The table of variants: true figures beside the specification's, and a host that keeps the specification's times."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")

from edgekit.jobs.variants import describe_variants
from edgekit.model import NOMINAL, VARIANTS
from edgekit.report import variants_text
from edgekit.results import VariantFigures

Cli = Callable[..., Any]
SPECIFICATION = Path(__file__).resolve().parents[3] / "shared/spec/training-details.md"


@pytest.fixture(scope="module")
def rows() -> tuple[VariantFigures, ...]:
    return describe_variants(measure=True)


def test_every_variant_is_there_in_both_directions_its_own_first(rows: tuple[VariantFigures, ...]) -> None:
    assert [row.name for row in rows if row.default] == list(VARIANTS)
    assert all(VARIANTS[row.name].bidirectional == row.bidirectional for row in rows if row.default)
    assert len({(row.name, row.bidirectional) for row in rows}) == 2 * len(VARIANTS)


def test_the_known_counts_and_sizes(rows: tuple[VariantFigures, ...]) -> None:
    """The specification's readme gives these four counts; a file is its weights and a few KB."""
    counts = {(row.name, row.bidirectional): row.parameters for row in rows}
    assert counts["edge", False] == 56_346
    assert counts["edge", True] == 105_754
    assert counts["balanced", True] == 336_154
    assert counts["accurate", True] == 2_044_698
    for row in rows:
        assert 4 * row.parameters < row.fp32_bytes < 4 * row.parameters + 8_000
        assert row.parameters < row.int8_bytes < 0.32 * row.fp32_bytes


def test_this_host_keeps_the_specifications_cpu_times(rows: tuple[VariantFigures, ...]) -> None:
    """A PC takes a few milliseconds at most; that a Pi keeps them, too, is for `edgekit bench` on it."""
    checked = [row for row in rows if row.nominal is not None]
    assert {row.name for row in checked} == {"edge", "balanced", "accurate"}
    for row in checked:
        assert row.latency_p95_s is not None
        assert row.nominal is not None
        assert 0 < row.latency_p95_s < row.nominal.cpu_s


def test_the_nominal_figures_are_the_specifications() -> None:
    if not SPECIFICATION.is_file():
        pytest.skip("the specification is not here")
    text = SPECIFICATION.read_text(encoding="utf-8").partition("### Architecture Variants")[2].partition("---")[0]
    factor = {"K": 1_000, "M": 1_000_000}
    parameters = [int(n) * factor[unit] for n, unit in re.findall(r"Parameters\*\*: ~(\d+)([KM])", text)]
    sizes = [round(float(n) * 1e6) for n in re.findall(r"Model Size\*\*: ~([\d.]+) MB", text)]
    times = [int(n) / 1e3 for n in re.findall(r"Inference Time\*\*: \D+(\d+)ms", text)]
    assert [(n.parameters, n.size_bytes, n.cpu_s) for n in NOMINAL.values()] == list(
        zip(parameters, sizes, times, strict=True)
    )


def test_the_command_prints_both_and_says_what_kind_of_figure_each_is(
    cli: Cli, rows: tuple[VariantFigures, ...]
) -> None:
    answer = cli("variants", "--json")
    assert answer.code == 0
    unmeasured = [{**row.to_dict(), "latency_p95_s": None} for row in rows]
    assert answer.json["variants"] == unmeasured
    text = variants_text(rows)
    assert "2,044,698   ~2,000,000" in text
    assert "which is not a Raspberry Pi" in text
