"""Where neither Linux nor POSIX is: commands do what they can and say what they can't, without a traceback.

No such machine is at hand: `elsewhere/sitecustomize.py` takes from this one what Windows lacks.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

HERE = Path(__file__).parent / "elsewhere"

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="made of Linux")


def python(*words: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """A Python on such a machine."""
    root = str(Path(__file__).parents[1])
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(HERE), root]), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, *words]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def edgekit(line: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """A command on such a machine."""
    return python("-m", "edgekit", *line.split(), folder=folder)


@pytest.fixture
def place(tiny_model: Callable[..., object], tmp_path: Path) -> Path:
    """A folder with a model, takes and one take."""
    from edgekit.data import SynthConfig, save_recordings, synthesise_hands
    from edgekit.export import export_onnx

    hands = synthesise_hands(SynthConfig(people=1, takes_per_letter=4))
    save_recordings(tmp_path / "hands.npz", hands)
    export_onnx(tiny_model(classes=26), tmp_path / "m.onnx", class_names=hands.class_names, sequence_length=30)  # type: ignore[arg-type]
    np.save(tmp_path / "take.npy", hands.sequences[0, : hands.lengths[0]])
    return tmp_path


def test_it_is_another_system(tmp_path: Path) -> None:
    finished = edgekit("env --json", tmp_path)
    found = json.loads(finished.stdout)
    assert (finished.returncode, finished.stderr, found["cpu"]) == (0, "", "unknown")


@pytest.mark.parametrize(
    "line",
    [
        "compare m.onnx m.onnx --repeats 20 --processes 1",
        "predict take.npy --model m.onnx",
        "evaluate m.onnx --data hands.npz --part all",
        "quantize m.onnx",
        "data check hands.npz",
        "data convert hands.npz hands.csv",
        "data convert hands.npz hands",
    ],
)
def test_what_needs_nothing_of_linux_works(place: Path, line: str) -> None:
    finished = edgekit(line, place)
    assert (finished.returncode, finished.stderr) == (0, "")


def test_a_bench_says_what_it_could_not_measure_and_is_undecided(place: Path) -> None:
    finished = edgekit("bench m.onnx --repeats 20 --processes 1", place)
    assert finished.returncode == 4
    assert finished.stderr == ""
    assert "peak memory: Plan9 has no /proc/self/status with VmHWM; bench on Linux" in finished.stdout
    assert "can't be decided for raspberry-pi: peak memory" in finished.stdout


SMALL = "--preset quick --set synth.people=2 --set synth.takes_per_letter=4 --set model.hidden_size=8"
SMALL += " --set model.num_layers=1 --epochs 1"


LOCK = """
import sys
from pathlib import Path
from edgekit.artifacts import lock, write_bytes
with lock(Path(sys.argv[1])):
    write_bytes(Path(sys.argv[1]) / "a", b"")
"""


def test_work_directories_are_locked_there_too(tmp_path: Path) -> None:
    from edgekit.artifacts import lock

    with lock(tmp_path / "work"):
        finished = python("-c", LOCK, str(tmp_path / "work"), folder=tmp_path)
    assert finished.returncode == 1
    assert f"in use by process {os.getpid()}" in finished.stderr
    assert python("-c", LOCK, str(tmp_path / "work"), folder=tmp_path).returncode == 0
    assert sorted(path.name for path in (tmp_path / "work").iterdir()) == [".lock", "a"]


@pytest.mark.slow
def test_training_needs_no_fork(tmp_path: Path) -> None:
    line = f"train edge --workdir {tmp_path / 'work'} {SMALL} --threads 1"
    assert edgekit(line, tmp_path).returncode == 0
    finished = edgekit(f"{line} --accelerators 2 --force", tmp_path)
    assert finished.returncode == 2
    assert "--accelerators 2: needs processes that fork, which Plan9 lacks" in finished.stderr


@pytest.mark.slow
def test_tuning_in_several_processes_works(tmp_path: Path) -> None:
    finished = edgekit(f"tune edge --workdir {tmp_path / 'work'} {SMALL} --trials 2 --jobs 2", tmp_path)
    assert finished.returncode == 0, finished.stderr
