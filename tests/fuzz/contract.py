"""What every command promises, whatever it is given; and how a case fell short of it."""

from __future__ import annotations

import hashlib
import json
import os
import re
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .runner import Outcome, Sandbox

ALLOWED = (0, 2, 3, 4, 5)
LONGEST_MESSAGE = 4000
#: What a terminal would obey: control characters but tab and line feed, and the second set of them.
CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")
WARNING = re.compile(r"^\S+\.py:\d+: \w*Warning", re.MULTILINE)
FRAME = re.compile(r'File ".*?/(edgekit/[^"]+)", line (\d+), in (\w+)')
MAX_HASHED = 50_000_000


def snapshot(folder: Path) -> dict[str, str]:
    """Every entry below a folder: its kind, size and content."""
    found = {}
    for root, folders, files in os.walk(folder):
        for name in (*folders, *files):
            path = Path(root, name)
            about = path.lstat()
            what = f"{stat.S_IFMT(about.st_mode):o}"
            if stat.S_ISREG(about.st_mode):
                what += f" {about.st_size} {_digest(path, about.st_size)}"
            found[str(path.relative_to(folder))] = what
    return found


def _digest(path: Path, size: int) -> str:
    if size > MAX_HASHED:
        return str(path.stat().st_mtime_ns)
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]


def faults(outcome: Outcome, sandbox: Sandbox) -> list[dict[str, str]]:
    """Each as a kind, details and a signature that is the same for the same fault."""
    notes = sandbox.notes
    if not (notes / "before.json").exists() or (notes / "harness").exists():
        text = (notes / "harness").read_text() if (notes / "harness").exists() else "died while it was made"
        return [_fault("harness", text, text.strip().splitlines()[-1])]
    case = json.loads((notes / "case.json").read_text())
    out, err = (_read(notes / name) for name in ("stdout", "stderr"))
    found = [*_ending(outcome, err)]
    if outcome.code is not None:
        found += [*_said(outcome, case, out, err), *_left(outcome, case, sandbox), *_checked(notes)]
    return found


def _fault(kind: str, detail: str, signature: str = "") -> dict[str, str]:
    return {"kind": kind, "detail": detail[-1500:], "signature": f"{kind}: {signature or detail[:120]}"}


def _read(path: Path) -> str:
    return path.read_bytes().decode("utf-8", "replace") if path.exists() else ""


def _ending(outcome: Outcome, err: str) -> list[dict[str, str]]:
    """How it ended, and what that took."""
    from .runner import MEMORY_BYTES

    found = []
    if outcome.hung:
        found.append(_fault("hang", f"after {outcome.wall_s:.0f} s, {outcome.cpu_s:.1f} s of CPU", outcome.target))
    elif outcome.signal is not None:
        found.append(
            _fault("signal", f"ended by signal {outcome.signal}: {err[-300:]}", f"{outcome.signal} {outcome.target}")
        )
    if outcome.peak_bytes > MEMORY_BYTES:
        found.append(_fault("memory", f"{outcome.peak_bytes / 1e9:.1f} GB", outcome.target))
    if "Traceback (most recent call last)" in err:
        found.append(_fault("traceback", err, _where(err)))
    elif outcome.code is not None and outcome.code not in ALLOWED:
        found.append(_fault("exit code", f"{outcome.code}: {err[-600:]}", f"{outcome.code} {outcome.target}"))
    if outcome.orphans:
        found.append(_fault("orphan", f"{outcome.orphans} processes were still there a second later", outcome.target))
    return found


def _where(err: str) -> str:
    """The exception and the last line of edgekit's own in a traceback."""
    frames = FRAME.findall(err)
    place = "{}:{} {}".format(*frames[-1]) if frames else "outside edgekit"
    last = next(
        (
            line
            for line in reversed(err.strip().splitlines())
            if re.match(r"[\w.]+(Error|Exception|Interrupt|Exit|Warning)?\b", line)
        ),
        "",
    )
    return f"{last.partition(':')[0]} at {place}"


def _said(outcome: Outcome, case: dict[str, Any], out: str, err: str) -> list[dict[str, str]]:
    """stdout and stderr as people and programs read them."""
    found = []
    if outcome.code == 2:
        found += _message(outcome, case, err)
    for name, text in (("stdout", out), ("stderr", err)):
        bad = CONTROL.search(text)
        if bad:
            near = text[max(0, bad.start() - 60) : bad.end() + 20]
            found.append(_fault("escape", f"{name}: {near!r}", f"{name} of {outcome.target}"))
    if WARNING.search(err):
        found.append(_fault("warning", err, WARNING.search(err)[0].rpartition("/")[2]))  # type: ignore[index]
    if "--json" in case["argv"] or case["lines"]:
        found += _json_faults(outcome, case, out)
    return found


def _message(outcome: Outcome, case: dict[str, Any], err: str) -> list[dict[str, str]]:
    lines = [line for line in err.splitlines() if re.match(r"(edgekit: error: |Error: )", line)]
    found = []
    if len(lines) != 1:
        found.append(
            _fault("message", f"{len(lines)} error lines: {err[:600]}", f"{len(lines)} lines, {outcome.target}")
        )
    elif len(err) > LONGEST_MESSAGE:
        found.append(_fault("message", f"{len(err)} characters: {err[:300]}", f"too long, {outcome.target}"))
    if case["names"] and not any(name in err for name in case["names"]):
        found.append(_fault("nameless", err, f"{outcome.target}: {_pattern(err)}"))
    return found


def _pattern(text: str) -> str:
    """A message without its numbers and quoted words."""
    return re.sub(r"'[^']*'|\d+", "#", text.strip())[:80]


def _json_faults(outcome: Outcome, case: dict[str, Any], out: str) -> list[dict[str, str]]:
    texts = out.splitlines() if case["lines"] else [out] if out else []
    if not texts and outcome.code == 0:
        return [_fault("json", "exit 0 and nothing on stdout", f"nothing, {outcome.target}")]
    for text in texts:
        try:
            json.loads(text, parse_constant=_no_constant)
        except ValueError as error:
            return [_fault("json", f"{error}: {text[:200]}", f"{outcome.target}: {error}"[:60])]
    return []


def _no_constant(word: str) -> None:
    raise ValueError(f"{word} is no JSON")


def _left(outcome: Outcome, case: dict[str, Any], sandbox: Sandbox) -> list[dict[str, str]]:
    """Files: what was changed, added, half written, or left behind."""
    before, after = json.loads((sandbox.notes / "before.json").read_text()), snapshot(sandbox.cwd)
    found = []
    touched = [name for name in before if before[name] != after.get(name) and not _may(case, name)]
    if touched:
        found.append(_fault("touched", f"changed or gone: {touched[:5]}", f"{outcome.target}"))
    added = [name for name in after if name not in before]
    beside = [name for name in added if not _may(case, name)]
    if beside:
        found.append(_fault("added", f"new: {beside[:5]}", f"{outcome.target}"))
    half = [
        name
        for name in added
        if outcome.code == 2
        and _may(case, name)
        and "work" not in case["may_write"]
        and "victim" not in case["may_write"]
    ]
    temporary = [name for name in added if re.match(r"\.[^/]+\.[a-z0-9_]{8}$", Path(name).name)]
    if half or temporary:
        found.append(
            _fault("half written", f"after exit {outcome.code}: {(half + temporary)[:5]}", f"{outcome.target}")
        )
    for kind, place in (("leftover", sandbox.tmp), ("home", sandbox.home)):
        names = sorted(snapshot(place))
        if names:
            found.append(_fault(kind, f"{names[:5]}", f"{outcome.target} {re.sub('[^a-zA-Z/.-]+', '#', names[0])}"))
    return found


def _may(case: dict[str, Any], name: str) -> bool:
    return name.split("/")[0] in case["may_write"]


def _checked(notes: Path) -> list[dict[str, str]]:
    if not (notes / "checking").exists():
        return []
    if not (notes / "check").exists():
        return [_fault("wrong", "the check of what it left died", "check died")]
    return [
        _fault("wrong", text, re.sub(r"[\d.e+-]+", "#", text)[:60])
        for text in json.loads((notes / "check").read_text())
    ]
