"""One rule for every command and flag: what took training is replaced with --force alone, or when what it was made from
was made again. What took none is made again, and what changes nothing changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from edgekit.data import SynthConfig, save_recordings, synthesise_hands

Cli = Callable[..., Any]
Snapshot = Callable[[Path], Mapping[str, bytes | None]]

pytestmark = pytest.mark.usefixtures("no_pace")

#: Flags of all five, and what a refusal calls them. {data} and {onnx} are files.
SHARED = {
    "--seed=5": "(--seed)",
    "--data={data}": "(--data)",
    "--split=signer": "(--split)",
    "--pretrain=synthetic": "(--pretrain)",
    "--preset=specification": "given now: --preset specification",
    "--set=training.learning_rate=0.5": "training.learning_rate was 0.01, now 0.5",
    "--set=augmentation.noise=0.5": "augmentation.noise",
    "--set=data.displacement=false": "data.displacement",
}
TEACHER = {
    "--teacher=balanced": "(--teacher)",
    "--teacher={onnx}": "(--teacher)",
    "--set=model.hidden_size=8": "model.hidden_size was 16, now 8",
}
STUDENT = {"--student=balanced": "given now: --student balanced"}
LATER = {
    "--set=student.dense=8": "student.dense was 48, now 8",
    "--set=distill.alpha=0.9": "(--alpha)",
    "--set=prune.sparsity=0.3": "(--sparsity)",
}
OWN = {
    "train accurate": {"--epochs=3": "(--epochs of", "--set=model.hidden_size=8": "model.hidden_size was 16, now 8"},
    "distill": {
        **TEACHER, **STUDENT, "--epochs=3": "(--epochs of", "--temperature=5": "(--temperature)",
        "--alpha=0.9": "(--alpha)", "--set=student.dense=8": "student.dense was 48, now 8",
    },
    "prune": {
        **TEACHER, "--sparsity=0.3": "(--sparsity)", "--method=unstructured": "(--method)", "--epochs=3": "(--epochs",
        "--set=distill.alpha=0.9": "(--alpha)",
    },
    "quantize": {**TEACHER, **LATER},
    "run": {**TEACHER, **STUDENT, **LATER},
}  # fmt: skip
REFUSED = [(command, flag, said) for command, own in OWN.items() for flag, said in {**SHARED, **own}.items()]


@pytest.fixture(scope="module")
def fill(chain: Any, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], str]:
    """(flag): with files that are there."""
    signs = tmp_path_factory.mktemp("replacing") / "signs.npz"
    save_recordings(signs, synthesise_hands(SynthConfig(people=2, takes_per_letter=4, seed=3)))
    files = {"data": signs, "onnx": chain.workdir / "student" / "model.onnx"}
    return lambda flag: flag.format(**files)


@pytest.mark.parametrize(("command", "flag", "said"), REFUSED)
def test_a_flag_that_changes_what_was_trained_is_refused_by_name(
    chain: Any, cli: Cli, fill: Callable[[str], str], command: str, flag: str, said: str
) -> None:
    """Dry, which refuses what a run would refuse; with --force it is planned."""
    words = (*command.split(), f"--workdir={chain.workdir}", fill(flag), "--dry-run")
    answer = cli(*words)
    assert (answer.code, answer.out) == (2, ""), answer.err
    for part in ("was made with other settings", said, "--force", "--workdir"):
        assert part in answer.err
    if flag != "--teacher={onnx}":  # the tiny chain's student is no better than chance
        assert cli(*words, "--force").code == 0


@pytest.mark.parametrize(
    ("command", "flag"), [(command, flag) for command in ("quantize", "run") for flag in (
        "--scheme=int8-dynamic" if command == "quantize" else "--set=quantize.scheme=int8-dynamic",
        "--set=gates.max_parity_difference=1e-4",
    )]
)  # fmt: skip
def test_what_took_no_training_is_made_again(chain: Any, cli: Cli, command: str, flag: str) -> None:
    plan = cli(command, f"--workdir={chain.workdir}", flag, "--dry-run", "--json").json["stages"]
    assert [(stage["stage"], stage["event"]) for stage in plan][-1] == ("quantize", "plan")
    assert {stage["event"] for stage in plan[:-1]} == {"skip"}


@pytest.mark.parametrize("command", OWN)
@pytest.mark.parametrize(
    "flag", ["--threads=2", "--accelerator=cpu", "--set=training.prefetch=false", "--set=gates.max_accuracy_drop=0.4"]
)
def test_what_only_changes_how_it_is_made_makes_nothing(chain: Any, cli: Cli, command: str, flag: str) -> None:
    answer = cli(*command.split(), f"--workdir={chain.workdir}", flag, "--dry-run")
    assert answer.code == 0
    assert {line.partition(":")[2].strip() for line in answer.err.splitlines()} == {"up to date"}


def test_another_teacher_leaves_the_student_alone_until_it_is_told_to_replace_it(
    chain: Any, cli: Cli, tmp_path: Path, snapshot: Snapshot, quick_table: None
) -> None:
    import shutil

    workdir = tmp_path / "work"
    shutil.copytree(chain.workdir, workdir)
    before = {path: content for path, content in snapshot(workdir).items() if path != ".lock"}
    said = ("distill", f"--workdir={workdir}", f"--teacher={chain.workdir / 'models' / 'accurate' / 'model.onnx'}")
    answer = cli(*said)
    assert (answer.code, answer.out) == (2, "")
    assert "the stage 'distill' was made with other settings: teacher was accurate, now" in answer.err
    assert f"`edgekit distill --force --workdir {workdir}` replaces it alone" in answer.err
    assert {path: content for path, content in snapshot(workdir).items() if path != ".lock"} == before
    assert cli("quantize", f"--workdir={workdir}", "--dry-run").err.count("up to date") == 4, "it was not remembered"
    assert cli(*said, "--force").code == 0
    plan = cli("quantize", f"--workdir={workdir}", "--dry-run", "--json").json["stages"]
    assert [(stage["stage"], stage["event"]) for stage in plan] == [
        ("distill", "skip"), ("prune", "plan"), ("quantize", "plan"),
    ], "what was made from the student follows it"  # fmt: skip
