"""`--scheme auto` and fine-tuning in a work directory: what is chosen, kept, told, and used by later commands."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from edgekit.jobs import find_model
from edgekit.quantize.choosing import Candidate, Limits, choose
from edgekit.results import SchemeTrial, read_figures
from edgekit.results.choice import SchemeChoice
from edgekit.runtime import inspect_model

Cli = Callable[..., Any]

#: Few rounds, and no training: what they measure says nothing, and what follows from it is the same.
AUTO = (
    "--scheme=auto", "--set=compare.repeats=20", "--set=compare.processes=1", "--set=compare.warmup=1",
    "--set=quantize.fine_tuning=never",
)  # fmt: skip


@pytest.fixture
def workdir(chain: Any, tmp_path: Path, quick_table: None) -> Path:
    """A copy of the finished chain, of an LSTM student."""
    return Path(shutil.copytree(chain.workdir, tmp_path / "work"))


def answers(speed: str) -> Callable[..., SchemeChoice]:
    """In place of measuring: every candidate as fast as `speed` says, and the rule itself."""

    def measure(fp32: Path, candidates: Mapping[str, Candidate], x: Any, limits: Limits, config: Any) -> SchemeChoice:
        trials = [
            SchemeTrial(scheme, each.file.stat().st_size, 2e-5, ratio=1.5, ratio_low=1.4, ratio_high=1.6, speed=speed,
                        loss=each.loss, refused=limits.refuse(each.loss, speed))
            for scheme, each in candidates.items()
        ]  # fmt: skip
        return choose((SchemeTrial("fp32", fp32.stat().st_size, 1e-5), *trials), {"cpu_model": "a made-up CPU"}, 64)

    return measure


def never(*given: Any) -> Any:
    raise AssertionError("measured")


def files(workdir: Path) -> set[str]:
    """The ONNX files that `quantize` leaves."""
    return {path.name for path in workdir.glob("*.onnx")}


@pytest.mark.slow
def test_what_was_measured_decides_and_is_recorded(cli: Cli, workdir: Path) -> None:
    """On this machine, whatever comes of it; the smallest form is int4."""
    answer = cli("quantize", f"--workdir={workdir}", *AUTO)
    assert answer.code == 0, answer.err
    assert "timing fp32, int8-weights, int8-dynamic, int4-weights side by side" in answer.err
    choice = read_figures(SchemeChoice, json.loads((workdir / "manifest.json").read_text())["stages"]["quantize"]
                          ["metrics"]["choice"])  # fmt: skip
    assert [trial.scheme for trial in choice.trials] == ["fp32", "int8-weights", "int8-dynamic", "int4-weights"]
    assert f"Scheme: {choice.scheme}, chosen by measuring: {choice.reason}" in answer.out
    names = {"fp32": "model.onnx", "int4-weights": "model.int4.onnx"}
    chosen = workdir / names.get(choice.scheme, "model.int8.onnx")
    assert files(workdir) == {"model.onnx", chosen.name}
    about = inspect_model(chosen).metadata
    assert about is not None
    assert about.scheme == choice.scheme
    again = cli("quantize", f"--workdir={workdir}", "--json")
    assert "= quantize: up to date" in again.err, "the choice stays with the work directory"
    assert again.json["quantization"]["choice"] == choice.to_dict()


def test_where_no_form_pays_fp32_is_kept_and_everything_uses_it(
    cli: Cli, workdir: Path, take: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And where the file has to be made again, it is fp32 again, without measuring."""
    monkeypatch.setattr("edgekit.stages.quantize.candidates_for", lambda cell: ("int8-weights",))
    monkeypatch.setattr("edgekit.stages.quantize.measure_and_choose", answers("slower"))
    answer = cli("quantize", f"--workdir={workdir}", *AUTO)
    assert answer.code == 0, answer.err
    assert "note: quantize: fp32: no other form pays: int8-weights is slower than fp32" in answer.err
    for words in (
        "Scheme: fp32, chosen by measuring",
        "No weights were rounded: the file for the device is model.onnx, fp32",
        "accuracy of the fp32 file:",
        "a made-up CPU",
    ):
        assert words in answer.out
    assert files(workdir) == {"model.onnx"}, "no INT8 file of before is left to be taken for this one"
    assert find_model(workdir, None) == workdir / "model.onnx"
    evaluated = cli("evaluate", f"--workdir={workdir}", "--json")
    benched = cli("bench", f"--workdir={workdir}", "--repeats=50", "--processes=1", "--json")
    predicted = cli("predict", take, f"--workdir={workdir}", "--json")
    assert (evaluated.code, benched.code, predicted.code) == (0, 0, 0)
    assert evaluated.json["model"] == benched.json["model"]["path"] == str(workdir / "model.onnx")
    assert benched.json["accuracy"]["parent"]["flips"]["lost"] == 0
    (workdir / "model.onnx").unlink()
    monkeypatch.setattr("edgekit.stages.quantize.measure_and_choose", never)
    again = cli("quantize", f"--workdir={workdir}", "--json")
    assert "fp32, as chosen before; --force measures and chooses anew" in again.err
    table = again.json
    assert [row["form"] for row in table["models"]][-1] == "ONNX fp32"
    assert table["verdict"]["form"] == "ONNX fp32"
    assert table["quantization"]["int8"] is None


def test_a_model_too_small_to_round_stays_fp32_without_measuring(
    cli: Cli, workdir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before: "nothing to quantise", exit code 2. A scheme that is said is still refused so."""
    monkeypatch.setattr("edgekit.stages.quantize.measure_and_choose", never)
    tiny = "--set=quantize.min_elements=9999999"
    answer = cli("quantize", f"--workdir={workdir}", "--json", *AUTO, tiny)
    assert answer.code == 0, answer.err
    assert "note: quantize: fp32: too small for rounding to pay: the largest weight has" in answer.err
    choice = answer.json["quantization"]["choice"]
    assert (choice["scheme"], choice["trials"], choice["takes"]) == ("fp32", [], 0)
    assert files(workdir) == {"model.onnx"}
    again = cli("quantize", f"--workdir={workdir}")
    assert "= quantize: up to date" in again.err
    assert "Scheme: fp32, without measuring: too small for rounding to pay" in again.out
    assert "No weights were rounded: the file for the device is model.onnx, fp32" in again.out
    said = cli("quantize", f"--workdir={workdir}", "--scheme=int8-weights")
    assert (said.code, "nothing to quantise" in said.err) == (2, True)


@pytest.mark.slow
def test_a_choice_is_not_remade_unless_asked_for(cli: Cli, workdir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on another machine: what is lost is made again in the form that was chosen."""
    monkeypatch.setattr("edgekit.stages.quantize.measure_and_choose", answers("same"))
    assert cli("quantize", f"--workdir={workdir}", *AUTO).code == 0
    figures = json.loads((workdir / "manifest.json").read_text())["stages"]["quantize"]["metrics"]
    made = (workdir / "model.int4.onnx").read_bytes()
    (workdir / "model.int4.onnx").unlink()
    monkeypatch.setattr("edgekit.stages.quantize.measure_and_choose", never)
    again = cli("quantize", f"--workdir={workdir}")
    assert again.code == 0, again.err
    assert "> quantize: model.int4.onnx is missing" in again.err
    assert "int4-weights, as chosen before; --force measures and chooses anew" in again.err
    assert (workdir / "model.int4.onnx").read_bytes() == made
    assert json.loads((workdir / "manifest.json").read_text())["stages"]["quantize"]["metrics"] == figures
    with pytest.raises(AssertionError, match="measured"):
        cli("quantize", f"--workdir={workdir}", "--force")


#: One epoch under the teacher, whatever rounding loses.
ALWAYS = ("--set=quantize.fine_tuning=always", "--set=quantize.epochs=1", "--set=quantize.learning_rate=1e-4")


def test_fine_tuning_is_told_kept_and_not_replaced_unasked(cli: Cli, workdir: Path) -> None:
    answer = cli("quantize", f"--workdir={workdir}", *ALWAYS)
    assert answer.code == 0, answer.err
    assert "note: quantize: int8-weights learns once more under the teacher: asked for" in answer.err
    assert "Fine-tuning with int8 weights (asked for):" in answer.out
    assert "after 1 epoch " in answer.out
    record = json.loads((workdir / "manifest.json").read_text())["stages"]["quantize"]
    assert set(record["outputs"]) == {
        "model.onnx", "model.int8.onnx",
        *(f"fine-tuned/{name}" for name in ("model.safetensors", "model.json", "training_log.csv")),
    }  # fmt: skip
    tuning = record["metrics"]["tuning"]
    assert (tuning["bits"], tuning["kept"], tuning["epochs"]) == (8, True, 1)
    assert record["metrics"]["int8"] == tuning["after"]
    fp32, int8 = inspect_model(workdir / "model.onnx"), inspect_model(workdir / "model.int8.onnx")
    assert int8.metadata is not None
    assert int8.metadata.parents[0] == inspect_model(workdir / "fine-tuned/model.onnx").sha256
    assert int8.metadata.parents[1] == record["outputs"]["fine-tuned/model.safetensors"]
    assert int8.metadata.parents[2] == record["inputs"]["pruned/model.safetensors"]
    assert fp32.sha256 == record["outputs"]["model.onnx"], "the pruned model's, which it is held against"
    table = cli("quantize", f"--workdir={workdir}", "--json").json["models"]
    assert [(row["name"], row["form"]) for row in table[-2:]] == [("pruned", "ONNX fp32"), ("fine-tuned", "ONNX int8")]
    refused = cli("quantize", f"--workdir={workdir}", "--scheme=int8-dynamic")
    assert refused.code == 2
    assert "give --force to replace it" in refused.err


@pytest.mark.slow
def test_another_form_leaves_nothing_of_the_one_before(cli: Cli, workdir: Path) -> None:
    tuned = cli("quantize", f"--workdir={workdir}", *ALWAYS, "--scheme=int4-weights")
    assert "Fine-tuning with int4 weights (asked for):" in tuned.out
    assert files(workdir) == {"model.onnx", "model.int4.onnx"}
    replaced = cli("quantize", f"--workdir={workdir}", "--scheme=int8-weights", "--force",
                   "--set=quantize.fine_tuning=never")  # fmt: skip
    assert replaced.code == 0, replaced.err
    assert files(workdir) == {"model.onnx", "model.int8.onnx"}
    assert not (workdir / "fine-tuned").exists()


def test_a_single_file_in_int4_is_called_so(cli: Cli, chain: Any, tmp_path: Path) -> None:
    answer = cli("quantize", chain.workdir / "model.onnx", "--scheme=int4-weights", "--dry-run")
    assert f"to {chain.workdir / 'model.int4.onnx'}" in answer.err


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ("--scheme=auto", "auto measures accuracy on validation takes"),
        ("--set=quantize.fine_tuning=always", "always needs the work directory's model and teacher"),
    ],
)
def test_a_single_file_has_no_takes_and_no_teacher(cli: Cli, chain: Any, tmp_path: Path, said: str, words: str) -> None:
    answer = cli("quantize", chain.workdir / "model.onnx", f"--output={tmp_path / 'q.onnx'}", said)
    assert answer.code == 2
    assert words in answer.err
    assert not list(tmp_path.iterdir())
