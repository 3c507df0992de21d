"""Places for `kills.py` to run commands in, and what is looked at there afterwards."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

GRACE_S = 5.0
LIMIT_S = 180.0
MARK = "EDGEKIT_KILLS"
TEMPORARY = re.compile(r"^\..+\.[a-z0-9_]{8}$")


class Place:
    """A folder to run commands in, with a TMPDIR and a HOME of its own, whose processes are known by a mark."""

    def __init__(self, folder: Path) -> None:
        shutil.rmtree(folder, ignore_errors=True)
        self.folder, self.tmp, self.mark = folder / "place", folder / "tmp", uuid.uuid4().hex
        for path in (self.folder, self.tmp, folder / "home"):
            path.mkdir(parents=True)
        self.env = {**os.environ, "TMPDIR": str(self.tmp), "HOME": str(folder / "home"), MARK: self.mark}
        self.stderr = folder / "stderr.txt"

    def start(self, argv: tuple[str, ...]) -> subprocess.Popen[bytes]:
        """`edgekit ARGV` as the leader of a process group, as a shell starts it."""
        with self.stderr.open("wb") as file:
            return subprocess.Popen(
                [sys.executable, "-m", "edgekit", *argv],
                cwd=self.folder, env=self.env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=file,
                process_group=0,
            )  # fmt: skip

    def run(self, argv: tuple[str, ...]) -> int:
        """To its end."""
        process = self.start(argv)
        try:
            return process.wait(LIMIT_S)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            return -99

    def processes(self) -> list[int]:
        """Those that live and carry the mark."""
        found = []
        for entry in Path("/proc").iterdir():
            with contextlib.suppress(OSError):
                if entry.name.isdigit() and f"{MARK}={self.mark}".encode() in (entry / "environ").read_bytes():
                    found.append(int(entry.name))
        return found

    def orphans(self) -> int:
        """How many are left after a moment; ends them."""
        deadline = time.monotonic() + GRACE_S
        while (left := self.processes()) and time.monotonic() < deadline:
            time.sleep(0.05)
        for pid in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        return len(left)

    def temporary(self) -> list[str]:
        """What lies in TMPDIR, and what was to be renamed and was not."""
        inside = [path.name for path in self.tmp.iterdir()]
        return inside + [str(p.relative_to(self.folder)) for p in self.folder.rglob("*") if TEMPORARY.match(p.name)]


def digest(path: Path) -> str:
    """Of a file, or of all files of a folder; of a missing one the word."""
    if path.is_dir():
        lines = [f"{p.relative_to(path)} {digest(p)}" for p in sorted(path.rglob("*")) if p.is_file()]
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "missing"


def half_written(folder: Path) -> Iterator[str]:
    """Files that no reader would take."""
    import numpy as np
    import onnx
    from safetensors import safe_open

    for path in sorted(p for p in folder.rglob("*") if p.is_file() and not TEMPORARY.match(p.name)):
        try:
            if path.suffix == ".json":
                json.loads(path.read_text())
            elif path.suffix == ".onnx":
                onnx.checker.check_model(onnx.load(path))
            elif path.suffix == ".safetensors":
                with safe_open(path, "np") as file:
                    list(file.keys())
            elif path.suffix in (".npy", ".npz"):
                np.load(path, allow_pickle=False)
            elif path.suffix in (".csv", ".yaml", ".md", ".xml") and not path.read_bytes().endswith((b"\n", b">")):
                raise ValueError("no end of line at its end")
        except Exception as error:
            yield f"{path.relative_to(folder)}: {error}"[:200]


def listing(folder: Path) -> list[tuple[str, int]]:
    """Names and times of what is there."""
    found = []
    for root, folders, files in os.walk(folder):
        for name in (*folders, *files):
            with contextlib.suppress(OSError):
                found.append((name, Path(root, name).stat().st_mtime_ns))
    return found
