"""Measures ONNX models in this process: latency or memory of one, or several in turn. edgekit's one way to measure.

Run as a file (`python worker.py`), never imported by the process that asks: one JSON request on stdin, one
JSON result as the last line of stdout. The same file runs on this host, on a device and in an emulator, so
it needs the standard library, numpy and onnxruntime only, and Python 3.9.

Request: schema_version 1; mode "latency", "memory" or "compare"; model: path; others: paths of the models that
take turns with it (compare only); opened_first: index of the model whose session is opened first, the others
follow in order; takes: path of a .npy file, float32 (takes, ...) or null for random input; seed; shapes: input
name (of `model`) to sizes; sequence_length: frames, for a symbolic second axis, or null; threads; warmup,
repeats: runs of each model; min_time_s, max_time_s.

Result: every sample in nanoseconds, memory at each stage in bytes, the resolved inputs, the machine; or
{"error": {"kind": "model" | "shape" | "request" | "environment", "message": text, "model": its index}}. Before
that, lines that say which model is being tried: the last of them tells whose fault it was if the process dies.

Memory is VmHWM and VmRSS of /proc/self/status: ru_maxrss is inherited from the parent across fork and exec,
and would report the parent's peak.
"""

from __future__ import annotations

import array
import gc
import json
import math
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
    """What can't be measured. kind: "model", "shape", "request" or "environment". model: index of the one at fault."""

    def __init__(self, kind: str, message: str, model: int = 0) -> None:
        super().__init__(message)
        self.kind = kind
        self.model = model


def main() -> None:
    """Answer the request on stdin; always exits 0 with one line of JSON unless the process itself dies."""
    # edgekit's own folder must not shadow the standard library's modules (statistics)
    here = os.path.dirname(os.path.abspath(__file__))
    sys.path[:] = [entry for entry in sys.path if os.path.abspath(entry or os.curdir) != here]
    try:
        result = answer(read_request(sys.stdin.read()))
    except RequestError as error:
        result = {"error": {"kind": error.kind, "message": str(error), "model": error.model}}
    say(json.dumps(result, allow_nan=False))


def say(line: str) -> None:
    """One line on stdout, at once."""
    sys.stdout.write("\n" + line + "\n")
    sys.stdout.flush()


def read_request(text: str) -> dict[str, Any]:
    """The request as a checked dict. Raises RequestError."""
    try:
        request = json.loads(text)
    except ValueError as error:
        raise RequestError("request", "the request is not JSON: %s" % error) from None
    if not isinstance(request, dict) or request.get("schema_version") != SCHEMA_VERSION:
        raise RequestError("request", "expected a request of schema_version %d" % SCHEMA_VERSION)
    if request.get("mode") not in ("latency", "memory", "compare"):
        raise RequestError("request", "mode: expected latency, memory or compare, got %r" % (request.get("mode"),))
    if bool(request.get("others")) != (request["mode"] == "compare"):
        raise RequestError("request", "others: expected with mode compare, and with no other mode")
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
    sessions = open_sessions(onnxruntime, request)
    session_ns = time.perf_counter_ns() - started
    stages.append(memory_now("session"))
    feeds, inputs = make_feeds(numpy, sessions[0], request)
    turns = [(session, same_feeds(session, index, feeds, inputs)) for index, session in enumerate(sessions)]
    started = time.perf_counter_ns()
    for index in range(len(turns)):
        say("running model %d" % index)
        run_model(turns, index, 0)
    first_run_ns = time.perf_counter_ns() - started
    stages.append(memory_now("first run"))
    say("running all models")
    result = (measure_memory if request["mode"] == "memory" else measure_latency)(turns, request)
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


def open_sessions(onnxruntime: Any, request: dict[str, Any]) -> list[Any]:
    """A session for each model, in the request's order, however they are opened."""
    paths = [request["model"], *request.get("others", [])]
    sessions: list[Any] = [None] * len(paths)
    for step in range(len(paths)):
        index = (request.get("opened_first", 0) + step) % len(paths)
        say("opening model %d" % index)
        sessions[index] = open_session(onnxruntime, paths[index], request["threads"], index)
    return sessions


def open_session(onnxruntime: Any, path: str, threads: int, index: int) -> Any:
    """A CPU session as `edgekit.runtime` opens one: threads don't spin, int8 products are the same on every x86."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.disable_quant_qdq", "1")
    options.add_session_config_entry("session.x64quantprecision", "1")
    try:
        return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime's own classes share no base
        message = "ONNX Runtime %s can't load it: %s" % (onnxruntime.__version__, first_line(error))
        raise RequestError("model", message, index) from None


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
    if not fits or not agrees(wanted[1:], takes.shape[1:]):
        message = "input '%s' expects float32 %s, got %s %s" % (item.name, wanted, takes.dtype, takes.shape)
        raise RequestError("shape", message)
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
        if not agrees(declared, asked) or not all(isinstance(size, int) and size >= 1 for size in asked):
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
            message = "input '%s' has shape %s: size %r is open; give --shape %s=1,..."
            raise RequestError("shape", message % (name, declared, size, name))
    return tuple(sizes)


def agrees(declared: Any, sizes: Any) -> bool:
    """Whether an input declared so, with names or None for open axes, takes an array of these sizes."""
    return len(declared) == len(sizes) and all(
        not isinstance(want, int) or want == size
        for want, size in zip(declared, sizes)  # noqa: B905 - 3.9
    )


def same_feeds(session: Any, index: int, feeds: list[Any], inputs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The first model's feeds for model `index`, whose inputs may have other names: then their order tells.

    Raises RequestError when number, types or shapes of its inputs are not the first model's.
    """
    items = {item.name: item for item in session.get_inputs()}
    known = [item["name"] for item in inputs]
    names = known if set(items) == set(known) else list(items)
    fits = len(names) == len(known) and all(
        items[name].type == first["type"] and agrees(items[name].shape, first["shape"])
        for name, first in zip(names, inputs)  # noqa: B905 - 3.9
    )
    if not fits:
        got = ", ".join("%s %s" % (item.type, list(item.shape)) for item in items.values())
        wanted = ", ".join("%s %s" % (item["type"], item["shape"]) for item in inputs)
        message = "its input is %s; the first model runs on %s, and only models of the same input can be compared"
        raise RequestError("shape", message % (got, wanted), index)
    return [{name: feed[first] for name, first in zip(names, known)} for feed in feeds]  # noqa: B905 - 3.9


def random_input(numpy: Any, shape: tuple[int, ...], dtype: str, seed: int) -> Any:
    """Standard normal numbers; ones for integers (indices and lengths), true for bool.

    From the standard library's generator: importing numpy.random would add 7 MB to the peak.
    """
    if not dtype.startswith("float"):
        return numpy.ones(shape, dtype)
    generator = random.Random(seed)
    values = array.array("f", bytes(4 * math.prod(shape)))
    for i in range(len(values)):
        values[i] = generator.gauss(0.0, 1.0)
    return numpy.frombuffer(values, "float32").reshape(shape).astype(dtype)


def describe_input(name: str, kind: str, shape: tuple[int, ...], source: str) -> dict[str, Any]:
    """How one input was fed, for the result."""
    return {"name": name, "type": kind, "shape": [int(size) for size in shape], "source": source}


def run_model(turns: list[Any], index: int, number: int) -> tuple[int, int]:
    """One run of a model on take `number`: wall and thread-CPU nanoseconds. Its failure becomes a RequestError."""
    session, feeds = turns[index]
    run, feed = session.run, feeds[number % len(feeds)]
    clock, cpu_clock = time.perf_counter_ns, time.thread_time_ns
    try:
        cpu_start = cpu_clock()
        start = clock()
        run(None, feed)
        end = clock()
        return end - start, cpu_clock() - cpu_start
    except Exception as error:  # ONNX Runtime's own classes share no base
        raise RequestError("model", "fails while it runs: %s" % first_line(error), index) from None


def run_round(turns: list[Any], number: int) -> list[tuple[int, int]]:
    """Every model in turn on the same take: what `run_model` says, in the models' order.

    Who comes first is drawn anew each time, so that equal models have equal chances. Where there are several, each
    runs twice and the second run counts: the first finds the caches as another model left them.
    """
    order = list(range(len(turns)))
    random.shuffle(order)
    took = {}
    for index in order:
        for _ in range(min(len(turns), 2)):
            took[index] = run_model(turns, index, number)
    return [took[index] for index in range(len(turns))]


def measure_latency(turns: list[Any], request: dict[str, Any]) -> dict[str, Any]:
    """Wall time of each run in nanoseconds after the warm-up, round by round, and the first model's CPU time.

    Ends when there are `repeats` rounds and `min_time_s` has passed, or when `max_time_s` has passed since
    the warm-up began; a quarter of that at most goes into the warm-up.
    """
    clock = time.perf_counter_ns
    begun = clock()
    least_ns = int(request.get("min_time_s", 0) * 1e9)
    most_ns = int(request.get("max_time_s", 60) * 1e9)
    warmup: list[Any] = []
    while len(warmup) < request.get("warmup", 0) and clock() - begun < most_ns // 4:
        warmup.append(run_round(turns, len(warmup)))
    rounds: list[Any] = []
    gc.collect()
    gc.disable()
    measuring = clock()
    while True:
        rounds.append(run_round(turns, len(rounds)))
        now = clock()
        done = len(rounds) >= request["repeats"] and now - measuring >= least_ns
        if done or now - begun >= most_ns:
            break
    gc.enable()
    return {
        "warmup_ns": [took[0][0] for took in warmup],
        "samples_ns": [took[0][0] for took in rounds],
        "thread_cpu_ns": [took[0][1] for took in rounds],
        "others_ns": [[took[index][0] for took in rounds] for index in range(1, len(turns))],
        "ended_by": "repeats" if done else "time",
    }


def measure_memory(turns: list[Any], request: dict[str, Any]) -> dict[str, Any]:
    """Runs the model `repeats` times at most, within `max_time_s`, so that every buffer has been touched."""
    begun = time.perf_counter_ns()
    most_ns = int(request.get("max_time_s", 60) * 1e9)
    runs = 0
    while runs < request["repeats"] and time.perf_counter_ns() - begun < most_ns:
        run_model(turns, 0, runs)
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
