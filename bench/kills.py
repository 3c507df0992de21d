"""The real command, killed at random moments: what it leaves, and whether it ends in the same bits afterwards.

    python bench/kills.py --count 200 --results kills.jsonl

Each of the jobs below is first run undisturbed. Then, `--count` times, one of them is started anew and ended by Ctrl-C
(SIGINT to the whole process group), two of them in a row, SIGTERM or SIGKILL (to the command alone), after a random
time or right after a random change of the work directory. Checked each time: the exit code; no traceback; nobody of its
processes is left; its TMPDIR is empty (after SIGKILL: once the next command is through); no file is half written. Then
the same command, or the job's single stages, goes on to the end, and every file that counts has to have the SHA-256 of
the undisturbed run's.

Results are appended as they come, a JSON line a kill; the same command goes on where it stopped. Linux; about ten
seconds a kill. Ends with 1 when anything fell short.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from kill_places import LIMIT_S, Place, digest, half_written, listing

#: Every stage in about a second; the imports take longer.
TINY = (
    "--workdir=work", "--data=letters.npz", "--preset=quick", "--set=model.hidden_size=8", "--set=model.num_layers=1",
    "--set=student.hidden_size=24", "--set=student.dense=48", "--set=training.epochs=2",
    "--set=distill.training.epochs=2", "--set=distill.copies=1", "--set=prune.recovery.training.epochs=2",
    "--set=bench.repeats=20", "--set=bench.warmup=2", "--set=bench.processes=1", "--set=bench.time_limit_s=1",
)  # fmt: skip
SIGNALS = ("int", "int twice", "term", "kill")
#: As the shell shows them; a process that a signal ended before Python could answer looks the same there.
CODES = {
    "int": (130, -signal.SIGINT),
    "int twice": (130, -signal.SIGINT),
    "term": (143, -signal.SIGTERM),
    "kill": (-9,),
}
FINISHED = (0, 4)


@dataclass(frozen=True)
class Job:
    """A command. argv: after `edgekit`. results: files or folders whose content counts. again: other commands that end
    in the same. needs: what stands there when it starts. once: it refuses to replace what it has written. weight: its
    share of the kills."""

    argv: tuple[str, ...]
    results: tuple[str, ...]
    weight: int
    again: tuple[tuple[str, ...], ...] = ()
    needs: tuple[str, ...] = ("letters.npz",)
    once: bool = False


#: Two students of two files each, a second each.
SEARCH = (
    "--set=search.hidden_size=[8,12]", "--set=search.num_layers=[1]", "--set=search.bidirectional=[false]",
    "--set=search.sparsity=[0.5]", "--set=search.epochs=2", "--set=search.recovery_epochs=1",
    "--set=search.stopping=null", "--set=bench.min_time_s=0.01",
)  # fmt: skip
SEARCHED = tuple(
    f"work/search/models/lstm-{units}x1-s0.5-int8-{scheme}.onnx"
    for units in (8, 12)
    for scheme in ("weights", "dynamic")
)
COMPILED = ("native/model.c", "native/model.h", "native/Makefile", "native/test.c")
STUDENT, PRUNED = "work/student/model.safetensors", "work/pruned/model.safetensors"
TEACHER, MODELS = "work/models/accurate/model.safetensors", ("work/model.onnx", "work/model.int8.onnx")


def chain(*more: str) -> Job:
    """`edgekit run`; its stages one by one end in the same."""
    given = (*TINY, *more)
    stages = (("train", "accurate", *given), ("distill", *given), ("prune", *given), ("quantize", *given))
    return Job(("run", *given), (TEACHER, STUDENT, PRUNED, *MODELS), 6, stages)


def training(*more: str, weight: int = 3) -> Job:
    """`edgekit train`, long enough to have checkpoints."""
    argv = ("train", "edge", *TINY, "--set=training.epochs=8", "--set=student.hidden_size=48", *more)
    return Job(argv, ("work/models/edge/model.safetensors", "work/models/edge/model.onnx"), weight)


def converting(target: str, *more: str) -> Job:
    """`edgekit data convert`."""
    return Job(("data", "convert", "many.npz", target, *more), (target,), 1, needs=("many.npz",), once=True)


JOBS = {
    "run": chain("--threads=1"),
    "run, two threads": chain("--threads=2", "--set=model.hidden_size=128"),
    "train": training("--threads=1"),
    "train, two processes": training("--threads=1", "--accelerators=2", "--accelerator=cpu", weight=2),
    "distill": Job(("distill", *TINY, "--threads=1"), (TEACHER, STUDENT), 3),
    "quantize": Job(("quantize", *TINY, "--threads=1"), (PRUNED, *MODELS), 3, needs=("letters.npz", "work")),
    "quantize a file": Job(("quantize", "model.onnx", "-o", "target.onnx"), ("target.onnx",), 2, needs=("model.onnx",)),
    "step": Job(("step", "model.onnx", "-o", "steps.onnx"), ("steps.onnx",), 1, needs=("model.onnx",), once=True),
    "compile": Job(("compile", "model.onnx", "-o", "native"), COMPILED, 2, needs=("model.onnx",)),
    "search": Job(("search", *TINY, *SEARCH, "--set=training.threads=1"), SEARCHED, 3, needs=("letters.npz", "work")),
    "convert to csv": converting("target.csv"),
    "convert to npz": converting("target.npz"),
    "convert to takes": converting("target"),
    "bench": Job(
        ("bench", "model.onnx", "--workdir=none", "--repeats=20", "--processes=2", "--time-limit=1", "--junit=x.xml"),
        results=(),
        weight=2,
        needs=("model.onnx",),
    ),
}


@dataclass(frozen=True)
class Kill:
    """How number `number` of a seed is ended. share: of the undisturbed time; change: or so many changes on disk."""

    number: int
    job: str
    by: str
    share: float
    change: int | None
    stages: bool

    @classmethod
    def draw(cls, seed: int, number: int, jobs: list[str]) -> Kill:
        """The same for the same seed and number."""
        rng = Random(f"{seed}:{number}")
        job = rng.choices(jobs, [JOBS[name].weight for name in jobs])[0]
        change = rng.randint(1, 40) if rng.random() < 0.35 else None
        stages = bool(JOBS[job].again) and rng.random() < 0.5
        return cls(number, job, SIGNALS[number % len(SIGNALS)], rng.random(), change, stages)


def prepare(place: Place, job: Job, things: Path) -> None:
    """What the job needs, copied."""
    for name in job.needs:
        source = things / name
        shutil.copytree(source, place.folder / name) if source.is_dir() else shutil.copy(source, place.folder / name)


def wait_for(process: subprocess.Popen[bytes], kill: Kill, place: Place, usual_s: float) -> bool:
    """Until the moment has come; whether the process still runs then."""
    begun, seen, changes = time.monotonic(), listing(place.folder), 0
    while process.poll() is None and time.monotonic() - begun < LIMIT_S:
        if kill.change is None:
            if time.monotonic() - begun >= kill.share * usual_s:
                return True
        else:
            now = listing(place.folder)
            changes, seen = changes + (now != seen), now
            if changes >= kill.change:
                return True
        time.sleep(0.002)
    return process.poll() is None


def send(process: subprocess.Popen[bytes], by: str, rng: Random) -> None:
    """The signal, or both."""
    if by in ("term", "kill"):
        process.send_signal(signal.SIGTERM if by == "term" else signal.SIGKILL)
        return
    os.killpg(process.pid, signal.SIGINT)
    if by == "int twice":
        time.sleep(rng.choice((0.001, 0.05, 0.3)))
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGINT)


def kill_once(kill: Kill, reference: dict[str, Any], things: Path, scratch: Path) -> dict[str, Any]:
    """One kill and what became of it, JSON-ready."""
    job, place = JOBS[kill.job], Place(scratch / "kill")
    prepare(place, job, things)
    started = time.monotonic()
    process = place.start(job.argv)
    hit = wait_for(process, kill, place, reference["wall_s"])
    after_s = time.monotonic() - started
    if hit:
        send(process, kill.by, Random(kill.number))
    try:
        code = process.wait(30)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        code = process.wait() - 1000
    about = {"number": kill.number, "job": kill.job, "by": kill.by, "change": kill.change, "after_s": round(after_s, 3)}
    begun = has_begun(place.stderr.read_text(errors="replace"))
    faults = [*(ending(kill, code, hit, place) if begun else ()), *half_written_faults(place)]
    resumed = go_on(kill, job, place, reference, faults)
    found = {"hit": begun and hit and code not in FINISHED, "begun": begun, "code": code}
    return {**about, **found, "resumed": resumed, "faults": faults}


def has_begun(said: str) -> bool:
    """Whether any of edgekit's lines had run. In its own first moments Python answers Ctrl-C with a traceback that
    holds none of a program's files; no program can do anything about that."""
    frames = [line for line in said.splitlines() if line.startswith('  File "')]
    return "KeyboardInterrupt" not in said or not frames or any("edgekit" in frame for frame in frames)


def ending(kill: Kill, code: int, hit: bool, place: Place) -> Iterator[str]:
    """Exit code, words, processes and temporary files."""
    said = place.stderr.read_text(errors="replace")
    if code not in (CODES[kill.by] if hit else ()) and code not in FINISHED:
        yield f"exit code {code}: {said[-400:]}"
    if "Traceback" in said:
        yield f"traceback: {said[-600:]}"
    if count := place.orphans():
        yield f"{count} processes were left"
    if kill.by != "kill" and (names := place.temporary()):
        yield f"left behind: {names[:5]}"


def half_written_faults(place: Place) -> Iterator[str]:
    return (f"half written: {text}" for text in half_written(place.folder))


def go_on(kill: Kill, job: Job, place: Place, reference: dict[str, Any], faults: list[str]) -> list[int]:
    """The same command again, or the single stages; then the files are the undisturbed run's."""
    written = job.once and all((place.folder / name).exists() for name in job.results)
    codes: list[int] = []
    for argv in job.again if kill.stages else () if written else (job.argv,):
        codes.append(place.run(argv))
        if codes[-1] not in FINISHED:
            said = place.stderr.read_text(errors="replace")
            faults.append(f"{argv[0]} afterwards: exit code {codes[-1]}: {said[-400:]}")
            return codes
    for name in job.results:
        if digest(place.folder / name) != reference["digests"][name]:
            faults.append(f"{name} is another one than without the kill")
    if names := place.temporary():
        faults.append(f"left behind at the end: {names[:5]}")
    return codes


def make_things(things: Path) -> None:
    """Recordings, a model file and a work directory that is ready for `quantize`."""
    place = Place(things)
    steps = (
        ("data", "synth", "letters.npz", "--people=2", "--takes-per-letter=2"),
        ("data", "synth", "many.npz", "--people=8", "--takes-per-letter=4"),
        ("distill", *TINY, "--threads=1"),
    )
    for argv in steps:
        if place.run(argv):
            sys.exit(f"edgekit {' '.join(argv)}: {place.stderr.read_text()}")
    for path in place.folder.iterdir():
        shutil.move(path, things / path.name)
    shutil.copy(things / "work/student/model.onnx", things / "model.onnx")


def measure(name: str, things: Path, scratch: Path) -> dict[str, Any]:
    """The undisturbed job: its time and what it leaves."""
    job, place = JOBS[name], Place(scratch / "reference")
    prepare(place, job, things)
    begun = time.monotonic()
    code = place.run(job.argv)
    if code not in FINISHED:
        sys.exit(f"{name}: exit code {code}: {place.stderr.read_text()}")
    wall_s = time.monotonic() - begun
    return {"wall_s": wall_s, "digests": {result: digest(place.folder / result) for result in job.results}}


def summary(entries: list[dict[str, Any]]) -> str:
    """What people read."""
    hits = [entry for entry in entries if entry["hit"]]
    bad = [entry for entry in entries if entry["faults"]]
    lines = [f"{len(hits)} kills ({len(entries)} tries): {dict(Counter(entry['by'] for entry in hits))}"]
    lines.append(f"by job: {dict(Counter(entry['job'] for entry in hits))}")
    early = sum(not entry.get("begun", True) for entry in entries)
    lines += [f"{early} more came while Python itself was starting, before edgekit"] if early else []
    lines.append(f"fell short: {len(bad)}")
    for entry in bad:
        how = f"  {entry['number']} {entry['job']}, {entry['by']} after {entry['after_s']} s"
        lines += [f"{how}: {fault}" for fault in entry["faults"]]
    return "\n".join(lines)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=200, help="kills that hit [200]")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", help="jobs whose name holds this word")
    parser.add_argument("--number", type=int, help="this one alone")
    parser.add_argument("--results", type=Path, help="JSON lines; goes on where this file ends")
    return parser.parse_args()


def earlier(path: Path | None) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()] if path and path.exists() else []


def main() -> int:
    given = parse()
    signal.signal(signal.SIGINT, signal.default_int_handler)  # where a shell's & has it ignored, commands would, too
    entries = earlier(given.results)
    jobs = [name for name in JOBS if given.only is None or given.only in name]
    references: dict[str, dict[str, Any]] = {}
    number = given.number if given.number is not None else max((entry["number"] + 1 for entry in entries), default=0)
    with tempfile.TemporaryDirectory(prefix="edgekit-kills-") as folder:
        scratch = Path(folder)
        make_things(scratch / "things")
        while sum(entry["hit"] for entry in entries) < given.count:
            kill = Kill.draw(given.seed, number, jobs)
            if kill.job not in references:
                references[kill.job] = measure(kill.job, scratch / "things", scratch)
            entries.append(kill_once(kill, references[kill.job], scratch / "things", scratch))
            if given.results:
                with given.results.open("a") as file:
                    file.write(json.dumps(entries[-1]) + "\n")
            number += 1
            if given.number is not None:
                break
    print(summary(entries))
    return int(any(entry["faults"] for entry in entries))


if __name__ == "__main__":
    sys.exit(main())
