"""Whether ONNX Runtime opens what was made, and whether it computes what it should: in a process with limits."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgekit.artifacts import json_text, parse_json, scratch_folder
from edgekit.errors import GateError, ModelFileError
from edgekit.quantize import trial
from edgekit.quantize.settings import QuantizeConfig

#: Of the largest output: the int8 file against the same floats in the source's place. Both compute in float32, so only
#: the order of sums differs; a wrong weight, axis or scale makes differences of the outputs' own size.
TOLERANCE_RATIO = 1e-3

_OUT_OF_MEMORY = re.compile("bad_alloc|MemoryError|[Ff]ailed to allocate memory")
_TOO_MUCH = "it takes more memory than the limit; raise quantize.memory_limit_mb"

SOURCE, RAISED, EXPECTED, RESULT = "source", "raised", "expected", "result"

#: A trial's request to its answer.
Run = Callable[[Mapping[str, Any], float], Mapping[str, Any]]


@dataclass(frozen=True)
class OutputCheck:
    """How outputs on made-up input compare. sizes: of each input; None where they could not be compared, for `reason`.

    max_abs_difference: of a float output of the int8 file from the source's. largest_output: of the source. Both None
    where nothing was compared.
    """

    onnxruntime: str
    sizes: Mapping[str, Sequence[int]] | None
    max_abs_difference: float | None
    largest_output: float | None
    reason: str


def run_in_child(request: Mapping[str, Any], time_limit_s: float) -> Mapping[str, Any]:
    """The trial's answer; a death or the time limit is an `error` of the file that was tried last."""
    command = [sys.executable, "-P", trial.__file__]
    folder = str(Path(next(iter(request["files"].values()))).parent)
    try:
        done = subprocess.run(
            command,
            input=json_text({**request, "parent": os.getpid()}),
            capture_output=True,
            text=True,
            errors="replace",
            cwd=folder,
            timeout=time_limit_s,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        said = error.stdout or b""
        steps = said.decode(errors="replace") if isinstance(said, bytes) else said
        return _ended(steps.splitlines(), f"it takes more than {time_limit_s:g} s; raise quantize.time_limit_s")
    lines = done.stdout.splitlines()
    if done.returncode == 0 and lines:
        answer: Mapping[str, Any] = parse_json(lines[-1])
        return answer
    return _ended(lines, _death(done))


def _death(done: subprocess.CompletedProcess[str]) -> str:
    said = (done.stderr.strip().splitlines() or [""])[-1][:200]
    if _OUT_OF_MEMORY.search(done.stderr):
        return _TOO_MUCH
    name = signal.Signals(-done.returncode).name if done.returncode < 0 else f"exit code {done.returncode}"
    return f"it ends the process with {name}{f' ({said})' if said else ''}"


def _ended(lines: Sequence[str], reason: str) -> Mapping[str, Any]:
    """The answer of a process that could not give one."""
    steps = [line for line in lines if line.startswith(("opening ", "running "))]
    step, _, name = (steps or ["opening source"])[-1].partition(" ")
    opened = [line.removeprefix("opening ") for line in steps if line.startswith("opening ")]
    result = {"version": "", "opened": opened, "sizes": None, "differences": [], "error": None, "reason": None}
    if step == "opening":
        return {**result, "opened": opened[:-1], "failed": name, "error": reason}
    first = opened[0] == name
    return {**result, "failed": None if first else name, "reason": reason}


def check_outputs(
    files: Mapping[str, bytes], config: QuantizeConfig, source: Path, target: Path, run: Run = run_in_child
) -> OutputCheck:
    """Open all files and compare what they compute.

    files: SOURCE; RAISED, where the source was too old; EXPECTED, the model with the floats that the int8 numbers stand
    for, where there is one; RESULT. Raises ModelFileError when ONNX Runtime can't open the source, or what it was
    raised to; GateError when it can't open or run the result, or its outputs are not what they should be.
    """
    pairs = [pair for pair in ((SOURCE, RAISED), (EXPECTED, RESULT), (SOURCE, RESULT)) if set(pair) <= set(files)]
    answer = _try(files, pairs, config, run)
    note = ""
    if answer["failed"] == SOURCE and RAISED in files:
        note = f"ONNX Runtime can't open the source itself ({answer['error']})"
        files = {name: content for name, content in files.items() if name != SOURCE}
        pairs = [pair for pair in ((EXPECTED, RESULT), (RAISED, RESULT)) if set(pair) <= set(files)]
        answer = _try(files, pairs, config, run)
    _require_open(answer, source, target)
    if answer["sizes"] is None:
        return OutputCheck(answer["version"], None, None, None, note or answer["reason"])
    found = dict(zip(pairs, answer["differences"], strict=True))
    for pair in ((SOURCE, RAISED), (EXPECTED, RESULT)):
        if pair in found:
            _require_same(found[pair], pair, target)
    whole = found[pairs[-1]]
    if whole["max"] is None:
        raise GateError(f"{target}: outputs are not finite where the source's are, or the reverse; nothing was written")
    return OutputCheck(answer["version"], answer["sizes"], whole["max"], whole["largest"], note)


def open_source(content: bytes, config: QuantizeConfig, source: Path, run: Run = run_in_child) -> None:
    """Raises ModelFileError when ONNX Runtime can't open the file."""
    _require_open(_try({SOURCE: content}, [], config, run), source, source)


def _try(
    files: Mapping[str, bytes], pairs: Sequence[tuple[str, str]], config: QuantizeConfig, run: Run
) -> Mapping[str, Any]:
    with scratch_folder("quantize") as folder:
        paths = {name: folder / f"{name}.onnx" for name in files}
        for name, content in files.items():
            paths[name].write_bytes(content)
        request = {
            "files": {name: str(path) for name, path in paths.items()},
            "pairs": pairs,
            "memory_limit_bytes": config.memory_limit_mb * 10**6,
        }
        answer = run(request, config.time_limit_s)
        return {
            key: _without(value, str(folder)) if key in ("error", "reason") else value for key, value in answer.items()
        }


def _without(text: str | None, folder: str) -> str | None:
    """What ONNX Runtime said, without the place of our copies and its own codes."""
    if text is None:
        return None
    if _OUT_OF_MEMORY.search(text):
        return _TOO_MUCH
    text = re.sub(re.escape(folder) + r"[/\\\\](\w+)\.onnx", r"the \1", text)
    return re.sub(r"^\[ONNXRuntimeError\] : \d+ : \w+ : ", "", text)


def _require_open(answer: Mapping[str, Any], source: Path, target: Path) -> None:
    failed, error = answer["failed"], answer["error"] or answer["reason"]
    if failed is None:
        return
    runtime = f"ONNX Runtime {answer['version']}".strip()
    if failed == SOURCE:
        raise ModelFileError(f"{source}: {runtime} can't load it: {error}; nothing was written")
    if failed == RAISED:
        raise ModelFileError(
            f"{source}: {runtime} can't load what onnx's converter makes of it: {error}; nothing was written; export it"
            " again with opset 13 or newer"
        )
    does = "load" if answer["error"] else "run"
    raise GateError(
        f"{target}: {runtime} can't {does} the int8 file, and the source it can: {error}; nothing was written"
    )


def _require_same(found: Mapping[str, Any], pair: tuple[str, str], target: Path) -> None:
    limit = TOLERANCE_RATIO * max(found["largest"], 1e-6)
    if found["max"] is None or not found["max"] <= limit:
        what = "the model of the newer opset" if RAISED in pair else "the int8 file"
        raise GateError(
            f"{target}: {what} computes something else than the source: outputs differ by {found['max']}, allowed"
            f" {limit:.1e}; nothing was written"
        )
