"""Opens ONNX files and runs them on the same made-up input, or converts one. A program of its own, which files that are
not as ONNX has them may bring down; numpy and onnxruntime alone, and onnx to convert.

Reads a request from stdin, writes one line a step, so that a death can be placed, and the answer as the last line:

- files: name to path, opened in this order; one that can't be opened ends it
- pairs: two names each, whose outputs are compared
- memory_limit_bytes: beyond what the imports took; seed: of the numbers
- parent: number of the process that asks, with which this one ends
- convert: in place of all that, the first file is raised to `opset` by onnx's converter, and written to `target`

Answer: opened (names), error (of the file that can't be opened) or None, sizes (of each input) or None where no input
could be made that the first file runs on, reason (why not), differences (one a pair: the largest absolute difference of
a float output, None where it is not finite, and the largest absolute number of the pair's first).
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

PR_SET_PDEATHSIG = 1
#: Sizes tried for open axes: the first of an input, and the others.
OPEN_SIZES = ((4, 4), (1, 4), (1, 1))
KINDS = {
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


def main() -> None:
    """Answer the request on stdin."""
    request = json.load(sys.stdin)
    say(json.dumps(answer(request, say), allow_nan=False))


def say(line: str) -> None:
    """One line on stdout, at once."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def answer(request: dict[str, Any], tell: Any) -> dict[str, Any]:
    """See the module. tell: called with every step."""
    if "convert" in request:
        source = next(iter(request["files"].values()))
        return convert(source, request.get("memory_limit_bytes"), tell, **request["convert"])
    import numpy
    import onnxruntime

    end_with(request.get("parent"))
    limit_memory(request.get("memory_limit_bytes"))
    sessions: dict[str, Any] = {}
    result = {"version": onnxruntime.__version__, "error": None, "sizes": None, "reason": None, "differences": []}
    for name, path in request["files"].items():
        tell(f"opening {name}")
        try:
            sessions[name] = open_file(onnxruntime, path)
        except Exception as error:  # ONNX Runtime's own classes share no base
            return {**result, "opened": list(sessions), "error": first_line(error), "failed": name}
    result["opened"] = list(sessions)
    found = run_all(numpy, sessions, request.get("seed", 0), tell)
    result["sizes"], result["reason"], result["failed"], outputs = found
    if outputs:
        pairs = request["pairs"]
        result["differences"] = [difference(numpy, outputs[one], outputs[other]) for one, other in pairs]
    return result


def end_with(parent: int | None) -> None:
    """Let the system kill this process when `parent`, which started it, ends, however that ends: Linux alone can."""
    if parent is None or not sys.platform.startswith("linux"):
        return
    import ctypes

    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it ended before
        os._exit(1)


def convert(source: str, limit_bytes: int | None, tell: Any, opset: int, target: str) -> dict[str, Any]:
    """Raise the file at `source`. Answer: error, or None."""
    import onnx
    from onnx import version_converter

    limit_memory(limit_bytes)
    tell("opening source")
    try:
        converted = version_converter.convert_version(onnx.load(source, load_external_data=False), opset)
        Path(target).write_bytes(converted.SerializeToString())
    except Exception as error:  # RuntimeError of its C++ side, ConvertError and others, which share no base
        return {"error": first_line(error), "failed": "source"}
    return {"error": None, "failed": None}


def limit_memory(limit_bytes: int | None) -> None:
    """What may be allocated beyond what there is now, where the system knows such a limit."""
    if limit_bytes is None:
        return
    try:
        import resource

        lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    except (ImportError, OSError):
        return
    data_kb = next(int(line.split()[1]) for line in lines if line.startswith("VmData:"))
    limit = data_kb * 1024 + limit_bytes
    resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))


def open_file(onnxruntime: Any, path: str) -> Any:
    """A session as `edgekit.runtime` opens one."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    options.add_session_config_entry("session.disable_quant_qdq", "1")
    options.add_session_config_entry("session.x64quantprecision", "1")
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def first_line(error: Exception) -> str:
    """Of its text."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300]


def run_all(numpy: Any, sessions: dict[str, Any], seed: int, tell: Any) -> tuple[Any, str | None, str | None, Any]:
    """(sizes, reason, the file that failed, outputs by file): on the first input that the first file runs on. A file
    that fails where the first one runs is named."""
    first = next(iter(sessions.values()))
    reason = None
    for feeds in made_up(numpy, first, seed):
        if isinstance(feeds, str):
            return None, feeds, None, None
        outputs = {}
        for name, session in sessions.items():
            tell(f"running {name}")
            try:
                outputs[name] = session.run(None, feeds)
            except Exception as error:  # as above
                reason = first_line(error)
                if outputs:
                    return None, reason, name, None
                break
        else:
            again = first.run(None, feeds)
            if difference(numpy, next(iter(outputs.values())), again)["max"] != 0.0:
                return None, "its outputs are random: they differ from run to run", None, None
            return {name: list(array.shape) for name, array in feeds.items()}, None, None, outputs
    return None, reason, None, None


def made_up(numpy: Any, session: Any, seed: int) -> Iterator[Any]:
    """Inputs to try one by one, or the reason why there are none. Floats are normal; whole numbers 1, then 0."""
    for item in session.get_inputs():
        if item.type not in KINDS:
            yield f"input '{item.name}' is {item.type}"
            return
    for sizes in OPEN_SIZES:
        for whole in (1, 0):
            rng = numpy.random.default_rng(seed)
            yield {item.name: filled(numpy, item, sizes, whole, rng) for item in session.get_inputs()}


def filled(numpy: Any, item: Any, sizes: tuple[int, int], whole: int, rng: Any) -> Any:
    """An array for one input."""
    shape = [size if isinstance(size, int) and size > 0 else sizes[axis > 0] for axis, size in enumerate(item.shape)]
    kind = KINDS[item.type]
    if kind.startswith("float"):
        return numpy.asarray(rng.standard_normal(shape)).astype(kind)
    return numpy.full(shape, whole, kind)


def difference(numpy: Any, one: list[Any], other: list[Any]) -> dict[str, Any]:
    """Of two files' outputs."""
    worst = largest = 0.0
    for left, right in zip(one, other, strict=True):
        if not hasattr(left, "dtype") or left.dtype.kind != "f" or not left.size:
            continue
        left, right = left.astype(numpy.float64), right.astype(numpy.float64)
        with numpy.errstate(invalid="ignore"):
            same = (left == right) | (numpy.isnan(left) & numpy.isnan(right))
            apart = numpy.where(same, 0.0, numpy.abs(left - right))
        worst = max(worst, float(apart.max())) if numpy.isfinite(apart).all() else float("inf")
        finite = numpy.abs(left[numpy.isfinite(left)])
        largest = max(largest, float(finite.max()) if finite.size else 0.0)
    return {"max": None if worst == float("inf") else worst, "largest": largest}


if __name__ == "__main__":
    main()
