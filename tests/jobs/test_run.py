"""The real stages, tiny: what `edgekit run` leaves, and that every way to it leads to the same."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from safetensors.numpy import load_file

from edgekit.artifacts import sha256_file
from edgekit.data import SynthConfig, save_recordings, synthesise_hands
from edgekit.jobs.curves import read_curve
from edgekit.results import Record, StageResult, TrainingFigures, read_figures
from edgekit.runtime import inspect_model
from edgekit.workdir import Options, open_workspace

Cli = Callable[..., Any]
Snapshot = Callable[[Path], Mapping[str, bytes | None]]

STAGES = ("train accurate", "distill", "prune", "quantize")
#: What the stages make; the closing table's own files and logs with times are not among them.
MADE = (
    "models/accurate/model.safetensors", "student/model.safetensors", "pruned/model.safetensors",
    "model.onnx", "model.int8.onnx",
)  # fmt: skip


def test_the_chain_ends_within_budget_and_leaves_every_artefact(chain: Any) -> None:
    assert chain.code == 0, chain.err
    for name in (*MADE, "manifest.json", "report.json", "student/model.json", "pruned/training_log.csv"):
        assert (chain.workdir / name).stat().st_size > 0, name
    assert tuple(chain.manifest["stages"]) == STAGES


def test_the_manifests_digests_are_true_and_name_every_output(chain: Any) -> None:
    records = chain.manifest["stages"]
    outputs = {path: digest for record in records.values() for path, digest in record["outputs"].items()}
    assert set(MADE) <= set(outputs)
    for path, digest in outputs.items():
        assert sha256_file(chain.workdir / path) == digest, path


def test_every_stage_names_its_parents_as_they_are(chain: Any) -> None:
    records = chain.manifest["stages"]
    digests = {path: digest for record in records.values() for path, digest in record["outputs"].items()}
    assert records["train accurate"]["inputs"] == {}
    for name, parent in (
        ("distill", "models/accurate/model.safetensors"),
        ("prune", "student/model.safetensors"),
        ("quantize", "pruned/model.safetensors"),
    ):
        inputs = records[name]["inputs"]
        assert inputs[parent] == digests[parent]
        assert all(digests[path] == digest for path, digest in inputs.items())


def test_the_device_file_says_where_it_comes_from(chain: Any) -> None:
    metadata = inspect_model(chain.int8).metadata
    assert metadata is not None
    parents = [sha256_file(chain.workdir / name) for name in ("model.onnx", "pruned/model.safetensors")]
    assert list(metadata.parents) == parents
    assert metadata.scheme == "int8-weights"
    assert metadata.trained_on == "synthetic hands (seed 0), others in every epoch"
    assert len(metadata.class_names) == 26


def test_weights_are_safetensors_with_a_json_config_and_nothing_is_pickled(chain: Any) -> None:
    for folder in ("models/accurate", "student", "pruned"):
        weights = load_file(chain.workdir / folder / "model.safetensors")
        description = json.loads((chain.workdir / folder / "model.json").read_text())
        trained = sum(w.size for name, w in weights.items() if not name.startswith("preprocess."))
        assert description["parameters"] == trained
    suffixes = {path.suffix for path in chain.workdir.rglob("*") if path.is_file() and path.name != ".lock"}
    assert suffixes == {".safetensors", ".json", ".csv", ".onnx", ".md", ".html", ".yaml", ".png"}, (
        "a resume file outlived its stage"
    )


def test_half_of_the_students_parameters_go(chain: Any) -> None:
    metrics = chain.manifest["stages"]["prune"]["metrics"]
    before, after = metrics["parameters_before"], metrics["parameters_after"]
    assert before == chain.manifest["stages"]["distill"]["metrics"]["parameters"]
    assert metrics["sparsity"] == pytest.approx(1 - after / before)
    assert metrics["sparsity"] == pytest.approx(0.5, abs=0.08), "whole units of a 24-unit student are steps of 4 %"


def test_the_report_is_the_printed_result_with_its_exit_code(chain: Any) -> None:
    report = chain.report
    assert report["schema_version"] == 1
    assert report["exit_code"] == chain.code == 0
    assert report["data"]["synthetic"] is True
    assert report["bench"]["verdict"] == "pass"
    assert report["failure"] is None


def test_the_markdown_report_holds_what_the_json_holds(chain: Any) -> None:
    report, text = chain.report, (chain.workdir / "report.md").read_text(encoding="utf-8")
    assert "SYNTHETIC" in text
    assert report["data"]["sha256"] in text
    for name, record in report["stages"].items():
        (line,) = [line for line in text.splitlines() if line.startswith(f"| {name} ")]
        assert f"{record['wall_s']:.0f} s" in line
        assert all(digest[:12] in line for digest in record["outputs"].values())
    for model in report["models"]:
        line = f"| {model['name']} | {model['form']} | {100 * model['accuracy']:.1f} % |"
        assert line in text
    for row in report["bench"]["rows"]:
        assert f"| {row['verdict']} | {row['evidence']} |" in text
    for package in ("python", "numpy", "onnxruntime", "torch"):
        assert f"| {package} | {report['environment'][package].replace('_', chr(92) + '_')} |" in text
    assert yaml.safe_load(text.partition("```yaml")[2].partition("```")[0]) == report["settings"]


def test_the_page_holds_what_the_json_holds_and_how_every_stage_learned(chain: Any) -> None:
    report, page = chain.report, (chain.workdir / "report.html").read_text(encoding="utf-8")
    text = html.unescape(page).replace("\u00a0", " ")
    assert "SYNTHETIC" in text
    for found in (report["data"]["sha256"], report["bench"]["model"]["sha256"]):
        assert found in text
    for model in report["models"]:
        assert f"{100 * model['accuracy']:.1f} %" in text
    for stage in ("Teacher, accurate", "Student, distilled", "Pruned student, recovering"):
        assert f"<h3>{stage}</h3>" in page
    wrong = sum(map(sum, report["evaluation"]["confusion"])) - round(
        report["evaluation"]["accuracy"] * report["evaluation"]["takes"]
    )
    assert page.count('class="card"') == min(wrong, 24)
    assert len(page) < 1_000_000


def test_a_log_that_was_changed_since_has_no_curve(chain: Any, tmp_path: Path) -> None:
    """Nothing is drawn that is not the run's own."""
    record = chain.manifest["stages"]["distill"]
    stage = StageResult("distill", Record(**record), read_figures(TrainingFigures, record["metrics"]))
    assert read_curve(tmp_path, stage) is None
    curve = read_curve(chain.workdir, stage)
    assert curve is not None
    assert (curve.epochs, curve.best_epoch) == (record["metrics"]["epochs"], record["metrics"]["best_epoch"])
    assert curve.val_accuracy[curve.best_epoch - 1] == pytest.approx(record["metrics"]["val_accuracy"], abs=1e-5)
    log = tmp_path / "student" / "training_log.csv"
    log.parent.mkdir()
    log.write_bytes((chain.workdir / "student" / "training_log.csv").read_bytes() + b" ")
    assert read_curve(tmp_path, stage) is None
    older = replace(stage, record=replace(stage.record, outputs={"student/model.safetensors": "0" * 64}))
    assert read_curve(chain.workdir, older) is None


def test_the_tables_of_the_markdown_report_are_tables(chain: Any) -> None:
    """Every row of a table has as many cells as its head; Markdown shows others as text."""
    text = (chain.workdir / "report.md").read_text(encoding="utf-8")
    tables = [block.splitlines() for block in text.split("\n\n") if block.startswith("|")]
    assert len(tables) == 5
    for rows in tables:
        assert len({len(re.split(r"(?<!\\)\|", row)) for row in rows}) == 1
        assert re.fullmatch(r"\|( (:--|--:) \|)+", rows[1])


def test_the_report_has_the_int8_files_figures_by_class_and_a_picture_of_its_confusion(chain: Any) -> None:
    evaluation, text = chain.report["evaluation"], (chain.workdir / "report.md").read_text(encoding="utf-8")
    assert evaluation["accuracy"] == chain.report["models"][-1]["accuracy"]
    assert evaluation["part"] == "test"
    assert f"![confusion matrix]({evaluation['picture']})" in text
    assert (chain.workdir / evaluation["picture"]).read_bytes().startswith(b"\x89PNG")
    assert "mean of classes" in text


def test_training_and_distillation_leave_an_onnx_file_of_what_they_trained(chain: Any) -> None:
    """And no stage is made again because that file, which can be written again, is gone."""
    models, stages = chain.report["models"], chain.manifest["stages"]
    for stage, folder, model in (("train accurate", "models/accurate", models[0]), ("distill", "student", models[1])):
        assert (chain.workdir / folder / "model.onnx").stat().st_size == model["size_bytes"]
        assert not any(path.endswith(".onnx") for path in stages[stage]["outputs"])


def test_train_alone_leaves_one_too(cli: Cli, tmp_path: Path, tiny: tuple[str, ...]) -> None:
    assert cli("train", "edge", f"--workdir={tmp_path}", *tiny).code == 0
    info = inspect_model(tmp_path / "models/edge/model.onnx")
    assert info.metadata is not None
    (tmp_path / "models/edge/model.onnx").unlink()
    again = cli("train", "edge", f"--workdir={tmp_path}")
    assert (again.code, "up to date" in again.err) == (0, True)


def test_every_stage_that_trains_leaves_a_log_a_diagnosis_and_accuracy_by_class(chain: Any) -> None:
    for stage in ("train accurate", "distill", "prune"):
        metrics = chain.manifest["stages"][stage]["metrics"]
        rows = (chain.workdir / "logs" / stage.replace(" ", "-") / "training_log.csv").read_text().splitlines()
        assert len(rows) == 1 + metrics["epochs"]
        assert isinstance(metrics["diagnosis"], list)
        assert set(metrics["val_per_class"]) == set(chain.report["evaluation"]["class_names"])


def test_the_stored_settings_are_those_of_the_run(chain: Any) -> None:
    assert yaml.safe_load((chain.workdir / "config.yaml").read_text()) == chain.report["settings"]


def test_the_closing_table_scores_five_models_on_the_same_test_takes(chain: Any) -> None:
    models = chain.report["models"]
    assert [(m["name"], m["form"]) for m in models] == [
        ("teacher", "PyTorch"),
        ("student", "PyTorch"),
        ("pruned", "PyTorch"),
        ("pruned", "ONNX fp32"),
        ("pruned", "ONNX int8"),
    ]
    assert {m["takes"] for m in models} == {chain.report["data"]["test"]}
    teacher, student, pruned, fp32, int8 = models
    assert student["parameters"] > pruned["parameters"] == fp32["parameters"] == int8["parameters"]
    assert student["macs"] > pruned["macs"] == fp32["macs"] == int8["macs"]
    assert teacher["size_bytes"] > student["size_bytes"] > fp32["size_bytes"] > int8["size_bytes"]
    assert int8["size_bytes"] == chain.int8.stat().st_size
    assert all(m["latency_p50_s"] > 0 for m in models)


def test_the_exported_file_is_as_accurate_as_the_pruned_model(chain: Any) -> None:
    _, _, pruned, fp32, int8 = chain.report["models"]
    assert fp32["accuracy"] == pruned["accuracy"]
    figures = chain.report["quantization"]
    assert figures["parity"]["max_abs_difference"] <= 1e-5
    loss = figures["int8"]
    assert abs(loss["accuracy_drop"]) <= loss["changed"] / loss["takes"]
    assert abs(int8["accuracy"] - fp32["accuracy"]) <= 0.1


def test_evaluate_agrees_with_the_closing_table(chain: Any, cli: Cli) -> None:
    answer = cli("evaluate", f"--workdir={chain.workdir}", "--json")
    assert answer.code == 0
    int8 = chain.report["models"][-1]
    assert answer.json["accuracy"] == pytest.approx(int8["accuracy"])
    assert answer.json["takes"] == int8["takes"] == sum(c["support"] for c in answer.json["per_class"].values())


def test_a_second_run_makes_nothing_and_changes_nothing(chain: Any, cli: Cli, snapshot: Snapshot) -> None:
    before = snapshot(chain.workdir)
    answer = cli("run", f"--workdir={chain.workdir}")
    assert answer.code == 0
    for stage in STAGES:
        assert f"= {stage}: up to date" in answer.err
    assert "done in" not in answer.err
    after = snapshot(chain.workdir)
    measured = {"report.json", "report.md", "report.html", ".lock"}
    assert {k: v for k, v in after.items() if k not in measured} == {
        k: v for k, v in before.items() if k not in measured
    }


def test_a_dry_run_of_a_finished_chain_writes_nothing_and_measures_nothing(
    chain: Any, cli: Cli, snapshot: Snapshot
) -> None:
    before = snapshot(chain.workdir)
    for command in ("run", "quantize"):
        answer = cli(command, f"--workdir={chain.workdir}", "--dry-run")
        assert (answer.code, answer.out) == (0, "")
        assert "= quantize: up to date" in answer.err
    assert snapshot(chain.workdir) == before


def test_a_dry_run_in_a_fresh_place_leaves_no_folder(cli: Cli, tmp_path: Path, tiny: tuple[str, ...]) -> None:
    for command in ("run", "train", "distill", "prune", "quantize"):
        answer = cli(command, f"--workdir={tmp_path / 'work'}", "--dry-run", *tiny)
        assert (answer.code, answer.out) == (0, "")
        assert "? " in answer.err
    assert list(tmp_path.iterdir()) == []


@pytest.fixture(scope="module")
def three_steps(chain: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A work directory after distill, quantize and bench, the latter two without other arguments."""
    from edgekit.cli import run_cli

    options = chain.manifest["options"]
    workdir = tmp_path_factory.mktemp("steps") / "work"
    settings = [f"--set={s}.{k}={json.dumps(v)}" for s, tree in options["settings"].items() for k, v in tree.items()]
    first = ["distill", f"--workdir={workdir}", f"--preset={options['preset']}", "--threads=1", *settings]
    assert run_cli(first) == 0
    assert run_cli(["quantize", f"--workdir={workdir}"]) == 0
    assert run_cli(["bench", f"--workdir={workdir}", "--profile=raspberry-pi"]) == 0
    return workdir


@pytest.mark.parametrize("name", MADE)
def test_the_three_commands_make_what_run_makes_to_the_byte(chain: Any, three_steps: Path, name: str) -> None:
    assert sha256_file(three_steps / name) == sha256_file(chain.workdir / name)


def test_the_three_commands_leave_the_stages_that_run_leaves(chain: Any, three_steps: Path) -> None:
    def essence(manifest: Any) -> Any:
        kept = ("config", "inputs", "recipe", "seed")
        return {name: {key: record[key] for key in kept} for name, record in manifest["stages"].items()}

    assert essence(json.loads((three_steps / "manifest.json").read_text())) == essence(chain.manifest)


def test_quantize_will_not_retrain_what_it_does_not_own(three_steps: Path, cli: Cli, snapshot: Snapshot) -> None:
    before = snapshot(three_steps)
    answer = cli("quantize", f"--workdir={three_steps}", "--set=distill.temperature=5", "--set=prune.sparsity=0.3")
    assert answer.code == 2
    assert answer.out == ""
    for part in ("distill", "temperature was 2.0, now 5", "--temperature", "--force"):
        assert part in answer.err
    after = snapshot(three_steps)
    assert {**after, ".lock": b""} == {**before, ".lock": b""}
    with open_workspace(three_steps, Options()) as workspace:
        assert workspace.options.settings["distill"].get("temperature") is None


def test_a_changed_recording_is_noticed_at_the_same_path(cli: Cli, tmp_path: Path, tiny: tuple[str, ...]) -> None:
    data, workdir = tmp_path / "hands.npz", tmp_path / "work"
    hands = synthesise_hands(SynthConfig(people=1, takes_per_letter=6))
    save_recordings(data, hands)
    options = ("train", "edge", f"--workdir={workdir}", *tiny)
    assert cli(*options, f"--data={data}").code == 0
    assert "up to date" in cli(*options).err, "the recordings are remembered"
    save_recordings(data, hands.take(np.arange(hands.takes)[::-1]))
    assert "data.sha256" in cli(*options, "--dry-run").err
    data.unlink()
    answer = cli(*options)
    assert answer.code == 2
    assert "hands.npz: no such file" in answer.err


def test_a_failed_gate_is_exit_5_after_everything_has_been_written(
    chain: Any, cli: Cli, tmp_path: Path, quick_table: None
) -> None:
    import shutil

    workdir = tmp_path / "work"
    shutil.copytree(chain.workdir, workdir)
    strict = "--set=gates.max_parity_difference=1e-12"
    answer = cli("run", f"--workdir={workdir}", strict, "--json")
    assert answer.code == 5
    assert answer.json["exit_code"] == 5
    assert answer.json == json.loads((workdir / "report.json").read_text())
    assert answer.json["bench"]["verdict"] == "pass"
    assert answer.err.splitlines()[-1] == f"edgekit: error: {answer.json['failure']}"
    again = cli("quantize", f"--workdir={workdir}")
    assert again.code == 5, "a gate that failed does not pass because its stage is up to date"


def test_a_wrong_profile_is_found_before_anything_is_made(cli: Cli, tmp_path: Path, tiny: tuple[str, ...]) -> None:
    answer = cli("run", f"--workdir={tmp_path / 'work'}", *tiny, "--profile=raspbery-pi")
    assert answer.code == 2
    assert "did you mean 'raspberry-pi'?" in answer.err
    assert "train" not in answer.err


def test_other_feature_counts_and_unknown_signers_train_too(cli: Cli, tmp_path: Path, tiny: tuple[str, ...]) -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(0, 1, (40, 12, 5)).astype(np.float32)
    names = np.array(["left", "right [red]"])
    np.savez(tmp_path / "five.npz", sequences=x, labels=np.arange(40) % 2, class_names=names)
    workdir = tmp_path / "work"
    small = "--set=quantize.min_elements=500"  # the largest weight that pruning leaves has 784 elements
    options = (small, "--set=data.sequence_length=10", f"--data={tmp_path / 'five.npz'}")
    answer = cli("quantize", f"--workdir={workdir}", *tiny, *options)
    assert answer.code in (0, 5), answer.err
    metadata = inspect_model(workdir / "model.int8.onnx").metadata
    assert metadata is not None
    assert (metadata.sequence_length, metadata.features, metadata.class_names) == (10, 5, ("left", "right [red]"))
    assert metadata.trained_on == "five.npz", "no path of this machine in a file that is handed on"
    predicted = cli("predict", tmp_path / "five.npz", f"--model={workdir / 'model.int8.onnx'}")
    assert predicted.code == 0
