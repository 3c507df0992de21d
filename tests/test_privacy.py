"""Nothing is sent home: no socket is opened and no event is queued by the libraries that edgekit runs.

ONNX Runtime 1.32 on Linux queues events under the home directory as soon as it is imported, and looks up its maker's
event host some seconds later. Each test has its opposite: with telemetry switched on, the same command leaves traces.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from edgekit.measure import WORKER

VARIABLE = "ORT_DISABLE_TELEMETRY"
SEARCH_PATHS = ("PATH", "PYTHONPATH", "LD_LIBRARY_PATH", "TMPDIR")
Command = Sequence[object]

#: Every way by which ONNX Runtime gets into a process.
WAYS: dict[str, Command] = {
    "predict": ("-m", "edgekit", "predict", "take.npy", "--model", "model.onnx"),
    "bench": ("-m", "edgekit", "bench", "model.onnx", "--repeats", "20", "--processes", "1", "--time-limit", "1"),
    "import": ("-c", "import edgekit, onnxruntime"),
    "worker": (WORKER,),
}
REQUEST = '{"schema_version": 1, "mode": "latency", "model": "model.onnx", "threads": 1, "repeats": 1}'


@pytest.fixture
def place(tiny_model: Callable[..., object], tmp_path: Path) -> Path:
    """A folder with a model and a take of it, and an empty home."""
    from edgekit.export import export_onnx

    export_onnx(tiny_model(), tmp_path / "model.onnx", class_names=("A", "B", "C"))  # type: ignore[arg-type]
    np.save(tmp_path / "take.npy", np.random.default_rng(0).random((30, 63), np.float32))
    (tmp_path / "home").mkdir()
    return tmp_path


def environment(place: Path, telemetry: str | None) -> dict[str, str]:
    """This process's search paths, with a home of its own. telemetry: what the user has set, None for nothing.

    Nothing else of the environment: ONNX Runtime keeps quiet by itself where CI, GITHUB_ACTIONS and the like are set,
    where these tests could not fail.
    """
    kept = {name: os.environ[name] for name in SEARCH_PATHS if name in os.environ}
    return {**kept, "HOME": str(place / "home"), **({} if telemetry is None else {VARIABLE: telemetry})}


def left_at_home(place: Path, command: Command, telemetry: str | None = None) -> list[str]:
    """Names of the files that a command leaves in the home directory."""
    done = subprocess.run(
        [sys.executable, *map(str, command)],
        cwd=place, env=environment(place, telemetry), input=REQUEST, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode in (0, 4), done.stderr
    return sorted(path.name for path in (place / "home").rglob("*") if path.is_file())


def has_telemetry() -> bool:
    """Whether this ONNX Runtime holds the switch at all."""
    import onnxruntime

    core = Path(onnxruntime.__file__).parent / "capi"
    return any(VARIABLE.encode() in path.read_bytes() for path in core.glob("onnxruntime_pybind11_state*.so"))


@pytest.mark.parametrize("way", WAYS)
def test_no_events_are_queued(place: Path, way: str) -> None:
    assert left_at_home(place, WAYS[way]) == []


@pytest.mark.parametrize("way", ["predict", "import"])
def test_what_the_user_has_set_is_left_alone_and_then_there_are_events(place: Path, way: str) -> None:
    if not has_telemetry():
        pytest.skip("this ONNX Runtime has no telemetry")
    assert "onnxruntime.db" in left_at_home(place, WAYS[way], telemetry="0")


@pytest.mark.slow
@pytest.mark.parametrize("telemetry", [None, "0"])
def test_a_stream_of_frames_opens_no_socket(place: Path, telemetry: str | None) -> None:
    """Watched long enough for the first look-up of an event host, which comes after about ten seconds."""
    if shutil.which("strace") is None or (telemetry and not has_telemetry()):
        pytest.skip("needs strace, and for the opposite an ONNX Runtime with telemetry")
    frame = str(np.zeros(63).tolist()) + "\n"
    log = place / "calls"
    command = ["strace", "-f", "-qq", "-e", "trace=socket", "-o", str(log), sys.executable, "-m", "edgekit", "predict"]
    stream = subprocess.Popen(
        [*command, "--model", "model.onnx"], cwd=place, env=environment(place, telemetry),
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    with stream:
        assert stream.stdin
        stream.stdin.write(20 * frame)
        stream.stdin.flush()
        with pytest.raises(subprocess.TimeoutExpired):
            stream.wait(16)
        stream.stdin.close()
        stream.wait(30)
    assert ("socket(" in log.read_text()) == (telemetry is not None)
