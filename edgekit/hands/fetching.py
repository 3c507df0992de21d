"""The wheel of MediaPipe, fetched by the user's own pip from wherever that is set up to fetch from."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from edgekit.artifacts.digests import sha256_file
from edgekit.errors import InputError

VERSION = "0.10.14"
#: One wheel, whatever the machine and its Python, because it is only unzipped.
REQUEST = ("download", f"mediapipe=={VERSION}", "--no-deps", "--only-binary=:all:", "--python-version", "3.11",
           "--implementation", "cp", "--platform", "manylinux2014_x86_64")  # fmt: skip
WHEEL_SHA256 = "a807328339e7356fda0bb14df12fedbf1d33bdf81649c5f8666b0026b1cc30b4"
WHEEL_BYTES = 35_664_771
ELSEWHERE = (
    f"on a machine with a network, `pip {' '.join(REQUEST)}` makes a .whl file; bring it here and run"
    " `edgekit hands setup --wheel FILE.whl`"
)
#: What pip says where it reached nobody.
UNREACHED = ("Retrying (", "connection broken", "Could not fetch URL")
LOOKS_EVERY_S = 0.2

#: Told how many bytes of how many are here.
Watch = Callable[[int, int], None]


def fetch_wheel(folder: Path, watch: Watch | None = None) -> Path:
    """The wheel in `folder`, which is empty, with the known SHA-256.

    Raises InputError with what to do: without pip, without a network, and for a file that is not that wheel. A download
    that breaks off is taken up again by pip 25.2 and later; what pip has once lies in its own cache.
    """
    if importlib.util.find_spec("pip") is None:
        raise InputError(f"this Python has no pip to fetch mediapipe {VERSION} with; {ELSEWHERE}")
    log = folder / "pip.log"
    code = _run_pip(folder, log, watch)
    found = sorted(folder.glob("*.whl"))
    if code or not found:
        raise InputError(_failure(log.read_text(encoding="utf-8", errors="replace")))
    if sha256_file(found[0]) != WHEEL_SHA256:
        raise InputError(f"{found[0].name}, as pip fetched it, has not the SHA-256 {WHEEL_SHA256}; {ELSEWHERE}")
    return found[0]


def _run_pip(folder: Path, log: Path, watch: Watch | None) -> int:
    """pip's exit code. It ends when this process is interrupted."""
    command = [sys.executable, "-m", "pip", *REQUEST, "--disable-pip-version-check", "--quiet", "--dest", str(folder)]
    with log.open("wb") as told:
        running = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=told,
            env={**os.environ, "TMPDIR": str(folder)},  # where it downloads to, which shows how far it is
        )
        try:
            return _watched(running, folder, watch)
        finally:
            running.kill()
            running.wait()


def _watched(running: subprocess.Popen[bytes], folder: Path, watch: Watch | None) -> int:
    while True:
        try:
            return running.wait(LOOKS_EVERY_S)
        except subprocess.TimeoutExpired:
            if watch is not None:
                watch(min(_bytes_in(folder), WHEEL_BYTES), WHEEL_BYTES)


def _bytes_in(folder: Path) -> int:
    """Of the largest file there: the wheel on its way. Files may go while it looks."""
    sizes = [0]
    for place, _, names in os.walk(folder):
        for name in names:
            try:
                sizes.append((Path(place) / name).stat().st_size)
            except OSError:
                continue
    return max(sizes)


def _failure(log: str) -> str:
    lines = [line.strip() for line in log.splitlines() if line.strip()] or ["pip said nothing"]
    full = next((line for line in lines if "No space left" in line or "Errno 28" in line), None)
    if full is not None:
        return f"pip could not fetch mediapipe {VERSION}, because a disk is full ({full[:200]}); make room there"
    why = "it reached no index of packages" if any(sign in log for sign in UNREACHED) else lines[-1][:300]
    return f"pip could not fetch mediapipe {VERSION} ({why}). Try again with a network, or, {ELSEWHERE}"
