"""Commands that train on recordings and on new synthetic people: what they say, keep and refuse."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgekit.data import SynthConfig, save_recordings, synthesise_hands
from edgekit.runtime import inspect_model
from edgekit.stages.table import Stages
from edgekit.workdir import Options, Settings, open_workspace

Cli = Callable[..., Any]
SMALL = (
    "--preset=quick", "--threads=1", "--set=model.hidden_size=8", "--set=model.num_layers=1",
    "--set=training.epochs=1",
)  # fmt: skip


def save(path: Path, names: tuple[str, ...]) -> Path:
    """Two people's takes of A, B, ... under these names; None: whatever is not signed."""
    made = synthesise_hands(SynthConfig(people=2, takes_per_letter=4))
    kept = np.flatnonzero(made.labels < len(names))
    parts = {name: getattr(made, name)[kept] for name in ("sequences", "lengths", "labels", "signer", "session")}
    save_recordings(path, replace(made, **parts, class_names=names, source=str(path), synthetic=False))
    return path


@pytest.fixture(scope="module")
def letters(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Recordings of A, b and C."""
    return save(tmp_path_factory.mktemp("letters") / "letters.npz", ("A", "b", "C"))


@pytest.fixture(scope="module")
def some(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Recordings of A and two words."""
    return save(tmp_path_factory.mktemp("some") / "some.npz", ("A", "wave", "hello"))


def stage(workdir: Path, name: str = "train edge") -> Any:
    return json.loads((workdir / "manifest.json").read_text())["stages"][name]


def mixed_in(data: Path | None, *settings: str, preset: str = "standard") -> dict[str, Any]:
    """What of the mix decides a training."""
    path = None if data is None else str(data)
    tree = {key: value for key, _, value in (setting.partition("=") for setting in settings)}
    said = Options(data=path, preset=preset, settings={"data": tree})
    with open_workspace(Path("/nowhere/work"), said, read_only=True) as opened:
        decides = Stages(opened).data.decides()["data"]
    return {key: value for key, value in decides.items() if key.startswith("mix")}


def test_letters_are_mixed_unless_the_specification_is_literal(letters: Path, some: Path) -> None:
    half = {"mix": "synthetic", "mix_share": 0.5}
    for preset, expected in (("standard", half), ("quick", half), ("specification", {})):
        assert mixed_in(letters, preset=preset) == expected
    assert mixed_in(some) == {}
    assert mixed_in(some, "mix=synthetic") == half
    assert mixed_in(letters, "mix=synthetic") == half, "what decides is what is mixed, not how that was said"
    assert mixed_in(letters, "mix=none", "mix_share=0.7") == {}
    assert mixed_in(letters, "mix_share=0.25", "mix_least=70") == {
        "mix": "synthetic",
        "mix_share": 0.25,
        "mix_least": 70,
    }
    assert mixed_in(None) == {"mix": "synthetic"}
    assert Settings(Options(preset="specification")).resolved()["data"]["mix"] == "none"


def test_it_is_said_where_it_is_shown_and_in_the_file(cli: Cli, tmp_path: Path, letters: Path) -> None:
    answer = cli("train", "edge", f"--workdir={tmp_path}", f"--data={letters}", *SMALL)
    assert answer.code == 0, answer.err
    made = stage(tmp_path)["metrics"]["data"]
    recorded = made["train"]
    line = f"every epoch: {recorded} recorded takes and {recorded} by new synthetic people (data.mix)\n"
    assert answer.err.count(f"note: data: {line}") == 1
    assert line in answer.out
    assert made["mix"] == {"recorded": recorded, "synthetic": recorded, "classes": 3}
    metadata = inspect_model(tmp_path / "models/edge/model.onnx").metadata
    assert metadata is not None
    assert metadata.trained_on == "letters.npz and synthetic hands"
    assert not made["synthetic"], "an accuracy on the recordings stays real"


def test_where_only_some_classes_are_letters_these_are_mixed_if_it_is_said(
    cli: Cli, tmp_path: Path, some: Path
) -> None:
    command = ("train", "edge", f"--data={some}", *SMALL)
    answer = cli(*command, f"--workdir={tmp_path / 'said'}", "--set=data.mix=synthetic")
    assert answer.code == 0, answer.err
    counts = r"every epoch: (\d+) recorded takes and (\d+) by new synthetic people for 1 of the 3 classes"
    found = re.search(counts, answer.err)
    assert found
    assert int(found[1]) == 3 * int(found[2])
    silent = cli(*command, f"--workdir={tmp_path / 'auto'}")
    assert silent.code == 0
    assert "every epoch" not in silent.err + silent.out
    metadata = inspect_model(tmp_path / "auto/models/edge/model.onnx").metadata
    assert metadata is not None
    assert metadata.trained_on == "some.npz"
    assert stage(tmp_path / "auto")["metrics"]["data"]["mix"] is None


def test_embedded_hands_are_as_many_as_before_and_all_new(chain: Any) -> None:
    data = chain.report["data"]
    assert data["mix"] == {"recorded": 0, "synthetic": data["train"], "classes": 26}
    line = f"very epoch: {data['train']} takes by new synthetic people (data.mix)"
    assert chain.err.count(f"note: data: e{line}") == 1
    assert f"\nE{line}\n" in chain.out
    assert f"E{line}" in (chain.workdir / "report.md").read_text()
    metadata = inspect_model(chain.int8).metadata
    assert metadata is not None
    assert metadata.trained_on == "synthetic hands (seed 0), others in every epoch"


def test_a_dry_run_counts_the_synthetic_takes(letters: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    def keep(self: Any, takes: int, *others: Any) -> float:
        asked.append(takes)
        return 1.0

    monkeypatch.setattr("edgekit.train.Pace.training_s", keep)
    for share in ("0", "0.5", "0.75"):
        said = Options(
            data=str(letters), preset="quick", threads=1, settings={"data": {"mix_share": share}, "model": {"dense": 4}}
        )
        with open_workspace(Path("/nowhere/work"), said, dry_run=True) as opened:
            Stages(opened).ensure("train edge", frozenset())
    assert asked == [asked[0], 2 * asked[0], 4 * asked[0]]


def test_a_mix_that_can_not_be_made_is_refused_before_pytorch(tmp_path: Path) -> None:
    words = save(tmp_path / "words.npz", ("wave", "hello", "no"))
    code = (
        "import sys; from edgekit.cli import run_cli; code = run_cli(sys.argv[1:]); print(code, 'torch' in sys.modules)"
    )
    for command in ("run", "distill", "train"):
        line = (command, f"--workdir={tmp_path / 'work'}", f"--data={words}", "--set=data.mix=synthetic")
        done = subprocess.run([sys.executable, "-c", code, *line], capture_output=True, text=True, check=True)
        assert done.stdout.split() == ["2", "False"]
        assert done.stderr == (
            "edgekit: error: data.mix synthetic: synthetic hands sign the letters A to Z, and no class of"
            f" {words} is called by one (wave, hello, no); leave it out, or use --set data.mix=none\n"
        )
        assert not (tmp_path / "work/manifest.json").exists(), "what was refused is not remembered"


def test_tuning_mixes_and_refuses_alike(cli: Cli, tmp_path: Path, letters: Path, some: Path) -> None:
    grid = ("--set=tune.hidden_size=[8]", "--set=tune.num_layers=[1]", "--set=tune.dropout=[0.2]")
    small = (*grid, "--set=tune.learning_rate=[0.01]", "--set=tune.by=run", "--preset=quick", "--epochs=1")
    answer = cli("tune", "edge", f"--workdir={tmp_path / 'a'}", f"--data={letters}", *small, "--folds=2")
    assert answer.code == 0, answer.err
    assert "1 epochs each, with takes by new synthetic people (data.mix)\n" in answer.err
    changed = cli("tune", "edge", f"--workdir={tmp_path / 'a'}", *small, "--folds=2", "--set=data.mix=none")
    assert changed.code == 2
    assert "data.mix was synthetic, now None" in changed.err
    words = save(tmp_path / "words.npz", ("wave", "hello", "no"))
    refused = cli("tune", "edge", f"--workdir={tmp_path / 'b'}", f"--data={words}", "--set=data.mix=synthetic", *small)
    assert refused.code == 2
    assert "no class of" in refused.err


def test_what_an_older_edgekit_made_is_evaluated_but_not_gone_on_with(cli: Cli, tmp_path: Path, chain: Any) -> None:
    """Its settings knew no mix, and its models saw none."""
    workdir = tmp_path / "work"
    shutil.copytree(chain.workdir, workdir)
    manifest = json.loads((workdir / "manifest.json").read_text())
    for record in manifest["stages"].values():
        record["config"].get("data", {}).pop("mix", None)
        record["metrics"].get("data", {}).pop("mix", None)
    (workdir / "manifest.json").write_text(json.dumps(manifest))
    refused = cli("distill", f"--workdir={workdir}")
    assert refused.code == 2
    assert "data.mix was None, now synthetic (--set data.mix=none for what was made without)" in refused.err
    assert cli("evaluate", f"--workdir={workdir}").code == 0
    kept = cli("distill", f"--workdir={workdir}", "--set=data.mix=none")
    assert kept.code == 0, kept.err
    assert kept.err.count("up to date") == 2, "teacher and student"


def test_interrupted_amid_its_epochs_a_stage_ends_in_the_same_bits(
    cli: Cli, tmp_path: Path, letters: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = ("distill", f"--data={letters}", *SMALL, "--set=distill.training.epochs=3", "--set=distill.copies=2")
    command = (*command, "--set=student.hidden_size=8")
    assert cli(*command, f"--workdir={tmp_path / 'whole'}").code == 0

    def interrupt(self: Any, stage: str, epoch: Any) -> None:
        if (stage, epoch.epoch) == ("distill", 2):
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("edgekit.cli.progress.Console.epoch", interrupt)
        assert cli(*command, f"--workdir={tmp_path / 'broken'}").code == 130
    assert cli(*command, f"--workdir={tmp_path / 'broken'}", "--set=training.prefetch=false").code == 0
    weights = [(tmp_path / place / "student/model.safetensors").read_bytes() for place in ("whole", "broken")]
    assert weights[0] == weights[1]
