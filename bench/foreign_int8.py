"""Other people's ONNX files through `edgekit quantize`, beside ONNX Runtime's own `quantize_dynamic`, in one table.

    pip download --no-deps silero-vad piper-tts ddddocr rapidocr-onnxruntime     # wheels that hold ONNX files
    unzip '*.whl' -d foreign
    python bench/foreign_int8.py foreign --output foreign-int8.json

Of each file: bytes before and after, weights that are int8, bytes of large tensors that stayed float, and the largest
difference of an output, of the largest output, on the same three seeded inputs, or why there is none.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

import onnx
from onnxruntime.quantization import QuantType, quantize_dynamic

from edgekit.errors import EdgekitError
from edgekit.quantize import quantize_onnx
from edgekit.quantize.outputs import RESULT, SOURCE, check_outputs
from edgekit.quantize.scopes import Scopes
from edgekit.results import OutputCheck

ROW = "{:<44} {:>11} | {:>11} {:>7} {:>5} {:>9} {:>16} | {:>11} {:>7} {:>5} {:>16}"
TITLES = ("file", "bytes", "edgekit", "smaller", "int8", "float", "difference", "ORT dynamic", "smaller", "int8",
          "difference")  # fmt: skip


def ours(source: Path, target: Path) -> dict[str, Any]:
    """What edgekit makes of a file."""
    try:
        made = quantize_onnx(source, target)
    except EdgekitError as error:
        return {"error": f"exit {error.exit_code}: {error}".splitlines()[0]}
    return {
        "bytes": made.size_bytes,
        "int8_weights": len(made.proof.tensors),
        "float_bytes_left": sum(each.bytes for each in made.proof.left_float),
        "left_float": {each.name: each.reason or "not covered" for each in made.proof.left_float},
        **_difference(made.outputs),
    }


def theirs(source: Path, target: Path) -> dict[str, Any]:
    """What ONNX Runtime's quantize_dynamic makes of it, with its defaults but for signed weights."""
    try:
        quantize_dynamic(source, target, weight_type=QuantType.QInt8)
        held = Scopes(onnx.load(target)).held.values()
        kinds = (onnx.TensorProto.INT8, onnx.TensorProto.UINT8)
        found = {"bytes": target.stat().st_size, "int8_weights": sum(e.kind in kinds and e.elements > 1 for e in held)}
        files = {SOURCE: source.read_bytes(), RESULT: target.read_bytes()}
        return {**found, **_difference(check_outputs(files, source, target))}
    except Exception as error:  # of any class of theirs: what it says is the finding
        return {"error": f"{type(error).__name__}: {error}".splitlines()[0][:200]}


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


def _cells(found: dict[str, Any], before: int, also: tuple[str, ...]) -> list[str]:
    if "bytes" not in found:
        return ["-", "-", "-", *("-" for _ in also), found.get("error", "")[:16]]
    apart = found.get("difference")
    shown = "not compared" if apart is None else f"{apart:.2g} of {found['largest_output']:.2g}"
    smaller = f"{100 * (1 - found['bytes'] / before):.1f} %"
    return [f"{found['bytes']:,}", smaller, str(found["int8_weights"]), *(f"{found[key]:,}" for key in also), shown]


def main() -> None:
    """See the module's text."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("paths", nargs="+", type=Path, help="ONNX files, or folders that hold some")
    parser.add_argument("--output", type=Path, default=Path("foreign-int8.json"))
    arguments = parser.parse_args()
    files = [file for path in arguments.paths for file in (sorted(path.rglob("*.onnx")) if path.is_dir() else [path])]
    found = []
    print(ROW.format(*TITLES))
    with tempfile.TemporaryDirectory(prefix="edgekit-foreign-") as folder:
        for file in files:
            before = file.stat().st_size
            both = ours(file, Path(folder) / "ours.onnx"), theirs(file, Path(folder) / "theirs.onnx")
            found.append({"file": file.name, "bytes": before, "edgekit": both[0], "quantize_dynamic": both[1]})
            cells = [*_cells(both[0], before, ("float_bytes_left",)), *_cells(both[1], before, ())]
            print(ROW.format(file.name[-44:], f"{before:,}", *cells), flush=True)
            arguments.output.write_text(json.dumps({"schema_version": 1, "files": found}, indent=1) + "\n")


if __name__ == "__main__":
    main()
