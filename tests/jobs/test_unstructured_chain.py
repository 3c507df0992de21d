"""Unstructured pruning in a work directory: from `edgekit prune` to INT8, and back to whole units."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from safetensors.numpy import load_file

Cli = Callable[..., Any]


@pytest.fixture
def workdir(chain: Any, tmp_path: Path) -> Path:
    """A copy of the finished chain's, whose student was pruned by whole units."""
    shutil.copytree(chain.workdir, tmp_path / "work")
    return tmp_path / "work"


def zeros_in(file: Path) -> int:
    """Of the trained parameters."""
    return sum(int((w == 0).sum()) for name, w in load_file(file).items() if not name.startswith("preprocess."))


def test_prune_quantize_and_run_go_through_to_int8(workdir: Path, cli: Cli, quick_table: None) -> None:
    options = ("--method", "unstructured", "--scope", "layer", "--sparsity", "0.4", "--ramp", "0.25")
    pruned = cli("prune", f"--workdir={workdir}", *options, "--force", "--json")
    assert pruned.code == 0, pruned.err
    assert "prune.method was structured, now unstructured (--method)" in pruned.err
    metrics = pruned.json["metrics"]
    student = json.loads((workdir / "manifest.json").read_text())["stages"]["distill"]["metrics"]
    assert metrics["parameters_after"] == metrics["parameters_before"] == student["parameters"]
    assert metrics["zeros"] == round(0.4 * student["parameters"]) == zeros_in(workdir / "pruned" / "model.safetensors")
    assert pruned.json["config"]["prune"]["scope"] == "layer"
    text = cli("prune", f"--workdir={workdir}")
    assert "= prune: up to date" in text.err, "the options are remembered"
    assert "(40.0 %, scope layer)" in text.out
    assert cli("quantize", f"--workdir={workdir}").code in (0, 4, 5)  # so short a recovery may fail the gate
    again = cli("run", f"--workdir={workdir}", "--json")
    assert "= quantize: up to date" in again.err
    assert [m["parameters"] for m in again.json["models"][1:]] == [student["parameters"]] * 4


def test_run_takes_the_method_from_set(workdir: Path, cli: Cli, quick_table: None) -> None:
    answer = cli("run", f"--workdir={workdir}", "--set=prune.method=unstructured", "--force", "--json")
    assert answer.code in (0, 4, 5), answer.err
    parameters = [model["parameters"] for model in answer.json["models"]]
    assert parameters[1:] == [parameters[1]] * 4
    assert zeros_in(workdir / "pruned" / "model.safetensors") == round(0.5 * parameters[1])


def test_a_mismatch_names_the_flags(workdir: Path, cli: Cli) -> None:
    said = ("--set=prune.method=unstructured", "--set=prune.scope=layer", "--set=prune.ramp=0.25")
    answer = cli("quantize", f"--workdir={workdir}", *said)
    assert answer.code == 2
    for flag in ("now unstructured (--method)", "now layer (--scope)", "now 0.25 (--ramp)"):
        assert flag in answer.err


def test_the_way_back_to_whole_units_is_said_and_leads_to_the_same_bytes(
    workdir: Path, cli: Cli, quick_table: None
) -> None:
    before = (workdir / "pruned" / "model.safetensors").read_bytes()
    assert cli("prune", f"--workdir={workdir}", "--method=unstructured", "--ramp=0", "--force").code == 0
    assert (workdir / "pruned" / "model.safetensors").read_bytes() != before
    refused = cli("prune", f"--workdir={workdir}", "--method=structured")
    assert refused.code == 2
    assert "--set prune.ramp=null" in refused.err
    assert cli("prune", f"--workdir={workdir}", "--method=structured", "--set=prune.ramp=null", "--force").code == 0
    assert (workdir / "pruned" / "model.safetensors").read_bytes() == before
