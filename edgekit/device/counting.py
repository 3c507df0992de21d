"""Counts a foreign graph's work in a process of its own: the file's author decides what reading it takes."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from edgekit.artifacts import json_text, parse_json
from edgekit.device.work import UnknownWork, Work
from edgekit.measure import Value
from edgekit.runtime.guard import death, last_line
from edgekit.runtime.limits import MEMORY_VARIABLE, TIME_VARIABLE, model_memory_bytes, model_time_s

#: Seconds that counting may take unless EDGEKIT_MAX_MODEL_S says otherwise: it needs one or two.
COUNT_S = 60
PROGRAM = "import sys; sys.path.insert(0, sys.argv[1]); from edgekit.device.graph import answer; answer()"
#: Where this very edgekit is.
ROOT = Path(__file__).resolve().parents[2]


def count_apart(
    path: Path, shapes: Mapping[str, tuple[int, ...]], values: Mapping[str, Value] | None = None
) -> Work | UnknownWork:
    """`edgekit.device.graph.graph_work` within the limits of `edgekit.runtime.limits`: beyond them, and where the onnx
    package crashes, the work is unknown, and why is said. Raises ConfigError for limits that are no numbers."""
    limit_bytes, limit_s = model_memory_bytes(), model_time_s(COUNT_S)
    request = {
        "path": str(path.absolute()),
        "shapes": {name: list(sizes) for name, sizes in shapes.items()},
        "values": {
            name: value if isinstance(value, int | float) else list(value) for name, value in (values or {}).items()
        },
        "limit_bytes": limit_bytes,
        "parent": os.getpid(),
    }
    command = [sys.executable, "-P", "-c", PROGRAM, str(ROOT)]
    try:
        done = subprocess.run(
            command, input=json_text(request), capture_output=True, text=True, errors="replace", timeout=limit_s
        )
    except subprocess.TimeoutExpired:
        return UnknownWork(f"counting its operations takes more than {limit_s} s; {TIME_VARIABLE} allows more")
    if "MemoryError" in done.stderr or "bad_alloc" in done.stderr:
        return UnknownWork(
            f"counting its operations takes more than {limit_bytes // 10**6:,} MB of memory; {MEMORY_VARIABLE} allows"
            " more"
        )
    if done.returncode < 0:
        return UnknownWork(f"counting its operations ended by {death(-done.returncode, done.stderr)}")
    if done.returncode:
        return UnknownWork(f"its operations can't be counted: {last_line(done.stderr)}")
    found = parse_json(done.stdout)
    return Work(**found) if found.pop("known") else UnknownWork(**found)
