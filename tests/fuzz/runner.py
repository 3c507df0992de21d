"""One case in a process of its own, watched: what it returned, said, took and left.

The process is a fork of one that has imported everything, so a case costs its own time only; whatever it breaks, the
next one starts afresh. Linux.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import importlib
import io
import json
import os
import resource
import shutil
import sys
import tempfile
import time
import traceback
import uuid
import warnings
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

from . import contract, processes
from .cases import Case
from .corpus import CORPUS
from .targets import TARGETS, choose

HANG_S = 10.0
#: Of waiting for others, where the machine is busy: a case that uses no processor for HANG_S hangs, too.
PATIENCE_S = 90.0
MEMORY_BYTES = 1_500_000_000
#: No case may take the machine down while nobody looks.
HARD_BYTES = 4_000_000_000
#: What a user may raise or lower: less than the contract's own limits, so that these are never met.
LIMITS = {"EDGEKIT_MAX_MODEL_MB": "600", "EDGEKIT_MAX_MODEL_S": "7"}
PROBE_S = 0.004
LOOK_S = 0.1
PRELOADED = (
    *("edgekit.cli", "edgekit.cli.progress", "edgekit.jobs", "edgekit.quantize", "edgekit.report", "edgekit.train"),
    *("edgekit.tune", "edgekit.distill", "edgekit.prune", "edgekit.export", "edgekit.teacher"),
    *("filelock", "onnxruntime", "pyarrow.parquet", "pyarrow.dataset", "torch_pruning"),
)


@dataclass
class Outcome:
    """What came of a case. code: of `edgekit.cli.main`; None when it never returned. signal: that ended the process.
    cpu_s, peak_bytes: of it and its children. left: in TMPDIR and HOME. before, after: of the folder it ran in."""

    index: int
    target: str
    recipe: str = ""
    argv: list[str] = field(default_factory=list)
    code: int | None = None
    signal: int | None = None
    wall_s: float = 0.0
    cpu_s: float = 0.0
    peak_bytes: int = 0
    hung: bool = False
    orphans: int = 0
    faults: list[dict[str, str]] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return asdict(self)


class Sandbox:
    """Folders of one case below `root`: where it runs, its TMPDIR, its HOME, and what it said."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.cwd, self.tmp, self.home, self.notes = (root / name for name in ("cwd", "tmp", "home", "notes"))

    def make(self) -> None:
        """Empty ones."""
        shutil.rmtree(self.root, ignore_errors=True)
        for place in (self.cwd, self.tmp, self.home, self.notes):
            place.mkdir(parents=True)


def preload() -> None:
    """Import what the cases need, once; PyTorch alone takes seconds."""
    for name in PRELOADED:
        importlib.import_module(name)
    gc.collect()
    gc.freeze()  # nothing of this is looked at again in each fork


def run_case(seed: int, index: int, seeds: Path, sandbox: Sandbox, only: str | None = None) -> Outcome:
    """Make input `index` of `seed` and run it. The sandbox stays as the case left it."""
    rng = Random(f"{seed}:{index}")
    target = choose(rng, (seeds / "done").read_text() == "full", only)
    return run_made(index, target, lambda: TARGETS[target][1](rng, seeds), sandbox)


def run_kept(sandbox: Sandbox, seeds: Path) -> list[Outcome]:
    """All inputs that once failed."""
    return [
        run_made(number, name, partial(maker, seeds), sandbox) for number, (name, maker) in enumerate(CORPUS.items())
    ]


def run_made(index: int, target: str, make: Callable[[], Case], sandbox: Sandbox) -> Outcome:
    """Make a case in the sandbox and run it."""
    sandbox.make()
    sys.stdout.flush()
    sys.stderr.flush()
    mark, since = uuid.uuid4().hex, processes.now_ticks()
    pid = os.fork()
    if pid == 0:
        _in_child(make, sandbox, mark)
    outcome = Outcome(index, target)
    _watch(pid, mark, since, outcome)
    _collect(outcome, sandbox)
    outcome.faults = contract.faults(outcome, sandbox)
    return outcome


def _in_child(make: Callable[[], Case], sandbox: Sandbox, mark: str) -> None:
    """Never returns."""
    try:
        os.setsid()
        os.chdir(sandbox.cwd)
        os.environ.update(LIMITS, TMPDIR=str(sandbox.tmp), HOME=str(sandbox.home))
        os.environ.update({"XDG_CACHE_HOME": str(sandbox.home / ".cache"), processes.MARK: mark})
        tempfile.tempdir = None
        resource.setrlimit(resource.RLIMIT_DATA, (HARD_BYTES, HARD_BYTES))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        with warnings.catch_warnings(action="ignore"):
            case = make()
        _describe(case, sandbox)
        _redirect(sandbox)
        (sandbox.notes / "code").write_text(str(_call(case, sandbox)))
        if case.check is not None and (sandbox.notes / "code").read_text() == "0":
            (sandbox.notes / "checking").touch()
            (sandbox.notes / "check").write_text(json.dumps(case.check()))
    except BaseException:
        (sandbox.notes / "harness").write_text(traceback.format_exc())
    finally:
        os._exit(0)


def _describe(case: Case, sandbox: Sandbox) -> None:
    about = {
        "argv": case.argv,
        "recipe": case.recipe,
        "names": case.names,
        "may_write": case.may_write,
        "lines": case.lines,
    }
    (sandbox.notes / "case.json").write_text(json.dumps(about))
    (sandbox.notes / "before.json").write_text(json.dumps(contract.snapshot(Path())))
    (sandbox.notes / "stdin").write_bytes(case.stdin)


def _redirect(sandbox: Sandbox) -> None:
    """The three streams as a process has them, also for what writes past Python."""
    for number, name, flags in (
        (0, "stdin", os.O_RDONLY),
        (1, "stdout", os.O_WRONLY | os.O_CREAT),
        (2, "stderr", os.O_WRONLY | os.O_CREAT),
    ):
        handle = os.open(sandbox.notes / name, flags | (os.O_APPEND if number else 0), 0o644)
        os.dup2(handle, number)
        os.close(handle)
    sys.stdin = io.TextIOWrapper(io.BufferedReader(io.FileIO(0, closefd=False)), encoding="utf-8", errors="strict")
    sys.stdout = io.TextIOWrapper(
        io.BufferedWriter(io.FileIO(1, "w", closefd=False)), encoding="utf-8", errors="strict"
    )
    sys.stderr = io.TextIOWrapper(
        io.BufferedWriter(io.FileIO(2, "w", closefd=False)),
        encoding="utf-8",
        errors="backslashreplace",
        line_buffering=True,
    )


def _call(case: Case, sandbox: Sandbox) -> int:
    """The exit code as a process would have it; 1 with a traceback where Python would print one."""
    from edgekit.cli import main

    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")  # the peak starts here
    try:
        main(list(case.argv))
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
        code = 1
    with contextlib.suppress(Exception):
        atexit._run_exitfuncs()
    try:
        sys.stdout.flush()
    except ValueError:
        code = code or 120
    sys.stderr.flush()
    (sandbox.notes / "peak").write_text(str(_own_peak()))
    return code


def _own_peak() -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))


def _watch(pid: int, mark: str, since: int, outcome: Outcome) -> None:
    """Wait for its end, or end it, with all that it started."""
    begun = busy = looked = time.monotonic()
    used = 0.0
    while True:
        done, status, usage = os.wait4(pid, os.WNOHANG)
        now = time.monotonic()
        if done:
            break
        if now - looked > LOOK_S:
            looked, alive = now, processes.family(pid)
            cpu_s, rss = sum(one.cpu_s for one in alive), sum(one.rss for one in alive)
            outcome.peak_bytes = max(outcome.peak_bytes, rss)
            if cpu_s > used + 0.05:
                busy, used = now, cpu_s
            late = now - begun > PATIENCE_S or cpu_s > HANG_S + 2 or now - busy > HANG_S
            if late or rss > HARD_BYTES:
                outcome.hung = late
                processes.end(alive)
                done, status, usage = os.wait4(pid, 0)
                break
        time.sleep(PROBE_S)
    outcome.wall_s = round(time.monotonic() - begun, 3)
    outcome.cpu_s = round(usage.ru_utime + usage.ru_stime, 3)
    outcome.signal = os.WTERMSIG(status) if os.WIFSIGNALED(status) else None
    outcome.orphans = len(_left(pid, mark, since))


def _left(pid: int, mark: str, since: int) -> list[processes.Process]:
    """Who is still there a second later, and no longer then."""
    deadline = time.monotonic() + 1.0
    while (left := processes.marked(pid, mark, since)) and time.monotonic() < deadline:
        time.sleep(0.02)
    processes.end(left)
    return left


def _collect(outcome: Outcome, sandbox: Sandbox) -> None:
    about = sandbox.notes / "case.json"
    if about.exists():
        content = json.loads(about.read_text())
        outcome.argv, outcome.recipe = content["argv"], content["recipe"]
    code, peak = sandbox.notes / "code", sandbox.notes / "peak"
    outcome.code = int(code.read_text()) if code.exists() else None
    if peak.exists():
        outcome.peak_bytes = max(outcome.peak_bytes, int(peak.read_text()))
