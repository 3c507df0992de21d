"""A model in a process of its own, which stops it at a limit and survives its crashes: see `child.py`.

ONNX Runtime aborts the whole process on some models, a file of a few hundred bytes can ask for gigabytes or never come
to an end, and Python can't interrupt it.
"""

from __future__ import annotations

import contextlib
import math
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import weakref
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Literal

import numpy as np
from numpy.typing import NDArray

from edgekit.artifacts import json_text, parse_json
from edgekit.errors import EdgekitError, ModelFileError
from edgekit.reading import MB
from edgekit.runtime.limits import MEMORY_VARIABLE, TIME_VARIABLE, model_memory_bytes, model_time_s

CHILD = Path(__file__).with_name("child.py")

Array = NDArray[Any]
#: For glibc, in the child: numbers of a megabyte and more are given back when they are freed. It would otherwise learn
#: to keep them: what folding weights takes for a moment stayed, half of a large int8 file's session.
GIVE_BACK = {"MALLOC_MMAP_THRESHOLD_": str(2**20)}
#: Which options of a session; see `child`.
Options = Literal["own", "plain", "bare"]


@dataclass(frozen=True)
class Port:
    """An input or output of an open model, as ONNX Runtime describes it."""

    name: str
    type: str
    shape: tuple[int | str | None, ...]


class GuardedSession:
    """What is used of an `onnxruntime.InferenceSession`, run in a process of its own within `model_memory_bytes` and
    `model_time_s`. Threads may share it; they wait for each other. A forked process gets a process of its own.

    content: the model, or the path of a file of edgekit's own that holds it and stays as it is while the session is
    used: large models take their size less of memory so. inputs, outputs: of the model. path: of the file, for
    messages. options: which of `child`'s: edgekit's own; plain, ONNX Runtime's, as somebody else would open it; bare,
    without any change of the graph.
    """

    def __init__(self, content: bytes | Path, path: Path, threads: int, options: Options = "own") -> None:
        self.path = path
        self._content = content
        self._threads = threads
        self._options = options
        self._begun = 0
        self._start()

    def run(self, names: Sequence[str] | None, feeds: Mapping[str, Array]) -> list[Array]:
        """The outputs called so, or all. Raises ModelFileError when the model fails, or is stopped at a limit."""
        self._awake()
        arrays = {name: np.ascontiguousarray(array) for name, array in feeds.items()}
        described = [[name, array.dtype.str, array.shape] for name, array in arrays.items()]
        message = {"do": "run", "outputs": None if names is None else list(names), "feeds": described}
        with self._lock, self._whole_conversation():
            answer = self._ask(message, *(array.data for array in arrays.values() if array.size))
            if "error" in answer:
                raise self._refused(answer, "fails while it runs")
            return [self._read_array(np.dtype(kind), shape) for kind, shape in answer["outputs"]]

    def begin(self, ports: Mapping[str, Sequence[int]], states: Mapping[str, tuple[str, Sequence[int], int]]) -> str:
        """A new stream through a step model, all states zero; its key, for `step`. The states stay in the process.

        ports: sizes of the input that a frame is and of the output that is asked for. states: input to the output that
        carries it on, sizes, and which axis has a row for each that the frame has.
        """
        self._awake()
        self._begun += 1
        key = f"{self._process.pid}/{self._begun}"
        about = {"ports": list(ports.items()), "states": [[name, *rest] for name, rest in states.items()]}
        with self._lock, self._whole_conversation():
            answer = self._ask({"do": "begin", "key": key, **about})
            if "error" in answer:
                raise self._refused(answer, "fails while it runs")
        return key

    def step(self, key: str, frame: Array, anew: Sequence[int] = ()) -> Array:
        """The answer after one more frame, which every row of the stream is given. anew: rows whose states are set to
        zero before. Raises ModelFileError when the model fails, and where the stream's process has ended."""
        if not self.lives(key):
            raise ModelFileError(f"{self.path}: the process that kept this stream has ended; begin anew with reset()")
        with self._lock, self._whole_conversation():
            answer = self._ask({"do": "step", "key": key, "anew": list(anew)}, frame.data)
            if "error" in answer:
                raise self._refused(answer, "fails while it runs")
            ((kind, shape),) = answer["outputs"]
            return self._read_array(np.dtype(kind), shape)

    def lives(self, key: str) -> bool:
        """Whether the process that keeps this stream is still there, and this one's."""
        own = os.getpid() == self._owner and self._finalizer.alive
        return own and key.partition("/")[0] == str(self._process.pid)

    def _awake(self) -> None:
        """Start another process where there is none, or it is another process's."""
        if os.getpid() != self._owner or not self._finalizer.alive:
            self.close()
            self._start()

    def close(self) -> None:
        """End the process. Happens by itself when the session is no longer used; the next run starts another."""
        self._finalizer()

    @contextlib.contextmanager
    def _whole_conversation(self) -> Iterator[None]:
        """What is interrupted between question and answer can't be taken up again."""
        try:
            yield
        except ModelFileError:
            raise
        except BaseException:
            self.close()
            raise

    def _start(self) -> None:
        self._owner = os.getpid()
        self._lock = threading.Lock()
        self._limits = model_memory_bytes(), model_time_s()
        self._stderr = tempfile.TemporaryFile()  # noqa: SIM115 - as long as the process
        self._process = subprocess.Popen(
            [sys.executable, "-P", str(CHILD)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._stderr,
            env={**GIVE_BACK, **os.environ},
        )
        self._finalizer = weakref.finalize(self, _stop, self._process, self._stderr, self._owner)
        self._open()

    def reopen(self, options: Options) -> None:
        """Open the same model with other options, in the same process. Raises ModelFileError, like opening it."""
        self._options = options
        with self._lock:
            self._open()

    def _open(self) -> None:
        limit_bytes, limit_s = self._limits
        content = self._content if isinstance(self._content, bytes) else b""
        file = None if isinstance(self._content, bytes) else str(self._content)
        about = {"file": file, "bytes": len(content), "threads": self._threads, "options": self._options}
        message = {"do": "open", **about}
        with self._whole_conversation():
            answer = self._ask({**message, "limit_bytes": limit_bytes, "limit_s": limit_s}, content)
        if "error" in answer:
            error = self._refused(answer, f"ONNX Runtime {answer.get('version')} can't load it")
            self.close()
            raise error
        self.inputs, self.outputs = (
            tuple(Port(name, kind, tuple(shape)) for name, kind, shape in answer[side])
            for side in ("inputs", "outputs")
        )

    def _ask(self, message: Mapping[str, Any], *parts: bytes | memoryview) -> dict[str, Any]:
        """The answer's line. Raises ModelFileError when the process ends instead."""
        pipe: IO[bytes] = self._process.stdin  # type: ignore[assignment]  # it has one
        with contextlib.suppress(BrokenPipeError, OSError):
            pipe.write(json_text(message).encode() + b"\n")
            for part in parts:
                pipe.write(part)
            pipe.flush()
        line = self._process.stdout.readline()  # type: ignore[union-attr]
        if not line.endswith(b"\n"):
            raise self._death()
        answer: dict[str, Any] = parse_json(line.decode("utf-8"))
        return answer

    def _read_array(self, dtype: np.dtype[Any], shape: Sequence[int]) -> Array:
        content = bytearray(math.prod(shape) * dtype.itemsize)
        view, at = memoryview(content), 0
        while at < len(content):
            got = self._process.stdout.readinto(view[at:])  # type: ignore[union-attr]
            if not got:
                raise self._death()
            at += got
        return np.frombuffer(content, dtype).reshape(shape)

    def _refused(self, answer: Mapping[str, Any], what: str) -> EdgekitError:
        if answer["error"] == "environment":
            return EdgekitError(f"onnxruntime can't be imported: {answer['message']}")
        if answer["error"] == "memory":
            return self._hungry(answer["message"])
        said = answer["message"]
        advised = what.startswith("fails") or "; install" in said
        advice = "" if advised else "; export it again, or for an older runtime"
        if isinstance(self._content, Path):  # a file of edgekit's own, which tells nobody anything
            said = said.replace(str(self._content), str(self.path))
        return ModelFileError(f"{self.path}: {what}: {said}{advice}")

    def _hungry(self, said: str) -> ModelFileError:
        return ModelFileError(f"{self.path}: {hunger(self._limits[0], said)}")

    def _death(self) -> ModelFileError:
        """Why the process has ended."""
        code = self._process.wait()
        self._stderr.seek(0)
        said = self._stderr.read().decode("utf-8", "replace")
        self.close()
        if "bad_alloc" in said:
            return self._hungry(last_line(said))
        if signal_name(-code) == "SIGALRM":
            limit = self._limits[1]
            return ModelFileError(
                f"{self.path}: no answer within {limit} s; if it is that slow, allow more with the environment variable"
                f" {TIME_VARIABLE}={10 * limit}"
            )
        return ModelFileError(f"{self.path}: the process that ran it was ended by {death(-code, said)}")


def _stop(process: subprocess.Popen[bytes], stderr: IO[bytes], owner: int) -> None:
    for pipe in (process.stdin, process.stdout, stderr):
        with contextlib.suppress(OSError, ValueError):
            if pipe is not None:
                pipe.close()
    if os.getpid() == owner:
        process.kill()
        process.wait()
    else:
        process.returncode = 0  # a fork's copy: the process is not its child


def hunger(limit_bytes: int, said: str) -> str:
    """What to say of a model that wants more than its limit: how to allow twice as much, or what it asked for."""
    asked = max((int(number) for number in re.findall(r"\d{8,15}", said)), default=0)
    enough = max(2 * limit_bytes, asked + limit_bytes // 2) // MB
    return (
        f"takes more memory than the {limit_bytes // MB:,} MB that a model may take here ({said}); if you trust it,"
        f" allow more with the environment variable {MEMORY_VARIABLE}={enough}"
    )


def signal_name(number: int) -> str:
    """`SIGKILL` for 9; for what is no signal's number, how a process ended otherwise."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}" if number > 0 else f"exit code {-number}"


def death(number: int, stderr: str) -> str:
    """What it means that ONNX Runtime's process was ended by signal `number`, or with exit code -`number`."""
    causes = {
        "SIGKILL": "the system may have run out of memory",
        "SIGABRT": "ONNX Runtime aborted, as it does when a batch becomes empty inside the model",
        "SIGILL": "this build of ONNX Runtime uses instructions that the CPU lacks; install another version",
        "SIGSEGV": "ONNX Runtime crashed; the file may be damaged",
    }
    cause = causes.get(signal_name(number), "check the file's SHA-256 against its source")
    said = last_line(stderr)
    return f"{signal_name(number)}: {cause}" + (f" (it said: {said})" if said else "")


def last_line(stderr: str) -> str:
    """The last line that says something, at most 200 characters."""
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    return lines[-1][:200] if lines else ""
