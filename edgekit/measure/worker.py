"""Measures one ONNX model in this process: latency or memory. The one way in which edgekit measures.

Run as a file (`python worker.py`), never imported by the process that asks: one JSON request on stdin, one
JSON result as the last line of stdout. The same file runs on this host, on a device and in an emulator, so
it needs the standard library, numpy and onnxruntime only, and Python 3.9.

Request: schema_version 1; mode "latency" or "memory"; model: path; takes: path of a .npy file, float32
(takes, ...) or null for random input; seed; shapes: input name to sizes; sequence_length: frames, for a
symbolic second axis, or null; threads; warmup, repeats: runs; min_time_s, max_time_s.

Result: every sample in nanoseconds, memory at each stage in bytes, the resolved inputs, the machine; or
{"error": {"kind": "model" | "shape" | "request" | "environment", "message": text}}.

Memory is VmHWM and VmRSS of /proc/self/status: ru_maxrss is inherited from the parent across fork and exec,
and would report the parent's peak.
"""

from __future__ import annotations

import array
import gc
import json
import os
import platform
import random
import sys
import time
from typing import Any

SCHEMA_VERSION = 1
MAX_TAKES = 256  # 2 MB of (30, 63) takes: more would be measured as memory of the model
_DTYPES = {
    "tensor(float)": "float32",
    "tensor(double)": "float64",
    "tensor(float16)": "float16",
    "tensor(int64)": "int64",
    "tensor(int32)": "int32",
    "tensor(int16)": "int16",
    "tensor(int8)": "int8",
    "tensor(uint8)": "uint8",
    "tensor(bool)": "bool",
}


class RequestError(Exception):
    """What can't be measured. kind: "model", "shape", "request" or "environment"."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


def main() -> None:
    """Answer the request on stdin; always exits 0 with one line of JSON unless the process itself dies."""
    # edgekit's own folder must not shadow the standard library's modules (statistics)
    here = os.path.dirname(os.path.abspath(__file__))
    sys.path[:] = [entry for entry in sys.path if os.path.abspath(entry or os.curdir) != here]
    try:
        result = answer(read_request(sys.stdin.read()))
    except RequestError as error:
        result = {"error": {"kind": error.kind, "message": str(error)}}
    sys.stdout.write("\n" + json.dumps(result, allow_nan=False) + "\n")
    sys.stdout.flush()


def read_request(text: str) -> dict[str, Any]:
    """The request as a checked dict. Raises RequestError."""
    try:
        request = json.loads(text)
    except ValueError as error:
        raise RequestError("request", "the request is not JSON: %s" % error) from None
    if not isinstance(request, dict) or request.get("schema_version") != SCHEMA_VERSION:
        raise RequestError("request", "expected a request of schema_version %d" % SCHEMA_VERSION)
    if request.get("mode") not in ("latency", "memory"):
        raise RequestError("request", "mode: expected latency or memory, got %r" % (request.get("mode"),))
    for name in ("threads", "repeats"):
        if not isinstance(request.get(name), int) or request[name] < 1:
            raise RequestError("request", "%s: expected at least 1, got %r" % (name, request.get(name)))
    return request


def answer(request: dict[str, Any]) -> dict[str, Any]:
    """Measure as asked; the result as a JSON-ready dict. Raises RequestError."""
    stages = [memory_now("interpreter")]
    started = time.perf_counter_ns()
    numpy, onnxruntime = import_runtime()
    import_ns = time.perf_counter_ns() - started
    gc.collect()  # what importing left behind is not the model's
    stages.append(memory_now("imports"))
    started = time.perf_counter_ns()
    session = open_session(onnxruntime, request)
    session_ns = time.perf_counter_ns() - started
    stages.append(memory_now("session"))
    feeds, inputs = make_feeds(numpy, session, request)
    started = time.perf_counter_ns()
    run_checked(session, feeds[0])
    first_run_ns = time.perf_counter_ns() - started
    stages.append(memory_now("first run"))
    measure = measure_latency if request["mode"] == "latency" else measure_memory
    try:
        result = measure(session, feeds, request)
    except Exception as error:  # ONNX Runtime's own classes share no base
        raise RequestError("model", "fails while it runs: %s" % first_line(error)) from None
    stages.append(memory_now("run"))
    result.update(
        schema_version=SCHEMA_VERSION,
        mode=request["mode"],
        import_ns=import_ns,
        session_ns=session_ns,
        first_run_ns=first_run_ns,
        stages=stages,
        peak_rss_bytes=stages[-1]["peak_rss_bytes"],
        memory_reason=None if stages[-1]["peak_rss_bytes"] is not None else no_memory_reason(),
        inputs=inputs,
        machine=describe_machine(numpy, onnxruntime),
    )
    return result


def import_runtime() -> tuple[Any, Any]:
    """(numpy, onnxruntime). Raises RequestError when one is missing or can't be loaded on this CPU."""
    try:
        import numpy
        import onnxruntime
    except ImportError as error:
        raise RequestError("environment", "numpy and onnxruntime are needed here: %s" % error) from None
    return numpy, onnxruntime


def open_session(onnxruntime: Any, request: dict[str, Any]) -> Any:
    """A CPU session as `edgekit.runtime` opens one: threads don't spin, int8 weights are folded at load."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = request["threads"]
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.disable_quant_qdq", "1")
    try:
        return onnxruntime.InferenceSession(request["model"], options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime's own classes share no base
        message = "ONNX Runtime %s can't load it: %s" % (onnxruntime.__version__, first_line(error))
        raise RequestError("model", message) from None


def make_feeds(numpy: Any, session: Any, request: dict[str, Any]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """(feeds, inputs): the dicts to run on in turn, and the description of each input for the result."""
    described: list[dict[str, Any]] = []
    arrays: dict[str, Any] = {}
    names = [item.name for item in session.get_inputs()]
    for name in request.get("shapes", {}):
        if name not in names:
            raise RequestError("shape", "--shape %s: no such input; the model has %s" % (name, ", ".join(names)))
    for item in session.get_inputs():
        if item.type not in _DTYPES:
            raise RequestError("shape", "input '%s' is %s, which can't be benched" % (item.name, item.type))
        if request.get("takes") is None:
            shape = resolve_shape(item.name, item.shape, request)
            arrays[item.name] = random_input(numpy, shape, _DTYPES[item.type], request.get("seed", 0))
            described.append(describe_input(item.name, item.type, shape, "random"))
    if request.get("takes") is None:
        return [arrays], described
    return take_feeds(numpy, session.get_inputs(), request)


def take_feeds(numpy: Any, inputs: Any, request: dict[str, Any]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Feeds of one real take each, for a model with one float32 input. Raises RequestError."""
    if len(inputs) != 1 or inputs[0].type != "tensor(float)":
        raise RequestError("shape", "takes fit a model with one float32 input; it has %s" % [i.name for i in inputs])
    item = inputs[0]
    try:
        takes = numpy.load(request["takes"], allow_pickle=False)[:MAX_TAKES]
    except (OSError, ValueError) as error:
        raise RequestError("request", "the takes can't be read: %s" % first_line(error)) from None
    wanted = list(item.shape)
    fits = takes.dtype == numpy.float32 and takes.ndim == len(wanted) and takes.size > 0
    if not fits or any(isinstance(w, int) and w != got for w, got in zip(wanted[1:], takes.shape[1:])):  # noqa: B905 - 3.9
        raise RequestError(
            "shape",
            "input '%s' expects float32 %s, got %s %s" % (item.name, wanted, takes.dtype, takes.shape),
        )
    if isinstance(wanted[0], int) and wanted[0] != 1:
        raise RequestError("shape", "input '%s' has a fixed batch of %d; takes need 1" % (item.name, wanted[0]))
    if not numpy.isfinite(takes).all():
        raise RequestError("shape", "the takes for input '%s' hold NaN or infinity" % item.name)
    feeds = [{item.name: numpy.ascontiguousarray(takes[i : i + 1])} for i in range(len(takes))]
    return feeds, [describe_input(item.name, item.type, (1, *takes.shape[1:]), "takes")]


def resolve_shape(name: str, declared: list[Any], request: dict[str, Any]) -> tuple[int, ...]:
    """Sizes to run on: those asked for, those declared, 1 for a symbolic first axis, the sequence length.

    Raises RequestError for a size that can't be known, or one that contradicts the model.
    """
    asked = request.get("shapes", {}).get(name)
    if asked is not None:
        agrees = len(asked) == len(declared) and all(
            isinstance(size, int) and size >= 1 and (not isinstance(want, int) or size == want)
            for size, want in zip(asked, declared)  # noqa: B905 - 3.9
        )
        if not agrees:
            raise RequestError("shape", "--shape %s=%s: the model declares %s" % (name, asked, declared))
        return tuple(asked)
    sizes: list[int] = []
    for axis, size in enumerate(declared):
        if isinstance(size, int) and size >= 1:
            sizes.append(size)
        elif isinstance(size, int):
            raise RequestError("shape", "input '%s' has an empty axis: %s" % (name, declared))
        elif axis == 0:
            sizes.append(1)
        elif axis == 1 and len(declared) == 3 and request.get("sequence_length"):
            sizes.append(request["sequence_length"])
        else:
            raise RequestError(
                "shape",
                "input '%s' has shape %s: size %r is open; give --shape %s=1,..." % (name, declared, size, name),
            )
    return tuple(sizes)


def random_input(numpy: Any, shape: tuple[int, ...], dtype: str, seed: int) -> Any:
    """Standard normal numbers; ones for integers (indices and lengths), true for bool.

    From the standard library's generator: importing numpy.random would add 7 MB to the peak.
    """
    if not dtype.startswith("float"):
        return numpy.ones(shape, dtype)
    generator = random.Random(seed)
    values = array.array("f", bytes(4 * count(shape)))
    for i in range(len(values)):
        values[i] = generator.gauss(0.0, 1.0)
    return numpy.frombuffer(values, "float32").reshape(shape).astype(dtype)


def count(shape: tuple[int, ...]) -> int:
    """Elements of an array of this shape."""
    total = 1
    for size in shape:
        total *= size
    return total


def describe_input(name: str, kind: str, shape: tuple[int, ...], source: str) -> dict[str, Any]:
    """How one input was fed, for the result."""
    return {"name": name, "type": kind, "shape": [int(size) for size in shape], "source": source}


def run_checked(session: Any, feed: dict[str, Any]) -> None:
    """One run, whose failure becomes a RequestError."""
    try:
        session.run(None, feed)
    except Exception as error:  # ONNX Runtime's own classes share no base
        raise RequestError("model", "fails while it runs: %s" % first_line(error)) from None


def measure_latency(session: Any, feeds: list[dict[str, Any]], request: dict[str, Any]) -> dict[str, Any]:
    """Wall and thread-CPU time of each run in nanoseconds, after the warm-up.

    Ends when there are `repeats` samples and `min_time_s` has passed, or when `max_time_s` has passed since
    the warm-up began; a quarter of that at most goes into the warm-up.
    """
    clock, cpu_clock, run = time.perf_counter_ns, time.thread_time_ns, session.run
    begun = clock()
    least_ns = int(request.get("min_time_s", 0) * 1e9)
    most_ns = int(request.get("max_time_s", 60) * 1e9)
    warmup: list[int] = []
    while len(warmup) < request.get("warmup", 0) and clock() - begun < most_ns // 4:
        start = clock()
        run(None, feeds[len(warmup) % len(feeds)])
        warmup.append(clock() - start)
    wall: list[int] = []
    cpu: list[int] = []
    gc.collect()
    gc.disable()
    measuring = clock()
    while True:
        feed = feeds[len(wall) % len(feeds)]
        cpu_start = cpu_clock()
        start = clock()
        run(None, feed)
        end = clock()
        cpu.append(cpu_clock() - cpu_start)
        wall.append(end - start)
        done = len(wall) >= request["repeats"] and end - measuring >= least_ns
        if done or end - begun >= most_ns:
            break
    gc.enable()
    return {
        "warmup_ns": warmup,
        "samples_ns": wall,
        "thread_cpu_ns": cpu,
        "ended_by": "repeats" if done else "time",
    }


def measure_memory(session: Any, feeds: list[dict[str, Any]], request: dict[str, Any]) -> dict[str, Any]:
    """Runs the model `repeats` times at most, within `max_time_s`, so that every buffer has been touched."""
    begun = time.perf_counter_ns()
    most_ns = int(request.get("max_time_s", 60) * 1e9)
    runs = 0
    while runs < request["repeats"] and time.perf_counter_ns() - begun < most_ns:
        session.run(None, feeds[runs % len(feeds)])
        runs += 1
    return {"runs": runs}


def memory_now(stage: str) -> dict[str, Any]:
    """This process's resident memory and its peak so far in bytes; None where /proc does not say."""
    found = {}
    for line in read_text("/proc/self/status").splitlines():
        name, _, value = line.partition(":")
        if name in ("VmHWM", "VmRSS") and value.strip().endswith("kB"):
            found[name] = int(value.split()[0]) * 1024
    return {"stage": stage, "rss_bytes": found.get("VmRSS"), "peak_rss_bytes": found.get("VmHWM")}


def no_memory_reason() -> str:
    """Why this machine has no figure for memory."""
    return "%s has no /proc/self/status with VmHWM" % platform.system()


def describe_machine(numpy: Any, onnxruntime: Any) -> dict[str, Any]:
    """What a reader needs to judge the figures: the machine, its software and its load."""
    return {
        "system": platform.system(),
        "release": platform.release(),
        "architecture": platform.machine(),
        "cpu_model": cpu_model(),
        "cores": os.cpu_count(),
        "memory_bytes": total_memory_bytes(),
        "device_tree_model": read_text("/proc/device-tree/model").strip("\0\n ") or None,
        "load_1min": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
        "python": platform.python_version(),
        "numpy": numpy.__version__,
        "onnxruntime": onnxruntime.__version__,
    }


def cpu_model() -> str:
    """The CPU's name: x86's model name, Arm's part number, else what the platform says."""
    facts: dict[str, str] = {}
    for line in read_text("/proc/cpuinfo").splitlines():
        name, _, value = line.partition(":")
        facts.setdefault(name.strip(), value.strip())
    if facts.get("model name"):
        return facts["model name"]
    if facts.get("CPU part"):
        return "Arm implementer %s part %s" % (facts.get("CPU implementer", "?"), facts["CPU part"])
    return platform.processor() or platform.machine()


def total_memory_bytes() -> int | None:
    """Memory of the machine in bytes, or None."""
    for line in read_text("/proc/meminfo").splitlines():
        if line.startswith("MemTotal:"):
            return int(line.split()[1]) * 1024
    return None


def read_text(path: str) -> str:
    """The file's text, or "" where there is none."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""


def first_line(error: Exception) -> str:
    """The first line of an error's text, cut to 300 characters."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300]


if __name__ == "__main__":
    main()
