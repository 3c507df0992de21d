"""`--teacher` with a file and with a function, through to INT8: nothing is trained that is there already."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.usefixtures("models_run_here")

Cli = Callable[..., Any]

#: A teacher of the 26 letters, as a user would write one: the class of the nearest of the tiny chain's own takes.
#: `make` has its outputs in the data's order; the others do not, and `named` says so.
MODULE = """
import torch
from torch import nn
from edgekit.data import SynthConfig, fit_length, synthesise_hands

class Nearest(nn.Module):
    def __init__(self, order, names=None):
        super().__init__()
        hands = synthesise_hands(SynthConfig(people=2, takes_per_letter=4))
        x = torch.from_numpy(fit_length(hands.sequences, hands.lengths, 30)).flatten(1)
        labels = torch.from_numpy(hands.labels)
        each = torch.cat([x[labels == k] for k in order])
        self.layer = nn.Linear(30 * 63, len(each))
        self.classes = len(order)
        with torch.no_grad():
            self.layer.weight.copy_(2 * each)
            self.layer.bias.copy_(-each.square().sum(1))
        if names:
            self.class_names = [hands.class_names[k] for k in order]

    def forward(self, x):
        return self.layer(x.flatten(1)).unflatten(1, (self.classes, -1)).amax(2)

def make(): return Nearest(range(26))
def turned(): return Nearest(range(25, -1, -1))
def named(): return Nearest(range(25, -1, -1), names=True)

class Untrained(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.layer = nn.Linear(63, 26)

    def forward(self, x):
        return self.layer(x.mean(1))
"""


def stages(workdir: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((workdir / "manifest.json").read_text())["stages"]
    return found


def test_an_onnx_file_teaches_the_student_and_no_other_teacher_is_trained(
    chain: Any, cli: Cli, tmp_path: Path, tiny: tuple[str, ...], quick_table: None
) -> None:
    teacher = chain.workdir / "models" / "accurate" / "model.onnx"
    workdir = tmp_path / "work"
    answer = cli("run", f"--workdir={workdir}", *tiny, "--teacher", teacher, "--json")
    assert answer.code == 0, answer.err
    assert "outputs are logits, classes matched by its own names" in answer.err
    assert set(stages(workdir)) == {"distill", "prune", "quantize"}
    rows = answer.json["models"]
    assert (rows[0]["name"], rows[0]["form"]) == ("teacher", "ONNX")
    assert rows[0]["size_bytes"] == teacher.stat().st_size
    same = ("accuracy", "parameters", "macs", "size_bytes", "gzip_bytes")
    assert [rows[0][name] for name in same] == [chain.report["models"][0][name] for name in same]
    assert cli("quantize", f"--workdir={workdir}", "--dry-run").err.count("up to date") == 3


def test_the_same_teacher_teaches_the_same_student_whether_trained_here_or_given_as_a_file(
    chain: Any, cli: Cli, tmp_path: Path, tiny: tuple[str, ...]
) -> None:
    """The file's logits differ by float rounding from PyTorch's, so the students do, too, but hardly."""
    from safetensors.numpy import load_file

    workdir = tmp_path / "work"
    assert (
        cli("distill", f"--workdir={workdir}", *tiny, "--teacher", chain.workdir / "models/accurate/model.onnx").code
        == 0
    )
    given, own = (load_file(place / "student" / "model.safetensors") for place in (workdir, chain.workdir))
    for name, value in own.items():
        assert given[name] == pytest.approx(value, abs=1e-3), name


@pytest.fixture
def own_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The current folder, with a module `my_own_teacher` in it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "my_own_teacher.py").write_text(MODULE)
    yield tmp_path
    sys.modules.pop("my_own_teacher", None)


def test_a_function_teaches_and_its_row_has_no_file(
    cli: Cli, own_module: Path, tiny: tuple[str, ...], quick_table: None
) -> None:
    said = ("--teacher", "my_own_teacher:make")
    answer = cli("distill", *tiny, *said)
    assert answer.code == 0, answer.err
    answer = cli("quantize", *said)
    assert answer.code == 0, answer.err
    line = next(line.split() for line in answer.out.splitlines() if line.strip().startswith("teacher"))
    assert line[1] == "PyTorch"
    assert line[-4:] == ["-", "-", "-", "-"]
    assert set(stages(own_module / "edgekit-work")) == {"distill", "prune", "quantize"}
    (own_module / "my_own_teacher.py").unlink()
    del sys.modules["my_own_teacher"]
    assert "no module 'my_own_teacher'" in cli("prune", *said).err


# Code that was stored is not run.


def test_a_stored_function_is_run_only_where_the_command_line_names_it(
    cli: Cli, own_module: Path, tiny: tuple[str, ...], quick_table: None
) -> None:
    """By every command that needs the teacher, up to date or not; none of them so much as imports the module."""
    assert cli("distill", *tiny, "--teacher", "my_own_teacher:make").code == 0
    del sys.modules["my_own_teacher"]
    for command in ("distill", "prune", "quantize", "run"):
        for more in ((), ("--dry-run",), ("--force",)):
            answer = cli(command, *more)
            assert (answer.code, answer.out) == (2, ""), command
            assert "add --teacher my_own_teacher:make" in answer.err
            assert "my_own_teacher" not in sys.modules
    for command in ("config", "train edge --dry-run", "evaluate --part=all", "bench --dry-run"):
        cli(*command.split())
        assert "my_own_teacher" not in sys.modules, command


@pytest.mark.parametrize("command", ["distill", "prune", "quantize", "run"])
def test_a_settings_file_can_not_have_code_run(cli: Cli, own_module: Path, tiny: tuple[str, ...], command: str) -> None:
    (own_module / "evil.py").write_text("raise SystemExit('run')\n")
    (own_module / "settings.yaml").write_text("teacher: evil:make\n")
    for said in ((), ("--teacher", "my_own_teacher:make")):
        answer = cli(command, "--config=settings.yaml", "--dry-run", *tiny, *said)
        assert "evil" not in sys.modules
        assert answer.code == (0 if said else 2), answer.err
    assert "it runs only if the command line names it" in cli(command, "--config=settings.yaml", *tiny).err


def test_leave_to_run_code_can_not_be_stored(cli: Cli, own_module: Path, tiny: tuple[str, ...]) -> None:
    assert cli("train", "edge", *tiny).code == 0
    manifest = own_module / "edgekit-work" / "manifest.json"
    content = json.loads(manifest.read_text())
    assert "code" not in content["options"]
    content["options"] |= {"teacher": "my_own_teacher:make", "code": "my_own_teacher:make"}
    manifest.write_text(json.dumps(content))
    answer = cli("distill")
    assert answer.code == 2
    assert "options that this edgekit does not know" in answer.err
    assert "my_own_teacher" not in sys.modules


# Whether what it teaches can be right.


@pytest.mark.parametrize(
    ("factory", "words"),
    [
        (
            "turned",
            ("in the data's order of classes", "another order, by these takes", "--class-names NAME,NAME,..."),
        ),
        ("Untrained", ("dealt out at random", "does not know these classes", "--class-names")),
    ],
)
def test_a_teacher_whose_answers_do_not_fit_is_exit_2_before_anything_is_made(
    cli: Cli, own_module: Path, tiny: tuple[str, ...], factory: str, words: tuple[str, ...]
) -> None:
    for more in ((), ("--dry-run",)):
        answer = cli("distill", *tiny, "--teacher", f"my_own_teacher:{factory}", *more)
        assert (answer.code, answer.out) == (2, "")
        for word in words:
            assert word in answer.err
    assert not list(own_module.rglob("*.safetensors"))


def test_names_put_the_outputs_right_and_are_remembered_with_the_teacher(
    cli: Cli, own_module: Path, tiny: tuple[str, ...], quick_table: None
) -> None:
    turned = ("--teacher", "my_own_teacher:turned", "--class-names", ",".join("ZYXWVUTSRQPONMLKJIHGFEDCBA"))
    answer = cli("distill", *tiny, *turned, "--json")
    assert answer.code == 0, answer.err
    assert "classes matched by --class-names" in answer.err
    teacher = answer.json["metrics"]["teacher"]
    assert (teacher["class_names"], teacher["check"]["verdict"]) == ("said", "fits")
    assert teacher["check"]["accuracy"] > 0.5
    again = cli("distill", "--teacher", "my_own_teacher:turned")
    assert "distill: up to date" in again.err, "the names stay with the teacher"
    named = cli("distill", *tiny, "--teacher", "my_own_teacher:named", "--workdir=named", "--json")
    assert named.json["metrics"]["teacher"]["check"] == teacher["check"], "its own names do as well"
    other = cli("distill", "--teacher", "my_own_teacher:make")
    assert other.code == 2
    assert "class_names was [" in other.err, "another teacher does not inherit them"


def test_wrong_names_are_as_wrong_as_none_and_a_setting_lets_them_pass(
    cli: Cli, own_module: Path, tiny: tuple[str, ...]
) -> None:
    wrong = ("--teacher", "my_own_teacher:make", "--class-names", ",".join("ZYXWVUTSRQPONMLKJIHGFEDCBA"))
    answer = cli("distill", *tiny, *wrong)
    assert answer.code == 2
    assert "by its class names are right on" in answer.err
    assert "--set gates.check_teacher=false" in answer.err
    assert cli("distill", *tiny, *wrong, "--set=gates.check_teacher=false").code == 0


@pytest.mark.parametrize(
    ("names", "words"),
    [
        ("A,B,C", ("3 different class names for 26 outputs",)),
        (",".join("ABCDEFGHIJKLMNOPQRSTUVWXYY"), ("'Y' appears twice",)),
        (",".join("ABCDEFGHIJKLMNOPQRSTUVWXY") + ",Zz", ("does not know Z of the data's classes; did you mean 'Zz'?",)),
        ("names.txt", ("names.txt: no such file", "one name per line")),
        ("A,,B", ("'' is not a name",)),
    ],
)
def test_names_that_can_not_be_meant_are_one_clear_message(
    cli: Cli, own_module: Path, tiny: tuple[str, ...], names: str, words: tuple[str, ...]
) -> None:
    answer = cli("distill", *tiny, "--teacher", "my_own_teacher:make", "--class-names", names)
    assert (answer.code, answer.out) == (2, "")
    for word in words:
        assert word in answer.err


def test_names_are_for_teachers_that_edgekit_did_not_train(cli: Cli, tmp_path: Path, tiny: tuple[str, ...]) -> None:
    for teacher in ((), ("--teacher", "balanced")):
        answer = cli("distill", f"--workdir={tmp_path}", *tiny, *teacher, "--class-names", "A,B", "--dry-run")
        assert answer.code == 2
        assert "give --teacher FILE.onnx or MODULE:FUNCTION with it" in answer.err


def test_a_settings_file_may_name_the_outputs_and_the_stored_one_does(
    cli: Cli, own_module: Path, tiny: tuple[str, ...]
) -> None:
    names = list("ZYXWVUTSRQPONMLKJIHGFEDCBA")
    (own_module / "settings.yaml").write_text(f"teacher: my_own_teacher:turned\nclass_names: {json.dumps(names)}\n")
    said = ("--config=settings.yaml", "--teacher=my_own_teacher:turned")
    assert cli("distill", *tiny, *said).code == 0
    stored = own_module / "edgekit-work" / "config.yaml"
    assert cli("config", f"--config={stored}", "--workdir=other", "--json").json["class_names"] == names
    (own_module / "settings.yaml").write_text("teacher: my_own_teacher:turned\nclass_names: [yes, no]\n")
    assert "class_names: True is not a name" in cli("distill", *tiny, *said, "--workdir=third").err


def test_train_does_not_train_a_foreign_teacher_and_another_teacher_is_a_mismatch(
    chain: Any, cli: Cli, tmp_path: Path, tiny: tuple[str, ...]
) -> None:
    teacher = chain.workdir / "models" / "accurate" / "model.onnx"
    workdir = tmp_path / "work"
    assert cli("distill", f"--workdir={workdir}", *tiny, "--teacher", teacher).code == 0
    answer = cli("train", f"--workdir={workdir}")
    assert answer.code == 2
    assert "which edgekit does not train" in answer.err
    assert cli("config", f"--workdir={workdir}", "--json").json["teacher"] == str(teacher)


@pytest.mark.parametrize(
    ("said", "message"), [("missing.onnx", "no such file"), ("nowhere:make", "no module 'nowhere'")]
)
def test_a_teacher_that_is_not_there_is_exit_2_before_anything_is_made(
    cli: Cli, tmp_path: Path, tiny: tuple[str, ...], said: str, message: str
) -> None:
    workdir = tmp_path / "work"
    answer = cli("distill", f"--workdir={workdir}", *tiny, "--teacher", said)
    assert answer.code == 2
    assert message in answer.err
    assert not list(workdir.rglob("*.safetensors"))
