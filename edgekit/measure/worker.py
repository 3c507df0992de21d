"""Measures ONNX models and shared libraries of `edgekit compile` in this process: latency, endurance or memory of one,
several in turn, or the answers of one with marks for an emulator that counts. edgekit's one way to measure.

Run as a file (`python worker.py`), never imported by the process that asks: one JSON request on stdin, one
JSON result as the last line of stdout. The same file runs on this host, on a device and in an emulator, so
it needs the standard library, numpy and onnxruntime only, and Python 3.9.

Request: schema_version 1; mode "latency", "memory", "sustained", "compare" or
"count"; model: path; others: paths of the models
that take turns with it (compare only); opened_first: index of the model whose session is opened first, the others
follow in order; takes: path of a .npy file, float32 (takes, ...) or null for random input; seed; shapes: input name (of
`model`) to sizes; values: input name to the number that fills it, or to all its numbers in order; decides: of each
model, input name to what its values decide, in words (see `check_made_up`); steps: of `model`, input name to [the
recurrent layer that steps through its first axis, whether that is certain]; sequence_length: frames, for a symbolic
second axis, or null; compiled: indices of the models that are shared libraries, the rest being ONNX files; threads;
warmup, repeats: runs of each model; min_time_s, max_time_s; stop: null, or {"looks": {samples: [l, u]}, "narrow_ratio",
"limit_ns"}, when latency is known (see `known`); rate_hz: takes per second in mode "sustained", null for back to back;
memory_limit_bytes: what the process may allocate beyond its imports, or null; parent: number of the process that asks,
with which this one ends, or null.

Result: every sample in nanoseconds, memory at each stage in bytes, the resolved inputs, the machine; "stopped": text
where the memory limit stopped the model, "stopped_model": its index, with what was measured until then; or
{"error": {"kind": "model" | "shape" | "request" | "environment", "message": text, "model": its index}}. Before
that, lines that say which model is being tried: the last of them tells whose fault it was if the process dies.

Memory is VmHWM and VmRSS of /proc/self/status, PSS and USS of smaps_rollup: ru_maxrss is inherited from the parent
across fork and exec, and would report the parent's peak. The limit is RLIMIT_DATA, which counts private memory that can
be written; RLIMIT_AS would count address space, most of which is never touched.
"""

from __future__ import annotations

import array
import gc
import glob
import json
import math
import os
import platform
import random
import re
import signal
import sys
import time
from typing import Any

try:
    import resource
except ImportError:  # Windows
    resource = None  # type: ignore[assignment]

SCHEMA_VERSION = 1
MAX_TAKES = 256  # 2 MB of (30, 63) takes: more would be measured as memory of the model
MAX_SAMPLES = 1000000  # of one process; 16 MB with their CPU times
WINDOWS = 10  # of a sustained run
MAX_INPUT_BYTES = 2**40  # beyond any machine's memory, and beyond what a mistake would be
DIFFERENT_NUMBERS = 2**16  # of a random input; a larger one repeats them
PR_SET_PDEATHSIG = 1
_MODES = ("latency", "memory", "sustained", "compare", "count")
#: Policies of sched_get_priority_max, which change nothing: an emulator's plugin takes the call for a mark.
MARKS = {"begin": 3, "end": 5, "stage": 6}
MAX_ANSWERS = 100000  # numbers of a run that are told
_DTYPES = {
    "tensor(float)": "float32",
    "tensor(double)": "float64",
    "tensor(float16)": "float16",
    "tensor(int64)": "int64",
    "tensor(int32)": "int32",
    "tensor(int16)": "int16",
    "tensor(int8)": "int8",
    "tensor(uint8)": "uint8",
    "tensor(uint16)": "uint16",
    "tensor(uint32)": "uint32",
    "tensor(uint64)": "uint64",
    "tensor(bool)": "bool",
}
_STATE_WORDS = frozenset({"state", "states", "hidden", "cell", "cells", "cache", "caches"})
_BEFORE = frozenset({"in", "i", "input", "old", "prev", "previous", "init", "initial", "past"})
_AFTER = frozenset({"out", "o", "output", "new", "next", "n", "t", "last", "final", "present"})


class RequestError(Exception):
    """What can't be measured. kind: as in the result, or "memory" at the limit. model: index of the one at fault."""

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
    if request.get("mode") not in _MODES:
        raise RequestError("request", "mode: expected one of %s, got %r" % (", ".join(_MODES), request.get("mode")))
    if bool(request.get("others")) != (request["mode"] == "compare"):
        raise RequestError("request", "others: expected with mode compare, and with no other mode")
    for name in ("threads", "repeats"):
        if not isinstance(request.get(name), int) or request[name] < 1:
            raise RequestError("request", "%s: expected at least 1, got %r" % (name, request.get(name)))
    return request


def answer(request: dict[str, Any]) -> dict[str, Any]:
    """Measure as asked; the result as a JSON-ready dict. Raises RequestError."""
    stages = [at_stage(request, "interpreter")]
    started = time.perf_counter_ns()
    numpy, onnxruntime = import_runtime(native=len(compiled_models(request)) == 1 + len(request.get("others", [])))
    end_with(request.get("parent"))
    result: dict[str, Any] = {"import_ns": time.perf_counter_ns() - started, "stages": stages}
    gc.collect()  # what importing left behind is not the model's
    stages.append(at_stage(request, "imports"))
    result["memory_limit_bytes"] = limit_memory(request.get("memory_limit_bytes"), request["threads"])
    try:
        measure(numpy, onnxruntime, request, result)
    except RequestError as error:
        if error.kind != "memory":
            raise
        result.update(stopped=str(error), stopped_model=error.model)
        stages.append(memory_now("stopped"))
    peak = stages[-1].get("peak_rss_bytes")
    result.update(
        schema_version=SCHEMA_VERSION,
        mode=request["mode"],
        peak_rss_bytes=peak,
        memory_reason=None if peak is not None else no_memory_reason(),
        machine=describe_machine(numpy, onnxruntime),
    )
    return result


def measure(numpy: Any, onnxruntime: Any, request: dict[str, Any], result: dict[str, Any]) -> None:
    """Open the models, run them as asked, and put what is found into `result` as it is found."""
    stages = result["stages"]
    started = time.perf_counter_ns()
    sessions = open_sessions(numpy, onnxruntime, request)
    result["session_ns"] = time.perf_counter_ns() - started
    stages.append(at_stage(request, "session"))
    try:
        feeds, inputs = make_feeds(numpy, sessions[0], request)
    except MemoryError as error:
        raise blame(error, "its inputs do not fit in the memory of this machine", 0) from None
    result["inputs"] = inputs
    fed = [same_feeds(session, index, feeds, inputs, request) for index, session in enumerate(sessions)]
    turns = list(zip(carry_states(sessions, inputs, request), fed))  # noqa: B905 - 3.9
    started = time.perf_counter_ns()
    for index in range(len(turns)):
        say("running model %d" % index)
        run_model(turns, index, 0)
    result["first_run_ns"] = time.perf_counter_ns() - started
    stages.append(at_stage(request, "first run"))
    say("running all models")
    passes = {"memory": measure_memory, "sustained": measure_sustained, "count": measure_counts}
    counts = request["mode"] == "count"
    before = {} if counts else use_so_far()
    result.update(passes.get(request["mode"], measure_latency)(turns, request))
    after = {} if counts else use_so_far()
    result["use"] = {name: None if after[name] is None else after[name] - before[name] for name in after}
    stages.append(at_stage(request, "run"))


def at_stage(request: dict[str, Any], stage: str) -> dict[str, Any]:
    """This process's memory at a stage. In mode "count" a mark: the emulator knows, and reading what it is would move
    what is counted, as texts of the system are now longer and now shorter."""
    if request["mode"] != "count":
        return memory_now(stage)
    os.sched_get_priority_max(MARKS["stage"])
    return {"stage": stage}


def import_runtime(native: bool = False) -> tuple[Any, Any]:
    """(numpy, onnxruntime), or (numpy, None) where all models are libraries. Raises RequestError when one is missing or
    can't be loaded on this CPU.

    Without telemetry, which ONNX Runtime has from version 1.32 on: it is decided by the time of the import.
    """
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    try:
        import numpy

        if native:
            return numpy, None
        import onnxruntime
    except ImportError as error:
        raise RequestError("environment", "numpy and onnxruntime are needed here: %s" % error) from None
    return numpy, onnxruntime


def end_with(parent: int | None) -> None:
    """Let the system kill this process when `parent`, which started it, ends, however that ends: Linux alone can.

    Called when numpy has loaded ctypes anyway, so that it is nobody's memory.
    """
    if parent is None or not sys.platform.startswith("linux"):
        return
    try:
        import ctypes

        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    except (ImportError, OSError, AttributeError):
        return
    if os.getppid() != parent:  # it ended before
        os._exit(1)


def compiled_models(request: dict[str, Any]) -> list[int]:
    """Indices of the models that are shared libraries."""
    return list(request.get("compiled") or [])


def open_sessions(numpy: Any, onnxruntime: Any, request: dict[str, Any]) -> list[Any]:
    """A session or a library for each model, in the request's order, however they are opened."""
    paths = [request["model"], *request.get("others", [])]
    compiled = compiled_models(request)
    sessions: list[Any] = [None] * len(paths)
    for step in range(len(paths)):
        index = (request.get("opened_first", 0) + step) % len(paths)
        say("opening model %d" % index)
        if index in compiled:
            sessions[index] = open_library(numpy, paths[index], index)
        else:
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
        message = "ONNX Runtime %s can't load it: %s" % (onnxruntime.__version__, said_by_runtime(error))
        raise blame(error, message, index) from None


def open_library(numpy: Any, path: str, index: int) -> Any:
    """A shared library of `edgekit compile`, called as a session is."""
    try:
        return Library(numpy, path)
    except (OSError, AttributeError, StopIteration) as error:
        raise blame(error, "it can't be loaded here: %s" % first_line(error), index) from None


def aligned(numpy: Any, size: int) -> Any:
    """Bytes at the start of a page: where they lie in one decides up to 7 % of a short run."""
    memory = numpy.zeros(size + 4096, "uint8")
    start = -memory.ctypes.data % 4096
    return memory[start : start + size]


class Port:
    """An input or output of a library, as ONNX Runtime describes one."""

    def __init__(self, name: str, shape: list[Any]) -> None:
        self.name, self.shape, self.type = name, shape, "tensor(float)"


class Library:
    """A shared library of `edgekit compile` in the place of a session. What Python adds, about two microseconds for
    copies and the call, counts as time of the run."""

    def __init__(self, numpy: Any, path: str) -> None:
        import ctypes

        library = ctypes.CDLL(path)
        size, pointer = ctypes.c_size_t, ctypes.c_void_p
        sizes = (size * 4)()
        library.ek_sizes(sizes)
        frames, features, classes, context = (int(one) for one in sizes)
        self.inputs = [Port("landmarks", ["batch", frames, features])]
        self.outputs = [Port("logits", ["batch", classes])]
        self.take = aligned(numpy, 4 * frames * features).view("float32").reshape(frames, features)
        self.logits = aligned(numpy, 4 * classes).view("float32")
        self.context = aligned(numpy, context)
        variant = next(k for k in range(library.ek_variant_count()) if library.ek_variant_runs(k))
        self.arguments = (
            ctypes.c_int(variant), pointer(self.context.ctypes.data), pointer(self.take.ctypes.data), size(frames),
            size(features), pointer(self.logits.ctypes.data), size(classes),
        )  # fmt: skip
        self.predict = library.ek_predict_with
        self.stack = numpy.stack

    def get_inputs(self) -> list[Port]:
        """The only one."""
        return self.inputs

    def get_outputs(self) -> list[Port]:
        """The only one."""
        return self.outputs

    def run(self, names: Any, feed: dict[str, Any]) -> list[Any]:
        """Every take of the batch in turn; `names` must be None, for all outputs."""
        answers = []
        for take in feed["landmarks"]:
            self.take[...] = take
            status = self.predict(*self.arguments)
            if status:
                raise ValueError("the library answers with status %d" % status)
            answers.append(self.logits.copy())
        return [self.stack(answers)]


def make_feeds(numpy: Any, session: Any, request: dict[str, Any]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """(feeds, inputs): the dicts to run on in turn, and the description of each input for the result.

    An input's source: "value" as asked for, "takes", "state fed back" (zeros first, then what the run before gave
    out: see `carry_states`), "zeros" (a state of which it is not clear what carries it on), "ones" (whole numbers,
    indices and lengths, and true), else "random".
    """
    inputs = session.get_inputs()
    check_inputs(inputs, request)
    states = find_states(session, request)
    taken, takes = read_takes(numpy, inputs, states, request)
    sizes = resolve_shapes(inputs, states, request, {} if takes is None else {taken: [1, *takes.shape[1:]]})
    arrays, described = {}, []
    for item in inputs:
        kind = _DTYPES[item.type]
        check_bytes(item.name, sizes[item.name], numpy.dtype(kind).itemsize)
        if item.name in request.get("values", {}):
            array, source = filled_input(numpy, item, sizes[item.name], request["values"][item.name]), "value"
        elif item.name in states:
            source = "zeros" if states[item.name] is None else "state fed back"
            array = numpy.zeros(sizes[item.name], kind)
        elif item.name == taken:
            array, source = takes[:1], "takes"
        else:
            array = random_input(numpy, sizes[item.name], kind, request.get("seed", 0))
            source = "random" if kind.startswith("float") else "ones"
        arrays[item.name] = array
        described.append(describe_input(item.name, item.type, sizes[item.name], source))
    check_made_up(described, {item["name"]: item["name"] for item in described}, request, 0)
    return take_feeds(numpy, arrays, taken, takes), described


def check_inputs(inputs: Any, request: dict[str, Any]) -> None:
    """Raises RequestError for sizes or values of inputs that don't exist, and for inputs that can't be made up."""
    names = [item.name for item in inputs]
    for option, given in (("shape", request.get("shapes", {})), ("value", request.get("values", {}))):
        for name in given:
            if name not in names:
                message = "--%s %s: no such input; the model has %s"
                raise RequestError("shape", message % (option, name, ", ".join(names)))
    for item in inputs:
        if item.type == "tensor(string)":
            message = "input '%s' is text, which is never made up; bench the part of the model behind its tokenizer"
            raise RequestError("shape", message % item.name)
        if item.type not in _DTYPES:
            raise RequestError("shape", "input '%s' is %s, which can't be benched" % (item.name, item.type))
        if not item.shape and item.name not in request.get("values", {}):
            message = "input '%s' is a single number (%s) that may decide what the model does; give --value %s=..."
            raise RequestError("shape", message % (item.name, item.type, item.name))


def check_bytes(name: str, shape: tuple[int, ...], each: int) -> None:
    """Raises RequestError for an input that no machine can hold."""
    if math.prod(shape) * each > MAX_INPUT_BYTES:
        message = "input '%s' of shape %s would take %.3g GB; check the file, or what --shape says"
        raise RequestError("shape", message % (name, list(shape), math.prod(shape) * each / 1e9))


def check_made_up(inputs: list[dict[str, Any]], names: dict[str, str], request: dict[str, Any], index: int) -> None:
    """Raises RequestError for inputs that decide how much work a run of model `index` is and that nobody has given.

    names: the model's name of an input to its name in `inputs`, which the user goes by. Whole numbers and true or false
    are made up as ones or start as zeros; a real number alone is a length, a rate or a threshold as well. Of more real
    numbers the description says that they decide: they are data, and random, or a state, and zeros at first.
    """
    known = {item["name"]: item for item in inputs}
    wanted = []
    for name, place in (request.get("decides") or [{}] * (index + 1))[index].items():
        item = known.get(names.get(name, ""))
        if item is None or item["source"] in ("value", "takes"):
            continue
        if _DTYPES[item["type"]].startswith("float"):
            several = len(item["shape"]) > 1 and math.prod(item["shape"]) > 1
            if several:
                item.setdefault("decides", place)
                continue
        wanted.append((item, place))
    if wanted:
        found = ["input '%s' (%s %s) reaches %s" % (i["name"], i["type"], i["shape"], place) for i, place in wanted]
        given = " ".join("--value %s=..." % item["name"] for item, _ in wanted)
        message = "%s: how much work a run is depends on it, and it is never made up; give %s" % (
            "; ".join(found),
            given,
        )
        raise RequestError("shape", message, index)


def find_states(session: Any, request: dict[str, Any]) -> dict[str, Any]:
    """The model's state inputs: name to the index of the output that carries it on; None where several could.

    A state is called one (state, hidden, cell, cache; h or c), and there is an output of its type and shape: of its
    name but for words like new, out and n, or, where no name fits, the only one among several outputs. An input
    whose value is asked for is no state.
    """
    outputs = session.get_outputs()
    found = {}
    for item in session.get_inputs():
        words = name_words(item.name, digits=False)
        if not words or (words[-1] not in ("h", "c") and not _STATE_WORDS.intersection(words)):
            continue
        if item.name in request.get("values", {}) or item.type not in _DTYPES or not item.shape:
            continue
        fits = [index for index, output in enumerate(outputs) if could_be(item, output)]
        exact = [index for index in fits if name_words(outputs[index].name) == name_words(item.name)]
        alike = [index for index in fits if name_words(outputs[index].name, digits=False) == words]
        choices = exact or alike or (fits if len(outputs) > 1 else [])
        if choices:
            found[item.name] = choices[0] if len(choices) == 1 else None
    claims = list(found.values())
    return {name: index if claims.count(index) == 1 else None for name, index in found.items()}


def name_words(name: str, digits: bool = True) -> list[str]:
    """A tensor's name in words, without those that tell a state before a run from the one after it.

    "stateN" and "state" are ["state"], "hn", "h_in" and "h_out" ["h"]. digits: keep numbers as words.
    """
    words = [word.lower() for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+|\d+", name)]
    words = [word[0] if word in ("hn", "cn", "hx", "cx") else word for word in words]
    return [word for word in words if word not in _BEFORE | _AFTER and (digits or not word.isdigit())]


def could_be(item: Any, output: Any) -> bool:
    """Whether an output may have the type and the shape of an input, as far as they are declared."""
    return (
        item.type == output.type
        and len(item.shape) == len(output.shape)
        and all(
            not isinstance(one, int) or not isinstance(other, int) or one == other
            for one, other in zip(item.shape, output.shape)  # noqa: B905 - 3.9
        )
    )


class Carrier:
    """A session whose state inputs get, run by run, what the run before gave out: as an application does it.

    links: input name to output index. What the hand-over takes, about a microsecond, counts as time of the run. A
    state of which the first run changes the shape stays at zeros, and its description says so.
    """

    def __init__(self, session: Any, links: dict[str, int], inputs: list[dict[str, Any]]) -> None:
        self.session, self.links, self.inputs = session, links, inputs
        self.state: dict[str, Any] = {}

    def run(self, names: Any, feed: dict[str, Any]) -> list[Any]:
        """Run as the session does; `names` must be None, for all outputs."""
        outputs: list[Any] = self.session.run(names, {**feed, **self.state})
        if not self.state:
            self.drop_misfits(feed, outputs)
        self.state = {name: outputs[index] for name, index in self.links.items()}
        return outputs

    def drop_misfits(self, feed: dict[str, Any], outputs: list[Any]) -> None:
        """Forget the states that come out in another shape than they went in."""
        for name, index in list(self.links.items()):
            if outputs[index].shape != feed[name].shape:
                del self.links[name]
                mark_zeros(self.inputs, name)


def carry_states(sessions: list[Any], inputs: list[dict[str, Any]], request: dict[str, Any]) -> list[Any]:
    """The sessions, as `Carrier`s where a state is fed back; models that are compared do so alike or not at all."""
    wanted = [item["name"] for item in inputs if item["source"] == "state fed back"]
    found = [find_states(session, request) for session in sessions]
    links = [{name: index for name, index in states.items() if index is not None} for states in found]
    if not wanted or any(len(each) != len(wanted) for each in links):
        for name in wanted:
            mark_zeros(inputs, name)
        return sessions
    return [Carrier(session, each, inputs) for session, each in zip(sessions, links)]  # noqa: B905 - 3.9


def mark_zeros(inputs: list[dict[str, Any]], name: str) -> None:
    """Correct the description of a state that is not fed back after all."""
    for item in inputs:
        if item["name"] == name:
            item["source"] = "zeros"


def read_takes(numpy: Any, inputs: Any, states: dict[str, Any], request: dict[str, Any]) -> tuple[Any, Any]:
    """(name, takes): the one float32 input that is neither a state nor a value, and its takes; (None, None) without.

    Raises RequestError for takes that don't fit it.
    """
    if request.get("takes") is None:
        return None, None
    free = [item for item in inputs if item.name not in states and item.name not in request.get("values", {})]
    if len(free) != 1 or free[0].type != "tensor(float)":
        names = [item.name for item in free]
        raise RequestError("shape", "takes fit a model with one float32 input besides its states; it has %s" % names)
    item = free[0]
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
    return item.name, takes


def take_feeds(numpy: Any, arrays: dict[str, Any], taken: Any, takes: Any) -> list[dict[str, Any]]:
    """One feed for each take, the other inputs the same; one feed without takes."""
    if takes is None:
        return [arrays]
    return [{**arrays, taken: numpy.ascontiguousarray(takes[i : i + 1])} for i in range(len(takes))]


def resolve_shapes(
    inputs: Any, states: dict[str, Any], request: dict[str, Any], given: dict[str, Any]
) -> dict[str, tuple[int, ...]]:
    """Sizes of every input; `given` are those of takes. An axis follows others of its name: give one, all are known."""
    asked = {**request.get("shapes", {}), **given}
    axes: dict[str, set[int]] = {}
    for item in inputs:
        if item.name in asked and len(asked[item.name]) == len(item.shape):
            for axis, size in zip(item.shape, asked[item.name]):  # noqa: B905 - 3.9
                axes.setdefault(axis, set()).add(size)
    # names that stand for nothing ("?" in one exporter's files), or for several sizes at once, tell nothing
    known = {
        axis: min(sizes)
        for axis, sizes in axes.items()
        if isinstance(axis, str) and len(sizes) == 1 and axis.isidentifier()
    }
    for item in inputs:
        if item.name not in states and item.shape and not isinstance(item.shape[0], int):
            if item.shape[0] not in known:
                check_first_axis(item, asked, request)
            if item.shape[0] is not None:
                known.setdefault(item.shape[0], 1)
    return {
        item.name: resolve_shape(item.name, item.shape, asked.get(item.name), known, item.name in states, request)
        for item in inputs
    }


def check_first_axis(item: Any, asked: dict[str, Any], request: dict[str, Any]) -> None:
    """Raises RequestError for an open first axis that is time: one step of it is another model than is used.

    Where it is not certain which of two axes a layer steps through, a name that begins as `batch` does is believed.
    """
    layer, certain = request.get("steps", {}).get(item.name, ("", False))
    if item.name in asked or not layer or (not certain and str(item.shape[0]).lower().startswith("b")):
        return
    message = "input '%s' has shape %s: %s steps through its first axis, which is open; give --shape %s=..."
    raise RequestError("shape", message % (item.name, item.shape, layer, item.name))


def resolve_shape(
    name: str, declared: list[Any], asked: Any, known: dict[str, int], state: bool, request: dict[str, Any]
) -> tuple[int, ...]:
    """Sizes to run on: those asked for, those declared or known by the axis's name, 1 for an open first axis, the
    sequence length; 1 for the only open axis of a state, which is its batch.

    Raises RequestError for a size that can't be known, or one that contradicts the model.
    """
    if asked is not None:
        if not agrees(declared, asked) or not all(isinstance(size, int) and size >= 1 for size in asked):
            raise RequestError("shape", "--shape %s=%s: the model declares %s" % (name, asked, declared))
        return tuple(asked)
    sizes: list[int] = []
    open_axes = [axis for axis in declared if not isinstance(axis, int) and axis not in known]
    for axis, size in enumerate(declared):
        if isinstance(size, int) and size >= 1:
            sizes.append(size)
        elif isinstance(size, int):
            raise RequestError("shape", "input '%s' has an empty axis: %s" % (name, declared))
        elif size in known:
            sizes.append(known[size])
        elif axis == 0 or (state and len(open_axes) == 1):
            sizes.append(1)
        elif axis == 1 and len(declared) == 3 and request.get("sequence_length"):
            sizes.append(request["sequence_length"])
        else:
            message = "input '%s' has shape %s: size %r is open; give --shape %s=1,..."
            raise RequestError("shape", message % (name, declared, size, name))
    return tuple(sizes)


def filled_input(numpy: Any, item: Any, shape: tuple[int, ...], value: Any) -> Any:
    """An array that holds nothing but `value`, or the numbers that it lists, row by row.

    Raises RequestError when the input's type can't hold it, or for another number of numbers than the input has.
    """
    said = ",".join(map(str, value)) if isinstance(value, list) else str(value)
    if isinstance(value, list) and len(value) != math.prod(shape):
        message = "--value %s=%s: %d numbers for input '%s' of shape %s; give one for all, or %d"
        raise RequestError("shape", message % (item.name, said, len(value), item.name, list(shape), math.prod(shape)))
    try:
        wanted = numpy.reshape(value, shape) if isinstance(value, list) else value
        with numpy.errstate(over="ignore"):
            array = numpy.full(shape, wanted, _DTYPES[item.type])
        rounds = item.type in ("tensor(float16)", "tensor(float)")
        exact = bool(numpy.isfinite(array).all() if rounds else (array == wanted).all())
    except (OverflowError, TypeError, ValueError):
        exact = False
    if not exact:
        raise RequestError(
            "shape", "--value %s=%s: input '%s' is %s, which can't hold that" % (item.name, said, item.name, item.type)
        )
    return array


def agrees(declared: Any, sizes: Any) -> bool:
    """Whether an input declared so, with names or None for open axes, takes an array of these sizes."""
    return len(declared) == len(sizes) and all(
        not isinstance(want, int) or want == size
        for want, size in zip(declared, sizes)  # noqa: B905 - 3.9
    )


def same_feeds(
    session: Any, index: int, feeds: list[Any], inputs: list[dict[str, Any]], request: dict[str, Any]
) -> list[dict[str, Any]]:
    """The first model's feeds for model `index`, whose inputs may have other names: then their order tells.

    Raises RequestError when number, types or shapes of its inputs are not the first model's, or when one decides how
    much work this model does and was made up.
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
    check_made_up(inputs, dict(zip(names, known)), request, index)  # noqa: B905 - 3.9
    return [{name: feed[first] for name, first in zip(names, known)} for feed in feeds]  # noqa: B905 - 3.9


def random_input(numpy: Any, shape: tuple[int, ...], dtype: str, seed: int) -> Any:
    """Standard normal numbers, DIFFERENT_NUMBERS of them at most; ones for integers (indices), true for bool.

    From the standard library's generator: importing numpy.random would add 7 MB to the peak.
    """
    if not dtype.startswith("float"):
        return numpy.ones(shape, dtype)
    generator = random.Random(seed)
    count = math.prod(shape)
    values = array.array("f", bytes(4 * min(count, DIFFERENT_NUMBERS)))
    for i in range(len(values)):
        values[i] = generator.gauss(0.0, 1.0)
    return numpy.resize(numpy.frombuffer(values, "float32"), shape).astype(dtype, copy=False)


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
        raise blame(error, "fails while it runs: %s" % said_by_runtime(error), index) from None


def blame(error: Exception, message: str, index: int) -> RequestError:
    """The error to raise: of kind "memory" for an allocation that failed under a limit, else of kind "model"."""
    limited = resource is not None and resource.getrlimit(resource.RLIMIT_DATA)[0] != resource.RLIM_INFINITY
    words = ("Failed to allocate memory", "bad_alloc", "bad allocation")
    said = str(error)
    found = [said.index(word) for word in words if word in said]
    if limited and (found or isinstance(error, MemoryError)):
        return RequestError("memory", said[min(found, default=0) :].partition("\n")[0][:300] or "MemoryError", index)
    return RequestError("model", message, index)


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

    Ends when `ended` says so; a quarter of `max_time_s` at most goes into the warm-up.
    """
    clock = time.perf_counter_ns
    begun = clock()
    most_ns = int(request.get("max_time_s", 60) * 1e9)
    warmup: list[Any] = []
    while len(warmup) < request.get("warmup", 0) and clock() - begun < most_ns // 4:
        warmup.append(run_round(turns, len(warmup)))
    columns = [array.array("q") for _ in turns]
    cpu = array.array("q")
    gc.collect()
    gc.disable()
    measuring, ended_by = clock(), ""
    while not ended_by:
        took = run_round(turns, len(cpu))
        for column, (wall_ns, _) in zip(columns, took):  # noqa: B905 - 3.9
            column.append(wall_ns)
        cpu.append(took[0][1])
        now = clock()
        ended_by = ended(columns[0], now - measuring, now - begun, request)
    gc.enable()
    return {
        "warmup_ns": [took[0][0] for took in warmup],
        "samples_ns": columns[0].tolist(),
        "thread_cpu_ns": cpu.tolist(),
        "others_ns": [column.tolist() for column in columns[1:]],
        "ended_by": ended_by,
    }


def ended(samples: Any, measuring_ns: int, total_ns: int, request: dict[str, Any]) -> str:
    """Why it is time to stop, or "": "known" or, without a rule, "repeats"; "time"; "samples" at MAX_SAMPLES.

    Of the first two neither before `min_time_s` of measuring have passed; "time" when `max_time_s` have, since the
    warm-up began.
    """
    if measuring_ns >= request.get("min_time_s", 0) * 1e9:
        rule = request.get("stop")
        if rule is None and len(samples) >= request["repeats"]:
            return "repeats"
        if rule is not None and known(samples, rule):
            return "known"
    if total_ns >= request.get("max_time_s", 60) * 1e9:
        return "time"
    return "samples" if len(samples) >= MAX_SAMPLES else ""


def known(samples: Any, rule: dict[str, Any]) -> bool:
    """Whether it is time for a look, and what it shows is enough: see `edgekit.measure.stopping.StopRule`."""
    ranks = rule["looks"].get(str(len(samples)))
    if ranks is None:
        return False
    ordered = sorted(samples)
    low, high = ordered[ranks[0] - 1], ordered[ranks[1] - 1]
    if rule["limit_ns"] is None:
        return bool(high - low <= rule["narrow_ratio"] * (high + low))
    room = high - low
    return bool(high + room <= rule["limit_ns"] or low - room > rule["limit_ns"])


def measure_sustained(turns: list[Any], request: dict[str, Any]) -> dict[str, Any]:
    """Runs for `max_time_s` in WINDOWS windows of equal length; back to back, or `rate_hz` takes per second.

    At a rate, take k is due at k / rate; it runs then, or as soon as the one before has ended. Its response is the time
    from due to done; one longer than 1 / rate has missed its deadline, and so has a take that never got its turn.
    """
    length_ns = int(request["max_time_s"] * 1e9)
    period_ns = 1e9 / request["rate_hz"] if request.get("rate_hz") else 0.0
    windows: list[dict[str, Any]] = []
    begun, runs = time.perf_counter_ns(), 0
    for index in range(WINDOWS):
        ends = begun + length_ns * (index + 1) // WINDOWS
        windows.append(run_window(turns, runs, (begun, period_ns), ends))
        runs += windows[-1]["runs"]
    due = math.ceil(length_ns / period_ns - 1e-6) if period_ns else None
    missed = None if due is None else due - runs + sum(window["late"] for window in windows)
    return {"windows": windows, "due": due, "missed": missed}


def run_window(turns: list[Any], first: int, pace: tuple[int, float], ends: int) -> dict[str, Any]:
    """The takes from number `first` on that start before the clock says `ends`; pace: when take 0 was due, the period.

    Keeps every sample up to a share of MAX_SAMPLES; beyond, every second of those kept, and so on: `stride` says of how
    many runs one was kept.
    """
    clock = time.perf_counter_ns
    kept: dict[str, Any] = {name: array.array("q") for name in ("samples_ns", "thread_cpu_ns", "response_ns")}
    runs, late, stride = 0, 0, 1
    while True:
        due = pace[0] + round((first + runs) * pace[1]) if pace[1] else clock()
        if max(due, clock()) >= ends:
            break
        while clock() < due:
            time.sleep((due - clock()) / 1e9)
        wall_ns, cpu_ns = run_model(turns, 0, first + runs)
        response = clock() - due
        late += bool(pace[1] and response > pace[1])
        if runs % stride == 0:
            for column, value in zip(kept.values(), (wall_ns, cpu_ns, response)):  # noqa: B905 - 3.9
                column.append(value)
        if len(kept["samples_ns"]) >= MAX_SAMPLES // WINDOWS:
            kept, stride = {name: column[::2] for name, column in kept.items()}, stride * 2
        runs += 1
    found = {name: column.tolist() for name, column in kept.items()}
    return dict(found, runs=runs, late=late, stride=stride, frequency_hz=frequency(), temperature_c=temperature())


def frequency() -> float | None:
    """The highest clock of all cores now, in Hz: a busy core has it. None where the machine does not show any."""
    shown = [read_text(path) for path in glob.glob("/sys/devices/system/cpu/cpu[0-9]*/cpufreq/scaling_cur_freq")]
    return max((int(text) * 1e3 for text in shown if text.strip().isdigit()), default=None)


def temperature() -> float | None:
    """The hottest thermal zone now, in degrees Celsius; None where the machine does not show any."""
    shown = [read_text(path).strip() for path in glob.glob("/sys/class/thermal/thermal_zone*/temp")]
    return max((int(text) / 1e3 for text in shown if text.lstrip("-").isdigit()), default=None)


def use_so_far() -> dict[str, Any]:
    """What this process and the machine have used so far; None where the system does not tell.

    elapsed_s; cpu_s: of this process; busy_cpu_s: of all processes and cores; voluntary_switches: waits of this
    process; involuntary_switches: how often it was put aside for another.
    """
    times = os.times()
    usage = None if resource is None else resource.getrusage(resource.RUSAGE_SELF)
    return {
        "elapsed_s": time.perf_counter_ns() / 1e9,
        "cpu_s": times.user + times.system,
        "busy_cpu_s": busy_cpu_s(),
        "voluntary_switches": None if usage is None else usage.ru_nvcsw,
        "involuntary_switches": None if usage is None else usage.ru_nivcsw,
    }


def busy_cpu_s() -> float | None:
    """Time that all cores together have spent on anything but waiting, from /proc/stat (user to steal, less idle)."""
    fields = read_text("/proc/stat").partition("\n")[0].split()
    if fields[:1] != ["cpu"] or len(fields) < 9:
        return None
    ticks = [int(field) for field in fields[1:9]]
    return (sum(ticks) - ticks[3] - ticks[4]) / os.sysconf("SC_CLK_TCK")


def limit_memory(beyond_bytes: int | None, threads: int) -> int | None:
    """Let this process allocate `beyond_bytes` more than it has; the limit set, None where none is.

    RLIMIT_DATA: an allocation beyond fails, and the process goes on to say so. It counts the stacks of threads, which
    are hardly touched: those of ONNX Runtime's threads come on top, for it waits for ever for one that can't start.
    """
    now = proc_bytes("/proc/self/status").get("VmData")
    if beyond_bytes is None or resource is None or now is None:
        return None
    stack = resource.getrlimit(resource.RLIMIT_STACK)[0]
    now += threads * (8 << 20 if stack == resource.RLIM_INFINITY else stack)
    hard = resource.getrlimit(resource.RLIMIT_DATA)[1]
    limit = now + beyond_bytes if hard == resource.RLIM_INFINITY else min(now + beyond_bytes, hard)
    resource.setrlimit(resource.RLIMIT_DATA, (limit, hard))
    return limit


def measure_memory(turns: list[Any], request: dict[str, Any]) -> dict[str, Any]:
    """Runs the model `repeats` times at most, within `max_time_s`, so that every buffer has been touched."""
    begun = time.perf_counter_ns()
    most_ns = int(request.get("max_time_s", 60) * 1e9)
    runs = 0
    while runs < request["repeats"] and time.perf_counter_ns() - begun < most_ns:
        run_model(turns, 0, runs)
        runs += 1
    return {"runs": runs}


def measure_counts(turns: list[Any], request: dict[str, Any]) -> dict[str, Any]:
    """After the warm-up, `repeats` runs, each between two marks, and what they answered: the numbers of all outputs of
    each run, in order, None for those that are not finite."""
    session, feeds = turns[0]
    gc.collect()
    gc.disable()
    for number in range(request.get("warmup", 0)):
        session.run(None, feeds[number % len(feeds)])
    answers = []
    for number in range(request["repeats"]):
        feed = feeds[number % len(feeds)]
        begin, end = MARKS["begin"], MARKS["end"]
        os.sched_get_priority_max(begin)
        outputs = session.run(None, feed)
        os.sched_get_priority_max(end)
        numbers = [float(value) for output in outputs for value in output.reshape(-1)[:MAX_ANSWERS]]
        answers.append([value if math.isfinite(value) else None for value in numbers[:MAX_ANSWERS]])
    return {"answers": answers}


def memory_now(stage: str) -> dict[str, Any]:
    """This process's memory in bytes; None where /proc does not say.

    rss: resident; peak_rss: the most so far; pss: resident, what is shared split among its users; uss: its own alone.
    """
    status, rollup = proc_bytes("/proc/self/status"), proc_bytes("/proc/self/smaps_rollup")
    private = [rollup[name] for name in ("Private_Clean", "Private_Dirty", "Private_Hugetlb") if name in rollup]
    return {
        "stage": stage,
        "rss_bytes": status.get("VmRSS"),
        "peak_rss_bytes": status.get("VmHWM"),
        "pss_bytes": rollup.get("Pss"),
        "uss_bytes": sum(private) if private else None,
    }


def proc_bytes(path: str) -> dict[str, int]:
    """Every `name: number kB` line of a file in /proc, in bytes."""
    found = {}
    for line in read_text(path).splitlines():
        name, _, value = line.partition(":")
        if value.strip().endswith("kB"):
            found[name] = int(value.split()[0]) * 1024
    return found


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
        "onnxruntime": None if onnxruntime is None else onnxruntime.__version__,
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


#: A place in ONNX Runtime's source, which stands before what it has to say, up to where the signature's brackets begin.
PLACE = r"\S*\.(?:cc|h):\d+ [^(]*(?=\()"
NEWER = "; install a newer onnxruntime, or export the model again with an older opset, such as 17"


def said_by_runtime(error: Exception) -> str:
    """What ONNX Runtime says in one line, without places in its source, cut to 300 characters; of versions that are
    too new which these are, and what to do."""
    text = str(error)
    version = re.search(r"model IR version: (\d+), max supported IR version: (\d+)", text)
    if version:
        return "IR version %s, and it reads %s at most" % version.groups() + NEWER
    opset = re.search(r"Opset (\d+) is under development.*for domain (\S+) is till opset (\d+)", text, re.DOTALL)
    if opset:
        return "opset %s of %s, and it reads %s at most" % opset.group(1, 2, 3) + NEWER
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


if __name__ == "__main__":
    main()
