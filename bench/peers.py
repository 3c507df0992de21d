"""Compiled models beside other runtimes: same weights, one thread, one take at a time, all in turns in one run.

    python bench/peers.py --results bench/results/peers.json

Three models that come with edgekit: the INT8 student of 40 units, the student of 64 units before it was pruned, the
teacher of 256x3. What is computed is the network behind the preprocessing, on frames that are normalised already; one
row shows edgekit's with its preprocessing inside. Each runtime runs in a process of its own and in a virtual
environment of its own, made on demand below `--environments`. A runtime that does not install, or cannot take the
model, is a row that says why.

Before it is timed, each answers 200 golden takes: an fp32 row has to be within 1e-4 of a float64 computation of the
same weights. Then all take turns, round by round, in an order drawn anew; in its turn each runs one take three times,
and five times more, which count. Calls of nothing are timed in the same way in every fifth round: what Python and the
runtime's interface cost, which is part of the figures. edgekit and generated C are timed in C, the others from Python.
Peak memory is that of a fresh process which has loaded the model and answered the takes; bytes are those of the
runtime's own shared libraries in that process and of the model's files. A row that changes more than 5 % of the labels
is shown, but is not counted as the fastest.

The machine's limit is measured in the same run: see bench/peer_limit.py. This host's figures: read ratios.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import os
import random
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np
from native import nothing
from peer_environments import FP32_WAYS, PEERS, Peer, Unavailable, last_words, python_of
from peer_limit import Limit, build_limit
from peer_models import MODELS, TAKES, Case, make_case, work
from peer_table import claims, page, show

from edgekit.measure.worker import cpu_model

SERVE = Path(__file__).resolve().parent / "peer_workers" / "serve.py"
NATIVE = Path(__file__).resolve().parents[1] / "edgekit" / "native"
#: Furthest that a logit of an fp32 row may be off.
FP32_ERROR = 1e-4
WARM, CALLS, EMPTY_EVERY = 3, 5, 5
#: Seconds that a runtime may take to prepare a model.
PREPARE_S = 600


class Worker:
    """A process that serves one way of one runtime. Raises Unavailable where it does not come up, or ends."""

    def __init__(self, command: list[str]) -> None:
        self._errors: IO[str] = tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace")  # noqa: SIM115 - closed
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._errors, text=True, env=environment()
        )
        self.about = self._read()

    def ask(self, **message: Any) -> dict[str, Any]:
        """The answer to one message."""
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            print(json.dumps(message), file=self._process.stdin, flush=True)
        return self._read()

    def _read(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            ended = self._process.wait()
            self._errors.seek(0)
            said = last_words(self._errors.read())
            self.close()
            raise Unavailable(f"ended ({ended}): {said}")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def close(self) -> None:
        """End it."""
        for stream in (self._process.stdin, self._process.stdout, self._errors):
            if stream is not None:
                with contextlib.suppress(BrokenPipeError):
                    stream.close()
        self._process.wait()


def environment() -> dict[str, str]:
    """Of every worker: one thread, one CPU, no telemetry, nothing of the caller's Python."""
    cpus = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    own = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "ORT_DISABLE_TELEMETRY": "1"}
    if cpus:
        own["PEERS_CPU"] = str(cpus[-1])
    return {**{name: value for name, value in os.environ.items() if name != "PYTHONPATH"}, **own}


def recipe(peer: Peer, way: str, case: Case) -> str:
    """What decides the files that a way needs, as one number."""
    sources = [*SERVE.parent.glob("*.*"), case.folder / "network.onnx", case.folder / "network.int8.onnx"]
    if not peer.packages:  # edgekit's own
        sources += [path for path in NATIVE.rglob("*.*") if path.suffix in (".py", ".c", ".h")]
    parts = [path.read_bytes() for path in sorted(sources) if not path.name.startswith("of_")]
    parts += [(SERVE.parent / f"{peer.module}.py").read_bytes(), " ".join((*peer.packages, way)).encode()]
    return hashlib.sha256(b"".join(parts)).hexdigest()


def prepare(peer: Peer, way: str, case: Case, environments: Path) -> list[str]:
    """The command of a worker whose files are ready: as they were left in the model's folder, or written anew; what
    could not be prepared is not tried again. Raises Unavailable."""
    command = [str(python_of(peer, environments)), str(SERVE), peer.module, way, str(case.folder)]
    mark = case.folder / f"prepared {peer.module} {way}"
    told = {"recipe": recipe(peer, way, case), "failed": ""}
    known = json.loads(mark.read_text(encoding="utf-8")) if mark.is_file() else {}
    if known.get("recipe") != told["recipe"]:
        known = {**told, "failed": _prepare([*command, "prepare"])}
        mark.write_text(json.dumps(known), encoding="utf-8")
    if known["failed"]:
        raise Unavailable(known["failed"])
    return [*command, "serve"]


def _prepare(command: list[str]) -> str:
    """Why it failed; nothing where it did not."""
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=PREPARE_S, env=environment()
        )
    except subprocess.TimeoutExpired:
        return f"preparing the model took longer than {PREPARE_S} s"
    return "cannot take the model: " + last_words(done.stderr) if done.returncode else ""


def answers(worker: Worker, way: str, case: Case) -> dict[str, Any]:
    """How right a worker is, and what it takes. Raises Unavailable for an fp32 row of other answers."""
    target = case.folder / "logits.npy"
    worker.ask(do="answer", logits=str(target))
    logits = np.load(target).astype(np.float64)
    error = float(np.abs(logits - case.exact).max())
    if way in FP32_WAYS and not error <= FP32_ERROR:
        raise Unavailable(f"its answers are {error:.2g} off, allowed for fp32 are {FP32_ERROR}")
    changed = int((logits.argmax(axis=1) != case.exact.argmax(axis=1)).sum())
    return {**worker.about, "error": error, "changed": changed, **worker.ask(do="size")}


def open_rows(case: Case, peers: tuple[Peer, ...], environments: Path) -> Iterator[tuple[str, Any, Worker | None]]:
    """(row, figures so far or why there are none, worker) of each way of each peer."""
    for peer in peers:
        for way in peer.ways:
            worker = None
            try:
                worker = Worker(prepare(peer, way, case, environments))
                yield f"{peer.name} {way}", answers(worker, way, case), worker
            except Unavailable as error:
                if worker is not None:
                    worker.close()
                yield f"{peer.name} {way}", {"failed": str(error)}, None


def take_turns(workers: Mapping[str, Worker], limit: Limit, rounds: int) -> dict[str, dict[str, list[int]]]:
    """Nanoseconds of each row by name: of its calls, and of its empty calls; of the limit as of a row."""
    found: dict[str, dict[str, list[int]]] = {name: {"ns": [], "empty_ns": []} for name in (*workers, *limit.names)}
    order = [*workers, *limit.names]
    for number in range(rounds):
        random.shuffle(order)
        for name in order:
            if name not in workers:
                with on_their_cpu():
                    found[name]["ns"] += limit.time(name, WARM, CALLS)
                continue
            ask = workers[name].ask
            found[name]["ns"] += ask(do="time", take=number % TAKES, warm=WARM, calls=CALLS)["ns"]
            if number % EMPTY_EVERY == 0:
                found[name]["empty_ns"] += ask(do="empty", warm=WARM, calls=CALLS)["ns"]
    return found


@contextlib.contextmanager
def on_their_cpu() -> Iterator[None]:
    """Here what is timed runs on the CPU where the workers run."""
    if not hasattr(os, "sched_getaffinity"):
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(before)})
    yield
    os.sched_setaffinity(0, before)


def compare(name: str, folder: Path, environments: Path, rounds: int, peers: tuple[Peer, ...]) -> dict[str, Any]:
    """All rows of one model."""
    case = make_case(name, folder)
    nothing(folder)
    rows, workers = {}, {}
    for row, told, worker in open_rows(case, peers, environments):
        rows[row] = told
        print(f"{name}: {row}: {told.get('failed', told.get('about'))}", file=sys.stderr, flush=True)
        if worker is not None:
            workers[row] = worker
    try:
        limit = build_limit(case.network, folder)
        samples = take_turns(workers, limit, rounds)
    finally:
        for worker in workers.values():
            worker.close()
    for row in workers:
        rows[row].update(samples[row])
    limits = {each: samples[each]["ns"] for each in limit.names}
    told = {"flags": limit.flags, "ns": limits, "cycles": limit.cycles, "clock_ghz": limit.clock_ghz()}
    return {"work": work(case.network), "rounds": rounds, "takes": TAKES, "rows": rows, "limit": told}


def measure(given: argparse.Namespace) -> dict[str, Any]:
    """Everything; --results is written again with every model that is finished."""
    found: dict[str, Any] = {"cpu": cpu_model(), "threads": 1, "flags": cpu_flags(), "models": {}}
    if given.model and given.results and given.results.exists():
        before = json.loads(given.results.read_text(encoding="utf-8"))
        if any(before[key] != found[key] for key in ("cpu", "threads", "flags")):
            sys.exit(f"error: {given.results}: of another machine; name another file, or measure all models")
        found["models"] = before["models"]
    peers = tuple(peer for peer in PEERS if not given.only or peer.name in given.only)
    with contextlib.ExitStack() as stack:
        place = given.keep or stack.enter_context(tempfile.TemporaryDirectory(prefix="edgekit-peers-"))
        for k, name in enumerate(MODELS):
            if given.model and name not in given.model:
                continue
            rounds = max(1, given.rounds // 10) if "teacher" in name else given.rounds
            found["models"][name] = compare(name, Path(place) / str(k), given.environments, rounds, peers)
            print(show(name, found["models"][name]), flush=True)
            if given.results:
                given.results.write_text(json.dumps(found) + "\n", encoding="utf-8")
    return found


def cpu_flags() -> list[str]:
    """Which of the instructions that matter here this CPU has."""
    text = Path("/proc/cpuinfo").read_text(encoding="utf-8") if Path("/proc/cpuinfo").exists() else ""
    has = set(text.partition("flags")[2].partition("\n")[0].split())
    return [flag for flag in ("avx2", "fma", "avx_vnni", "avx512f", "avx512_vnni", "amx_int8") if flag in has]


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=300, help="the teacher gets a tenth (default: %(default)s)")
    parser.add_argument("--results", type=Path)
    default = Path.home() / ".cache" / "edgekit-peers"
    parser.add_argument(
        "--environments", type=Path, default=default, help="where runtimes are installed (default: %(default)s)"
    )
    parser.add_argument(
        "--keep", type=Path, help="a folder for models and what runtimes make of them, to be used again"
    )
    parser.add_argument("--only", action="append", choices=[peer.name for peer in PEERS], help="may be given again")
    parser.add_argument(
        "--model", action="append", choices=list(MODELS), help="may be given again; --results keeps the others' figures"
    )
    parser.add_argument("--show", type=Path, help="results to show again, in place of measuring, with the docs' tables")
    given = parser.parse_args()
    if given.show:
        found = json.loads(given.show.read_text(encoding="utf-8"))
        print("\n".join(show(name, of_model) for name, of_model in found["models"].items()))
        print("\n" + page(found))
    else:
        found = measure(given)
    print("\n" + "\n".join(claims(found)))


if __name__ == "__main__":
    main()
