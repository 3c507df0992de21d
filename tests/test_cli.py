"""The command line as a whole: help, where output goes, exit codes, and life without the training extra."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
import numpy as np
import pytest
from rich.console import Console as RichConsole

from edgekit import __version__, errors
from edgekit.cli import cli as group
from edgekit.cli import run_cli
from edgekit.cli.progress import Console, minutes


def leaves(command: click.Command, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Every command that does something, with the words that call it."""
    if isinstance(command, click.Group):
        for name, child in command.commands.items():
            yield from leaves(child, (*path, name))
    else:
        yield path, command


LEAVES = dict(leaves(group))
IDS = [" ".join(path) for path in LEAVES]


def run(*arguments: str, **how: Any) -> subprocess.CompletedProcess[str]:
    """`python -m edgekit ARGUMENTS` in a fresh interpreter."""
    command = [sys.executable, "-m", "edgekit", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120, **how)


def test_the_commands_are_those_of_the_design() -> None:
    assert set(IDS) == {
        "run", "data check", "data clean", "data convert", "data synth", "train", "tune", "distill", "prune",
        "export", "quantize", "search", "compile", "step", "bench", "compare", "evaluate", "predict", "variants",
        "profiles", "env", "config", "hands setup", "hands status", "landmarks", "record", "live", "studio",
        "emulator setup", "emulator status", "emulator remove", "emulator doctor",
    }  # fmt: skip


@pytest.mark.parametrize("path", LEAVES, ids=IDS)
def test_every_command_has_help_with_an_example_of_itself(
    path: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    for flag in ("--help", "-h"):
        assert run_cli([*path, flag]) == 0
        out, err = capsys.readouterr()
        assert err == ""
        assert f"Usage: edgekit {' '.join(path)}" in out
        example = out.partition("Example:\n")[2]
        assert re.search(rf"\bedgekit {' '.join(path)}\b", example), "an example that shows another command"


@pytest.mark.parametrize("path", LEAVES, ids=IDS)
def test_every_option_is_explained(path: tuple[str, ...]) -> None:
    for option in LEAVES[path].params:
        if isinstance(option, click.Option):
            assert option.help, option.name
    assert LEAVES[path].get_short_help_str(limit=100).endswith((".", "..."))


@pytest.mark.parametrize("path", [*LEAVES, ("data",), ()], ids=[*IDS, "data", "edgekit"])
def test_python_m_edgekit_is_the_same_program(path: tuple[str, ...]) -> None:
    finished = run(*path, "--help")
    assert (finished.returncode, finished.stderr) == (0, "")
    assert finished.stdout.startswith(f"Usage: {' '.join(['edgekit', *path])}")


def test_version_and_no_arguments(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_cli(["--version"]) == 0
    assert capsys.readouterr().out == f"edgekit {__version__}\n"
    assert run_cli([]) == 0
    assert "Commands:" in capsys.readouterr().out


def test_documented_exit_codes_are_those_that_the_errors_own(capsys: pytest.CaptureFixture[str]) -> None:
    run_cli(["--help"])
    text = " ".join(capsys.readouterr().out.partition("Exit codes:")[2].split())
    told = {int(code): meaning.strip() for code, meaning in re.findall(r"\b(\d+) ([^,.]+)", text)}
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, Exception)]
    assert set(told) == {0, *(kind.exit_code for kind in kinds)}
    assert "wrong usage or input" in told[errors.InputError.exit_code]
    assert "constraint" in told[errors.ConstraintError.exit_code]
    assert "evidence" in told[errors.WeakEvidenceError.exit_code]
    assert "gate" in told[errors.GateError.exit_code]
    assert "interrupted" in told[errors.InterruptedRunError.exit_code]


@pytest.mark.untraced
def test_help_comes_in_a_third_of_a_second_without_torch_and_onnx() -> None:
    """Of a core, in the fastest of five fresh interpreters; a busy machine gives it to others in between, so the clock
    has four times as long."""
    took_s, used_s = [], []
    for _ in range(5):
        began = os.times()
        assert run("--help").returncode == 0
        used, ended = np.subtract(os.times(), began)[2:4].sum(), os.times()
        took_s.append(ended.elapsed - began.elapsed)
        used_s.append(used)
    assert min(used_s) < 0.3
    assert min(took_s) < 1.2
    program = "import sys; from edgekit.cli import run_cli; run_cli(['--help']); print(sorted(sys.modules))"
    finished = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    loaded = set(re.findall(r"'([^'.]+)'", finished.stdout.splitlines()[-1]))
    assert "click" in loaded
    assert not loaded & {"torch", "onnx", "onnxruntime", "lightning", "numpy", "pydantic", "rich"}


#: Runs commands in one interpreter in which the training extra can't be imported. Prints code, stdout and stderr.
WITHOUT_TRAINING = """
import contextlib, io, json, sys
GONE = {"torch", "onnx", "lightning", "torch_pruning", "safetensors", "sklearn"}
class Gone:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in GONE:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Gone())
from edgekit.cli import run_cli
answers = {}
for line in json.loads(sys.argv[1]):
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = run_cli(line.split())
    answers[line] = [code, out.getvalue(), err.getvalue()]
print(json.dumps(answers))
"""


def without_training(lines: list[str], folder: Path) -> dict[str, tuple[int, str, str]]:
    """(code, stdout, stderr) of each command line where the extra `train` is not installed."""
    command = [sys.executable, "-c", WITHOUT_TRAINING, json.dumps(lines)]
    finished = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=120)
    assert finished.returncode == 0, finished.stderr
    answers: dict[str, tuple[int, str, str]] = json.loads(finished.stdout)
    return answers


def test_training_commands_say_what_to_install(tmp_path: Path) -> None:
    commands = ("run", "train", "distill", "prune", "quantize", "config")
    answers = without_training(list(commands), tmp_path)
    for command in commands:
        code, out, err = answers[command]
        message = f"edgekit: error: {command} needs PyTorch: pip install '.[train]' in a clone of edgekit\n"
        assert (code, out, err) == (2, "", message)
    (tmp_path / "m.onnx").write_bytes(b"x")
    _, _, err = without_training(["quantize m.onnx"], tmp_path)["quantize m.onnx"]
    assert err == "edgekit: error: quantize needs onnx: pip install '.[onnx]' in a clone of edgekit\n"
    assert [path.name for path in tmp_path.iterdir() if path.suffix == ".onnx"] == ["m.onnx"]


def test_a_device_needs_no_training_extra(tiny_model: Callable[..., Any], tmp_path: Path) -> None:
    from edgekit.data import SynthConfig, save_recordings, synthesise_hands
    from edgekit.export import export_onnx

    hands = synthesise_hands(SynthConfig(people=1, takes_per_letter=4))
    save_recordings(tmp_path / "hands.npz", hands)
    export_onnx(tiny_model(classes=26), tmp_path / "m.onnx", class_names=hands.class_names)
    np.save(tmp_path / "take.npy", hands.sequences[0, : hands.lengths[0]])
    lines = [
        "bench m.onnx --repeats 100",
        "bench m.onnx --repeats 100 --processes 1 --set bench.warmup=1 --markdown b.md --json",
        "bench m.onnx --repeats 100 --processes 1 --data hands.npz --part all --parent m.onnx --junit b.xml",
        "compare m.onnx m.onnx --repeats 20 --processes 1",
        "compare m.onnx m.onnx m.onnx --repeats 20 --processes 2 --json",
        "evaluate m.onnx --data hands.npz --part all",
        "evaluate m.onnx --set synth.people=1 --set synth.takes_per_letter=4 --json",
        "predict take.npy --model m.onnx",
        "predict hands.npz --model m.onnx --json",
        "profiles",
        "profiles raspberry-pi-5 --json",
        "env --json",
        "data check hands.npz",
        "data synth more.npz --people 1 --takes-per-letter 2",
        "data clean hands.npz kept.npz",
        "data convert hands.npz hands.csv",
        "data convert hands.csv takes --json",
    ]
    for line, (code, out, err) in without_training(lines, tmp_path).items():
        assert (code, err) == (0, ""), line
        assert out.strip(), line
        if "--json" in line:
            assert isinstance(json.loads(out), dict)


def test_what_can_not_be_compared_is_exit_2(
    lstm_file: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    long = lstm_file(time=30).rename(tmp_path / "long.onnx")
    short = lstm_file(time=20).rename(tmp_path / "short.onnx")
    cases = {
        (): "models to compare: 0; give two files or more",
        (long,): "models to compare: 1; give two files or more",
        (long, tmp_path / "none.onnx"): "none.onnx: no such file",
        (long, short): "short.onnx: its input is ",
    }
    for models, message in cases.items():
        code = run_cli(["compare", *map(str, models), f"--workdir={tmp_path / 'work'}"])
        out, err = capsys.readouterr()
        assert (code, out) == (2, "")
        assert message in err


def test_settings_of_training_are_no_obstacle_on_a_device(tmp_path: Path) -> None:
    """A work directory that was copied over remembers them; their code can't be loaded there."""
    (tmp_path / "edgekit-work").mkdir()
    options = {"preset": "quick", "settings": {"training": {"epochs": 3}, "gates": {"max_accuracy_drop": 0.1}}}
    manifest = {"schema_version": 1, "options": options, "stages": {}}
    (tmp_path / "edgekit-work" / "manifest.json").write_text(json.dumps(manifest))
    line = "bench --set training.epochs=5"
    code, _, err = without_training([line], tmp_path)[line]
    assert code == 2
    assert "model.int8.onnx: no such file" in err


def test_env_is_what_a_bug_report_needs(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_cli(["env", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["edgekit"] == __version__
    assert found["numpy"] == np.__version__
    assert {"python", "onnxruntime", "platform", "machine", "cpu", "usable_cores", "memory_bytes"} <= set(found)


def test_profiles_by_name_and_by_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("max_latency_ms: 5\nboards: [raspberry-pi-5]\n")
    assert run_cli(["profiles", str(file), "--json"]) == 0
    profile = json.loads(capsys.readouterr().out)
    assert (profile["name"], profile["max_latency_ms"]) == ("mine", 5)
    assert run_cli(["profiles", "--json"]) == 0
    names = {profile["name"] for profile in json.loads(capsys.readouterr().out)["profiles"]}
    assert "raspberry-pi" in names


def test_no_escape_sequences_where_there_is_no_terminal() -> None:
    for environment in ({"NO_COLOR": "1"}, {"TERM": "xterm-256color"}):
        for arguments in (("profiles", "raspberry-pi"), ("bench", "missing.onnx")):
            finished = run(*arguments, env={**os.environ, **environment})
            assert finished.stdout + finished.stderr
            assert "\x1b" not in finished.stdout + finished.stderr


def test_a_reader_that_goes_away_is_no_error() -> None:
    command = [sys.executable, "-m", "edgekit", "profiles", "raspberry-pi"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.close()
        assert process.stderr is not None
        assert process.stderr.read() == b""
    assert process.returncode == 0


def test_a_file_system_that_refuses_is_one_message(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device", "work/model.onnx")

    monkeypatch.setattr("edgekit.profiles.list_profiles", full)
    assert run_cli(["profiles"]) == 2
    assert capsys.readouterr().err == (
        "edgekit: error: work/model.onnx: No space left on device; make room on that disk, or name a place on another\n"
    )


def test_ctrl_c_is_130(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("edgekit.profiles.list_profiles", interrupt)
    assert run_cli(["profiles"]) == 130
    out, err = capsys.readouterr()
    assert (out, err.strip()) == ("", "edgekit: interrupted")


def test_a_bug_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edgekit.profiles.list_profiles", lambda: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        run_cli(["profiles"])


class FakeEpoch:
    """What the progress line reads of an `edgekit.train.Epoch`."""

    epoch, epochs, loss, accuracy, val_accuracy, left_s = 3, 12, 1.234, 0.5, 0.625, 245.0


@pytest.mark.parametrize(
    ("quiet", "verbose", "shown"), [(False, True, True), (False, False, False), (True, True, False)]
)
def test_epochs_are_shown_to_those_who_asked(
    quiet: bool, verbose: bool, shown: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    with Console(quiet=quiet, verbose=verbose) as console:
        console.epoch("distill", FakeEpoch())
    out, err = capsys.readouterr()
    assert out == ""
    line = "  distill epoch 3/12  loss 1.234  accuracy 0.500  val 0.625  left 4:05\n"
    assert err == (line if shown else "")


def test_on_a_terminal_one_line_follows_the_epochs_and_goes_away() -> None:
    screen = io.StringIO()
    with Console(quiet=False, verbose=False) as console:
        console.console = RichConsole(file=screen, force_terminal=True, width=120, color_system=None)
        console.stage("distill", "start", "not made yet")
        console.epoch("distill", FakeEpoch())
        console.stage("distill", "done", "9 s")
        assert console.live is None
    assert "distill epoch 3/12" in screen.getvalue()
    assert screen.getvalue().endswith("  done in 9 s\n")


class Clock:
    """Seconds, told by the test."""

    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def test_in_a_log_nobody_waits_longer_than_half_a_minute(capsys: pytest.CaptureFixture[str]) -> None:
    clock = Clock()
    console = Console(quiet=False, verbose=False, clock=clock)
    console.sign_of_life()
    console.stage("distill", "start", "not made yet")
    for at, told in ((29, ""), (30, "  distill: 0:30 so far\n"), (59, ""), (61, "  distill: 1:01 so far\n")):
        capsys.readouterr()
        clock.now_s = at
        console.sign_of_life()
        assert capsys.readouterr().err == told
    console.epoch("distill", FakeEpoch())
    assert capsys.readouterr().err == "", "short epochs are not a line each"
    clock.now_s = 92
    console.sign_of_life()
    assert capsys.readouterr().err == "  distill: 1:32 so far, epoch 3 of 12 done, about 4:05 left\n"
    clock.now_s = 123
    console.epoch("distill", FakeEpoch())
    assert capsys.readouterr().err.startswith("  distill epoch 3/12  loss 1.234"), "a long one is"
    console.stage("distill", "done", "123 s")
    clock.now_s = 999
    capsys.readouterr()
    console.sign_of_life()
    assert capsys.readouterr().err == "", "nothing is being made"


def test_signs_of_life_come_by_themselves_and_end_with_the_command(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the thread that works is busy, or waits."""
    monkeypatch.setattr("edgekit.cli.progress.SILENCE_S", 0.0)
    monkeypatch.setattr("edgekit.cli.progress.LOOKS_EVERY_S", 0.01)
    with Console(quiet=False, verbose=False) as console:
        console.stage("distill", "start", "not made yet")
        until_s = time.monotonic() + 20
        told = ""
        while "so far" not in told and time.monotonic() < until_s:
            told += capfd.readouterr().err
    assert "  distill: 0:00 so far\n" in told
    assert "edgekit-progress" not in {thread.name for thread in threading.enumerate()}


def test_a_command_without_stages_says_that_it_is_alive(capsys: pytest.CaptureFixture[str]) -> None:
    clock = Clock()
    console = Console(quiet=False, command="bench", clock=clock)
    clock.now_s = 30
    console.sign_of_life()
    assert capsys.readouterr().err == "  bench: 0:30 so far\n"
    console.stage("train edge", "start", "not made yet")
    capsys.readouterr()
    clock.now_s = 61
    console.sign_of_life()
    assert capsys.readouterr().err == "  train edge: 0:31 so far\n", "a stage is the nearer word"


def test_nothing_is_alive_where_nobody_listens(capsys: pytest.CaptureFixture[str]) -> None:
    clock = Clock()
    with Console(quiet=True, verbose=False, clock=clock) as console:
        assert "edgekit-progress" not in {thread.name for thread in threading.enumerate()}
        console.stage("distill", "start", "not made yet")
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(("seconds", "text"), [(0.4, "0:00"), (59.6, "1:00"), (245, "4:05"), (3600, "60:00")])
def test_time_left_is_minutes_and_seconds(seconds: float, text: str) -> None:
    assert minutes(seconds) == text


def test_a_dry_run_says_its_plan_in_json_and_makes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """How long it will take is tried on a few batches, of models that are small here."""
    workdir = tmp_path / "work"
    small = [f"--set={name}" for name in ("model.hidden_size=8", "model.num_layers=1", "synth.people=2")]
    small += ["--set=synth.takes_per_letter=4", "--preset=quick"]
    assert run_cli(["quantize", "--dry-run", "--json", "--workdir", str(workdir), *small]) == 0
    plan = json.loads(capsys.readouterr().out)
    assert [stage["stage"] for stage in plan["stages"]] == ["train accurate", "distill", "prune", "quantize"]
    assert all(stage["event"] == "plan" for stage in plan["stages"])
    assert not workdir.exists()


@pytest.mark.untraced
@pytest.mark.skipif(sys.platform == "win32", reason="there are no such limits")
def test_a_place_too_small_for_benchs_own_copy_is_named_and_not_the_model(
    tmp_path: Path, lstm_file: Callable[..., Path]
) -> None:
    """Where temporary files go, and what moves them."""
    model, temporary = lstm_file(), tmp_path / "tmp"
    temporary.mkdir()
    program = (
        "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (512, 512));"
        "from edgekit.cli import main; main(sys.argv[1:])"
    )
    where = {**os.environ, "TMPDIR": str(temporary), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-c", program, "bench", str(model)]
    finished = subprocess.run(command, env=where, capture_output=True, text=True, check=False, timeout=120)
    assert finished.returncode == 2
    assert finished.stderr == (
        f"edgekit: error: {temporary}: File too large (where temporary files go; the variable TMPDIR names another"
        " place); raise the limit on the size of a file (ulimit -f), or name a place that takes larger ones\n"
    )
    assert list(temporary.iterdir()) == []


@pytest.mark.parametrize("command", LEAVES, ids=IDS)
def test_an_option_of_one_value_is_given_once(command: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    """Under each of its names; click would take the last in silence. Flags and repeatable ones may be there twice."""
    options = [one for one in LEAVES[command].params if isinstance(one, click.Option) and not one.is_flag]
    for option in options:
        value = option.type.choices[0] if isinstance(option.type, click.Choice) else "1"
        assert run_cli([*command, option.opts[0], value, option.opts[-1], value]) == 2 or option.multiple
        said = f"{option.opts[0]} is given 2 times, and has one value; give it once"
        assert (said in capsys.readouterr().err) is not option.multiple


@pytest.mark.parametrize("name", ["train", "distill", "prune", "quantize", "run"])
def test_accelerators_by_the_words_of_an_older_edgekit(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """--device and --devices are understood, and not shown."""
    command = LEAVES[name,]
    for words in (["--accelerator=cuda:1", "--accelerators=2"], ["--device=cuda:1", "--devices=2"]):
        given = command.make_context(name, list(words)).params
        assert (given["accelerator"], given["accelerators"]) == ("cuda:1", 2)
    assert run_cli([name, "--device=gpu"]) == 2
    assert "Invalid value for '--accelerator': 'gpu'" in capsys.readouterr().err
    assert run_cli([name, "--device=cpu", "--accelerator=cpu"]) == 2
    assert "--accelerator is given 2 times" in capsys.readouterr().err
    assert run_cli([name, "--help"]) == 0
    assert "--device" not in capsys.readouterr().out


@pytest.mark.parametrize("option", ["--shape", "--value"])
@pytest.mark.parametrize("command", [("bench", "m.onnx"), ("compare", "a.onnx", "b.onnx")])
def test_a_name_is_given_one_shape_and_one_value(
    command: tuple[str, ...], option: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_cli([*command, option, "x=1", option, "y=1", option, "x=2"]) == 2
    assert f"{option} x=2: 'x' has been given already; give it once" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words",
    [
        ["train", "--epochs=1_0"],
        ["train", "--epochs=\u0663"],
        ["distill", "--temperature=1_0"],
        ["distill", "--temperature=nan"],
        ["quantize", "m.onnx", "--max-difference=inf"],
        ["bench", "m.onnx", "--shape=x=1_0"],
        ["bench", "m.onnx", "--value=x=\u0663"],
        ["bench", "m.onnx", "--baseline=b", "--max-regression=1_0%"],
    ],
)
def test_numbers_are_written_in_plain_digits(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run_cli(words) == 2
    assert f"{words[-1].split('=')[0]}" in capsys.readouterr().err
