"""Fuzz the command line.

    python -m tests.fuzz --count 10000 --seed 1 --results fuzz.jsonl
    python -m tests.fuzz --seed 1 --replay 4711 --keep there

Results are appended as they come: a JSON line for each case that fell short, and where a hundred more are done. The
same command goes on where it stopped. Ends with 1 when anything fell short.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
import time
import traceback
from collections import Counter
from pathlib import Path
from typing import Any


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.fuzz", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--count", type=int, default=1000, help="inputs [1000]")
    parser.add_argument("--first", type=int, default=0, help="the first one's number [0]")
    parser.add_argument("--only", help="targets whose name holds this word")
    parser.add_argument("--full", action="store_true", help="also work directories, checkpoints and teachers: slower")
    parser.add_argument("--results", type=Path, help="JSON lines; goes on where this file ends")
    parser.add_argument("--seeds", type=Path, help="where the valid inputs are, or are to be kept")
    parser.add_argument("--kept", action="store_true", help="first those that once failed")
    parser.add_argument("--replay", type=int, metavar="NUMBER", help="this one alone, and show everything")
    parser.add_argument("--keep", type=Path, help="copy the inputs that fell short to this folder")
    return parser.parse_args()


def ensure_seeds(folder: Path, full: bool) -> Path:
    """Make the valid inputs in a fork, which has everything imported; unless they are there."""
    if not (folder / "done").exists():
        from .seeds import make_seeds

        shutil.rmtree(folder, ignore_errors=True)
        pid = os.fork()
        if pid == 0:
            try:
                make_seeds(folder.absolute(), full)
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(0)
        os.waitpid(pid, 0)
        if not (folder / "done").exists():
            sys.exit("the valid inputs could not be made")
    return folder.absolute()


def tally(results: list[dict[str, Any]], counted: Counter[str]) -> str:
    """The summary that people read."""
    kinds: Counter[str] = Counter()
    signatures: Counter[str] = Counter()
    for result in results:
        for fault in result["faults"]:
            kinds[fault["kind"]] += 1
            signatures[fault["signature"]] += 1
    lines = [f"{sum(counted.values())} inputs; exit codes {dict(sorted(counted.items()))}"]
    lines.append(
        f"fell short: {len(results)} inputs; "
        + (", ".join(f"{kind} {count}" for kind, count in kinds.most_common()) or "no fault")
    )
    lines += [f"{count:6}  {signature}" for signature, count in signatures.most_common()]
    return "\n".join(lines)


def resume(path: Path | None, first: int) -> tuple[int, list[dict[str, Any]], Counter[str]]:
    """What an earlier run has done: the next number, its faults, its exit codes."""
    results, counted, following = [], Counter[str](), first
    for line in path.read_text().splitlines() if path and path.exists() else ():
        entry = json.loads(line)
        if "kept" in entry:
            continue
        if "faults" in entry:
            results.append(entry)
        else:
            following, counted = entry["next"], Counter(entry["codes"])
    return following, [result for result in results if result["index"] < following], counted


def main() -> int:
    given = parse()
    shared = Path("/dev/shm")
    scratch = tempfile.mkdtemp(prefix="edgekit-fuzz-", dir=shared if os.access(shared, os.W_OK) else None)
    os.environ.update(OMP_NUM_THREADS="1", TMPDIR=scratch, HOME=scratch)  # before numpy and torch are imported
    from .runner import Sandbox, preload, run_case, run_kept

    try:  # no TemporaryDirectory: a fork's own end would remove it
        preload()
        seeds = ensure_seeds(given.seeds or Path(scratch) / "seeds", given.full)
        sandbox = Sandbox(Path(scratch) / "case")
        if given.replay is not None:
            outcome = run_case(given.seed, given.replay, seeds, sandbox, given.only)
            print(json.dumps(outcome.to_dict(), indent=2))
            print((sandbox.notes / "stderr").read_bytes().decode("utf-8", "replace")[-3000:])
            if given.keep:
                shutil.copytree(sandbox.root, given.keep, symlinks=True)
            return int(bool(outcome.faults))
        kept = run_kept(sandbox, seeds) if given.kept else []
        for outcome in kept:
            write(given.results, {"kept": outcome.target, **outcome.to_dict()})
        return max(fuzz(given, seeds, sandbox, run_case), int(any(outcome.faults for outcome in kept)))
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def fuzz(given: argparse.Namespace, seeds: Path, sandbox: Any, run_case: Any) -> int:
    """All of them in turn."""
    following, results, counted = resume(given.results, given.first)
    begun, spent = time.monotonic(), Counter[str]()
    for index in range(following, given.first + given.count):
        outcome = run_case(given.seed, index, seeds, sandbox, given.only)
        spent[outcome.target] += outcome.wall_s
        counted[f"signal {outcome.signal}" if outcome.code is None else str(outcome.code)] += 1
        if outcome.faults:
            results.append(outcome.to_dict())
            write(given.results, outcome.to_dict())
            if given.keep:
                shutil.copytree(
                    sandbox.root, given.keep / str(index), symlinks=True, dirs_exist_ok=True, ignore=no_specials
                )
        if index % 100 == 99 or index == given.first + given.count - 1:
            write(
                given.results,
                {"next": index + 1, "codes": counted, "seconds": round(time.monotonic() - begun), "spent": spent},
            )
    print(tally(results, counted))
    return int(bool(results))


def no_specials(folder: str, names: list[str]) -> list[str]:
    """What a copy leaves out: pipes, sockets and huge files."""
    paths = [(name, Path(folder, name)) for name in names]
    return [
        name
        for name, path in paths
        if not path.is_symlink() and not path.is_dir() and (not path.is_file() or path.stat().st_size > 10**8)
    ]


def write(path: Path | None, entry: dict[str, Any]) -> None:
    if path is not None:
        with path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(entry) + "\n")


if __name__ == "__main__":
    sys.exit(main())
