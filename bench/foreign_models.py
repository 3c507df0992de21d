"""Other people's ONNX files through `edgekit bench`: what it said, in one table.

    pip download --no-deps silero-vad rapidocr-onnxruntime     # wheels that hold ONNX files
    unzip '*.whl' -d foreign
    python bench/foreign_models.py foreign

Benches every file of KNOWN that lies below the folders, at the sizes its authors run it at, and stores the answers;
other files are benched at the sizes they state. Nothing about a file is known to edgekit but these options.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

#: File to the options that say what it leaves open: sizes of open axes, and single numbers.
KNOWN = {
    # silero-vad 6.2.3, MIT: a voice-activity LSTM; 512 new samples and 64 of before, at 16 kHz
    "silero_vad.onnx": ("--shape", "input=1,576", "--value", "sr=16000"),
    "silero_vad_16k_op15.onnx": ("--shape", "input=1,576", "--value", "sr=16000"),
    "silero_vad_op18_ifless.onnx": ("--shape", "input=1,576", "--value", "sr=16000"),
    "silero_vad_half.onnx": ("--shape", "input=1,576"),
    "silero_vad_openvino_16k.onnx": (),
    "silero_vad_16k_sequence.onnx": ("--shape", "input=1,576"),  # one step: its first axis is time
    # rapidocr-onnxruntime 1.4.4, Apache-2.0: PP-OCR's recogniser of a text line, its detector, its orientation
    "ch_PP-OCRv4_rec_infer.onnx": ("--shape", "x=1,3,48,320"),
    "ch_PP-OCRv4_det_infer.onnx": ("--shape", "x=1,3,320,320"),
    "ch_ppocr_mobile_v2.0_cls_infer.onnx": ("--shape", "x=1,3,48,192"),
}


def bench(path: Path, profile: str, time_limit_s: float, folder: Path) -> dict[str, Any]:
    """What `edgekit bench` said about one file."""
    options = ["--profile", profile, "--time-limit", f"{time_limit_s:g}", *KNOWN.get(path.name, ())]
    command = [sys.executable, "-m", "edgekit", "bench", str(path), *options, "--workdir", str(folder), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    answer = {"model": path.name, "options": options, "exit_code": done.returncode}
    if not done.stdout.strip():
        return {**answer, "error": done.stderr.strip().replace(str(path), path.name)}
    content = json.loads(done.stdout)
    return {
        **answer,
        "size_bytes": content["model"]["size_bytes"],
        "sha256": content["model"]["sha256"],
        "inputs": [*content["processes"]["latency"], *content["processes"]["memory"]][0]["inputs"],
        "latency": content["latency"],
        "peak_rss_bytes": content["memory"]["peak_rss_bytes"],
        "rows": content["rows"],
        "machine": content["machine"],
    }


def line(found: dict[str, Any]) -> str:
    """One file for people."""
    if "error" in found:
        return f"{found['model']:<36} exit {found['exit_code']}: {found['error']}"
    fed = ", ".join(f"{item['name']} {item['shape']} {item['source']}" for item in found["inputs"])
    p50_s = (found["latency"] or {}).get("p50_s")
    measured = f"{p50_s * 1e3:.3f} ms" if p50_s else "?"
    bounds = [row["measured"] for row in found["rows"] if row["quantity"] == "latency bound"]
    bound = f"{max(bounds) * 1e3:.1f} ms" if bounds and None not in bounds else "unknown"
    return (
        f"{found['model']:<36} exit {found['exit_code']}, {found['size_bytes'] / 1e6:.1f} MB, p50 here {measured},"
        f" peak {(found['peak_rss_bytes'] or 0) / 1e6:.0f} MB, slowest board's bound {bound}; {fed}"
    )


def main() -> None:
    """See the module's text."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("paths", nargs="+", type=Path, help="ONNX files, or folders that hold some")
    parser.add_argument("--profile", default="raspberry-pi")
    parser.add_argument("--time-limit", type=float, default=5, help="seconds of measuring a file")
    parser.add_argument("--output", type=Path, default=Path("foreign-models.json"))
    arguments = parser.parse_args()
    files = [file for path in arguments.paths for file in (sorted(path.rglob("*.onnx")) if path.is_dir() else [path])]
    found = []
    with tempfile.TemporaryDirectory(prefix="edgekit-foreign-") as folder:
        for file in files:
            found.append(bench(file.resolve(), arguments.profile, arguments.time_limit, Path(folder) / "work"))
            print(line(found[-1]), flush=True)
    arguments.output.write_text(json.dumps({"schema_version": 1, "models": found}, indent=1) + "\n")


if __name__ == "__main__":
    main()
