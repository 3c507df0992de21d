"""The command line keeps its promises on inputs that once failed and on some changed ones; and the fuzzer would see it
if it did not.

Reproduce a failure with `python -m tests.fuzz --seed SEED --replay NUMBER`.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest

if sys.platform != "linux":
    pytest.skip("watches processes through /proc", allow_module_level=True)

from . import contract, foreign
from .cases import changed
from .mutate import arrays, messages, pictures, raw, tables, trees
from .runner import MEMORY_BYTES, Outcome, Sandbox

ROOT = Path(__file__).resolve().parents[2]
SEED, COUNT = 20, 40


def fuzz(results: Path, *more: str) -> list[dict[str, Any]]:
    """A run of the fuzzer; every entry of its results."""
    command = [sys.executable, "-m", "tests.fuzz", "--results", str(results), *more]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode in (0, 1), done.stderr
    return [json.loads(line) for line in results.read_text().splitlines()]


def failures(entries: list[dict[str, Any]]) -> str:
    """What fell short, a line each."""
    return "".join(
        f"{entry['index']} {entry['target']} ({entry['recipe']}): {fault['kind']}: {fault['detail'][-300:]}\n"
        for entry in entries
        for fault in entry.get("faults", ())
    )


@pytest.fixture(scope="module")
def entries(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """Of all inputs that once failed, and some more."""
    results = tmp_path_factory.mktemp("fuzz") / "results.jsonl"
    return fuzz(results, "--kept", "--seed", str(SEED), "--count", str(COUNT))


def test_inputs_that_once_failed_get_a_clear_message(entries: list[dict[str, Any]]) -> None:
    kept = [entry for entry in entries if "kept" in entry]
    assert len(kept) >= 50
    assert failures(kept) == ""


def test_changed_inputs_are_used_or_refused(entries: list[dict[str, Any]]) -> None:
    assert failures([entry for entry in entries if "kept" not in entry]) == ""
    codes = entries[-1]["codes"]
    assert sum(codes.values()) == COUNT
    assert min(codes.get("0", 0), codes.get("2", 0)) >= COUNT // 10, "neither all valid nor all broken"


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2])
def test_many_changed_inputs_are_used_or_refused(tmp_path: Path, seed: int) -> None:
    entries = fuzz(tmp_path / "results.jsonl", "--full", "--seed", str(seed), "--count", "1500")
    assert failures(entries) == ""


@pytest.mark.slow
def test_killed_commands_end_in_the_same_bits(tmp_path: Path) -> None:
    """Eight kills; `python bench/kills.py` does two hundred."""
    command = [sys.executable, "bench/kills.py", "--count", "8", "--seed", "1", "--results", str(tmp_path / "kills")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


# The contract sees what it says it sees.

CLEAN = {"argv": ["data", "check", "victim.npz"], "names": ["victim"], "may_write": ["target"], "lines": False}
MESSAGE = "edgekit: error: victim.npz: broken; mend it\n"


def judged(root: Path, code: int | None = 2, out: str = "", err: str = MESSAGE, **more: Any) -> list[str]:
    """Kinds of faults of a made-up outcome; more: of the case, or files that it left, by `new`, `tmp` and `home`."""
    sandbox = Sandbox(root)
    sandbox.make()
    (sandbox.cwd / "victim.npz").write_text("before")
    (sandbox.notes / "before.json").write_text(json.dumps(contract.snapshot(sandbox.cwd)))
    (sandbox.notes / "stdout").write_text(out)
    (sandbox.notes / "stderr").write_text(err)
    for place, name in (("cwd", "new"), ("tmp", "tmp"), ("home", "home")):
        if name in more:
            (getattr(sandbox, place) / more.pop(name)).write_text("after")
    outcome = Outcome(0, "made up", code=code, **{key: more.pop(key) for key in list(more) if hasattr(Outcome, key)})
    (sandbox.notes / "case.json").write_text(json.dumps({**CLEAN, **more}))
    return [fault["kind"] for fault in contract.faults(outcome, sandbox)]


TRACEBACK = 'Traceback (most recent call last):\n  File "/x/edgekit/a.py", line 3, in f\nValueError: no\n'


@pytest.mark.parametrize(
    ("outcome", "kinds"),
    [
        ({}, []),
        ({"code": 0, "err": "", "new": "target"}, []),
        ({"code": 1, "err": TRACEBACK}, ["traceback"]),
        ({"code": 1, "err": "edgekit: error: victim: it died\n"}, ["exit code"]),
        ({"code": 3, "err": "", "out": "text"}, []),
        ({"code": None, "signal": 6}, ["signal"]),
        ({"code": None, "hung": True}, ["hang"]),
        ({"peak_bytes": MEMORY_BYTES + 1}, ["memory"]),
        ({"orphans": 1}, ["orphan"]),
        ({"err": ""}, ["message", "nameless"]),
        ({"err": MESSAGE * 2}, ["message"]),
        ({"err": MESSAGE + "victim " * 1000}, ["message"]),
        ({"err": "edgekit: error: broken\n"}, ["nameless"]),
        ({"err": f"\x1b[31m{MESSAGE}"}, ["message", "escape"]),
        ({"err": f"{MESSAGE}\x9b31m"}, ["escape"]),
        ({"err": f"{MESSAGE}/a/b.py:3: RuntimeWarning: overflow\n"}, ["warning"]),
        ({"code": 0, "err": "", "argv": ["x", "--json"]}, ["json"]),
        ({"code": 0, "err": "", "out": '{"a": NaN}', "argv": ["x", "--json"]}, ["json"]),
        ({"code": 0, "err": "", "out": '{"a": 1}\n{"a": 2}\n', "lines": True}, []),
        ({"new": "victim.npz"}, ["touched"]),
        ({"new": "beside"}, ["added"]),
        ({"new": "target"}, ["half written"]),
        ({"code": 0, "err": "", "new": ".target.a1b2c3d4"}, ["added", "half written"]),
        ({"tmp": "left"}, ["leftover"]),
        ({"home": "left"}, ["home"]),
    ],
)
def test_the_contract_names_every_way_to_fall_short(tmp_path: Path, outcome: dict[str, Any], kinds: list[str]) -> None:
    assert judged(tmp_path / "sandbox", **outcome) == kinds


# A seed makes the same input again.

ASPECTS = np.array([4 / 3, 16 / 9, np.nan])
FRAME = np.linspace(0, 1, 63, dtype=np.float32)


@pytest.mark.parametrize(
    ("mutate", "content"),
    [
        (raw.mutate, bytes(range(256))),
        (arrays.mutate_npy, arrays.npy_bytes(np.tile(FRAME, (20, 1)))),
        (tables.mutate_csv, b"take,frame,label,x0\nA0,0,A,0.5\nA0,1,A,0.25\n"),
        (pictures.mutate_csv, b"take,hand,aspect\nA/0,L,1.5\nA/1,R,0.75\n"),
        (pictures.mutate_npz, arrays.archive_of(Random(0), [("aspect.npy", arrays.npy_bytes(ASPECTS))])),
        (tables.mutate_stream, b"[0.5, 0.5]\n[0.25, 0.5]"),
        (messages.mutate, foreign.plain().SerializeToString()),
    ],
    ids=["bytes", "npy", "csv", "pictures", "picture arrays", "stream", "onnx"],
)
def test_changes_are_repeatable_and_change_something(mutate: Any, content: bytes) -> None:
    made = [[changed(Random(f"0:{k}"), content, (mutate,)) for k in range(40)] for _ in range(2)]
    assert made[0] == made[1]
    assert sum(result != content for result, _ in made[0]) >= 35


def test_a_changed_tree_differs_in_one_place_and_the_original_stays() -> None:
    tree = {"a": {"b": [1, 2]}, "c": "d"}
    made = [trees.mutate(Random(k), tree)[0] for k in range(200)]
    assert tree == {"a": {"b": [1, 2]}, "c": "d"}
    assert sum(result != tree for result in made) >= 190
