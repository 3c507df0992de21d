"""What ends a job ends all of its processes, and only the first of them answers."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from edgekit.train.signals import SENT_TO_ALL, answered_here

pytestmark = pytest.mark.skipif(not hasattr(signal, "pthread_sigmask"), reason="signals can't be held back here")

GRID = (
    "--set=synth.people=3", "--set=synth.takes_per_letter=2", "--set=tune.hidden_size=[4,8,16]",
    "--set=tune.num_layers=[1]", "--set=tune.dropout=[0.2]", "--set=tune.learning_rate=[0.01]",
    "--set=model.dense=16", "--set=tune.epochs=200", "--set=tune.folds=2", "--set=tune.pruning=null",
)  # fmt: skip
TUNE = ("tune", "edge", "--jobs=2", *GRID)
TRAIN = (
    "train",
    "edge",
    "--accelerators=2",
    "--accelerator=cpu",
    "--preset=quick",
    "--set=synth.people=2",
    "--set=training.epochs=1000",
)


@pytest.fixture
def heard() -> Iterator[list[int]]:
    """SIGTERMs that this process was told of."""
    found: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, frame: found.append(number))
    yield found
    signal.signal(signal.SIGTERM, before)


def test_what_is_started_never_sees_the_signals(heard: list[int]) -> None:
    with answered_here():
        process = subprocess.Popen(
            [sys.executable, "-c", "import time; print(1, flush=True); time.sleep(60)"], stdout=-1
        )
    try:
        assert process.stdout is not None
        process.stdout.readline()
        for number in SENT_TO_ALL:
            process.send_signal(number)
        assert process.poll() is None
        os.kill(os.getpid(), signal.SIGTERM)
        assert heard == [signal.SIGTERM], "here they come through again"
    finally:
        process.kill()
        process.communicate()


def test_what_comes_while_a_process_starts_is_answered_when_it_has_started(heard: list[int]) -> None:
    """Whichever thread the system tells."""
    told = threading.Event()
    other = threading.Thread(target=told.wait, daemon=True)
    other.start()  # it does not hold signals back
    with answered_here():
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(0.05)
        assert heard == []
    told.set()
    assert heard == [signal.SIGTERM]


def started(process: subprocess.Popen[str], how_many: int) -> None:
    """Returns as soon as so many processes train."""
    until_s = time.monotonic() + 120
    while process.poll() is None and time.monotonic() < until_s:
        found = 0
        for child in psutil.Process(process.pid).children():
            with contextlib.suppress(psutil.Error):
                words = " ".join(child.cmdline())
                found += "spawn_main" in words or "-m edgekit" in words
        if found >= how_many:
            return
        time.sleep(0.02)
    raise AssertionError("nothing was started")


def gone(processes: list[psutil.Process]) -> bool:
    _, alive = psutil.wait_procs(processes, timeout=20)
    return not alive


@pytest.mark.slow
@pytest.mark.parametrize("command", [TUNE, TRAIN], ids=["tune", "accelerators"])
@pytest.mark.parametrize("moment", ["at once", "later"])
@pytest.mark.parametrize(
    ("send", "code"),
    [
        (lambda pid: os.killpg(pid, signal.SIGINT), 130),
        (lambda pid: os.killpg(pid, signal.SIGTERM), 143),
        (lambda pid: os.kill(pid, signal.SIGTERM), 143),
        (lambda pid: os.kill(pid, signal.SIGKILL), -9),
    ],
    ids=["Ctrl-C", "SIGTERM to all", "SIGTERM", "SIGKILL"],
)
def test_no_process_is_left_whatever_ends_the_command(
    tmp_path: Path, command: tuple[str, ...], moment: str, send: Callable[[int], None], code: int
) -> None:
    """Nor a traceback, nor anything in the place for temporary files, unless it is killed."""
    places = {"TMPDIR": str(tmp_path / "tmp"), "HOME": str(tmp_path)}
    (tmp_path / "tmp").mkdir()
    words = [sys.executable, "-m", "edgekit", *command, f"--workdir={tmp_path / 'work'}"]
    pipe = subprocess.PIPE
    with subprocess.Popen(
        words, stdout=pipe, stderr=pipe, text=True, start_new_session=True, env={**os.environ, **places}
    ) as process:
        started(process, 2 if moment == "later" else 1)
        time.sleep(6.0 if moment == "later" else 0.0)
        found = psutil.Process(process.pid).children(recursive=True)
        send(process.pid)
        out, err = process.communicate(timeout=60)
    assert gone(found)
    assert process.returncode == code, err
    assert "Traceback" not in err
    assert out == ""
    if code != -9:
        assert list((tmp_path / "tmp").iterdir()) == []
