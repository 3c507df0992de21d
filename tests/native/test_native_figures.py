"""Figures of the page on compiled models are those that were measured."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
NAMES = {
    "compiled fp32, SSE2": "native fp32 baseline",
    "compiled fp32, AVX2": "native fp32 avx2",
    "compiled fp32, AVX-512": "native fp32 avx512",
    "compiled int8, SSE2": "native int8 baseline",
    "compiled int8, AVX2": "native int8 avx2",
    "compiled int8, AVX-512 VNNI": "native int8 avx512vnni",
}


def test_the_page_tells_medians_and_ratios_of_the_samples() -> None:
    page = (ROOT / "docs" / "native.md").read_text(encoding="utf-8")
    measured = json.loads((ROOT / "bench" / "results" / "native.json").read_text(encoding="utf-8"))["models"]
    page = page.partition("<!-- figures:")[2].partition("```")[0]
    lines = [line.strip("| ").split(" | ") for line in page.splitlines() if "us (" in line]
    models = lines[0][1:]
    assert set(models) <= set(measured)
    rows = re.findall(r"^\| ((?:ONNX Runtime|compiled) [^|]+) \| (.*) \|$", page, re.MULTILINE)
    assert len(rows) == 9
    for name, cells in rows:
        for model, cell in zip(models, cells.split(" | "), strict=True):
            samples = measured[model]["samples_ns"]
            p50 = {key: float(np.percentile(values, 50)) / 1e3 for key, values in samples.items()}
            fastest = min(value for key, value in p50.items() if key.startswith("ONNX"))
            own = p50[NAMES.get(name, name)]
            assert cell == f"{own:,.1f} ({fastest / own:.1f})"


def test_the_page_tells_the_sizes_of_the_programs() -> None:
    page = (ROOT / "docs" / "native.md").read_text(encoding="utf-8")
    text = (ROOT / "bench" / "results" / "program-sizes.json").read_text(encoding="utf-8")
    for way, figures in json.loads(text)["models"]["student, 64 units"]["int8"].items():
        told = f"| {way} | {figures['size_bytes'] / 1e3:.1f} KB | {figures['peak_rss_bytes'] / 1e6:.2f} MB |"
        assert told in page


def test_the_page_tells_medians_ratios_and_sizes_of_the_web() -> None:
    page = (ROOT / "docs" / "native.md").read_text(encoding="utf-8").partition("<!-- figures of the web")[2]
    measured = json.loads((ROOT / "bench" / "results" / "wasm.json").read_text(encoding="utf-8"))["models"]
    rows = re.findall(r"^\| ((?:onnxruntime-web|module) [^|]+) \| (.*) \|$", page, re.MULTILINE)
    assert len(rows) == 5
    for name, cells in rows:
        own = name.replace("module", "wasm")
        for of_model, cell in zip(measured.values(), cells.split(" | "), strict=True):
            p50 = {key: float(np.percentile(values, 50)) / 1e3 for key, values in of_model["samples_ns"].items()}
            fastest = min(value for key, value in p50.items() if key.startswith("onnx"))
            size = of_model["size_bytes"][own] / 1e3
            assert cell == f"{p50[own]:,.1f} ({fastest / p50[own]:.1f}), {size:,.1f} KB"


def test_the_page_tells_what_coarser_codes_change() -> None:
    page = " ".join((ROOT / "docs" / "native.md").read_text(encoding="utf-8").split())
    told = json.loads((ROOT / "bench" / "results" / "dense-codes.json").read_text(encoding="utf-8"))
    eight, thirteen = told["summary"]["8 bits"], told["summary"]["13 bits"]
    worst = [max(map(abs, form["largest change of accuracy, points"])) for form in (eight, thirteen)]
    assert f"Of {eight['readings']:,} takes read by {len(told['models'])} models" in page
    assert (
        f"{eight['changed']} get another label than from the ONNX file with 8 bits, {thirteen['changed']} with" in page
    )
    assert f"by at most {worst[0]:.2f} points with 8 bits and {worst[1]:.2f} with 13" in page
