"""Which runtimes bench/peers.py compares, in which ways, and a virtual environment of its own for each of them."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

#: Seconds that an installation may take.
PATIENCE_S = 1200
#: PyTorch's CUDA build has these among what it needs.
CUDA = ("nvidia-", "cuda-", "triton")


@dataclass(frozen=True)
class Peer:
    """A runtime. module: its file in bench/peer_workers. packages: what pip is told; none for edgekit's own
    environment. ways: each a row. missing: why there is no row to be had, in place of them."""

    name: str
    module: str
    packages: tuple[str, ...]
    ways: tuple[str, ...]
    missing: str = ""


PEERS = (
    Peer("edgekit", "of_edgekit", (), ("fp32", "int8", "int8, from Python", "int8, with preprocessing")),
    Peer(
        "ONNX Runtime",
        "of_onnxruntime",
        ("onnxruntime==1.32.0", "numpy"),
        ("fp32", "int8-weights", "int8-dynamic", "int8-dynamic, saturating"),
    ),
    Peer("OpenVINO", "of_openvino", ("--no-deps", "openvino==2026.4.1", "numpy"), ("fp32", "int8-weights")),
    Peer("ncnn", "of_ncnn", ("ncnn==1.0.20261020", "numpy"), ("fp32", "int8")),
    Peer("PyTorch", "of_torch", ("torch==2.13.0", "numpy"), ("eager", "compiled", "int8-dynamic")),
    Peer("LiteRT", "of_litert", ("ai-edge-litert==2.3.0", "numpy"), ("fp32", "int8-dynamic")),
    Peer("ExecuTorch", "of_executorch", ("torch==2.13.0", "executorch==1.5.1", "numpy"), ("fp32",)),
    Peer("MNN", "of_mnn", ("mnn==3.6.1", "numpy"), ("fp32, unrolled",)),
    Peer("IREE", "of_iree", ("iree-base-compiler==3.13.0", "iree-base-runtime==3.13.0", "numpy", "onnx"), ("fp32",)),
    Peer("emx-onnx-cgen", "of_emx", ("emx-onnx-cgen==1.4.0",), ("fp32",)),
)
#: Rows that answer what fp32 weights mean, and have to do so to FP32_ERROR.
FP32_WAYS = ("fp32", "fp32, unrolled", "eager", "compiled")


class Unavailable(Exception):
    """Why a row has no figures, for people."""


def python_of(peer: Peer, environments: Path) -> Path:
    """The interpreter of a runtime's environment, which is made where there is none.

    Raises Unavailable where it can't be installed."""
    if peer.missing:
        raise Unavailable(peer.missing)
    if not peer.packages:
        return Path(sys.executable)
    place = environments / peer.module.removeprefix("of_")
    done, python = place / "installed.json", place / "bin" / "python"
    if not done.is_file() or json.loads(done.read_text(encoding="utf-8")) != list(peer.packages):
        _install(peer.packages, place, python)
        done.write_text(json.dumps(peer.packages), encoding="utf-8")
    return python


def _install(packages: Sequence[str], place: Path, python: Path) -> None:
    _run([sys.executable, "-m", "venv", "--clear", str(place)])
    pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    plan = _run([*pip, "--dry-run", "--report", "-", *packages])
    names = [item["metadata"]["name"].lower() for item in json.loads(plan)["install"]]
    heavy = [name for name in names if name.startswith(CUDA)]
    if heavy:
        raise Unavailable(f"pip would install PyTorch's CUDA build ({heavy[0]}); docs/install.md says how to get CPU's")
    _run([*pip, *packages])


def _run(command: Sequence[str]) -> str:
    """What it writes. Raises Unavailable with its last words where it fails."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=PATIENCE_S)
    except subprocess.TimeoutExpired:
        raise Unavailable(f"does not install: longer than {PATIENCE_S} s") from None
    if done.returncode:
        raise Unavailable("does not install: " + last_words(done.stderr))
    return done.stdout


def last_words(text: str) -> str:
    """The last line of what a failing program said, without paths; for the row."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    words = (
        word if "/" not in word else word.rstrip(":,'\"").rpartition("/")[2] for word in (lines or [""])[-1].split()
    )
    return " ".join(words)[:200] or "it said nothing"
