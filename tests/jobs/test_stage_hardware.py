"""On what a stage trains: what was asked for, else what was chosen before, else by a trial; never two for one run."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from torch import nn

from edgekit.errors import ConfigError, InputError, StateError
from edgekit.stages.accelerator import stage_hardware
from edgekit.train import Hardware
from edgekit.train.callbacks import ResumeFile
from edgekit.train.hardware import cpu_computes_bf16
from edgekit.workdir import Options, Workspace, open_workspace

Cli = Callable[..., Any]
STAGE, SHAPE = "train edge", (32, 30, 63)


class Notes:
    """A watcher that keeps what is worth a note."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def stage(self, name: str, event: str, detail: str = "") -> None:
        raise AssertionError("nothing is made here")

    def epoch(self, stage: str, epoch: Any) -> None:
        raise AssertionError("nothing is trained here")

    def note(self, text: str) -> None:
        self.notes.append(text)


class Machine:
    """What the trials say, how often they were asked, and how many GPUs there are."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.trials: list[Any] = []
        self.threads, self.precision, self.gpus = 2, "bf16", 0
        patch.setattr("edgekit.stages.accelerator.choose_threads", self._threads)
        patch.setattr("edgekit.stages.accelerator.choose_threads_and_precision", self._both)
        patch.setattr("torch.cuda.device_count", lambda: self.gpus)
        patch.setattr("edgekit.train.hardware.cpu_computes_bf16", lambda: True)

    def _threads(self, model: nn.Module, shape: tuple[int, int, int]) -> int:
        self.trials.append(shape)
        return self.threads

    def _both(self, model: nn.Module, shape: tuple[int, int, int], threads: int | None) -> tuple[int, str]:
        self.trials.append((shape, threads))
        return threads or self.threads, self.precision


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    return Machine(monkeypatch)


@pytest.fixture
def chosen(tmp_path: Path) -> Callable[..., Hardware]:
    """(options, going on, stage): what a command with these options on top of the earlier ones trains on."""

    def choose(going_on: bool = False, stage: str = STAGE, **said: Any) -> Hardware:
        with open_workspace(tmp_path / "work", Options(**said), Notes()) as workspace:
            before = workspace.recall("options")
            workspace.remember(options=workspace.options.to_dict())
            try:
                return found(workspace, stage, going_on)
            except InputError:
                workspace.remember(options=before)
                raise

    def found(workspace: Workspace, stage: str, going_on: bool) -> Hardware:
        hardware = stage_hardware(workspace, stage, nn.Linear(1, 1), SHAPE, going_on=going_on)
        assert isinstance(workspace.watcher, Notes)
        assert workspace.watcher.notes == [f"{stage}: training on {hardware.describe()}"]
        return hardware

    return choose


@pytest.mark.parametrize(
    ("said", "gpus", "expected", "trials"),
    [
        ({}, 0, Hardware("cpu", 1, "fp32", 2), 1),
        ({"accelerator": "auto"}, 1, Hardware("cuda", 1, "fp32", None), 0),
        ({}, 1, Hardware("cuda", 1, "fp32", None), 0),
        ({"accelerator": "cpu"}, 1, Hardware("cpu", 1, "fp32", 2), 1),
        ({"accelerator": "cuda:1", "precision": "bf16"}, 2, Hardware("cuda:1", 1, "bf16", None), 0),
        ({"accelerators": 2}, 2, Hardware("cuda", 2, "fp32", None), 0),
        ({"accelerators": 2}, 1, Hardware("cpu", 2, "fp32", 1), 0),
        ({"accelerators": 2, "precision": "auto"}, 0, Hardware("cpu", 2, "bf16", 1), 1),
        ({"threads": 3}, 0, Hardware("cpu", 1, "fp32", 3), 0),
        ({"precision": "auto"}, 0, Hardware("cpu", 1, "bf16", 2), 1),
        ({"precision": "auto", "threads": 1}, 0, Hardware("cpu", 1, "bf16", 1), 1),
        ({"precision": "bf16"}, 0, Hardware("cpu", 1, "bf16", 2), 1),
    ],
)
def test_what_was_asked_for_and_the_rest_by_rule_or_trial(
    chosen: Callable[..., Hardware], machine: Machine, said: dict[str, Any], gpus: int, expected: Hardware, trials: int
) -> None:
    machine.gpus = gpus
    assert chosen(**said) == expected
    assert len(machine.trials) == trials


@pytest.mark.parametrize("going_on", [False, True])
def test_a_choice_is_made_once(chosen: Callable[..., Hardware], machine: Machine, going_on: bool) -> None:
    first = chosen(precision="auto")
    machine.threads, machine.precision, machine.gpus = 8, "fp32", 1
    assert chosen(going_on) == first == Hardware("cpu", 1, "bf16", 2)
    assert chosen(stage="distill") == Hardware("cuda")  # each stage has its own
    assert chosen(going_on) == first
    assert len(machine.trials) == 1


def test_a_run_that_does_not_go_on_takes_what_is_said_now(chosen: Callable[..., Hardware], machine: Machine) -> None:
    chosen(precision="auto")
    assert chosen(precision="fp32") == Hardware("cpu", 1, "fp32", 2)
    machine.gpus = 2
    assert chosen(accelerator="cuda:1") == Hardware("cuda:1")


def test_a_gpu_that_is_gone_is_no_obstacle_for_a_new_run(chosen: Callable[..., Hardware], machine: Machine) -> None:
    machine.gpus = 1
    assert chosen() == Hardware("cuda")
    machine.gpus = 0
    assert chosen() == Hardware("cpu", 1, "fp32", 2)


def test_a_run_that_goes_on_says_that_its_gpu_is_gone(chosen: Callable[..., Hardware], machine: Machine) -> None:
    machine.gpus = 1
    chosen()
    machine.gpus = 0
    with pytest.raises(StateError, match=r"'train edge' began on cuda:0, fp32, which this machine lacks.*--force"):
        chosen(going_on=True)


@pytest.mark.parametrize(
    "said",
    [{"precision": "bf16"}, {"threads": 1}, {"accelerators": 2}, {"accelerator": "cuda"}],
    ids=lambda said: next(iter(said)),
)
def test_a_run_that_goes_on_refuses_other_hardware(
    chosen: Callable[..., Hardware], machine: Machine, said: dict[str, Any]
) -> None:
    machine.gpus = 2
    first = chosen(accelerator="cpu")
    name, value = next(iter(said.items()))
    with pytest.raises(StateError, match=f"began on the CPU, fp32, 2 threads, and --{name} now says {value}"):
        chosen(going_on=True, **said)
    assert chosen(going_on=True) == first
    agreeing = {"accelerator": "auto", "precision": "auto", "threads": 2}
    assert chosen(going_on=True, **agreeing) == first


@pytest.mark.parametrize(
    "damage", [[], {"train edge": 3}, {"train edge": {"asked": {}, "chosen": {"accelerator": "gpu"}}}]
)
def test_a_stored_choice_that_can_not_be_read_is_made_anew(
    chosen: Callable[..., Hardware], machine: Machine, tmp_path: Path, damage: Any
) -> None:
    first = chosen()
    manifest = tmp_path / "work" / "manifest.json"
    manifest.write_text(json.dumps({**json.loads(manifest.read_text()), "hardware": damage}))
    assert chosen() == first
    assert len(machine.trials) == 2


def test_what_is_not_here_is_refused_and_not_remembered(chosen: Callable[..., Hardware], machine: Machine) -> None:
    with pytest.raises(ConfigError, match="--accelerator cuda: CUDA finds no GPU here; use --accelerator cpu or auto"):
        chosen(accelerator="cuda")
    assert chosen() == Hardware("cpu", 1, "fp32", 2)


# The command line.


@pytest.mark.skipif(not cpu_computes_bf16(), reason="PyTorch has no LSTM in bf16 for this CPU")
def test_the_choice_stands_in_the_manifest_and_the_stages_record(
    cli: Cli, tmp_path: Path, tiny: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("torch.cuda.device_count", lambda: 0)
    workdir = f"--workdir={tmp_path / 'work'}"
    made = cli("train", "edge", workdir, *tiny, "--precision=bf16", "-v", "--json")
    assert made.code == 0, made.err
    assert made.json["metrics"]["hardware"] == {
        "accelerator": "cpu",
        "accelerators": 1,
        "precision": "bf16",
        "threads": 1,
    }
    assert "train edge: training on the CPU, bf16, 1 thread\n" in made.err
    again = cli("train", "edge", workdir, "-v")  # the options stay with the work directory
    assert "= train edge: up to date" in again.err
    assert "training on the CPU, bf16, 1 thread" in cli("train", "edge", workdir, "--force", "-v").err


def test_several_processes_by_the_command_line(
    cli: Cli, tmp_path: Path, tiny: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Interrupted after its first epoch, another hardware is refused, and then it goes on."""
    monkeypatch.setattr("torch.cuda.device_count", lambda: 0)
    command = ("train", "edge", f"--workdir={tmp_path / 'work'}")
    with monkeypatch.context() as patch:
        patch.setattr("edgekit.cli.progress.Console.epoch", interrupt)
        stopped = cli(*command, *tiny, "--set=training.epochs=3", "--accelerators=2")
    assert stopped.code == 130
    assert stopped.err.endswith("interrupted; finished epochs are kept, the same command continues from there\n")
    refused = cli(*command, "--accelerators=1")
    assert refused.code == 2
    assert "began on 2 processes on the CPU, fp32, 1 thread each, and --accelerators now says 1" in refused.err
    done = cli(*command, "-v", "--json")
    assert done.code == 0, done.err
    assert "epoch 2/3" in done.err
    assert "epoch 1/3" not in done.err
    assert done.json["metrics"]["epochs"] == 3
    assert done.json["metrics"]["hardware"]["accelerators"] == 2


def interrupt(self: Any, stage: str, epoch: Any) -> None:
    """Ctrl-C in the second epoch."""
    if epoch.epoch == 2:
        raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("--accelerator=gpu", "'gpu' is none of auto, cpu, cuda, cuda:0, cuda:1, ..."),
        ("--accelerator=cuda:", "'cuda:' is none of auto"),
        ("--accelerator=cuda", "--accelerator cuda: CUDA finds no GPU here; use --accelerator cpu or auto"),
        (
            "--accelerator=cuda:0 --accelerators=2",
            "--accelerator cuda:0 is one GPU; use --accelerator cuda for the first 2",
        ),
        ("--accelerators=0", "--accelerators"),
        ("--accelerators=64", "--accelerators 64: training.batch_size 32 can't be divided among so many processes"),
        ("--accelerators=2 --threads=2", "--threads 2: each of several CPU processes trains with 1; use --threads 1"),
        ("--precision=fp16", "--precision"),
    ],
)
def test_what_can_not_be_is_one_clear_message(
    cli: Cli, tmp_path: Path, tiny: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, options: str, message: str
) -> None:
    monkeypatch.setattr("torch.cuda.device_count", lambda: 0)
    said = [option for option in tiny if "--threads" not in options or not option.startswith("--threads")]
    answer = cli("train", "edge", f"--workdir={tmp_path / 'work'}", *said, *options.split())
    assert (answer.code, answer.out) == (2, "")
    assert message in answer.err
    assert "Traceback" not in answer.err


def test_only_one_process_writes_the_resume_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The others take part in saving, which waits for all, but have nothing to put in place."""

    class Trainer:
        is_global_zero = False
        should_stop = False

        def save_checkpoint(self, path: Path) -> None:
            """Lightning's writes in rank 0 only."""

    ResumeFile(tmp_path / "resume.ckpt").on_train_epoch_end(Trainer(), None)  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("--set=prune.sparsity=0.99", "prune.sparsity: 0.99 of the parameters is more than this model can lose"),
        ("--set=prune.sparsity=0.99 --set=prune.method=unstructured", "prune.sparsity: 0.99 is 10908 of 11018"),
        (
            "--accelerators=20",
            "--accelerators 20: prune.recovery.training.batch_size 16 can't be divided among so many processes",
        ),
    ],
)
def test_what_a_later_stage_can_not_have_is_refused_before_the_first_trains(
    cli: Cli, tmp_path: Path, tiny: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, options: str, message: str
) -> None:
    monkeypatch.setattr("torch.cuda.device_count", lambda: 0)
    sizes = ("--set=training.batch_size=32", "--set=prune.recovery.training.batch_size=16")
    answer = cli("quantize", f"--workdir={tmp_path / 'work'}", *tiny, *sizes, *options.split())
    assert answer.code == 2
    assert message in answer.err
    assert not (tmp_path / "work/models").exists()
