"""Makes a Linux machine look like one that is none, for every Python that is started with this folder on its path.

What only POSIX or Linux has is taken away from edgekit: modules, functions of `os`, signals, /proc and /sys. Libraries
that were built for Linux keep what they read themselves.
"""

# ruff: noqa: F401, PTH
from __future__ import annotations

import asyncio
import builtins
import contextlib
import io
import multiprocessing.context
import multiprocessing.popen_spawn_posix
import multiprocessing.resource_tracker
import os
import platform
import signal
import subprocess
import sys
import tempfile
from typing import Any

with contextlib.suppress(ImportError):
    import filelock
    import psutil

for name in ("fcntl", "resource", "pwd", "grp", "termios", "tty", "syslog"):
    sys.modules[name] = None  # type: ignore[assignment]
for name in (
    "fork", "forkpty", "getuid", "geteuid", "getgid", "getegid", "sysconf", "getloadavg", "sched_getaffinity",
    "sched_setaffinity", "mkfifo", "O_NOFOLLOW", "O_CLOEXEC", "O_DIRECTORY", "fchmod", "setsid", "killpg", "getpgid",
):  # fmt: skip
    delattr(os, name)
for name in ("SIGHUP", "SIGQUIT"):
    delattr(signal, name)
multiprocessing.get_all_start_methods = lambda: ["spawn"]  # type: ignore[method-assign]
del multiprocessing.context.ForkProcess
platform.system = lambda: "Plan9"

_open = builtins.open


def _asked_by_edgekit() -> bool:
    frame = sys._getframe(2)
    while frame.f_back is not None and frame.f_code.co_filename.endswith(("pathlib.py", "sitecustomize.py")):
        frame = frame.f_back
    return "/edgekit/" in frame.f_code.co_filename or frame.f_code.co_filename.endswith("worker.py")


def _refuse(path: Any, *rest: Any, **named: Any) -> Any:
    if isinstance(path, str | os.PathLike) and os.fspath(path).startswith(("/proc", "/sys")) and _asked_by_edgekit():
        raise FileNotFoundError(2, "No such file or directory", str(path))
    return _open(path, *rest, **named)


builtins.open = io.open = _refuse
