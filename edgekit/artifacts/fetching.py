"""What the user's own pip fetches, from wherever it is set up to fetch from; and where it is kept."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from edgekit.errors import InputError

#: What pip says where it reached nobody.
UNREACHED = ("Retrying (", "connection broken", "Could not fetch URL")
LOOKS_EVERY_S = 0.2

#: Told how many bytes of how many are here.
Watch = Callable[[int, int], None]


def cache_folder(name: str) -> Path:
    """$EDGEKIT_CACHE/name, else edgekit/name in $XDG_CACHE_HOME or ~/.cache."""
    own = os.environ.get("EDGEKIT_CACHE")
    if own:
        return Path(own) / name
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "edgekit" / name


def fetch_with_pip(
    what: str,
    request: Sequence[str],
    folder: Path,
    *,
    elsewhere: str,
    whole_bytes: int | None = None,
    watch: Watch | None = None,
) -> list[Path]:
    """The files that `pip download` brings to `folder`, which is empty. request: its arguments. what: it fetches, and
    elsewhere: what to do without it, in words.

    Raises InputError with what to do: without pip, without a network, and where there is no such file. A download that
    breaks off is taken up again by pip 25.2 and later; what pip has once lies in its own cache.
    """
    if importlib.util.find_spec("pip") is None:
        raise InputError(f"this Python has no pip to fetch {what} with; {elsewhere}")
    log = folder / "pip.log"
    code = _run_pip(request, folder, log, whole_bytes, watch)
    found = sorted(folder.glob("*.whl"))
    if code or not found:
        raise InputError(_failure(what, log.read_text(encoding="utf-8", errors="replace"), elsewhere))
    return found


def _run_pip(request: Sequence[str], folder: Path, log: Path, whole_bytes: int | None, watch: Watch | None) -> int:
    """pip's exit code. It ends when this process is interrupted."""
    command = [sys.executable, "-m", "pip", *request, "--disable-pip-version-check", "--quiet", "--dest", str(folder)]
    with log.open("wb") as told:
        running = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=told,
            env={**os.environ, "TMPDIR": str(folder)},  # where it downloads to, which shows how far it is
        )
        try:
            return _watched(running, folder, whole_bytes, watch)
        finally:
            running.kill()
            running.wait()


def _watched(running: subprocess.Popen[bytes], folder: Path, whole_bytes: int | None, watch: Watch | None) -> int:
    while True:
        try:
            return running.wait(LOOKS_EVERY_S)
        except subprocess.TimeoutExpired:
            if watch is not None and whole_bytes is not None:
                watch(min(_bytes_in(folder), whole_bytes), whole_bytes)


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


def _failure(what: str, log: str, elsewhere: str) -> str:
    lines = [line.strip() for line in log.splitlines() if line.strip()] or ["pip said nothing"]
    full = next((line for line in lines if "No space left" in line or "Errno 28" in line), None)
    if full is not None:
        return f"pip could not fetch {what}, because a disk is full ({full[:200]}); make room there"
    why = "it reached no index of packages" if any(sign in log for sign in UNREACHED) else lines[-1][:300]
    return f"pip could not fetch {what} ({why}). Try again with a network, or, {elsewhere}"
