"""Other people's ONNX files through `edgekit quantize`, beside what other tools make of them, in one table.

    pip download --no-deps silero-vad piper-tts ddddocr rapidocr-onnxruntime openwakeword==0.5.1   # with ONNX files
    unzip '*.whl' -d foreign
    python bench/foreign_int8.py foreign --output foreign-int8.json --olive olive/bin/python --compressor inc/bin/python

ONNX Runtime's own `quantize_dynamic`, Olive's pass OnnxDynamicQuantization and onnx-neural-compressor's dynamic
quantisation, all with their defaults but for signed weights. The latter two run in environments of their own
(`pip install olive-ai requests`, `pip install onnx-neural-compressor prettytable py-cpuinfo psutil schema deprecated`),
whose python the options name; without one its column says so.

Of each file: bytes before and after, weights that are int8, and the largest difference of an output, of the largest
output, on the same three seeded inputs, or why there is none: in edgekit's session and in one with ONNX Runtime's own
options, the larger. Of edgekit's also the bytes of tensors that stayed float, each with its reason.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnx
from onnxruntime.quantization import QuantType, quantize_dynamic

from edgekit.errors import EdgekitError
from edgekit.quantize import quantize_onnx
from edgekit.quantize.outputs import RESULT, SOURCE, check_outputs
from edgekit.quantize.scopes import Scopes
from edgekit.results import OutputCheck

OLIVE = """
import shutil
from olive.model import ONNXModelHandler
from olive.passes.olive_pass import create_pass_from_dict
from olive.passes.onnx.quantization import OnnxDynamicQuantization

def make(source, target):
    made = create_pass_from_dict(OnnxDynamicQuantization, {}, disable_search=True)
    shutil.copyfile(made.run(ONNXModelHandler(source), target + ".folder").model_path, target)
"""
COMPRESSOR = """
import onnx, time
from onnx_neural_compressor.quantization import config
from onnx_neural_compressor.quantization.quantize import quantize

def make(source, target):
    made = f"{target}.{time.time_ns()}"  # its tensors lie beside it, where none may be yet
    quantize(source, made, config.DynamicQuantConfig())
    onnx.save(onnx.load(made), target)
"""
#: Behind either: a file after the other, as the tools take long to be imported.
SERVE = """
import sys
for line in sys.stdin:
    try:
        make(*line.rstrip("\\n").split("\\t"))
        answer = "made"
    except BaseException as error:
        answer = f"{type(error).__name__}: {error}".splitlines()[0]
    print(f"\\nANSWER {answer}", flush=True)
"""
NOT_THERE = "not installed"


def ours(source: Path, target: Path) -> dict[str, Any]:
    """What edgekit makes of a file."""
    started = time.monotonic()
    try:
        made = quantize_onnx(source, target)
    except EdgekitError as error:
        return {"error": _said(f"exit {error.exit_code}: {error}", source, target)}
    return {
        "bytes": made.size_bytes,
        "int8_weights": len(made.proof.tensors),
        "float_bytes_left": sum(each.bytes for each in made.proof.left_float),
        "left_float": {each.name: each.reason or "not covered" for each in made.proof.left_float},
        "small_float": len(made.proof.small_float),
        "wall_s": time.monotonic() - started,
        **_difference(made.outputs),
    }


def theirs(make: Callable[[Path, Path], None] | None, source: Path, target: Path) -> dict[str, Any]:
    """What another tool makes of it. make: writes the target; None where the tool is not there."""
    if make is None:
        return {"error": NOT_THERE}
    target.unlink(missing_ok=True)
    started = time.monotonic()
    try:
        make(source, target)
        took = time.monotonic() - started
        held = Scopes(onnx.load(target)).held.values()
        kinds = (onnx.TensorProto.INT8, onnx.TensorProto.UINT8)
        found = {"bytes": target.stat().st_size, "int8_weights": sum(e.kind in kinds and e.elements > 1 for e in held)}
        files = {SOURCE: source.read_bytes(), RESULT: target.read_bytes()}
        return {**found, "wall_s": took, **_difference(check_outputs(files, source, target))}
    except Exception as error:  # of any class of theirs: what it says is the finding
        return {"error": _said(f"{type(error).__name__}: {error}", source, target)}


def _said(text: str, source: Path, target: Path) -> str:
    """The first line, without the folders of this run."""
    return text.splitlines()[0].replace(f"{source.parent}/", "").replace(f"{target.parent}/", "")[:300]


def by_onnxruntime(source: Path, target: Path) -> None:
    """Its defaults, but for signed weights."""
    quantize_dynamic(source, target, weight_type=QuantType.QInt8)


class Other:
    """A tool in another environment, in a process that is started when it is first needed."""

    def __init__(self, python: Path, program: str, folder: Path) -> None:
        self._command = [str(python.absolute()), "-c", program + SERVE]
        self._folder = folder
        self._process: subprocess.Popen[str] | None = None

    def __call__(self, source: Path, target: Path) -> None:
        """Write the target. Raises RuntimeError with what the tool says."""
        if self._process is None or self._process.poll() is not None:
            quiet = {"OMP_NUM_THREADS": "1", "ORT_DISABLE_TELEMETRY": "1", "OLIVE_DISABLE_TELEMETRY": "1"}
            self._process = subprocess.Popen(
                self._command, env={**os.environ, **quiet}, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL, text=True, cwd=self._folder,
            )  # fmt: skip
        process = self._process
        assert process.stdin is not None
        assert process.stdout is not None
        print(source.resolve(), target, sep="\t", file=process.stdin, flush=True)
        answer = next((line for line in process.stdout if line.startswith("ANSWER ")), "ANSWER it crashed")
        if answer.strip() != "ANSWER made":
            raise RuntimeError(answer.removeprefix("ANSWER ").strip())


def _difference(outputs: OutputCheck | None) -> dict[str, Any]:
    if outputs is None or outputs.sizes is None:
        return {"difference": None, "reason": "" if outputs is None else outputs.reason}
    return {
        "difference": outputs.max_abs_difference,
        "largest_output": outputs.largest_output,
        "changed_labels": outputs.changed_labels,
        "labels": outputs.labels,
        "inputs": dict(outputs.sizes),
    }


def _cells(found: dict[str, Any], before: int) -> list[str]:
    if "bytes" not in found:
        return ["-", "-", found.get("error", "")[:16]]
    apart = found.get("difference")
    shown = "not compared" if apart is None else f"{apart:.2g} of {found['largest_output']:.2g}"
    return [f"{100 * (1 - found['bytes'] / before):.1f} %", str(found["int8_weights"]), shown]


def main() -> None:
    """See the module's text."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("paths", nargs="+", type=Path, help="ONNX files, or folders that hold some")
    parser.add_argument("--output", type=Path, default=Path("foreign-int8.json"))
    parser.add_argument("--olive", type=Path, help="python of an environment with olive-ai")
    parser.add_argument("--compressor", type=Path, help="python of an environment with onnx-neural-compressor")
    arguments = parser.parse_args()
    files = [file for path in arguments.paths for file in (sorted(path.rglob("*.onnx")) if path.is_dir() else [path])]
    found = []
    with tempfile.TemporaryDirectory(prefix="edgekit-foreign-") as folder:
        tools: dict[str, Callable[[Path, Path], None] | None] = {
            "quantize_dynamic": by_onnxruntime,
            "olive": arguments.olive and Other(arguments.olive, OLIVE, Path(folder)),
            "compressor": arguments.compressor and Other(arguments.compressor, COMPRESSOR, Path(folder)),
        }
        print(ROW.format("", "", "edgekit", *tools))
        print(ROW.format("file", "bytes", *["smaller int8 difference"] * 4))
        for file in files:
            made = {"edgekit": ours(file, Path(folder) / "ours.onnx")}
            made |= {name: theirs(make, file, Path(folder) / "theirs.onnx") for name, make in tools.items()}
            before = file.stat().st_size
            found.append({"file": file.name, "bytes": before, **made})
            cells = ["{:>7} {:>4} {:>16}".format(*_cells(each, before)) for each in made.values()]
            print(ROW.format(file.name[-44:], f"{before:,}", *cells), flush=True)
            arguments.output.write_text(json.dumps({"schema_version": 2, "files": found}, indent=1) + "\n")


#: File, bytes, then four tools.
ROW = "{:<44} {:>11} | {:>29} | {:>29} | {:>29} | {:>29}"

if __name__ == "__main__":
    main()
