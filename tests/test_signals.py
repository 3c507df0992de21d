"""Ctrl-C, SIGTERM, and `kill -9`: the exit code, what is left in the temporary folder, and who is left running."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

import edgekit

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="signals and prctl as Linux has them")

#: A command that holds a temporary folder, a half-written file and a child, and cleans up slowly.
PROGRAM = """
import subprocess, sys, time
from pathlib import Path
from edgekit.artifacts.scratch import part_file, scratch_folder
from edgekit.cli import cli, main
@cli.command()
def hold():
    "Hold."
    with scratch_folder("test"), part_file(Path.cwd()) as (file, place):
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
        try:
            print("held", flush=True)
            time.sleep(60)
        finally:
            time.sleep(float(sys.argv[1]))
            child.kill()
main(["hold"])
"""


@contextmanager
def started(folder: Path, *command: str) -> Iterator[subprocess.Popen[str]]:
    """A process with a temporary folder of its own, in a session of its own."""
    (folder / "tmp").mkdir(exist_ok=True)
    environment = {**os.environ, "TMPDIR": str(folder / "tmp"), "OMP_NUM_THREADS": "1"}
    pipe = subprocess.PIPE
    process = subprocess.Popen(
        command, stdout=pipe, stderr=pipe, text=True, env=environment, cwd=folder, start_new_session=True
    )
    with process:
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()


def family(process: subprocess.Popen[str]) -> list[psutil.Process]:
    """A process and all that it has started."""
    one = psutil.Process(process.pid)
    return [one, *one.children(recursive=True)]


def gone(processes: list[psutil.Process], within_s: float = 5.0) -> bool:
    """Whether all have ended soon."""
    return not psutil.wait_procs(processes, timeout=within_s)[1]


def left(folder: Path) -> list[str]:
    """What edgekit left in a temporary folder and in the current one. PyTorch keeps an empty cache folder."""
    found = [*(folder / "tmp").iterdir(), *folder.glob(".edgekit-*"), *folder.glob("*/.edgekit-*")]
    return [path.name for path in found if not path.name.startswith("torchinductor_")]


@pytest.fixture(autouse=True)
def signals_are_heard() -> Iterator[None]:
    """Also where the tests themselves ignore them, and so would what they start: under nohup, or in the background of a
    script."""
    ignored = [number for number in (signal.SIGINT, signal.SIGHUP) if signal.getsignal(number) is signal.SIG_IGN]
    for number in ignored:
        signal.signal(number, signal.SIG_DFL)
    yield
    for number in ignored:
        signal.signal(number, signal.SIG_IGN)


@pytest.mark.parametrize(
    ("signals", "slow_s", "code"),
    [
        (["SIGINT"], 0, 130),
        (["SIGTERM"], 0, 143),
        (["SIGHUP"], 0, 129),
        (["SIGINT", "SIGINT"], 60, 130),
        (["SIGTERM", "SIGTERM"], 60, 143),
        (["SIGINT", "SIGTERM"], 60, 130),
    ],
)
def test_a_signal_leaves_nothing_behind_and_a_second_one_does_not_wait(
    tmp_path: Path, signals: list[str], slow_s: int, code: int
) -> None:
    with started(tmp_path, sys.executable, "-c", PROGRAM, str(slow_s)) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        processes = family(process)
        assert len(processes) == 2
        assert len(left(tmp_path)) == 2
        for name in signals:
            process.send_signal(getattr(signal, name))
            time.sleep(0.2)
        _, err = process.communicate(timeout=10)
        assert process.returncode == code
    assert gone(processes)
    assert left(tmp_path) == []
    assert err.strip() == "edgekit: interrupted"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_while_the_command_line_is_still_being_loaded_ends_quietly(tmp_path: Path, number: int) -> None:
    """Its first import takes long here."""
    slow = tmp_path / "slow"
    slow.mkdir()
    (slow / "click.py").write_text("import time; print('loading', flush=True); time.sleep(60)")
    command = (sys.executable, "-c", f"import sys; sys.path.insert(0, {str(slow)!r}); import edgekit.__main__")
    with started(tmp_path, *command) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "loading\n"
        process.send_signal(number)
        assert process.communicate(timeout=20) == ("", "")
    assert process.returncode == 128 + number


def test_a_signal_amid_an_import_ends_at_once(tmp_path: Path) -> None:
    """An exception there leaves an extension half set up, of which the process then died with SIGSEGV now and then."""
    (tmp_path / "interrupted.py").write_text("import os, signal\nos.kill(os.getpid(), signal.SIGINT)\n")
    program = (
        "from edgekit.cli import signals\n"
        "signals.listen()\n"
        "try:\n    import interrupted\nexcept BaseException as error:\n    print(repr(error))\n"
    )
    with started(tmp_path, sys.executable, "-c", program) as process:
        out, err = process.communicate(timeout=30)
    assert (process.returncode, out, err) == (130, "", "edgekit: interrupted\n")


def test_a_signal_when_all_is_done_changes_nothing(tmp_path: Path) -> None:
    """Python on its way out has given up its handlers, and would die of it."""
    program = (
        "import atexit, os, signal\n"
        "from edgekit.cli import main\n"
        "atexit.register(os.kill, os.getpid(), signal.SIGINT)\n"
        "main(['--version'])\n"
    )
    with started(tmp_path, sys.executable, "-c", program) as process:
        out, err = process.communicate(timeout=30)
    assert (process.returncode, out.split()[0], err) == (0, "edgekit", "")


def test_the_installed_command_begins_there_too() -> None:
    project = tomllib.loads((Path(edgekit.__file__).parents[1] / "pyproject.toml").read_text(encoding="utf-8"))
    assert project["project"]["scripts"] == {"edgekit": "edgekit.start:main"}


def test_what_is_ignored_stays_ignored(tmp_path: Path) -> None:
    """As under nohup, or in the background of a script."""
    program = "import signal; signal.signal(signal.SIGHUP, signal.SIG_IGN)\n" + PROGRAM
    with started(tmp_path, sys.executable, "-c", program, "0") as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.send_signal(signal.SIGHUP)
        time.sleep(0.2)
        assert process.poll() is None
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 143


def test_what_kill_9_left_is_cleared_by_the_next_run_and_what_is_held_is_not(tmp_path: Path) -> None:
    with started(tmp_path, sys.executable, "-c", PROGRAM, "0") as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        held = set(left(tmp_path))
        with started(tmp_path, sys.executable, "-c", PROGRAM, "0") as killed:
            assert killed.stdout is not None
            killed.stdout.readline()
            processes = family(killed)
            killed.kill()
            killed.wait()
        assert len(left(tmp_path)) == 4
        processes[1].kill()  # of the program's, not of edgekit's: nothing ends it
        with started(tmp_path, sys.executable, "-c", PROGRAM, "0") as third:
            assert third.stdout is not None
            third.stdout.readline()
            assert len(set(left(tmp_path)) - held) == 2
            assert held <= set(left(tmp_path))
            third.send_signal(signal.SIGTERM)
            third.wait(10)
        holder.send_signal(signal.SIGTERM)
        holder.wait(10)
    assert left(tmp_path) == []


def test_every_program_that_edgekit_starts_ends_with_it() -> None:
    """Whoever starts a program says who it is, and every program listens."""
    root = Path(edgekit.__file__).parent
    texts = {path.relative_to(root).as_posix(): path.read_text() for path in root.rglob("*.py")}
    starting = {name: text for name, text in texts.items() if re.search(r"subprocess\.(run|Popen)\(", text)}
    own = {
        "runtime/guard.py",  # its program looks whether its parent is the same, and ends when stdin does
        "studio/assets.py",  # npm, which is killed with it, or fetches one file and ends by itself
        "artifacts/fetching.py",  # pip, which is killed with it, or fetches a file or two and ends by itself
        "device/emulator/programs.py",  # a compiler, package tools, an emulator for a moment: they end by themselves
        "native/building.py",  # a C compiler and what it made, which end by themselves within seconds
    }
    assert set(starting) == {"measure/launch.py", "quantize/versions.py", "device/counting.py"} | own
    assert all('"parent": os.getpid()' in text for name, text in starting.items() if name not in own)
    programs = {"measure/worker.py", "quantize/convert.py", "device/graph.py", "runtime/child.py"}
    assert {name for name, text in texts.items() if re.search(r"^ +.*\bend_with[,(]", text, re.MULTILINE)} == programs


BENCH = ("bench", "m.onnx", "--repeats=1000000", "--time-limit=600")
SMALL = ("--preset=quick", "--set=synth.people=2", "--set=model.hidden_size=16", "--set=model.num_layers=1")
TRAIN = ("train", "accurate", "--workdir=work", "--epochs=1000", "--set=training.min_epochs=1000", *SMALL)
TUNE = ("tune", "edge", "--workdir=work", "--jobs=2", "--epochs=500", *SMALL)


def begun(folder: Path, process: subprocess.Popen[str], children: int) -> list[psutil.Process]:
    """Wait until the command is at work: its children are there, and use time."""
    for _ in range(600):
        found = family(process)
        busy = sum(one.cpu_times().user for one in found[1:]) if children else len(list(folder.glob("work/.resume/*")))
        if len(found) == children + 1 and busy > 0.5 * bool(children) + 0.1:
            return found
        time.sleep(0.1)
    raise AssertionError(f"did not begin: {process.poll()}")


@pytest.mark.slow
@pytest.mark.parametrize("signals", [["SIGTERM"], ["SIGINT", "SIGINT"], ["SIGKILL"]], ids=" ".join)
@pytest.mark.parametrize(
    ("line", "children"),
    [(BENCH, 1), ((*TRAIN, "--threads=1"), 0), ((*TRAIN, "--accelerators=2", "--accelerator=cpu"), 2), (TUNE, 2)],
    ids=["bench", "train", "two processes", "tune"],
)
def test_commands_leave_nobody_running_and_nothing_in_the_temporary_folder(
    tmp_path: Path, lstm_file: object, line: tuple[str, ...], children: int, signals: list[str]
) -> None:
    lstm_file(64).rename(tmp_path / "m.onnx")  # type: ignore[operator]
    with started(tmp_path, sys.executable, "-m", "edgekit", *line) as process:
        processes = begun(tmp_path, process, children)
        for name in signals:
            process.send_signal(getattr(signal, name))
            time.sleep(0.02)
        out, err = process.communicate(timeout=60)
    assert gone(processes, 20.0)
    assert process.returncode == {"SIGTERM": 143, "SIGINT": 130, "SIGKILL": -9}[signals[0]]
    assert out == ""
    if signals != ["SIGKILL"]:
        assert "Traceback" not in err
        assert left(tmp_path) == []
        assert not (tmp_path / "work" / ".lock-holder").exists()
        return
    again = ("bench", "m.onnx", "--repeats=5") if line is BENCH else (*line[:2], *SMALL, "--workdir=work", "--epochs=1")
    more = () if line is BENCH else ("--force", "--quiet", *(["--trials=1"] if line is TUNE else []))
    with started(tmp_path, sys.executable, "-m", "edgekit", *again, *more) as process:
        out, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    assert left(tmp_path) == []
