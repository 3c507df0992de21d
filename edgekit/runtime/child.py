"""Runs one ONNX model for the process that started this one: a model's memory, time and crashes stay in here.

Run as a file, never imported. It needs the standard library, numpy and onnxruntime only.

Each message on stdin is a line of JSON, followed by as many bytes as it announces; so is each answer on stdout.

- {"do": "open", "bytes": of the model that follow, or "file": its path, "threads", "limit_bytes": what may be allocated
  beyond the imports, "limit_s": of opening and of every run, "options": "own", "plain" or "bare"}:
  {"inputs": [[name, type, shape], ...], "outputs": alike}
- {"do": "run", "outputs": [names] or null for all, "feeds": [[name, type of numpy, shape], ...]}, followed by the
  arrays: {"outputs": [[type of numpy, shape], ...]}, followed by the arrays
- {"do": "begin", "key", "ports": [[name, shape] of the input that is a frame, and of the output that is asked for],
  "states": [[input, output, shape, axis of rows], ...]}: {}; a stream whose states are zeros, and stay in here
- {"do": "step", "key", "anew": rows whose states become zeros}, followed by a frame: as of "run", the one output
- Instead of an answer {"error": "memory", "environment" or "model", "message", "version": of onnxruntime}

It ends when stdin does, by SIGALRM when something takes too long, and when its parent is gone.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import re
import signal
import sys
import tempfile
import threading
import time
from typing import Any, BinaryIO

#: What ONNX Runtime says when an allocation fails.
MEMORY_WORDS = ("Failed to allocate memory", "bad_alloc", "bad allocation")
#: Seconds between two looks whether the parent is still there.
LOOK_S = 1.0


def main() -> None:
    """Answer messages until there are no more."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # nothing but answers goes to the parent
    for name, action in (("SIGINT", signal.SIG_IGN), ("SIGALRM", signal.SIG_DFL)):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), action)
    threading.Thread(target=end_with, args=(os.getppid(),), daemon=True).start()
    leave_all_files()
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    serve(sys.stdin.buffer, answers)


def end_with(parent: int) -> None:
    """End this process when its parent has changed: it is gone."""
    while os.getppid() == parent:
        time.sleep(LOOK_S)
    os._exit(1)


def leave_all_files() -> None:
    """Work in a folder that is not there any more: ONNX Runtime finds no tensor data by a relative path."""
    # as edgekit's own temporary folders are called, so that the next run clears it away if this one is killed here
    folder = os.path.join(tempfile.gettempdir(), f"edgekit-model-{os.urandom(8).hex()}")
    os.mkdir(folder, 0o700)
    os.chdir(folder)
    with contextlib.suppress(OSError):  # Windows keeps it
        os.rmdir(folder)


def serve(messages: BinaryIO, answers: BinaryIO) -> None:
    """Answer each message until there are no more."""
    model: Any = None
    limit_s = 0.0
    while line := messages.readline():
        message = json.loads(line)
        arrays: list[Any] = []
        try:
            if message["do"] == "open":
                limit_s = message["limit_s"]
                model = Model(message)
                given = message["file"] or messages.read(message["bytes"])
                with at_most(limit_s):
                    answer = model.open(given)
                given = None  # not held as long as the model
            elif message["do"] == "begin":
                model.streams[message["key"]] = Stream(model, message)
                answer = {}
            elif message["do"] == "step":
                stream = model.streams[message["key"]]
                stream.read(messages, message["anew"])
                with at_most(limit_s):
                    answer, arrays = stream.step()
            else:
                feeds = model.read_feeds(messages, message["feeds"])
                with at_most(limit_s):
                    answer, arrays = model.run(message["outputs"], feeds)
        except Exception as error:  # ONNX Runtime's own classes share no base
            answer = failure(error, model)
        answers.write(json.dumps(answer, allow_nan=False).encode() + b"\n")
        for array in arrays:
            answers.write(memoryview(array).cast("B") if array.size else b"")
        answers.flush()


def failure(error: Exception, model: Any) -> dict[str, Any]:
    """The answer that says why there is none."""
    text = str(error)
    found = [text.index(word) for word in MEMORY_WORDS if word in text]
    kind = "memory" if found or isinstance(error, MemoryError) else "model"
    if isinstance(error, ImportError):
        kind = "environment"
    shown = text[min(found) :].strip().partition("\n")[0][:300] if found else said_by_runtime(error)
    return {"error": kind, "message": shown, "version": getattr(model, "version", "")}


#: A place in ONNX Runtime's source, which stands before what it has to say, up to where the signature's brackets begin.
PLACE = r"\S*\.(?:cc|h):\d+ [^(]*(?=\()"
NEWER = "; install a newer onnxruntime, or export the model again with an older opset, such as 17"


def said_by_runtime(error: Exception) -> str:
    """What ONNX Runtime says in one line, without places in its source, cut to 300 characters; of versions that are
    too new which these are, and what to do."""
    text = str(error)
    version = re.search(r"model IR version: (\d+), max supported IR version: (\d+)", text)
    if version:
        return f"IR version {version.group(1)}, and it reads {version.group(2)} at most{NEWER}"
    opset = re.search(r"Opset (\d+) is under development.*for domain (\S+) is till opset (\d+)", text, re.DOTALL)
    if opset:
        return f"opset {opset.group(1)} of {opset.group(2)}, and it reads {opset.group(3)} at most{NEWER}"
    line = (text.strip().splitlines() or [type(error).__name__])[0]
    place = re.search(PLACE, line)
    reason = after_brackets(line[place.end() :]) if place else ""
    return (line[: place.start()] + reason if place and reason else line)[:300]


def after_brackets(text: str) -> str:
    """What comes behind the bracket that closes the one at the beginning; nothing where none does."""
    depth = 0
    for index, letter in enumerate(text):
        depth += (letter == "(") - (letter == ")")
        if not depth:
            return text[index + 1 :].strip()
    return ""


@contextlib.contextmanager
def at_most(limit_s: float) -> Any:
    """The system ends this process when the block takes longer; what it runs need not hear of anything."""
    if not hasattr(signal, "setitimer"):
        yield
        return
    signal.setitimer(signal.ITIMER_REAL, limit_s)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


class Model:
    """The one model of this process. message: that of "open"."""

    def __init__(self, message: dict[str, Any]) -> None:
        self.message = message
        self.version = ""
        self.session: Any = None
        self.streams: dict[str, Stream] = {}

    def open(self, given: bytes | str) -> dict[str, Any]:
        """The answer to "open". given: the model, or its path, by which it takes its size less of memory."""
        import numpy
        import onnxruntime

        self.numpy, self.version = numpy, onnxruntime.__version__
        limit_memory(self.message["limit_bytes"], self.message["threads"])
        kinds = {"own": session_options, "plain": plain_options, "bare": bare_options}
        options = kinds[self.message.get("options", "own")](onnxruntime, self.message["threads"])
        self.session = onnxruntime.InferenceSession(given, options, providers=["CPUExecutionProvider"])
        sides = {"inputs": self.session.get_inputs(), "outputs": self.session.get_outputs()}
        return {side: [[item.name, item.type, item.shape] for item in items] for side, items in sides.items()}

    def read_feeds(self, messages: BinaryIO, described: list[Any]) -> dict[str, Any]:
        """The arrays that follow a message."""
        feeds = {}
        for name, kind, shape in described:
            dtype = self.numpy.dtype(kind)
            content = messages.read(math.prod(shape) * dtype.itemsize)
            feeds[name] = self.numpy.frombuffer(content, dtype).reshape(shape)
        return feeds

    def run(self, names: list[str] | None, feeds: dict[str, Any]) -> tuple[dict[str, Any], list[Any]]:
        """(the answer to "run", the arrays that follow it)."""
        given = self.session.run(names, feeds)
        arrays = [self.numpy.ascontiguousarray(array) for array in given]
        strange = [array.dtype for array in arrays if array.dtype.hasobject]
        if strange:
            raise ValueError(f"an output is not an array of numbers but of {strange[0]}")
        return {"outputs": [[array.dtype.str, list(array.shape)] for array in arrays]}, arrays


class Stream:
    """States that go on from frame to frame, in float32, in two places each: one run reads the first and writes the
    second, the next one the other way round. Bound once, because handing them over takes as long as a step."""

    def __init__(self, model: Model, message: dict[str, Any]) -> None:
        """message: that of "begin"."""
        (frame, frame_shape), (output, output_shape) = message["ports"]
        self.numpy, self.session, self.turn = model.numpy, model.session, 0
        zeros = self.numpy.zeros
        self.frame, self.answer = zeros(frame_shape, "float32"), zeros(output_shape, "float32")
        self.axes = [axis for *_, axis in message["states"]]
        self.places = [[zeros(shape, "float32") for _, _, shape, _ in message["states"]] for _ in range(2)]
        self.bindings = []
        for old, new in (self.places, self.places[::-1]):
            bound = self.session.io_binding()
            for way, name, array in ((bound.bind_input, frame, self.frame), (bound.bind_output, output, self.answer)):
                way(name, "cpu", 0, self.frame.dtype.type, array.shape, array.ctypes.data)
            for (name, following, _, _), before, after in zip(message["states"], old, new):  # noqa: B905 - 3.9
                bound.bind_input(name, "cpu", 0, self.frame.dtype.type, before.shape, before.ctypes.data)
                bound.bind_output(following, "cpu", 0, self.frame.dtype.type, after.shape, after.ctypes.data)
            self.bindings.append(bound)

    def read(self, messages: BinaryIO, anew: list[int]) -> None:
        """The frame that follows a message, for every row; rows to begin anew."""
        content = messages.read(4 * self.frame.shape[1])
        self.frame[:] = self.numpy.frombuffer(content, "float32")
        for state, axis in zip(self.places[self.turn], self.axes):  # noqa: B905 - 3.9
            for row in anew:
                state[(slice(None),) * axis + (row,)] = 0.0

    def step(self) -> tuple[dict[str, Any], list[Any]]:
        """The answer to "step", and the array that follows it; where that is not finite, states are as they were."""
        self.session.run_with_iobinding(self.bindings[self.turn])
        if self.numpy.isfinite(self.answer).all():
            self.turn = 1 - self.turn
        return {"outputs": [[self.answer.dtype.str, list(self.answer.shape)]]}, [self.answer]


def session_options(onnxruntime: Any, threads: int) -> Any:
    """Options of every session of edgekit's; those of `measure/worker.py` have to be the same.

    Threads do not spin. DequantizeLinear nodes, of int4 weights and of files that edgekit wrote before, are folded to
    float32 weights at load rather than fused into integer operators: up to twice as fast, with the same logits. On x86,
    int8 weights of integer operators are turned into uint8 ones: without VNNI instructions, products of uint8 and int8
    are added up in 16 bits that saturate, and logits would depend on the CPU. With VNNI that changes no bit and costs
    int8-dynamic files 1.1 to 1.4 times the time; on Arm ONNX Runtime ignores it. Source:
    onnxruntime_session_options_config_keys.h.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3  # errors only
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.disable_quant_qdq", "1")
    options.add_session_config_entry("session.x64quantprecision", "1")
    return options


def plain_options(onnxruntime: Any, threads: int) -> Any:
    """Options of a session that somebody else opens: ONNX Runtime's own, with all that it does to a graph, but for the
    number of threads and that only errors are logged."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    return options


def bare_options(onnxruntime: Any, threads: int) -> Any:
    """`session_options` of a session that runs a graph as it stands: where constants are computed in it, each time, but
    in a quarter of the memory that computing them ahead takes."""
    options = session_options(onnxruntime, threads)
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    return options


def limit_memory(beyond_bytes: int, threads: int = 1) -> None:
    """Let this process allocate `beyond_bytes` more than it has, where the system can tell: on Linux.

    RLIMIT_DATA: an allocation beyond fails, and the process goes on to say so. It counts the stacks of threads, which
    are hardly touched: those of ONNX Runtime's threads come on top, for it waits for ever for one that can't start.
    """
    if not sys.platform.startswith("linux"):
        return
    try:
        import resource

        file = open("/proc/self/status", encoding="ascii", errors="replace")  # noqa: SIM115
    except (ImportError, OSError):
        return
    with file:
        now = next((int(line.split()[1]) * 1024 for line in file if line.startswith("VmData:")), 0)
    stack = resource.getrlimit(resource.RLIMIT_STACK)[0]
    now += threads * (8 << 20 if stack == resource.RLIM_INFINITY else stack)
    hard = resource.getrlimit(resource.RLIMIT_DATA)[1]
    limit = now + beyond_bytes if hard == resource.RLIM_INFINITY else min(now + beyond_bytes, hard)
    resource.setrlimit(resource.RLIMIT_DATA, (limit, hard))


if __name__ == "__main__":
    main()
