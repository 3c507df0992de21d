"""`edgekit quantize MODEL`, ended at the moments when it has just written something: nothing is half written."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

MakeRecurrent = Callable[..., Path]
LIMIT_S = 60
OLD = b"the file of yesterday"


def started(source: Path, target: Path, scratch: Path, *options: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "edgekit", "quantize", str(source), "-o", str(target), "--quiet", *options]
    environment = {**os.environ, "TMPDIR": str(scratch)}
    pipe = subprocess.PIPE
    return subprocess.Popen(command, env=environment, stdout=pipe, stderr=pipe, text=True, start_new_session=True)


def wait_for(scratch: Path, name: str, process: subprocess.Popen[str]) -> None:
    end = time.monotonic() + LIMIT_S
    while not list(scratch.glob(f"edgekit-quantize-*/{name}")):
        assert process.poll() is None, "it ended before it could be killed"
        assert time.monotonic() < end
        time.sleep(0.001)


def gone(group: list[psutil.Process]) -> bool:
    _, alive = psutil.wait_procs(group, timeout=10)
    return all(each.status() == psutil.STATUS_ZOMBIE for each in alive)


@pytest.mark.slow
@pytest.mark.parametrize("file", ["source.onnx", "prepared.onnx", "result.onnx", "expected.onnx", "trials.onnx"])
@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_an_ended_command_leaves_the_old_file_and_the_next_one_clears_up(
    apart: None, tmp_path: Path, make_recurrent: MakeRecurrent, how: signal.Signals, file: str
) -> None:
    source, scratch, place = make_recurrent("slices"), tmp_path / "scratch", tmp_path / "place"
    scratch.mkdir()
    place.mkdir()
    target = place / "int8.onnx"
    target.write_bytes(OLD)
    limit = ("--max-difference", "0.005")  # so that weights are tried one by one
    with started(source, target, scratch, *limit) as process:
        wait_for(scratch, file, process)
        group = [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
        process.send_signal(how)
        out, err = process.communicate(timeout=LIMIT_S)
    assert process.returncode == (143 if how == signal.SIGTERM else -signal.SIGKILL)
    assert (out, "Traceback" in err) == ("", False)
    assert gone(group)
    assert target.read_bytes() == OLD
    assert [each.name for each in place.iterdir()] == ["int8.onnx"]
    if how == signal.SIGTERM:
        assert list(scratch.iterdir()) == []
    with started(source, target, scratch, *limit) as process:
        assert process.wait(timeout=LIMIT_S) == 0
    assert 1000 < target.stat().st_size < source.stat().st_size
    assert list(scratch.iterdir()) == []
