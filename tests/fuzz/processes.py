"""A case's own processes: its session, all that descend from it, and whoever inherited its mark. Linux."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

#: An environment variable that is different for each case.
MARK = "EDGEKIT_FUZZ_CASE"
TICK, PAGE = os.sysconf("SC_CLK_TCK"), os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True)
class Process:
    """One that lives. cpu_s: so far; rss: resident bytes; started: ticks since the machine's start."""

    pid: int
    parent: int
    session: int
    cpu_s: float
    rss: int
    started: int


def everybody() -> Iterator[Process]:
    """All that live; zombies don't."""
    for entry in os.scandir("/proc"):
        if not entry.name.isdigit():
            continue
        with contextlib.suppress(OSError, ValueError, IndexError):
            parts = Path(entry.path, "stat").read_text().rpartition(")")[2].split()
            if parts[0] != "Z":
                cpu_s = (int(parts[11]) + int(parts[12])) / TICK
                yield Process(
                    int(entry.name), int(parts[1]), int(parts[3]), cpu_s, int(parts[21]) * PAGE, int(parts[19])
                )


def family(leader: int) -> list[Process]:
    """A session's members and their descendants, in whatever session these are."""
    alive = list(everybody())
    known = {one.pid for one in alive if one.session == leader}
    size = -1
    while size != len(known):
        size = len(known)
        known |= {one.pid for one in alive if one.parent in known}
    return [one for one in alive if one.pid in known]


def marked(leader: int, mark: str, since: int) -> list[Process]:
    """Who is left of it: of its session, or with its mark. since: when it began, in ticks."""
    return [
        one
        for one in everybody()
        if one.session == leader or (one.started >= since and f"{MARK}={mark}" in _environment(one.pid))
    ]


def _environment(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/environ").read_bytes().decode("utf-8", "replace")
    except OSError:
        return ""


def now_ticks() -> int:
    """Ticks since the machine's start, as `started` counts them."""
    return int(time.clock_gettime(time.CLOCK_BOOTTIME) * TICK)


def end(processes: list[Process]) -> None:
    """Kill them."""
    for one in processes:
        with contextlib.suppress(ProcessLookupError):
            os.kill(one.pid, signal.SIGKILL)
